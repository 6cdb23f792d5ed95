"""The columns of activations whose rows are grouped by sentence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def columns_of_sentences(
    words: Sequence[Sequence[str]],
    sentence_ids: ArrayLike | None,
    positions: Sequence[Sequence[int]] | NDArray[np.intp] | None,
) -> dict[str, Any]:
    """Return the words, sentence numbers and positions of all rows.

    Parameters
    ----------
    words : sequence of sequences of str
        The words of each sentence.
    sentence_ids : array-like of int of shape (n_sentences,) or None
        If None, sentences are numbered from 0.
    positions : sequence of sequences of int, ndarray of int of shape (n_words,) or None
        If None, the words of each sentence are numbered from 0.

    Returns
    -------
    dict
        The arguments ``words``, ``sentence_ids`` and ``positions`` of TokenActivations.
    """
    ids = np.arange(len(words)) if sentence_ids is None else np.asarray(sentence_ids, dtype=np.intp)
    lengths = np.array([len(sentence) for sentence in words], dtype=np.intp)
    n_words = int(lengths.sum())
    if positions is None:
        flat = np.arange(n_words) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    elif isinstance(positions, np.ndarray):
        flat = positions
    else:
        flat = np.fromiter(chain.from_iterable(positions), dtype=np.intp, count=n_words)
    return {
        "words": np.fromiter(chain.from_iterable(words), dtype=object, count=n_words),
        "sentence_ids": np.repeat(ids, lengths),
        "positions": flat,
    }
