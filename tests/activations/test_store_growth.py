"""Finished stores to which sentences are appended."""

import json
import os

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations import _store_rows

from .small_stores import WORDS, about, rows, write

FIRST = slice(0, 2), slice(0, 3)  # sentences, rows
LAST = slice(2, 4), slice(3, 8)


def part(sentences, words, **changes):
    """The arguments for some of the sentences."""
    whole = about()
    ids = np.array(whole["sentence_ids"])[sentences]
    return about(
        words=WORDS[sentences], sentence_ids=ids - ids[0], labels=whole["labels"][words], **changes
    )


def grow(path, **changes):
    return StoreWriter(path, append=True, **part(*LAST, **changes))


@pytest.fixture
def store(tmp_path):
    with StoreWriter(tmp_path / "store", **part(*FIRST)) as writer:
        writer.append(rows()[FIRST[1]])
    return tmp_path / "store"


def same(path):
    tokens = TokenActivations.load(path, verify=True)
    np.testing.assert_array_equal(tokens.X, rows())
    np.testing.assert_array_equal(np.load(path / "X.npy"), rows())
    assert tokens.words.tolist() == [word for words in WORDS for word in words]
    assert tokens.sentence_ids.tolist() == [0, 0, 1, 2, 2, 2, 6, 6]  # 3 and 7 follow 1
    assert tokens.positions.tolist() == [0, 1, 0, 0, 1, 2, 0, 1]
    assert tokens.y.tolist() == about()["labels"]


def test_it_equals_a_store_of_all_sentences(store):
    before = TokenActivations.load(store)
    with grow(store) as writer:
        assert (writer.n_sentences, writer.n_words) == (4, 8)
        assert (writer.n_done, writer.n_words_done) == (2, 3)
        writer.append(rows()[3:6])
        writer.append(rows()[6:8])
    same(store)
    np.testing.assert_array_equal(before.X, rows()[:3])  # its memory map is still valid
    assert not (store / "words.json").exists()
    with StoreWriter(store, append=True, **part(*FIRST)) as writer:
        writer.append(rows()[:3])
    assert len(TokenActivations.load(store, verify=True)) == 11
    assert sorted(os.listdir(store)) == [
        "X.npy", "labels.2.npy", "progress.json", "sentence_ids.2.npy", "store.json",
        "words.2.json",
    ]  # fmt: skip


def test_append_creates_a_store_and_resumes_its_creation(tmp_path):
    path = tmp_path / "new"
    with StoreWriter(path, append=True, **about()) as writer:
        writer.append(rows()[:2])
    with StoreWriter(path, append=True, **about()) as writer:
        assert writer.n_done == 1
        writer.append(rows()[2:])
    np.testing.assert_array_equal(TokenActivations.load(path).X, rows())


def test_an_interrupted_growth_is_resumed(store):
    with grow(store) as writer:
        writer.append(rows()[3:6])
    with pytest.raises(ValueError, match="3 of 4 sentences are written"):
        TokenActivations.load(store)
    assert len(TokenActivations.load(store, partial=True)) == 6
    with pytest.raises(ValueError, match="contains another store: sentence 2"):
        StoreWriter(store, append=True, **part(*LAST) | {"words": [["x"] * 3, ["y"] * 2]})
    with grow(store) as writer:
        assert writer.n_done == 3
        writer.append(rows()[6:])
    same(store)


class EndError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("n_steps", range(9))
def test_killed_between_any_two_steps(store, monkeypatch, n_steps):
    """Whatever has been written, the store is loaded or resumed."""
    left = [n_steps]

    def counting(call):
        def run(*args):
            if not left[0]:
                raise EndError
            left[0] -= 1
            return call(*args)

        return run

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", counting(os.replace))
        patch.setattr(_store_rows, "reserve", counting(_store_rows.reserve))
        try:
            with grow(store) as writer:
                writer.append(rows()[3:])
        except EndError:
            pass
    tokens = TokenActivations.load(store, partial=True)
    np.testing.assert_array_equal(tokens.X, rows()[: len(tokens)])
    assert len(tokens) in (3, 8)
    if len(tokens) < 8:
        with grow(store) as writer:
            writer.append(rows()[3:])
    same(store)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "float16"}, "dtype is float32 in the store, but float16 was passed"),
        ({"layers": (0, 4)}, "layers is"),
        ({"parameters": {"model": "gpt2"}}, r"parameters\['model'\] is"),
    ],
)
def test_other_activations_cannot_be_appended(store, changes, message):
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    with pytest.raises(ValueError, match=f"cannot be extended by other activations: {message}"):
        grow(store, **changes)
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before


