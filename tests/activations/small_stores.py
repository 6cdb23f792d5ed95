"""A small store, and what its files contain."""

import json
import multiprocessing
import os

import numpy as np

from sklearn_neurox import StoreWriter
from sklearn_neurox.activations._store_format import seal as seal_

WORDS = [["To", "be"], ["or"], ["not", "to", "be"], ["that", "is"]]
FILES = ["X.npy", "labels.npy", "progress.json", "sentence_ids.npy", "store.json", "words.json"]


def about(**changes):
    return {
        "layers": (0, 3),
        "width": 4,
        "dtype": "float32",
        "words": WORDS,
        "sentence_ids": [0, 1, 3, 7],
        "labels": ["PART", "AUX", "CCONJ", "PART", "PART", "AUX", "PRON", "AUX"],
        "parameters": {"model": "bert-base-cased", "revision": "cd5ef92", "limits": [1, 2.5, None]},
    } | changes


def rows(n_words=8, n_columns=8, dtype="float32"):
    return np.random.default_rng(0).normal(size=(n_words, n_columns)).astype(dtype)


def write(path, X=None, **changes):
    with StoreWriter(path, **about(**changes)) as writer:
        writer.append(rows() if X is None else X)
    return path


def content(path):
    """The bytes of all files but the lock, which is empty."""
    names = sorted(name for name in os.listdir(path) if not name.endswith(".lock"))
    return {name: (path / name).read_bytes() for name in names}


def seal(path, name, **changes):
    """Change JSON as one would who knows how its checksum is made."""
    kept = json.loads((path / name).read_text()) | changes
    del kept["sha256"]
    (path / name).write_bytes(seal_(kept))


def forkserver():
    """A server that has imported all that takes long forks the children."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["pytest", "sklearn_neurox.activations.store"])
    return processes


# X of a store that is divided into files. A row of both layers has 32 bytes, a header 128.
LAYOUTS = {
    "one file": {},
    "layers": {"split_layers": True},
    "rows": {"max_file_size": 128 + 3 * 32},
    "layers and rows": {"split_layers": True, "max_file_size": 128 + 3 * 16 + 15},
}
NAMES = {
    "one file": ["X.npy"],
    "layers": ["X.layer_0.npy", "X.layer_3.npy"],
    "rows": [f"X.part_0000{part}.npy" for part in range(3)],
    "layers and rows": [
        f"X.layer_{layer}.part_0000{part}.npy" for layer in (0, 3) for part in range(3)
    ],
}
DIVIDED = [name for name in LAYOUTS if name != "one file"]
