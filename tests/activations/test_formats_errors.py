"""Files that are not as they should be, and wrong parameters."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from sklearn_neurox import TokenActivations
from sklearn_neurox.activations.formats import read_activations, write_activations

from .small_files import CORPUS, ENDINGS, assert_same, hdf5_file, json_file, line, tokens_of

h5py = pytest.importorskip("h5py")

# Files that are not as they should be


def test_unknown_endings(tmp_path):
    for ending, why in {"t7": "Lua", "pt": "pickle", "acts": "pickle", "h6": "unknown"}.items():
        with pytest.raises(
            ValueError, match=rf"expected a file with the suffix .hdf5 or .json.*{why}"
        ):
            read_activations(tmp_path / f"acts.{ending}")
        with pytest.raises(
            ValueError, match=rf"expected a file with the suffix .hdf5 or .json.*{why}"
        ):
            write_activations(tmp_path / f"acts.{ending}", tokens_of([["a"]]))


@pytest.mark.parametrize("ending", ["h5", "H5", "HDF5", "Json", "JSON"])
@pytest.mark.parametrize("decompose", [False, True])
def test_other_spellings_of_the_endings(tmp_path, ending, decompose):
    """Files of NeuroX that were renamed are read. NeuroX reads only the usual endings."""
    usual = "json" if ending.lower() == "json" else "hdf5"
    tokens = tokens_of(CORPUS)
    write_activations(tmp_path / f"acts.{usual}", tokens, decompose_layers=decompose)
    for file in list(tmp_path.iterdir()):
        file.rename(file.with_suffix(f".{ending}"))
    path = tmp_path / f"acts.{ending}"
    assert_same(read_activations(path, decompose_layers=decompose), tokens)
    with pytest.raises(ValueError, match=rf"NeuroX cannot read a file with the suffix '.{ending}'"):
        write_activations(path, tokens, overwrite=True)


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_file(tmp_path, ending):
    with pytest.raises(FileNotFoundError):
        read_activations(tmp_path / f"acts.{ending}")
    with pytest.raises(FileNotFoundError, match=r"Cannot write .* the folder .* does not exist"):
        write_activations(tmp_path / "nowhere" / f"acts.{ending}", tokens_of([["a"]]))


def test_a_cut_hdf5_file(tmp_path):
    path = tmp_path / "acts.hdf5"
    write_activations(path, tokens_of(CORPUS))
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 15)):
        path.write_bytes(whole[:length])
        with pytest.raises(
            ValueError, match=r"acts.hdf5 is truncated, damaged or not an HDF5 file"
        ):
            read_activations(path)


def test_a_cut_json_file(tmp_path):
    """At every byte but the end of a line, which cannot be told."""
    path = tmp_path / "acts.json"
    write_activations(path, tokens_of(CORPUS[:3]))
    whole = path.read_bytes()
    ends = {i + shift for i, byte in enumerate(whole) if byte == 10 for shift in (0, 1)}
    for length in set(range(1, len(whole))) - ends:
        path.write_bytes(whole[:length])
        number = whole[:length].count(b"\n") + 1
        with pytest.raises(
            ValueError, match=rf"acts.json, line {number} is truncated, damaged or not"
        ):
            read_activations(path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (
            None,
            "does not contain sentence_to_index, .* not written by NeuroX, or writing it was interrupted",
        ),
        ("{", "does not contain sentence_to_index"),
        ("[0]", "does not contain sentence_to_index"),
        ({}, "does not contain any sentences|does not contain a sentence for"),
        ({"a b": "first"}, "expected numbers, got 'first'"),
        ({"a b": "-1"}, "expected numbers, got '-1'"),
        ({"a b": "00"}, "expected numbers, got '00'"),
        ({"a b": "0", "c d": "0"}, "two sentences have the same number"),
        ({"a b": "1"}, r"sentence_to_index does not contain a sentence for the datasets \['0'\]"),
        ({"a b": "0", "c": "1"}, r"sentence 1 \('c'\): expected a dataset '1' .*, got None"),
        (
            {"a b c": "0"},
            r"sentence 0 \('a b c'\): got 3 words, but 2 rows of activations. Extract the file again",
        ),
        ({"a  b": "0"}, "3 words, but 2 rows"),
        ({"a": "0"}, "1 word, but 2 rows"),
        ('{"a b": "0", "a b": "0"}', "does not contain sentence_to_index.* 'a b' is repeated"),
        ({"a b": 1e999}, "expected numbers, got 'inf'"),
        ('{"a b": 1e999}', "does not contain sentence_to_index.*1e999 exceeds the range"),
        ({"a b": True}, "expected numbers, got 'True'"),
        ({"a b": 2**63}, "expected numbers, got '9223372036854775808'"),
        ({"a b": "1" * 5000}, "expected numbers, got '1111"),
        ({"a b (Occurrence 2)": "0"}, "4 words, but 2 rows"),  # of which there is no first
    ],
)
def test_foreign_hdf5(tmp_path, index, message):
    path = hdf5_file(tmp_path / "acts.hdf5", index, n0=np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match=rf"(?s)acts.hdf5.*({message})"):
        read_activations(path)


@pytest.mark.parametrize(
    "values",
    [np.zeros(3), np.float32(1), np.zeros((2, 2, 3), int), np.zeros((2, 2, 3), complex),
     np.zeros((1, 1, 2, 3)), np.array([[b"x"]]), np.zeros((2, 2), "f4,f4"), np.zeros((2, 2), "g")],
)  # fmt: skip
def test_datasets_that_are_no_activations(tmp_path, values):
    path = hdf5_file(tmp_path / "acts.hdf5", {"a b": "0"}, n0=values)
    with pytest.raises(ValueError, match=r"sentence 0 \('a b'\): expected a dataset '0' of floats"):
        read_activations(path)


def test_a_group_in_place_of_a_dataset(tmp_path):
    path = hdf5_file(tmp_path / "acts.hdf5", {"a": "0"})
    with h5py.File(path, "a") as file:
        file.create_group("0")
    with pytest.raises(ValueError, match="expected a dataset '0' of floats"):
        read_activations(path)


@pytest.mark.parametrize("note", [[0], [0, 0], [0.0, 1.0], "ab", [0, -1], [True, False], [[0]]])
def test_a_note_of_the_layers_that_does_not_fit(tmp_path, note):
    path = hdf5_file(tmp_path / "acts.hdf5", {"a": "0"}, n0=np.zeros((2, 1, 3)))
    with h5py.File(path, "a") as file:
        file.attrs["layers"] = note
    with pytest.raises(
        ValueError, match=r"sentence 0 \('a'\): got 2 layers, but the attribute 'layers' is"
    ):
        read_activations(path)


@pytest.mark.parametrize(
    "other", [np.zeros((1, 1, 3)), np.zeros((2, 1, 4)), np.zeros((2, 1, 3), "float32")]
)
def test_sentences_of_different_layouts(tmp_path, other):
    first = np.zeros((2, 1, 3))
    path = hdf5_file(tmp_path / "acts.hdf5", {"a": "0", "b": "1"}, n0=first, n1=other)
    with pytest.raises(
        ValueError,
        match=r"sentence 1 \('b'\): expected the layers, width and dtype of the first sentence",
    ):
        read_activations(path)


def test_words_without_values(tmp_path):
    path = hdf5_file(tmp_path / "acts.hdf5", {"a": "0"}, n0=np.zeros((2, 1, 0)))
    with pytest.raises(ValueError, match=r"sentence 0 \('a'\): expected at least one value"):
        read_activations(path)
    path = json_file(tmp_path / "acts.json", line(0, ("a", [[], []])))
    with pytest.raises(ValueError, match=r"line 1 .*expected at least one value for each word"):
        read_activations(path)


def test_a_sentence_without_words(tmp_path):
    path = hdf5_file(tmp_path / "acts.hdf5", {"": "0"}, n0=np.zeros((2, 0, 3)))
    with pytest.raises(ValueError, match=r"sentence 0 \(''\): got 1 word, but 0 rows"):
        read_activations(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("3", "TypeError"),
        ("{}", "KeyError: 'linex_index'"),
        ({"linex_index": 1, "features": []}, "expected a number and words"),
        ({"linex_index": True, "features": [{}]}, "linex_index True"),
        ({"linex_index": -1, "features": [{}]}, "linex_index -1"),
        ({"linex_index": 1, "features": [{"token": "a"}]}, "KeyError: 'layers'"),
        ({"linex_index": 1, "features": [{"token": "a", "layers": []}]}, "expected strings as"),
        (line(1, (None, [[1.0]])), "expected strings as token"),
        (line(1, ("a", [[1.0]]), index=["0"]), "integers as index"),
        (line(1, ("a", [[1.0]]), index=[-1]), r"non-negative integers as index, .* layers \(-1,\)"),
        (line(1, ("a", [[1.0]]), index=[True]), "integers as index"),
        (line(1, ("a", [[1.0]]), index=[2**63]), "integers as index"),
        ('{"linex_index": 1, "linex_index": 2, "features": []}', "'linex_index' is repeated"),
        ('{"linex_index": 1, "features": [{"token": "a", "token": "b"}]}', "'token' is repeated"),
        ('{"linex_index": 1e999, "features": []}', "1e999 exceeds the range of float64"),
        ('{"linex_index": 1, "features": [{"token": "a", "layers": [{"index": 0, "values": [-1e999]}]}]}', "-1e999 exceeds"),
        ('{"linex_index": 1, "features": "ab"}', "expected a number and words"),
        (f'{{"linex_index": {"1" * 5000}, "features": []}}', "ValueError: Exceeds the limit"),
        (line(1, ("a", [[1.0], [2.0]]), index=[0, 0]), r"layers of 'a' are \(0, 0\)"),
        (line(1, ("a", [[1.0, 2.0], [3.0]])), "lists of values have different lengths"),
        (line(1, ("a", [[1.0]]), ("b", [[1.0], [2.0]])), r"layers of 'b' are \(0, 1\), but those of the first word are \(0,\)"),
        (line(1, ("a", [[1.0]]), ("b", [[1.0, 2.0]])), "lists of values have different lengths"),
        (line(1, ("a", [["1.0"]])), "values of 'a' are not all numbers"),
        (line(1, ("a", [[None]])), "values of 'a' are not all numbers"),
        (line(1, ("a", [[True, 1.0]])), "values of 'a' are not all numbers"),
        (line(1, ("a", [[10**400]])), "OverflowError"),
        (line(1, ("a", [1.0])), "TypeError"),
        ("[" * 100_000, "RecursionError"),
    ],
)  # fmt: skip
def test_foreign_json(tmp_path, content, message):
    good = json.dumps(line(0, ("a", [[1.0]])))
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "acts.json").write_text(f"{good}\n{text}\n")
    with pytest.raises(ValueError, match=rf"(?s)acts.json, line 2 is truncated.*{message}"):
        read_activations(tmp_path / "acts.json")


def test_json_that_is_not_utf8(tmp_path):
    (tmp_path / "acts.json").write_bytes(b'{"linex_index": "\xff"}')
    with pytest.raises(
        ValueError, match=r"line 1 is truncated, damaged or not .*UnicodeDecodeError"
    ):
        read_activations(tmp_path / "acts.json")


def test_lines_of_different_layouts(tmp_path):
    first = line(0, ("a", [[1.0]]))
    path = tmp_path / "acts.json"
    json_file(path, first, line(1, ("b", [[1.0, 2.0]])))
    with pytest.raises(
        ValueError,
        match=r"sentence 1 \('b'\): expected the layers, width and dtype of the first sentence",
    ):
        read_activations(path)
    json_file(path, first, line(1, ("b", [[1.0]]), index=[5]))
    with pytest.raises(
        ValueError,
        match=r"sentence 1 \('b'\): expected the layers, width and dtype of the first sentence",
    ):
        read_activations(path)
    json_file(path, first, line(0, ("b", [[1.0]])))
    with pytest.raises(
        ValueError, match=r"sentence 0 \('b'\): another sentence has the same number"
    ):
        read_activations(path)


def test_an_empty_corpus(tmp_path):
    (tmp_path / "acts.json").write_text("")
    with pytest.raises(ValueError, match=r"acts.json does not contain any sentences"):
        read_activations(tmp_path / "acts.json")
    with pytest.raises(ValueError, match=r"acts.hdf5 does not contain any sentences"):
        read_activations(hdf5_file(tmp_path / "acts.hdf5", {}))
    empty = TokenActivations(
        X=np.zeros((0, 2)), words=np.array([]), sentence_ids=np.array([], int),
        positions=np.array([], int), layers=(0,),
    )  # fmt: skip
    with pytest.raises(ValueError, match="tokens is empty: expected at least one word"):
        write_activations(tmp_path / "new.json", empty)


# Parameters


@pytest.mark.parametrize("ending", ENDINGS)
def test_layers_that_are_not_there(tmp_path, ending):
    path = tmp_path / f"acts.{ending}"
    write_activations(path, tokens_of([["a"]], layers=(4, 8)))
    with pytest.raises(
        ValueError, match=r"does not contain the layers \[0\]. It contains the layers \(4, 8\)"
    ):
        read_activations(path, layers=[8, 0])
    for layers, message in (
        ([], "layers is empty: expected at least one layer"),
        ([4, 4], "Each layer can be listed only once; 4 is repeated"),
        ("some", "layers.* must be"),
        (4, "layers.* must be"),
        (None, "layers.* must be"),
    ):
        with pytest.raises(ValueError, match=message):
            read_activations(path, layers=layers)
    for layers in ([True], ["4"], [4.0]):
        with pytest.raises(
            TypeError, match=r"Expected a .*list of layer indices .non-negative integers., got"
        ):
            read_activations(path, layers=layers)


@pytest.mark.parametrize(
    "wrong", [{"n_layers": 0}, {"n_layers": 1.5}, {"dtype": "int8"}, {"decompose_layers": "yes"}]
)
def test_parameters_of_reading(tmp_path, wrong):
    with pytest.raises(
        ValueError, match=f"'{next(iter(wrong))}' parameter of read_activations must"
    ):
        read_activations(tmp_path / "acts.json", **wrong)


def test_tokens_that_a_file_cannot_hold(tmp_path):
    path = tmp_path / "acts.hdf5"
    tokens = tokens_of([["a", "b"], ["c"]])

    def refused(error, match, **columns):
        with pytest.raises(error, match=match):
            write_activations(path, replace(tokens, **columns))
        assert list(tmp_path.iterdir()) == []

    refused(ValueError, "Sentence 0 .* ascending order", sentence_ids=np.array([1, 1, 0]))
    refused(ValueError, "Sentence -1 has a negative number", sentence_ids=np.array([-1, -1, 0]))
    refused(ValueError, "Sentence 0 .* ascending order", sentence_ids=np.array([0, 1, 0]))
    refused(
        TypeError,
        "sentence_ids must be integers, got dtype float64",
        sentence_ids=np.array([0.0, 0.0, 1.0]),
    )
    refused(TypeError, "Sentence 1: .* strings, got 3", words=np.array(["a", "b", 3], dtype=object))
    refused(
        ValueError,
        "Sentence 0: the word 'New York' would be split in an .hdf5 file",
        words=np.array(["New York", "b", "c"]),
    )
    refused(TypeError, "X must be of dtype float16, .*, got int64", X=np.zeros((3, 6), int))
    refused(TypeError, "X must be one of .*, got longdouble|float128", X=np.zeros((3, 6), "g"))
    with pytest.raises(
        TypeError, match=r"tokens must be TokenActivations, got ndarray of shape \(3, 6\)\.$"
    ):
        write_activations(path, tokens.X)
    with pytest.raises(ValueError, match="'dtype' parameter of write_activations must be"):
        write_activations(path, tokens, dtype="int8")


# The file is there whole or not at all


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("decompose", [False, True])
def test_a_file_is_not_overwritten_unless_asked(tmp_path, ending, decompose):
    path = tmp_path / f"acts.{ending}"
    tokens, other = tokens_of([["a"]]), tokens_of([["b", "c"]])
    write_activations(path, tokens, decompose_layers=decompose)
    with pytest.raises(FileExistsError, match=r"acts.* already exists. Pass overwrite=True"):
        write_activations(path, other, decompose_layers=decompose)
    assert_same(read_activations(path, decompose_layers=decompose), tokens)
    write_activations(path, other, decompose_layers=decompose, overwrite=True)
    assert_same(read_activations(path, decompose_layers=decompose), other)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("decompose", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch, ending, decompose):
    path = tmp_path / f"acts.{ending}"
    tokens = tokens_of([["a"], ["b"]])
    write_activations(path, tokens, decompose_layers=decompose)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(json, "dumps", full)
    with pytest.raises(OSError, match="No space left"):
        write_activations(path, tokens, decompose_layers=decompose, overwrite=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_without_h5py(tmp_path, monkeypatch):
    write_activations(tmp_path / "acts.hdf5", tokens_of([["a"]]))
    monkeypatch.setitem(sys.modules, "h5py", None)
    needs = r"requires h5py. You can install it with `pip install 'sklearn-neurox\[store\]'`"
    with pytest.raises(ImportError, match=needs):
        read_activations(tmp_path / "acts.hdf5")
    with pytest.raises(ImportError, match=needs):
        write_activations(tmp_path / "new.hdf5", tokens_of([["a"]]))
    write_activations(tmp_path / "new.json", tokens_of([["a"]]))
    assert len(list(tmp_path.iterdir())) == 2
