"""Activations of bfloat16, which NumPy does not have."""

import copy
import pickle

import numpy as np
import pytest
import torch

from sklearn_neurox import (
    ActivationExtractor,
    StoreWriter,
    TokenActivations,
    read_activations,
    write_activations,
)
from sklearn_neurox.activations import bfloat16
from sklearn_neurox.activations.bfloat16 import Bfloat16Array

from .small_stores import WORDS, about, rows

SENTENCES = [["the", "rain", "sulked"], ["rain"], ["the", "the"]]


def rounded(values):
    return torch.from_numpy(np.array(values)).bfloat16().float().numpy()


@pytest.fixture
def tokens():
    return TokenActivations.from_sentences(
        torch.from_numpy(rows()).bfloat16(), WORDS, layers=(0, 3)
    )


def test_the_nearest_value_is_taken_and_conversion_is_exact(monkeypatch):
    monkeypatch.setattr(bfloat16, "_AT_ONCE", 16)
    values = np.random.default_rng(0).normal(size=(9, 5)).astype("float32") * 10.0 ** np.arange(5)
    array = Bfloat16Array.from_rounding(values)
    # Half of the distance between neighbors, which have 8 significant bits.
    assert (np.abs(array.to_float32() - values) <= np.abs(values) * 2.0**-8).all()
    np.testing.assert_array_equal(array.to_float32(), rounded(values))
    np.testing.assert_array_equal(array[:, ::2][3:].to_float32(), rounded(values)[3:, ::2])
    special = np.array([np.inf, -np.inf, np.nan, -0.0, 70000.0, 1e38], dtype="float32")
    wide = Bfloat16Array.from_rounding(special).to_float32()
    np.testing.assert_array_equal(np.isnan(wide), np.isnan(special))
    assert np.signbit(wide[3])
    assert np.isfinite(wide[4:]).all()
    with pytest.raises(ValueError, match="exceeds the range of bfloat16"):
        Bfloat16Array.from_rounding(np.array([3.4e38], dtype="float32"))


def test_selections_convert_only_what_they_select(tokens):
    expected = rounded(rows())
    assert repr(tokens).endswith("in 2 layers, bfloat16)")
    assert tokens.dtype == "bfloat16"
    for part, X in (
        (tokens[2:5], expected[2:5]),
        (tokens[[7, 0]], expected[[7, 0]]),
        (tokens.select(layers=[3]), expected[:, 4:]),
        (tokens.select(layers=[3, 0])[:1], expected[:1, [4, 5, 6, 7, 0, 1, 2, 3]]),
    ):
        assert part.dtype == "bfloat16"
        assert part.X.dtype == np.float32
        np.testing.assert_array_equal(part.X, X)
    np.testing.assert_array_equal(tokens.layer(3), expected[:, 4:])
    assert "wide" not in vars(tokens)  # nothing has converted all rows
    assert tokens.X is tokens.X


def test_copies_keep_it(tokens):
    for other in (copy.copy(tokens), copy.deepcopy(tokens), pickle.loads(pickle.dumps(tokens))):
        assert other.dtype == "bfloat16"
        np.testing.assert_array_equal(other.X, tokens.X)


@pytest.mark.parametrize("form", ["array", "tensor", "saved"])
def test_stores(tokens, tmp_path, form):
    path = tmp_path / "store"
    if form == "saved":
        tokens.save(path)
    else:
        with StoreWriter(path, **about(dtype="bfloat16")) as writer:
            X = rows() if form == "array" else torch.from_numpy(rows()).bfloat16()
            writer.append(X[:3])
            writer.append(X[3:])
    stored = np.load(path / "X.npy")
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored.astype(np.uint32) << 16, rounded(rows()).view(np.uint32))
    assert TokenActivations.describe(path)["dtype"] == "bfloat16"
    loaded = TokenActivations.load(path, verify=True)
    assert loaded.dtype == "bfloat16"
    np.testing.assert_array_equal(loaded[3:6].X, rounded(rows())[3:6])
    np.testing.assert_array_equal(loaded.X, rounded(rows()))
    loaded[loaded.positions == 0].save(tmp_path / "other")
    assert TokenActivations.load(tmp_path / "other").dtype == "bfloat16"


