"""What a writer stores is what is loaded."""

import hashlib
import json
import os
import tracemalloc

import joblib
import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations

from .small_stores import FILES, WORDS, about, content, rows, write


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_written_is_read(tmp_path, dtype):
    X = rows(dtype=dtype)
    tokens = TokenActivations.load(write(tmp_path / "store", X, dtype=dtype), verify=True)
    assert isinstance(tokens.X, np.memmap)
    assert isinstance(tokens.X.base, np.memmap)
    assert tokens.X.mode == tokens.X.base.mode == "r"
    assert not tokens.X.flags.writeable
    assert tokens.X.dtype == dtype
    np.testing.assert_array_equal(tokens.X, X)
    np.testing.assert_array_equal(tokens.layer(3), X[:, 4:])
    assert tokens.words.tolist() == ["To", "be", "or", "not", "to", "be", "that", "is"]
    assert tokens.sentence_ids.tolist() == [0, 0, 1, 3, 3, 3, 7, 7]
    assert tokens.positions.tolist() == [0, 1, 0, 0, 1, 2, 0, 1]
    assert tokens.sentence_ids.dtype == tokens.positions.dtype == np.intp
    assert tokens.layers == (0, 3)
    assert tokens.y.tolist() == about()["labels"]


@pytest.mark.parametrize("order", ["<", ">"])
def test_rows_of_any_byte_order_are_written(tmp_path, order):
    X = rows().astype(f"{order}f4")
    np.testing.assert_array_equal(TokenActivations.load(write(tmp_path / "one", X)).X, rows())
    TokenActivations.from_sentences(X, WORDS).save(tmp_path / "other")
    saved = TokenActivations.load(tmp_path / "other", verify=True).X
    np.testing.assert_array_equal(saved, rows())
    assert saved.dtype.isnative


def test_the_files_open_without_the_library(tmp_path):
    path = write(tmp_path / "store")
    assert sorted(content(path)) == FILES
    np.testing.assert_array_equal(np.load(path / "X.npy", mmap_mode="r"), rows())
    assert np.load(path / "labels.npy").tolist() == about()["labels"]
    assert np.load(path / "sentence_ids.npy").tolist() == [0, 1, 3, 7]
    assert json.loads((path / "words.json").read_text()) == WORDS
    digest = hashlib.sha256((path / "words.json").read_bytes()).hexdigest()
    assert json.loads((path / "store.json").read_text())["files"]["words.json"] == digest


@pytest.mark.parametrize(
    "labels",
    [
        np.array(list("abcdefgh")),
        np.arange(8),
        np.arange(8, dtype=np.uint8),
        np.arange(8) % 2 == 0,
        np.array([0.1, -0.0, 1e308, 1e-300, 2, 3, 4, 5]),
        np.arange(8, dtype=np.float32),
        np.arange(8, dtype=">i4"),
    ],
    ids=lambda y: y.dtype.str,
)
def test_labels_come_back(tmp_path, labels):
    y = TokenActivations.load(write(tmp_path / "store", labels=labels)).y
    np.testing.assert_array_equal(y, labels)
    assert y.dtype == labels.dtype.newbyteorder("=")
    y[0] = y[1]  # the caller's own


def test_labels_need_not_be(tmp_path):
    path = write(tmp_path / "store", labels=None)
    assert TokenActivations.load(path).y is None
    assert "labels.npy" not in content(path)


def test_labels_of_objects_are_strings_in_the_end(tmp_path):
    labels = np.array(["", "שלום", "😀", *"abcde"], dtype=object)
    y = TokenActivations.load(write(tmp_path / "store", labels=labels)).y
    assert y.dtype.kind == "U"
    assert y.tolist() == labels.tolist()


def test_any_script(tmp_path):
    words = [["a\u200bb", "\u202eשלום", "مرحبا"], ["👩‍👩‍👧", "e\u0301", "é"], ["日本", "本"]]
    path = write(tmp_path / "store", words=words, sentence_ids=[0, 1, 2])
    assert TokenActivations.load(path).words.tolist() == [
        word for sentence in words for word in sentence
    ]
    with pytest.raises(ValueError, match=r"Sentence 0, word 1: .* a word without lone surrogates"):
        StoreWriter(
            tmp_path / "other", **about(words=[["a", "\ud800"]], sentence_ids=[0], labels=None)
        )


