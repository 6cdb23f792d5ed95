"""Writing activations that are in memory to a store."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from .._indices import check_indices
from .store import StoreWriter


def save_tokens(tokens: Any, path: str | PathLike) -> None:
    """Write activations to a store; see :meth:`TokenActivations.save`."""
    if not len(tokens):
        raise ValueError("The TokenActivations is empty: expected at least one word.")
    change = np.flatnonzero(np.diff(tokens.sentence_ids)) + 1
    words = [part.tolist() for part in np.split(tokens.words, change)]
    counted = np.concatenate([np.arange(len(part)) for part in words])
    whole = tokens.offsets is None and np.array_equal(tokens.positions, counted)
    writer = StoreWriter(
        path,
        layers=check_indices(tokens.layers, None, what="layer").tolist(),
        width=tokens.X.shape[1] // tokens.n_layers,
        dtype=tokens.X.dtype.name,
        words=words,
        sentence_ids=tokens.sentence_ids[np.concatenate([[0], change])],
        labels=tokens.y,
        parameters={"unit": tokens.unit},
        positions=None if whole else tokens.positions,
        offsets=tokens.offsets,
    )
    with writer:
        writer.append(tokens.X, n_sentences=len(words))
