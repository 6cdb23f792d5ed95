"""Reading a store, as a memory map, or only its description."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._store_folder import StoreFolder
from ._store_format import HEADER_SIZE, IDS, LABELS, PLACES, PROGRESS, ROWS, WORDS, layout
from .bfloat16 import Array, Bfloat16Array
from .columns import Layer
from .dtypes import BFLOAT16


class StoredActivations(NamedTuple):
    """What is read from a store."""

    X: Array  # a read-only memory map
    words: list[list[str]]  # of each sentence
    sentence_ids: NDArray[np.intp]  # of each sentence
    labels: NDArray | None  # of each word
    positions: NDArray[np.intp] | None  # of each word, unless they are numbered from 0
    offsets: NDArray[np.intp] | None  # of each word
    layers: tuple[Layer, ...]
    parameters: dict[str, Any]


def read_store(
    path: str | os.PathLike[str], *, verify: bool = False, partial: bool = False
) -> StoredActivations:
    """Open a store; see :meth:`TokenActivations.load`."""
    folder = StoreFolder(path)
    store = folder.read_description()
    files = folder.read_files(store)
    progress = files[PROGRESS]
    n_done, n_words = progress["n_sentences"], progress["n_words"]
    if n_done < store["n_sentences"] and not partial:
        raise ValueError(
            f"{folder.path} is unfinished: {n_done} of {store['n_sentences']} sentences are "
            "written. Repeat the call that created it (such as extract(..., store=...) or a "
            "StoreWriter) to resume, or load these sentences with TokenActivations.load(path, "
            "partial=True)."
        )
    if verify:
        folder.verify_rows(store, progress)
    dtype, shape = layout(store)
    shape = files[ROWS], shape[1]  # fewer rows if the store has just grown
    X = np.memmap(folder / ROWS, dtype, mode="r", offset=HEADER_SIZE, shape=shape)
    places = files[PLACES][:n_words].astype(np.intp) if PLACES in files else None
    known = places is not None and (places[:, 1] >= 0).all()
    return StoredActivations(
        X=Bfloat16Array(X[:n_words]) if store["dtype"] == BFLOAT16 else X[:n_words],
        words=files[WORDS][:n_done],
        sentence_ids=files[IDS][:n_done].astype(np.intp),
        labels=files[LABELS][:n_words].copy() if LABELS in files else None,
        positions=None if places is None else places[:, 0],
        offsets=places[:, 1:] if places is not None and known else None,
        layers=tuple(store["layers"]),
        parameters=store["parameters"],
    )


def describe_store(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a store; see :meth:`TokenActivations.describe`."""
    folder = StoreFolder(path)
    store = folder.read_description()
    progress = folder.read_file(store, PROGRESS)
    keys = ("layers", "width", "dtype", "n_sentences", "n_words", "parameters")
    done = {"n_done": progress["n_sentences"], "n_words_done": progress["n_words"]}
    return {key: store[key] for key in keys} | done
