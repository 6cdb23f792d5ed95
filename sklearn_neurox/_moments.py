"""Means and standard deviations of neurons, computed in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._row_chunks import read_arrays

_CELLS = 2**17  # float64 values that fit into the cache of a core
_SQUARABLE = 1e100  # numbers between its inverse and itself have squares in float64


def neuron_moments(
    X: NDArray, sample_weight: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the mean and the standard deviation of each neuron in float64.

    A neuron that is constant up to rounding has a standard deviation of 0: it varies by no more
    than the rounding error of its own values or, if there are other neurons, of their values. A
    scaler would inflate such noise to a variance of 1.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_neurons)
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights. A weight of 0 is equivalent to removing the sample.

    Returns
    -------
    mean : ndarray of shape (n_neurons,)
    std : ndarray of shape (n_neurons,)

    Raises
    ------
    ValueError
        If the range of a neuron exceeds float64.
    """
    weight = np.ones(len(X)) if sample_weight is None else scaled_weights(sample_weight)
    total = weight.sum()
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    mean, variance = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    # Ranges are exact in float32, and faster.
    for rows, share in _batches(X, weight / total, np.result_type(X, np.float32)):
        np.minimum(low, rows.min(axis=0), out=low)
        np.maximum(high, rows.max(axis=0), out=high)
        mean += _weighted_sum(share, rows)
    varies = varying(low, high, X.dtype)
    # Neurons whose squares would overflow or underflow are divided by their range first.
    width = np.where(varies, high - low, 1.0)
    is_extreme = (width < 1 / _SQUARABLE) | (width > _SQUARABLE)
    unit = np.where(is_extreme, width, 1.0)
    for rows, share in _batches(X, weight / total, np.float64):
        rows -= mean
        if is_extreme.any():
            rows /= unit
        variance += _weighted_sum(share, np.square(rows, out=rows))
    return mean, np.where(varies, unit * np.sqrt(variance), 0.0)


def varying(
    low: NDArray[np.float64], high: NDArray[np.float64], dtype: np.dtype
) -> NDArray[np.bool_]:
    """Return which neurons are not constant up to rounding.

    Parameters
    ----------
    low, high : ndarray of shape (n_neurons,)
        Range of each neuron.
    dtype : dtype
        Dtype of the activations.

    Returns
    -------
    ndarray of bool of shape (n_neurons,)

    Raises
    ------
    ValueError
        If the range of a neuron exceeds float64.
    """
    with np.errstate(over="ignore"):
        width = high - low
    if not np.isfinite(width).all():
        j = int(np.argmax(~np.isfinite(width)))
        raise ValueError(
            f"The range of neuron {j}, from {low[j]:.3g} to {high[j]:.3g}, exceeds float64."
        )
    varies = width > 4 * np.finfo(dtype).eps * np.maximum(high, -low)
    if varies.any():
        varies &= width > np.finfo(np.float64).eps * np.median(width[varies])
    return varies


def scaled_weights(sample_weight: ArrayLike) -> NDArray[np.float64]:
    """Divide sample weights by a power of two, so that their sum does not overflow.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,)
        Sample weights, of which at least one is positive.

    Returns
    -------
    ndarray of shape (n_samples,)
        The largest is between 0.5 and 1. Their ratios are exact, except that weights below 1e-308
        of the largest one lose digits. A positive weight remains positive.
    """
    weight = np.asarray(sample_weight, np.float64)
    _, exponent = np.frexp(weight.max())
    scaled = np.ldexp(weight, -exponent)
    return np.where(weight > 0, np.maximum(scaled, np.finfo(np.float64).smallest_subnormal), 0)


def _weighted_sum(share: NDArray[np.float64], rows: NDArray) -> NDArray[np.float64]:
    """Sum share * rows so that equal columns have equal sums, unlike in a BLAS product."""
    if np.ptp(share) == 0:
        return share[0] * rows.sum(axis=0, dtype=np.float64)
    return (share[:, np.newaxis] * rows).sum(axis=0)


def neuron_std(X: NDArray, sample_weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Compute the standard deviation of each neuron as :func:`neuron_moments` does."""
    return neuron_moments(X, sample_weight)[1]


def _batches(
    X: NDArray, weight: NDArray[np.float64], dtype: DTypeLike
) -> Iterator[tuple[NDArray, NDArray[np.float64]]]:
    """Yield samples of positive weight and their weights, in chunks that can be modified."""
    for rows, samples in read_arrays(X, dtype, size=_size(X), copy=True):
        share = weight[rows]
        samples = samples if share.all() else samples[share > 0]
        if len(samples):
            yield samples, share[share > 0]


def _size(X: NDArray) -> int:
    """Return a number of rows with which a chunk and its square fit into the cache of a core."""
    return max(1, _CELLS // X.shape[1])
