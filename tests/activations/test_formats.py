"""Files of NeuroX are read, and what is written is read again."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from sklearn_neurox.activations.formats import read_activations, write_activations

from .foreign_files import write_foreign
from .small_files import CORPUS, DTYPES, ENDINGS, assert_same, hdf5_file, json_file, line, tokens_of

h5py = pytest.importorskip("h5py")

# What NeuroX writes


def test_hdf5_of_neurox(tmp_path):
    first = np.arange(12, dtype="float32").reshape(2, 3, 2)  # layers, words, neurons
    second = np.arange(4, dtype="float32").reshape(2, 1, 2) - 9
    path = hdf5_file(tmp_path / "acts.hdf5", {"so it goes": "0", "Hm": "1"}, n0=first, n1=second)
    tokens = read_activations(path)
    np.testing.assert_array_equal(
        tokens.X, [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11], [-9, -8, -7, -6]]
    )
    assert tokens.X.dtype == np.float32
    assert tokens.words.tolist() == ["so", "it", "goes", "Hm"]
    assert tokens.sentence_ids.tolist() == [0, 0, 0, 1]
    assert tokens.positions.tolist() == [0, 1, 2, 0]
    assert tokens.layers == (0, 1)


def test_json_of_neurox(tmp_path):
    path = json_file(
        tmp_path / "acts.json",
        line(0, ("so", [[0.1, 1.0], [2.0, 3.0]]), ("New York", [[4, 5], [6, 7]])),
        line(1, ("Hm", [[8.0, 9.0], [10.0, 11.0]])),
    )
    tokens = read_activations(path)
    assert tokens.X.dtype == np.float32
    np.testing.assert_array_equal(
        tokens.X, np.float32([[0.1, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
    )
    assert tokens.words.tolist() == ["so", "New York", "Hm"]
    assert read_activations(path, dtype="float64").X[0, 0] == 0.1
    assert read_activations(path, layers=[1, 0]).X[0].tolist() == [2, 3, np.float32(0.1), 1]


def test_sentences_come_by_their_numbers(tmp_path):
    """Also the tenth after the second, and with gaps where sentences were left out."""
    rows = {f"n{i}": np.full((1, 1, 1), i + 1, "float32") for i in (10, 2, 0)}
    path = hdf5_file(tmp_path / "acts.hdf5", {"x": "10", "y": "2", "z": "0"}, **rows)
    assert read_activations(path).sentence_ids.tolist() == [0, 2, 10]
    assert read_activations(path).X.ravel().tolist() == [1, 3, 11]
    lines = [line(i, ("x", [[i + 1.0]])) for i in (10, 2, 0)]
    tokens = read_activations(json_file(tmp_path / "acts.json", *lines))
    assert tokens.X.ravel().tolist() == [1, 3, 11]
    assert tokens.sentence_ids.tolist() == [0, 2, 10]


@pytest.mark.parametrize("stored", [(2, 6), (1, 2, 6)])
def test_layers_side_by_side(tmp_path, stored):
    values = np.arange(12.0).reshape(stored)
    path = hdf5_file(tmp_path / "acts.hdf5", {"a b": "0"}, n0=values)
    assert read_activations(path).layers == (0,)
    tokens = read_activations(path, n_layers=3)
    assert tokens.layers == (0, 1, 2)
    np.testing.assert_array_equal(tokens.X, values.reshape(2, 6))
    np.testing.assert_array_equal(tokens.layer(1), [[2, 3], [8, 9]])
    chosen = read_activations(path, n_layers=3, layers=[2, 0])
    np.testing.assert_array_equal(chosen.X, [[4, 5, 0, 1], [10, 11, 6, 7]])
    with pytest.raises(
        ValueError, match=r"acts.hdf5 has 1 x 6 values per word, which do not match n_layers=4"
    ):
        read_activations(path, n_layers=4)


def test_layers_side_by_side_in_json(tmp_path):
    path = json_file(tmp_path / "acts.json", line(0, ("a", [[1.0, 2.0, 3.0, 4.0]])))
    assert read_activations(path, n_layers=2, layers=[1]).X.tolist() == [[3, 4]]
    path = json_file(tmp_path / "acts.json", line(0, ("a", [[1.0, 2.0], [3.0, 4.0]])))
    assert read_activations(path, n_layers=2).X.tolist() == [[1, 2, 3, 4]]
    with pytest.raises(ValueError, match="2 x 2 values per word, which do not match n_layers=4"):
        read_activations(path, n_layers=4)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", ">f8"])
def test_the_dtype_of_an_hdf5_file_is_kept(tmp_path, dtype):
    values = np.array([[[0.1, -0.0, 6e-8, np.inf]]], dtype=dtype)
    path = hdf5_file(tmp_path / "acts.hdf5", {"a": "0"}, n0=values)
    X = read_activations(path).X
    assert X.dtype == values.dtype.newbyteorder("=")
    assert X.dtype.isnative
    assert X.tobytes() == values.astype(X.dtype).tobytes()


# Round trips


@pytest.mark.parametrize(("ending", "dtype"), [*product(ENDINGS, DTYPES)])
@pytest.mark.parametrize("decompose", [False, True])
def test_round_trip(tmp_path, ending, dtype, decompose):
    tokens = tokens_of(CORPUS, dtype=dtype, numbers=[0, 2, 3, 7, 8, 30], layers=(4, 8))
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    tokens.X[0] = [tiny, -tiny, huge, -huge, -0.0, np.finfo(dtype).eps]
    write_activations(tmp_path / f"acts.{ending}", tokens, decompose_layers=decompose)
    asked = dtype if ending == "json" else None
    path = tmp_path / f"acts.{ending}"
    assert_same(read_activations(path, dtype=asked, decompose_layers=decompose), tokens)
    one = read_activations(path, dtype=asked, decompose_layers=decompose, layers=[8])
    assert_same(one, replace(tokens, X=tokens.layer(8), layers=(8,)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_nan_and_infinity(tmp_path, ending):
    tokens = tokens_of([["a", "b"]], dtype="float64")
    tokens.X[0, :3] = np.nan, np.inf, -np.inf
    path = tmp_path / f"acts.{ending}"
    write_activations(path, tokens)
    np.testing.assert_array_equal(read_activations(path, dtype="float64").X, tokens.X)
    assert np.isnan(read_activations(path, dtype="float16").X[0, 0])


def test_every_bit_of_a_nan_stays_in_hdf5(tmp_path):
    tokens = tokens_of([["a"]], width=1)
    tokens.X.view(np.uint32)[0] = 0xFFC00123, 0x7F800001
    write_activations(tmp_path / "acts.hdf5", tokens)
    assert_same(read_activations(tmp_path / "acts.hdf5"), tokens)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("seed", range(20))
def test_equal_sentences_and_those_that_look_like_copies(tmp_path, ending, seed):
    rng = np.random.RandomState(seed)
    vocabulary = ["a", "(Occurrence", "2)", "3)"] if ending == "hdf5" else ["a", "a (Occurrence 2)"]
    corpus = [rng.choice(vocabulary, rng.randint(1, 5)).tolist() for _ in range(60)]
    corpus += [["a"], ["a"], ["a", "(Occurrence", "2)"]]
    rng.shuffle(corpus)
    tokens = tokens_of(corpus)
    write_activations(tmp_path / f"acts.{ending}", tokens)
    assert_same(read_activations(tmp_path / f"acts.{ending}"), tokens)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_largest_number_of_a_sentence(tmp_path, ending):
    tokens = tokens_of([["a"], ["b"]], numbers=[10**18, 2**63 - 1])
    write_activations(tmp_path / f"acts.{ending}", tokens)
    assert_same(read_activations(tmp_path / f"acts.{ending}"), tokens)


def test_the_keys_are_those_of_neurox(tmp_path):
    corpus = [["a"], ["a"], ["a", "(Occurrence", "2)"], ["a"], ["b"]]
    write_activations(tmp_path / "acts.hdf5", tokens_of(corpus))
    with h5py.File(tmp_path / "acts.hdf5") as file:
        assert file["0"].shape == (2, 1, 3)
        assert file["sentence_to_index"].shape == (1,)
        assert json.loads(file["sentence_to_index"][0]) == {
            "a": "0",
            "a (Occurrence 2)": "1",
            "a (Occurrence 2) (Occurrence 2)": "2",
            "a (Occurrence 3)": "3",
            "b": "4",
        }


def test_words_of_any_kind_in_json(tmp_path):
    tokens = tokens_of([["New York", '"', "\u2028", "\u00a0", "😀"]])
    write_activations(tmp_path / "acts.json", tokens)
    assert_same(read_activations(tmp_path / "acts.json"), tokens)
    assert (tmp_path / "acts.json").read_bytes().isascii()


@pytest.mark.parametrize(
    "word", ["", "a\tb", "a\nb", "\r", "a\v", "\x85", "a\0b", "\0", "\ud800", "a\udfff"], ids=ascii
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_words_that_are_read_but_not_written(tmp_path, ending, word):
    tokens = tokens_of([["a"], ["b", word]], numbers=[3, 7])
    path = tmp_path / f"acts.{ending}"
    with pytest.raises(ValueError, match="Sentence 7, word 1: expected a word without") as error:
        write_activations(path, tokens)
    assert str(error.value).endswith(f"got {word!r}." if word else "got an empty string.")
    assert not path.exists()
    write_foreign(path, tokens)  # as NeuroX does
    with pytest.warns(UserWarning, match="contains 1 word that no corpus contains"):
        assert_same(read_activations(path), tokens)


@pytest.mark.parametrize("ending", ENDINGS)
def test_labels_are_not_written_and_nothing_is_changed(tmp_path, ending):
    tokens = replace(tokens_of([["a", "b"]]), y=np.array(["X", "Y"]))
    before = tokens.X.copy()
    write_activations(tmp_path / f"acts.{ending}", tokens)
    assert_same(read_activations(tmp_path / f"acts.{ending}"), replace(tokens, y=None))
    np.testing.assert_array_equal(tokens.X, before)


def test_json_with_rows_of_different_lengths(tmp_path):
    rows = [{"token": "a", "layers": [{"index": 0, "values": v}]} for v in ([1.0], [1.0, 2.0])]
    path = tmp_path / "acts.json"
    path.write_text(json.dumps({"linex_index": 0, "features": rows}))
    with pytest.raises(ValueError, match=r"line 1 .*values have different lengths, \[1, 2\]"):
        read_activations(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_narrower_dtype(tmp_path, ending):
    tokens = tokens_of([["a"], ["b"]], dtype="float64")
    path = tmp_path / f"acts.{ending}"
    write_activations(path, tokens, dtype="float16")
    np.testing.assert_array_equal(
        read_activations(path, dtype="float16").X, tokens.X.astype("float16")
    )
    tokens.X[1, 0] = 1e6
    with pytest.raises(
        ValueError, match="Sentence 1 has a finite value that exceeds the range of float16"
    ):
        write_activations(path, tokens, dtype="float16", overwrite=True)
    write_activations(path, tokens, overwrite=True)
    with pytest.raises(
        ValueError, match=r"sentence 1 \('b'\) has a finite value that exceeds the range of float16"
    ):
        read_activations(path, dtype="float16")


# A file for each layer


def test_layer_files_of_neurox(tmp_path):
    for layer in (0, 2, 10):
        values = np.full((1, 2, 3), layer, "float32")
        hdf5_file(tmp_path / f"acts-layer{layer}.hdf5", {"a b": "0"}, n0=values)
    tokens = read_activations(tmp_path / "acts.hdf5", decompose_layers=True)
    assert tokens.layers == (0, 2, 10)
    assert tokens.X[1].tolist() == [0, 0, 0, 2, 2, 2, 10, 10, 10]
    some = read_activations(tmp_path / "acts.hdf5", decompose_layers=True, layers=[10, 0])
    assert some.layers == (10, 0)
    assert some.X[0].tolist() == [10, 10, 10, 0, 0, 0]
    with pytest.raises(
        FileNotFoundError,
        match=r"acts-layer1.hdf5 does not exist. Files were found for the layers \[0, 2, 10\]",
    ):
        read_activations(tmp_path / "acts.hdf5", decompose_layers=True, layers=[1])
    with pytest.raises(FileNotFoundError, match="decompose_layers=True"):
        read_activations(tmp_path / "acts.hdf5")
    with pytest.raises(FileNotFoundError, match=r"acts-layer0.json"):
        read_activations(tmp_path / "acts.json", decompose_layers=True)
    with pytest.raises(
        ValueError,
        match="n_layers must be None if decompose_layers=True, because each file contains one layer, got 2",
    ):
        read_activations(tmp_path / "acts.hdf5", decompose_layers=True, n_layers=2)


@pytest.mark.parametrize(
    ("key", "shape", "dtype"),
    [
        ("a c", (1, 2, 3), "float32"),
        ("a", (1, 1, 3), "float32"),
        ("a b", (1, 2, 4), "float32"),
        ("a b", (2, 2, 3), "float32"),
        ("a b", (1, 2, 3), "float64"),
    ],
)
def test_layer_files_that_do_not_belong_together(tmp_path, key, shape, dtype):
    hdf5_file(tmp_path / "acts-layer0.hdf5", {"a b": "0"}, n0=np.zeros((1, 2, 3), "float32"))
    hdf5_file(tmp_path / "acts-layer1.hdf5", {key: "0"}, n0=np.zeros(shape, dtype))
    with pytest.raises(
        ValueError, match=r"acts-layer1.hdf5: .* is not a single layer with the words"
    ):
        read_activations(tmp_path / "acts.hdf5", decompose_layers=True)


def test_a_layer_of_another_run_is_not_mixed_in(tmp_path):
    write_activations(tmp_path / "a.json", tokens_of([["a"]]), decompose_layers=True)
    fewer = tokens_of([["a"]], n_layers=1)
    with pytest.raises(FileExistsError, match=r"a-layer1.json exists and would be read"):
        write_activations(tmp_path / "a.json", fewer, decompose_layers=True, overwrite=True)
    write_activations(tmp_path / "a.json", fewer)


@pytest.mark.parametrize("ending", [".hdf5", ".json"])
@pytest.mark.parametrize("decompose", [False, True])
def test_a_selection_of_rows_and_layers(tmp_path, ending, decompose):
    """The positions of rows are kept, and the corpus restores their words and labels."""
    corpus = [["So", "it", "goes"], ["Hm"], ["it", "so"]]
    labels = [["A", "B", "C"], ["D"], ["E", "F"]]
    tokens = tokens_of([[word.lower() for word in words] for words in corpus])
    selected = tokens[[2, 0, 4, 5]].select(layers=tokens.layers[1:])
    path = tmp_path / f"acts{ending}"
    write_activations(path, selected, decompose_layers=decompose)
    options = dict(dtype="float64", decompose_layers=decompose)
    plain = read_activations(path, **options)
    np.testing.assert_array_equal(plain.X, selected.X)
    assert plain.layers == selected.layers
    assert plain.positions.tolist() == [2, 0, 0, 1]
    assert plain.sentence_ids.tolist() == [0, 0, 2, 2]
    joined = read_activations(path, sentences=corpus, labels=labels, **options)
    assert joined.words.tolist() == ["goes", "So", "it", "so"]
    assert joined.y.tolist() == ["C", "A", "E", "F"]
    with pytest.raises(ValueError, match="only some words of its sentences, so labels need"):
        read_activations(path, labels=labels, **options)
    with pytest.raises(ValueError, match="sentence 0: word 2 is missing in sentences, but 'goes'"):
        read_activations(path, sentences=[["So", "it"], ["Hm"], ["it", "so"]], **options)
    with pytest.raises(ValueError, match="sentence 2: word 0 is 'so' in sentences, but 'it'"):
        read_activations(path, sentences=[*corpus[:2], ["so", "it"]], **options)


@pytest.mark.parametrize("positions", [[0], [0, "1"], [0, -2], 3])
def test_positions_that_are_not_valid(tmp_path, positions):
    content = line(0, ("so", [[1.0]]), ("it", [[2.0]])) | {"positions": positions}
    path = json_file(tmp_path / "acts.json", content)
    with pytest.raises(ValueError, match="expected a position of each of the 2 words"):
        read_activations(path)
