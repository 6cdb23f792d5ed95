"""Checks on what users say about neurons, the columns of X, and the size of their activations."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from ._mapping import mapping_of, release

_CELLS = 2**17
_RELEASED_AFTER = 4096  # words of a mapped file


def check_indices(values: Collection[Any], size: int | None, *, what: str) -> NDArray[np.intp]:
    """Check distinct indices into a range.

    Parameters
    ----------
    values : collection of int
    size : int or None
        Indices run from 0 to size - 1, or have no upper bound.
    what : str
        What is indexed, for the messages: "neuron", "layer".

    Returns
    -------
    ndarray of int
        In the order given.

    Raises
    ------
    TypeError
        If the values are not integers.
    ValueError
        If one is out of range or comes twice.
    """
    span = "from 0 on" if size is None else f"from 0 to {size - 1}"
    try:
        indices = np.asarray(list(values))
    except (TypeError, ValueError) as error:  # no list, or a ragged one
        raise TypeError(
            f"Expected a list of {what} indices, integers {span}; got {values!r:.60}."
        ) from error
    if indices.size == 0:
        return np.empty(0, dtype=np.intp)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise TypeError(
            f"Expected a one-dimensional list of {what} indices, integers {span} (of a mask, "
            f"np.flatnonzero); got an array of dtype {indices.dtype} and {indices.ndim} "
            "dimension(s)."
        )
    outside = indices[(indices < 0) | (indices >= (np.inf if size is None else size))]
    if outside.size:
        known = "" if size is None else f"There are {size} {what}s, so "
        raise ValueError(f"{known}indices run {span}; got {outside[0]}.")
    distinct, counts = np.unique(indices, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"Each {what} can be named once; {distinct[counts > 1][0]} comes twice.")
    return indices.astype(np.intp)


def find_neurons(estimator: Any, n_neurons: int) -> NDArray[np.intp]:
    """Check the parameter `neurons` of an estimator: indices, or names of the columns of X."""
    neurons = list(estimator.neurons)
    if not neurons or not all(isinstance(neuron, str) for neuron in neurons):
        return check_indices(neurons, n_neurons, what="neuron")
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        raise TypeError(
            f"neurons={neurons!r:.60} are names, but X has none; give a DataFrame, or indices."
        )
    place = {name: index for index, name in enumerate(names)}
    unknown = [name for name in neurons if name not in place]
    if unknown:
        raise ValueError(f"X has no column {unknown[0]!r}; its columns are {names[0]!r}, ....")
    return check_indices([place[name] for name in neurons], n_neurons, what="neuron")


def index_mask(indices: NDArray[np.intp], size: int, *, invert: bool = False) -> NDArray[np.bool_]:
    """Boolean mask that is True at `indices`, or everywhere else."""
    mask = np.full(size, invert)
    mask[indices] = not invert
    return mask


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
