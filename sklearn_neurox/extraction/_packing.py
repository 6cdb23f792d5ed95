"""Rows of activations together with the words that they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..activations.tokens import TokenActivations
from ._encoding import EncodedSentence


def pack_encoded(
    X: NDArray,
    encoded: Sequence[EncodedSentence],
    y: NDArray | None,
    *,
    layers: Sequence[int],
    unit: str,
) -> TokenActivations:
    """Pack the rows of tokenized sentences, of which some may be dropped or have special tokens."""
    return TokenActivations(
        X=X,
        words=np.array([word for s in encoded for word in s.words], dtype=object),
        sentence_ids=np.repeat([s.sentence_id for s in encoded], [s.n_rows for s in encoded]),
        positions=np.concatenate([s.positions for s in encoded]),
        layers=tuple(layers),
        y=y,
        unit=unit,
    )


def pack_corpus(
    X: NDArray, corpus: list[list[str]], y: NDArray | None, *, layers: Sequence[int]
) -> TokenActivations:
    """Pack the rows of all words of a corpus."""
    lengths = [len(words) for words in corpus]
    return TokenActivations(
        X=X,
        words=np.array([word for words in corpus for word in words], dtype=object),
        sentence_ids=np.repeat(np.arange(len(corpus)), lengths),
        positions=np.concatenate([np.arange(length) for length in lengths]),
        layers=tuple(layers),
        y=y,
    )
