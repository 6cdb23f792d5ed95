"""Small files as NeuroX writes them."""

import json

import numpy as np
import pytest

from sklearn_neurox import TokenActivations

h5py = pytest.importorskip("h5py")

ENDINGS = ["hdf5", "json"]
DTYPES = ["float16", "float32", "float64"]
CORPUS = [["Zoë", "čeká", "…"], ["a"], ["a", "(Occurrence", "2)"], ["a"], ["a"], ["日本", "\u00a0"]]


def tokens_of(corpus, *, n_layers=2, width=3, dtype="float32", numbers=None, layers=None):
    n_words = [len(words) for words in corpus]
    numbers = range(len(corpus)) if numbers is None else numbers
    X = np.random.RandomState(0).normal(size=(sum(n_words), n_layers * width))
    return TokenActivations(
        X=X.astype(dtype),
        words=np.array([word for words in corpus for word in words], dtype=object),
        sentence_ids=np.repeat(np.array(numbers), n_words),
        positions=np.concatenate([np.arange(n) for n in n_words]),
        layers=tuple(range(n_layers)) if layers is None else layers,
    )


def assert_same(got, expected):
    assert got.X.dtype == expected.X.dtype
    assert got.X.tobytes() == expected.X.tobytes()
    for name in ("words", "sentence_ids", "positions"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    assert got.layers == expected.layers
    assert got.y is None


def hdf5_file(path, index, **datasets):
    """A file as NeuroX lays it out; datasets are named n0, n1, ..."""
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name[1:], data=values)
        if index is not None:
            dataset = file.create_dataset("sentence_to_index", (1,), dtype=h5py.string_dtype())
            dataset[0] = index if isinstance(index, str) else json.dumps(index)
    return path


def json_file(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(number, *words, index=None):
    """A sentence of NeuroX's .json: words are pairs of the token and values by layer."""
    features = [
        {
            "token": token,
            "layers": [
                {"index": i if index is None else index[i], "values": v}
                for i, v in enumerate(values)
            ],
        }
        for token, values in words
    ]
    return {"linex_index": number, "features": features}