def test_parameters_come_back(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        writer.append(rows(3), n_sentences=2)
        assert (writer.n_done, writer.n_words_done) == (2, 3)
        assert (writer.n_sentences, writer.n_words) == (4, 8)
    description = TokenActivations.describe(path)
    assert description["parameters"] == about()["parameters"]
    assert [description[key] for key in ("n_done", "n_words_done", "n_sentences")] == [2, 3, 4]
    assert (description["layers"], description["dtype"]) == ([0, 3], "float32")
    (path / "words.json").unlink()  # it does not depend on the size of the corpus
    assert TokenActivations.describe(path) == description


def test_in_pieces_it_is_the_same_to_the_bit(tmp_path):
    whole = content(write(tmp_path / "whole"))
    X = rows()
    with StoreWriter(tmp_path / "pieces", **about()) as writer:
        writer.append(X[:2])
    with StoreWriter(tmp_path / "pieces", **about(), n_sentences=4) as writer:
        assert writer.n_done == 1
        writer.append(np.asfortranarray(X[2:6]))
        writer.append(X[6:], n_sentences=1)
    assert content(tmp_path / "pieces") == whole
    with StoreWriter(tmp_path / "pieces", **about()) as writer:
        assert writer.n_done == writer.n_sentences == 4
        with pytest.raises(
            ValueError, match="X must contain the rows of at least one whole sentence"
        ):
            writer.append(X[:1])
    assert content(tmp_path / "pieces") == whole


def test_leftovers_past_the_journal_are_written_again(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        writer.append(rows()[:2])
    with open(path / "X.npy", "r+b") as file:  # the rows came, the journal did not
        file.seek(128 + 2 * 32)
        file.write(b"\xff" * 5 * 32)
    with StoreWriter(path, **about()) as writer:
        writer.append(rows()[2:])
    assert content(path) == content(write(tmp_path / "whole"))


def test_an_unfinished_store(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        with pytest.raises(ValueError, match=r"is unfinished: 0 of 4 sentences are written"):
            TokenActivations.load(path)
        assert len(TokenActivations.load(path, partial=True, verify=True)) == 0
        writer.append(rows()[:3])
        tokens = TokenActivations.load(path, partial=True, verify=True)  # while it is written
    np.testing.assert_array_equal(tokens.X, rows()[:3])
    assert tokens.words.tolist() == ["To", "be", "or"]
    assert tokens.y.tolist() == ["PART", "AUX", "CCONJ"]
    with pytest.raises(
        ValueError,
        match=r"2 of 4 sentences are written. Repeat the call that created it .* or load these sentences with TokenActivations.load\(path, partial=True\)",
    ):
        TokenActivations.load(path)


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[1, 2"])
def test_a_damaged_journal_is_named(tmp_path, damage):
    path = write(tmp_path / "store")
    (path / "progress.json").write_bytes(damage)
    whole = "Intact files: store.json, words.json, sentence_ids.npy, labels.npy, X.npy"
    for use in (
        TokenActivations.describe,
        TokenActivations.load,
        lambda path: StoreWriter(path, **about()),
    ):
        with pytest.raises(ValueError, match=rf"store is damaged. progress.json: it is .* {whole}"):
            use(path)


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[1, 2"])
def test_a_damaged_description_is_named(tmp_path, damage):
    path = write(tmp_path / "store")
    (path / "store.json").write_bytes(damage)
    rest = "progress.json, X.npy, words.json, sentence_ids.npy, labels.npy"
    for use in (
        TokenActivations.describe,
        TokenActivations.load,
        lambda path: StoreWriter(path, **about()),
    ):
        with pytest.raises(
            ValueError,
            match=rf"or is damaged: store.json: it (is|was) not .* cannot be verified: {rest}\.",
        ):
            use(path)


# --- The working directory ----------------------------------------------------------------


def test_a_relative_path_means_the_same_folder_to_the_end(tmp_path, monkeypatch):
    """Another store of the same name in another working directory is not touched."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    write(there / "store")
    before = content(there / "store")
    monkeypatch.chdir(here)
    with StoreWriter("store", **about()) as writer:
        assert writer.path == here / "store"
        writer.append(rows()[:2])
        monkeypatch.chdir(there)
        writer.append(rows()[2:])
    assert content(there / "store") == before
    assert content(here / "store") == before  # of the same words and rows
    assert sorted(os.listdir(tmp_path)) == ["here", "there"]


def test_a_loaded_store_is_found_from_another_working_directory(tmp_path, monkeypatch):
    """A memory map is pickled by the path of its file."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "store")
    tokens = TokenActivations.load("store")
    monkeypatch.chdir("/")
    assert os.path.isabs(tokens.X.filename)
    np.testing.assert_array_equal(rows(), tokens.X)
    got = joblib.Parallel(2, backend="loky", max_nbytes=1)([joblib.delayed(np.sum)(tokens.X)] * 2)
    assert got == [tokens.X.sum()] * 2


# --- Memory ---------------------------------------------------------------------------------


def test_no_more_than_a_chunk_is_held(tmp_path):
    n, width, step = 4000, 1000, 100
    X = rows(step, 2 * width, "float16")  # 0.4 MB of 16
    store_about = about(
        width=width, dtype="float16", words=[["w"] * step] * (n // step),
        sentence_ids=np.arange(n // step), labels=None,
    )  # fmt: skip
    tracemalloc.start()
    try:
        with StoreWriter(tmp_path / "store", **store_about) as writer:
            for _ in range(n // step):
                writer.append(X)
        tokens = TokenActivations.load(tmp_path / "store")
        assert tokens.X.nbytes == 16e6
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_a_link_that_is_changed_while_the_store_is_open(tmp_path):
    """The rows go to the store that was opened."""
    options = {"layers": (0,), "width": 2, "dtype": "float32", "words": [["a"], ["b"]]}
    options["sentence_ids"] = [0, 1]
    for name in ("first", "second"):
        StoreWriter(tmp_path / name, **options).close()
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "first")
    with StoreWriter(link, **options) as writer:
        writer.append(np.ones((1, 2), np.float32))
        link.unlink()
        link.symlink_to(tmp_path / "second")
        writer.append(np.ones((1, 2), np.float32))
    assert TokenActivations.load(tmp_path / "first").X.tolist() == [[1, 1], [1, 1]]
    with pytest.raises(ValueError, match="0 of 2 sentences are written"):
        TokenActivations.load(tmp_path / "second")
