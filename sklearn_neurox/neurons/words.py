"""Words that a neuron responds to."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_scalar

from .._moments import neuron_std
from .._validation import check_vector, check_words
from ._checks import check_share


def top_words(
    words: Sequence[str] | NDArray,
    activations: ArrayLike,
    *,
    n_words: int | None = None,
    min_score: float = 0.0,
    min_count: int = 1,
) -> list[tuple[str, float]]:
    """Find the word types on which a neuron deviates most from its mean.

    The score of a word type is the mean of ``|z|`` over its occurrences, divided by the largest
    such mean, where z is the activation standardized over all words. It has the sign of the mean
    of z: words on which the neuron is below its mean have negative scores.

    Parameters
    ----------
    words : sequence of n_words str
        The words of the text, in order. Case matters.
    activations : array-like of shape (n_words,)
        Activations of one neuron, one per word.
    n_words : int, default=None
        Maximum number of word types to return. If None, return all word types.
    min_score : float in [0, 1], default=0.0
        Threshold on the scores: return only word types with ``|score| > min_score``.
    min_count : int, default=1
        Ignore word types with fewer occurrences. The score of a word that occurs only once may be
        high at random.

    Returns
    -------
    list of (word, score)
        Word types and scores, by decreasing ``|score|``. Ties are broken by first occurrence. Empty
        for a neuron that is constant up to rounding.

    Raises
    ------
    ValueError
        If the lengths differ, there are no words, or activations contain NaN or infinity.

    Examples
    --------
    >>> from sklearn_neurox import top_words
    >>> top_words(["the", "cat", "saw", "the", "dog"], [0, 5, 0, 0, -2], min_score=0.1)
    [('cat', 1.0), ('dog', -0.5909...), ('the', -0.1363...), ('saw', -0.1363...)]
    """
    listed = check_words(words, name="words")
    activations = check_vector(activations, name="activations")
    if len(listed) != len(activations):
        raise ValueError(
            f"words and activations must have the same length, got {len(listed)} words and "
            f"{len(activations)} activations."
        )
    if not listed:
        raise ValueError("words is empty: expected at least one word.")
    if n_words is not None:
        check_scalar(n_words, "n_words", Integral, min_val=0)
    check_share(min_score, "min_score")
    check_scalar(min_count, "min_count", Integral, min_val=1)
    if neuron_std(activations[:, np.newaxis])[0] == 0:
        return []
    first_seen: dict[Hashable, int] = {}
    codes = np.array([first_seen.setdefault(word, len(first_seen)) for word in listed])
    centered = activations - activations.mean(dtype=np.float64)
    counts = np.bincount(codes)
    size = np.bincount(codes, np.abs(centered)) / counts
    often = counts >= min_count
    if not often.any():
        return []
    sign = np.where(np.bincount(codes, centered) < 0, -1.0, 1.0)
    score = sign * size / size[often].max()
    types = list(first_seen)
    best = [
        i
        for i in np.argsort(-np.abs(score), kind="stable")
        if often[i] and abs(score[i]) > min_score
    ]
    return [(types[i], float(score[i])) for i in best[:n_words]]
