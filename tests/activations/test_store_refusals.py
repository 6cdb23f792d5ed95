"""Other stores and invalid arguments are refused before anything is written."""

import os

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations

from .small_stores import WORDS, about, content, rows, write

# --- Another store --------------------------------------------------------------------------

OTHERS = [
    ({"layers": (0, 4)}, r"layers is \[0, 3\] in the store, but \[0, 4\] was passed"),
    ({"layers": (3, 0)}, r"layers is \[0, 3\] in the store, but \[3, 0\] was passed"),
    ({"width": 5}, "width is 4 in the store, but 5 was passed"),
    ({"dtype": "float64"}, "dtype is float32 in the store, but float64 was passed"),
    (
        {"words": [["To", "be"], ["or"], ["not", "to", "bee"], ["that", "is"]]},
        r"sentence 2 is \['not', 'to', 'be'\] in the store, but \['not', 'to', 'bee'\] was passed",
    ),
    (
        {"words": WORDS[:3], "sentence_ids": [0, 1, 3], "labels": None},
        r"sentence 3 is \['that', 'is'\] in the store, but missing was passed",
    ),
    ({"sentence_ids": [0, 1, 3, 8]}, "sentence_ids differ"),
    ({"labels": None}, "the store has labels, but no labels were passed"),
    (
        {"labels": ["PART", "AUX", "CCONJ", "PART", "X", "AUX", "PRON", "AUX"]},
        r"the label of sentence 2, word 1 \('to'\), is 'PART' in the store, but 'X' was passed",
    ),
    (
        {"labels": list(range(8))},
        r"the label of sentence 0, word 0 \('To'\), is 'PART' in the store, but 0 was passed",
    ),
    (
        {"labels": np.array(about()["labels"], dtype="U9")},
        "the dtype of the labels is <U5 in the store, but <U9 was passed",
    ),
    (
        {"parameters": about()["parameters"] | {"revision": "main"}},
        r"parameters\['revision'\] is \"cd5ef92\" in the store, but \"main\" was passed",
    ),
    (
        {"parameters": about()["parameters"] | {"limits": [True, 2.5, None]}},
        r"parameters\['limits'\] is \[1, 2.5, null\] in the store, but \[true, 2.5, null\] was passed",
    ),
    (
        {"parameters": about()["parameters"] | {"more": None}},
        r"parameters\['more'\] is missing in the store, but null was passed",
    ),
    (
        {"parameters": None},
        r"parameters\['model'\] is \"bert-base-cased\" in the store, but missing was passed",
    ),
]


@pytest.mark.parametrize(("changes", "message"), OTHERS, ids=[m[:40] for _, m in OTHERS])
def test_another_store_is_refused_and_left(tmp_path, changes, message):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        writer.append(rows()[:2])
    before = content(path)
    with pytest.raises(ValueError, match=f"contains another store: {message}"):
        StoreWriter(path, **about(**changes))
    assert content(path) == before
    with StoreWriter(path, **about()) as writer:  # and the lock was given back
        assert writer.n_done == 1


def test_the_order_of_parameters_is_no_difference(tmp_path):
    path = write(tmp_path / "store")
    turned = dict(reversed(about()["parameters"].items()))
    with StoreWriter(path, **about(parameters=turned | {"limits": (1, 2.5, None)})) as writer:
        assert writer.n_done == 4


@pytest.mark.parametrize("name", ["notes.txt", "X.npy", "words.json", "store.json", ".hidden"])
def test_a_folder_that_is_no_store_is_left_as_it_is(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"not a store|not contain a store"):
        StoreWriter(tmp_path, **about())
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "{}"
    with pytest.raises(ValueError, match="is not a store, or is damaged"):
        TokenActivations.load(tmp_path)


def test_a_store_that_lost_its_description_is_not_begun_again(tmp_path):
    path = write(tmp_path / "store")
    (path / "store.json").unlink()
    before = content(path)
    with pytest.raises(
        ValueError, match=r"does not contain a store, because store.json is missing"
    ):
        StoreWriter(path, **about())
    assert content(path) == before


