"""Checks on what users say about neurons, the columns of X, and the size of their activations."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches


def check_indices(values: Collection[Any], size: int, *, what: str) -> NDArray[np.intp]:
    """Check distinct indices into a range.

    Parameters
    ----------
    values : collection of int
    size : int
        Indices run from 0 to size - 1.
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
    indices = np.asarray(list(values))
    if indices.size == 0:
        return np.empty(0, dtype=np.intp)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise TypeError(
            f"Expected a one-dimensional list of {what} indices, integers from 0 to {size - 1}; "
            f"got an array of dtype {indices.dtype} and {indices.ndim} dimension(s)."
        )
    outside = indices[(indices < 0) | (indices >= size)]
    if outside.size:
        raise ValueError(
            f"There are {size} {what}s, so indices run from 0 to {size - 1}; got {outside[0]}."
        )
    distinct, counts = np.unique(indices, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"Each {what} can be named once; {distinct[counts > 1][0]} comes twice.")
    return indices.astype(np.intp)


def index_mask(indices: NDArray[np.intp], size: int, *, invert: bool = False) -> NDArray[np.bool_]:
    """Boolean mask that is True at `indices`, or everywhere else."""
    mask = np.full(size, invert)
    mask[indices] = not invert
    return mask


def neuron_std(X: NDArray, sample_weight: NDArray | None = None) -> NDArray[np.float64]:
    """Compute the standard deviation of each neuron; 0 where it moves no more than rounding.

    A column that is constant up to float noise has a tiny deviation, which a scaler would
    inflate to 1; relative to the column's size it is rounding error.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons)
    sample_weight : ndarray of shape (n_words,), default=None
        Weights of the words.

    Returns
    -------
    ndarray of shape (n_neurons,)
    """
    weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    X, weight = (X, weight) if weight.all() else (X[weight > 0], weight[weight > 0])
    low, high = X.min(axis=0).astype(np.float64), X.max(axis=0).astype(np.float64)
    moves = high - low > 4 * np.finfo(X.dtype).eps * np.maximum(high, -low)
    unit = np.where(moves, high - low, 1.0)  # what is at most 1 has a square that does not overflow
    mean, variance = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    batches = [(X[rows], weight[rows]) for rows in gen_batches(len(X), 1024)]  # views
    for rows, share in batches:
        mean += share @ rows.astype(np.float64)
    mean /= weight.sum()
    for rows, share in batches:
        variance += share @ np.square((rows - mean) / unit)
    return np.where(moves, unit * np.sqrt(variance / weight.sum()), 0.0)
