"""Reading a store, as a memory map, or only its description."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._store_folder import StoreFolder
from ._store_format import IDS, LABELS, PLACES, PROGRESS, WORDS, Json
from ._store_layout import LAYOUT, Layout
from .bfloat16 import Bfloat16Array, Rows
from .columns import Layer, check_layers
from .dtypes import BFLOAT16


class StoredActivations(NamedTuple):
    """What is read from a store."""

    X: Rows  # read-only memory maps
    words: list[list[str]]  # of each sentence
    sentence_ids: NDArray[np.intp]  # of each sentence
    labels: NDArray | None  # of each word
    positions: NDArray[np.intp] | None  # of each word, unless they are numbered from 0
    offsets: NDArray[np.intp] | None  # of each word
    layers: tuple[Layer, ...]
    parameters: dict[str, Any]


def read_store(
    path: str | os.PathLike[str],
    *,
    verify: bool = False,
    partial: bool = False,
    part: slice | None = None,
    layers: Sequence[Layer] | None = None,
) -> StoredActivations:
    """Open a store; see :meth:`TokenActivations.load`.

    Parameters
    ----------
    path : str or path-like
    verify, partial : bool, default=False
    part : slice, default=None
        Sentences to load, which are known to be written. If None, these are all.
    layers : sequence of int or str, default=None
    """
    folder = StoreFolder(path)
    store = folder.read_description()
    chosen = None if layers is None else _check_stored(layers, store)
    files = folder.read_files(store, chosen)
    progress = files[PROGRESS]
    if part is None:
        if progress["n_sentences"] < store["n_sentences"] and not partial:
            raise ValueError(f"{folder.path} is unfinished: {_unfinished(store, progress)}")
        part = slice(0, progress["n_sentences"])
    start, stop = (sum(map(len, files[WORDS][:end])) for end in (part.start, part.stop))
    rows = slice(start, stop)
    try:
        if verify:
            folder.verify_rows(store, progress, chosen)
        X = folder.rows(store).open(max(1, stop), chosen)  # an empty file cannot be mapped
    except FileNotFoundError:
        folder.read_files(store, chosen)  # the error names all files that have just been removed
        raise
    places = files[PLACES][rows].astype(np.intp) if PLACES in files else None
    known = places is not None and (places[:, 1] >= 0).all()
    return StoredActivations(
        X=Bfloat16Array(X[rows]) if store["dtype"] == BFLOAT16 else X[rows],
        words=files[WORDS][part],
        sentence_ids=files[IDS][part].astype(np.intp),
        labels=files[LABELS][rows].copy() if LABELS in files else None,
        positions=None if places is None else places[:, 0],
        offsets=places[:, 1:] if places is not None and known else None,
        layers=tuple(store["layers"]) if chosen is None else chosen,
        parameters=store["parameters"],
    )


def _check_stored(layers: Sequence[Layer], store: Json) -> tuple[Layer, ...]:
    chosen = check_layers(layers)
    if missing := [layer for layer in chosen if layer not in store["layers"]]:
        raise ValueError(
            f"The store does not contain layer {missing[0]!r}. It contains the layers "
            f"{', '.join(map(repr, store['layers']))}."
        )
    return chosen


def _unfinished(store: Json, progress: Json) -> str:
    """Describe what is missing in a store, and how to complete it."""
    n_done, n_sentences = progress["n_sentences"], store["n_sentences"]
    shards = progress.get("shards")
    if not shards:
        return (
            f"{n_done} of {n_sentences} sentences are written. Repeat the call that created it "
            "(such as extract(..., store=...) or a StoreWriter) to resume, or load these sentences "
            "with TokenActivations.load(path, partial=True)."
        )
    missing = ", ".join(str(rank) for rank, shard in enumerate(shards) if not shard.is_finished)
    return (
        f"some rows of ranks {missing} (of {len(shards)} processes) are missing. Repeat their "
        f"calls of extract(..., store=..., shard=(rank, {len(shards)})) to "
        f"resume, or load the first {n_done} of {n_sentences} sentences with "
        "TokenActivations.load(path, partial=True)."
    )


def describe_store(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a store; see :meth:`TokenActivations.describe`."""
    folder = StoreFolder(path)
    store = folder.read_description()
    progress = {}
    if (folder / PROGRESS).exists():
        progress = folder.read_file(store, PROGRESS)
    keys = ("layers", "width", "dtype", "n_sentences", "n_words", "parameters")
    layout = Layout.of(store)
    return (
        {key: store[key] for key in keys}
        | {key: store.get(key, default) for key, default in LAYOUT.items()}
        | {"n_done": progress.get("n_sentences"), "n_words_done": progress.get("n_words")}
        | {"files": {layer: [x.name for x in layout.files([layer])] for layer in store["layers"]}}
    )
