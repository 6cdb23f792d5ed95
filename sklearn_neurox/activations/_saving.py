"""Writing activations that are in memory to a store."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from .bfloat16 import in_memory
from .dtypes import stored_dtype
from .store import StoreWriter

_AT_ONCE = 1 << 28  # bytes that are written before the journal counts them


def save_tokens(tokens: Any, path: str | PathLike, **layout: Any) -> None:
    """Write activations to a store; see :meth:`TokenActivations.save`."""
    if not len(tokens):
        raise ValueError("The TokenActivations is empty: expected at least one word.")
    change = np.flatnonzero(np.diff(tokens.sentence_ids)) + 1
    words = [part.tolist() for part in np.split(tokens.words, change)]
    counted = np.concatenate([np.arange(len(part)) for part in words])
    ids = tokens.sentence_ids[np.concatenate([[0], change])]
    # Other rows are stored with their positions, and a sentence may then have several runs of rows.
    is_whole = len(set(ids.tolist())) == len(ids) and np.array_equal(tokens.positions, counted)
    writer = StoreWriter(
        path,
        layers=tokens.layers,
        width=len(tokens.neurons) // tokens.n_layers,
        dtype=tokens.dtype,
        words=words,
        sentence_ids=ids,
        labels=tokens.y,
        parameters=dict(tokens.provenance or {}) | {"unit": tokens.unit},
        positions=None if is_whole and tokens.offsets is None else tokens.positions,
        offsets=tokens.offsets,
        **layout,
    )
    ends = np.cumsum([len(sentence) for sentence in words])
    n_rows = max(1, _AT_ONCE // (len(tokens.neurons) * stored_dtype(tokens.dtype).itemsize))
    with writer:
        while (start := writer.n_words_done) < len(tokens):
            # Whole sentences, at least one.
            last = int(np.searchsorted(ends, start + n_rows, side="right")) - 1
            stop = int(ends[max(last, writer.n_done)])
            writer.append(in_memory(tokens._rows[start:stop]))
