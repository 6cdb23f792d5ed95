"""Means and standard deviations of neurons, computed in float64 in one home."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from ._files import mapping_of, release

_CELLS = 2**17  # float64 values that fit into the cache of a core
_RELEASED_AFTER = 4096  # rows of a memory-mapped file


def neuron_moments(
    X: NDArray, sample_weight: NDArray | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute mean and standard deviation of each neuron, in float64.

    A neuron that is constant up to rounding has the deviation 0: one that moves no more than the
    rounding of its own values, or, beside other neurons, than the rounding of theirs. A scaler
    would inflate such noise to 1.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons)
    sample_weight : ndarray of shape (n_words,), default=None
        Weights of the words; words of weight 0 are as if they were not there.

    Returns
    -------
    mean : ndarray of shape (n_neurons,)
    std : ndarray of shape (n_neurons,)

    Raises
    ------
    ValueError
        If the range of a neuron is beyond float64.
    """
    weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    total = weight.sum()
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    mean, variance = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for rows, share in _batches(X, weight / total):
        np.minimum(low, rows.min(axis=0), out=low)
        np.maximum(high, rows.max(axis=0), out=high)
        mean += _weighted_sum(share, rows)
    with np.errstate(over="ignore"):
        width = high - low
    if not np.isfinite(width).all():
        j = int(np.argmax(~np.isfinite(width)))
        raise ValueError(f"Neuron {j} has a range beyond float64: {low[j]:.3g} to {high[j]:.3g}.")
    moves = width > 4 * np.finfo(X.dtype).eps * np.maximum(high, -low)
    if moves.any():
        moves &= width > np.finfo(np.float64).eps * np.median(width[moves])
    unit = np.where(moves, width, 1.0)  # what is at most 1 has a square that does not overflow
    for rows, share in _batches(X, weight / total):
        rows -= mean
        rows /= unit
        variance += _weighted_sum(share, np.square(rows, out=rows))
    return mean, np.where(moves, unit * np.sqrt(variance), 0.0)


def _weighted_sum(share: NDArray, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of share * rows, the same for equal columns, which a BLAS product is not."""
    if np.ptp(share) == 0:
        return share[0] * rows.sum(axis=0)
    return (share[:, np.newaxis] * rows).sum(axis=0)


def neuron_std(X: NDArray, sample_weight: NDArray | None = None) -> NDArray[np.float64]:
    """Compute the standard deviations of :func:`neuron_moments`."""
    return neuron_moments(X, sample_weight)[1]


def _batches(X: NDArray, weight: NDArray) -> Iterator[tuple[NDArray[np.float64], NDArray]]:
    """Words of positive weight in float64, as many at a time as a core's cache holds."""
    mapping = mapping_of(X)
    for rows in gen_batches(len(X), max(1, _CELLS // X.shape[1])):
        share = weight[rows]
        words = X[rows] if share.all() else X[rows][share > 0]
        if len(words):
            yield words.astype(np.float64), share[share > 0]
        if rows.stop % _RELEASED_AFTER < rows.stop - rows.start:
            release(mapping)