@pytest.mark.parametrize("X", [rows(dtype="float64"), rows().astype("uint16"), [[0.0] * 8]])
def test_rows_of_another_dtype_are_an_error(tmp_path, X):
    with (
        StoreWriter(tmp_path / "store", **about(dtype="bfloat16")) as writer,
        pytest.raises(TypeError, match="a tensor of bfloat16, or an array of float32"),
    ):
        writer.append(X)


def test_a_store_of_another_dtype_is_named(tokens, tmp_path):
    tokens.save(tmp_path / "store")
    with pytest.raises(ValueError, match="dtype is bfloat16 in the store, but float32 was passed"):
        StoreWriter(
            tmp_path / "store",
            **about(labels=None, parameters={"unit": "neuron"}),
        )


def test_damage_is_detected(tokens, tmp_path):
    tokens.save(tmp_path / "store")
    content = bytearray((tmp_path / "store" / "X.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "store" / "X.npy").write_bytes(content)
    TokenActivations.load(tmp_path / "store")
    with pytest.raises(ValueError, match="checksum of its 8 rows"):
        TokenActivations.load(tmp_path / "store", verify=True)


@pytest.mark.parametrize("aggregation", ["last", "mean"])
def test_extraction_rounds_only_the_rows(tiny_bert, tmp_path, aggregation):
    """The states are computed and summed in float32."""
    options = dict(aggregation=aggregation, layers=[0, 2])
    exact = ActivationExtractor(*tiny_bert, **options).extract(SENTENCES)
    extractor = ActivationExtractor(*tiny_bert, dtype="bfloat16", **options)
    tokens = extractor.extract(SENTENCES)
    assert tokens.dtype == "bfloat16"
    np.testing.assert_array_equal(tokens.X, rounded(exact.X))
    stored = extractor.extract(SENTENCES, store=tmp_path / "store")
    assert stored.dtype == "bfloat16"
    np.testing.assert_array_equal(stored.X, tokens.X)
    prompts = extractor.extract_prompts(["the rain"], at="mean")
    assert prompts.dtype == "bfloat16"
    pooled = extractor.transform(["the rain"])
    assert pooled.dtype == np.float32
    np.testing.assert_array_equal(pooled, prompts.X)


def test_values_beyond_float16(tiny_bert):
    """The residual streams of language models exceed the range of float16."""
    model = copy.deepcopy(tiny_bert[0])
    with torch.no_grad():
        model.encoder.layer[-1].output.LayerNorm.weight.mul_(1e5)
    for dtype, raises in (("bfloat16", False), ("float16", True)):
        extractor = ActivationExtractor(model, tiny_bert[1], dtype=dtype)
        if raises:
            with pytest.raises(ValueError, match="infinite in float16"):
                extractor.extract(SENTENCES)
        else:
            assert np.abs(extractor.extract(SENTENCES).X).max() > 65504


@pytest.mark.parametrize("rows", ["all", "last", [(1, 0), (0, 2)]])
def test_hidden_states_keep_their_dtype(rows):
    states = torch.randn(2, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    narrow = TokenActivations.from_hidden_states(states.bfloat16(), rows=rows)
    wide = TokenActivations.from_hidden_states(states.bfloat16().float(), rows=rows)
    assert (narrow.dtype, wide.dtype) == ("bfloat16", "float32")
    np.testing.assert_array_equal(narrow.X, wide.X)
    with pytest.raises(ValueError, match=r"Layer 1 is float32 .* layer 0 is bfloat16"):
        TokenActivations.from_hidden_states([states[0].bfloat16(), states[1]], rows=rows)


@pytest.mark.parametrize("suffix", [".hdf5", ".json"])
def test_files_of_neurox(tokens, tmp_path, suffix):
    path = tmp_path / f"activations{suffix}"
    write_activations(path, tokens)  # as float32, which is exact
    again = read_activations(path, sentences=WORDS, dtype="bfloat16")
    assert again.dtype == "bfloat16"
    np.testing.assert_array_equal(again.X, tokens.X)
    with pytest.raises(ValueError, match="'dtype' parameter"):
        write_activations(tmp_path / f"other{suffix}", tokens, dtype="bfloat16")