@pytest.mark.parametrize(
    ("labels", "message"),
    [(None, "the store has labels"), ([1, 2, 3, 4, 5], "the labels of the store are <U5, but")],
)
def test_other_labels_cannot_be_appended(store, labels, message):
    with pytest.raises(ValueError, match=message):
        StoreWriter(store, append=True, **part(*LAST) | {"labels": labels})


def test_parameters_that_vary_are_combined(tmp_path):
    digests = []
    for second in ("b", "c"):
        path = tmp_path / second
        for digest, where in (("a", FIRST), (second, LAST)):
            arguments = part(*where, parameters={"model": "x", "digest": digest})
            with StoreWriter(path, append=True, varying=["digest"], **arguments) as writer:
                writer.append(rows()[where[1]])
        assert len(TokenActivations.load(path)) == 8
        digests.append(TokenActivations.describe(path)["parameters"]["digest"])
    assert len({*digests, "a", "b", "c"}) == 5


def test_tokens_with_places_can_be_appended_to_words(store):
    arguments = part(*LAST) | {"positions": [4, 5, 6, 1, 2], "offsets": np.ones((5, 2), int)}
    with StoreWriter(store, append=True, **arguments) as writer:
        writer.append(rows()[3:])
    tokens = TokenActivations.load(store)
    assert tokens.positions.tolist() == [0, 1, 0, 4, 5, 6, 1, 2]
    assert tokens.offsets is None  # those of the words are not known


def test_a_truncated_file_of_a_grown_store_is_damaged(store):
    with grow(store) as writer:
        writer.append(rows()[3:])
    with open(store / "X.npy", "r+b") as file:
        file.truncate(os.path.getsize(store / "X.npy") - 8 * 4)
    with pytest.raises(ValueError, match=r"X\.npy: it has 7 rows instead of the 8 rows"):
        TokenActivations.load(store, partial=True)


def test_what_a_store_says_about_its_growth_is_checked(store):
    from .small_stores import seal

    with grow(store) as writer:
        writer.append(rows()[3:])
    known = json.loads((store / "store.json").read_text())["grown_from"]
    for changes in ({"generation": -1}, {"grown_from": known | {"n_words": 9}}, {"grown_from": 3}):
        kept = (store / "store.json").read_bytes()
        seal(store, "store.json", **changes)
        with pytest.raises(ValueError, match="what it says about its growth"):
            TokenActivations.load(store)
        (store / "store.json").write_bytes(kept)


def test_the_rows_of_a_sentence_need_not_be_adjacent(tmp_path):
    tokens = TokenActivations.load(write(tmp_path / "all"))
    order = [7, 0, 3, 1, 6, 3]
    tokens[order].select(layers=[3]).save(tmp_path / "some")
    again = TokenActivations.load(tmp_path / "some", verify=True)
    np.testing.assert_array_equal(again.X, rows()[order, 4:])
    for name in ("words", "sentence_ids", "positions", "y"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tokens, name)[order])
    assert again.layers == (3,)
    assert again.provenance == tokens.provenance | {"unit": "neuron"}


def test_layers_that_are_modules_are_saved(tmp_path):
    tokens = TokenActivations.from_sentences(rows(), WORDS, layers=["encoder.0", "encoder.1"])
    tokens.save(tmp_path / "store")
    assert TokenActivations.load(tmp_path / "store").layers == ("encoder.0", "encoder.1")