def test_paths(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file is a file, but a store is a folder"):
        StoreWriter(tmp_path / "file", **about())
    with pytest.raises(
        FileNotFoundError, match=r"Cannot create the store .* the folder .*nowhere does not exist"
    ):
        StoreWriter(tmp_path / "nowhere" / "store", **about())
    with pytest.raises(FileNotFoundError, match=r"The store .*nowhere does not exist"):
        TokenActivations.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is not a store"):
        TokenActivations.load(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty")


# --- Bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"words": []}, ValueError, "The corpus is empty"),
        ({"words": [["a"], []]}, ValueError, "Sentence 1 is empty"),
        ({"words": [["a", 1]]}, TypeError, "Sentence 0, word 1: expected a string, got int"),
        ({"n_sentences": 5}, ValueError, "n_sentences=5, but words contains 4 sentences"),
        (
            {"sentence_ids": [0, 1]},
            ValueError,
            r"sentence_ids must contain 4 integers.*got an array of shape \(2,\)",
        ),
        (
            {"sentence_ids": [0.0, 1, 2, 3]},
            ValueError,
            "sentence_ids must contain 4 integers.*dtype float64",
        ),
        ({"labels": ["a"]}, ValueError, r"labels must have shape \(8,\), got \(1,\)"),
        (
            {"labels": ["a", *range(7)]},
            TypeError,
            "labels must contain labels of one kind, but contains number and string",
        ),
        (
            {"labels": np.array([None] * 8)},
            TypeError,
            r"labels must contain strings, booleans or numbers, but labels\[0\] = None",
        ),
        (
            {"labels": np.zeros(8, complex)},
            TypeError,
            "labels must not contain complex numbers, got dtype complex128",
        ),
        ({"labels": ["a\0"] * 8}, ValueError, r"An array cannot hold labels\[0\] = 'a\\x00'"),
        (
            {"labels": np.ma.array(np.arange(8), mask=[0, 1] * 4)},
            ValueError,
            r"labels must not have masked values, but labels\[1\] is masked",
        ),
        ({"labels": [0.5] * 7 + [np.nan]}, ValueError, r"NaN or infinity: labels\[7\] = nan"),
        ({"labels": ["a"] * 7 + [None]}, TypeError, r"contains NoneType and string labels"),
        ({"labels": [2**64] * 8}, ValueError, r"An array cannot hold labels\[0\]"),
        (
            {"labels": np.zeros(8, np.longdouble)},
            TypeError,
            "labels must be strings, booleans or numbers, got dtype",
        ),
        (
            {"layers": ()},
            ValueError,
            "layers is empty: expected at least one layer",
        ),
        ({"parameters": {"unit": ""}}, ValueError, "'unit' must be a string that is not empty"),
        ({"layers": (1, 1)}, ValueError, "Each layer can be listed only once; 1 is repeated"),
        (
            {"layers": (-1,)},
            ValueError,
            "layer indices must be non-negative integers, got -1",
        ),
        ({"layers": (0.5,)}, TypeError, "integer"),
        ({"layers": (True,)}, TypeError, "layer indices .* dtype bool"),
        ({"layers": (0, True)}, TypeError, "layer indices .*, got booleans among them"),
        ({"sentence_ids": [0, 1, -1, 3]}, ValueError, r"negative, but sentence_ids\[2\] = -1"),
        (
            {"words": [["To", "b\0e"]]},
            ValueError,
            r"Sentence 0, word 1: expected a word without .* null .*, got 'b\\x00e'",
        ),
        ({"width": 0}, ValueError, "width must be a positive integer, got 0"),
        ({"width": 2.5}, TypeError, "integer"),
        (
            {"dtype": "int8"},
            ValueError,
            "dtype must be one of float16, float32, float64, bfloat16, got 'in",
        ),
        ({"parameters": {"a": [1, np.int64(2)]}}, TypeError, r"parameters\['a'\]\[1\] is '2' of"),
        ({"parameters": {"a": {1: 2}}}, TypeError, r"parameters\['a'\] is .* of type dict"),
        ({"parameters": {"a": float("nan")}}, TypeError, r"parameters\['a'\] is 'nan' of type"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_written(tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        StoreWriter(tmp_path / "store", **about(**changes))
    assert not (tmp_path / "store").exists()


def test_bad_rows(tmp_path):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        for X, error, message in [
            (rows(2, dtype="float64"), TypeError, "array of dtype float32, got dtype float64"),
            (rows(2).tolist(), TypeError, "X must be an array of dtype float32, got list"),
            (rows(2, 4), ValueError, r"X must have 8 columns, got shape \(2, 4\)"),
            (rows(2)[0], ValueError, r"X must have 8 columns, got shape \(8,\)"),
            (rows(1), ValueError, r"from sentence 0 of 4 have \[2, 1, 3, 2\] words .* has 1 rows"),
            (rows(0), ValueError, "the rows of at least one whole sentence"),
            (rows(9), ValueError, "but X has 9 rows"),
        ]:
            with pytest.raises(error, match=message):
                writer.append(X)
        with pytest.raises(
            ValueError, match="X contains the rows of 2 sentences, but n_sentences=1"
        ):
            writer.append(rows(3), n_sentences=1)
        assert writer.n_done == 0
    with pytest.raises(ValueError, match=r"The writer of .*store is closed"):
        writer.append(rows(2))
    writer.close()  # twice is once
    assert TokenActivations.describe(path)["n_done"] == 0
