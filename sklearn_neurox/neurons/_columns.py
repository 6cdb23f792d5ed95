"""Checks on what users say about neurons, the columns of X, and the size of their activations."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, column_or_1d, gen_batches
from sklearn.utils.validation import FLOAT_DTYPES


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


def check_vector(values, *, name: str) -> NDArray:
    """Check numbers that come one for each neuron or word.

    Parameters
    ----------
    values : array-like of shape (n,) or (n, 1)
        It may be empty.
    name : str
        For the messages.

    Returns
    -------
    ndarray of shape (n,)
        Floating dtypes are kept.

    Raises
    ------
    ValueError
        For NaN, infinity, or more dimensions.
    """
    return column_or_1d(
        check_array(
            values, ensure_2d=False, ensure_min_samples=0, dtype=FLOAT_DTYPES, input_name=name
        )
    )


def index_mask(indices: NDArray[np.intp], size: int, *, invert: bool = False) -> NDArray[np.bool_]:
    """Boolean mask that is True at `indices`, or everywhere else."""
    mask = np.full(size, invert)
    mask[indices] = not invert
    return mask


def neuron_std(X: NDArray) -> NDArray[np.float64]:
    """Compute the standard deviation of each neuron; 0 where it is no more than rounding.

    A column that is constant up to float noise has a tiny deviation, which a scaler would
    inflate to 1; relative to the column's size it is rounding error.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons)

    Returns
    -------
    ndarray of shape (n_neurons,)
    """
    mean = X.mean(axis=0, dtype=np.float64)
    variance = np.zeros(X.shape[1])
    for rows in gen_batches(len(X), 1024):  # no float64 copy of all activations
        variance += np.square(X[rows] - mean).sum(axis=0)
    std = np.sqrt(variance / len(X))
    size = np.maximum(X.max(axis=0), -X.min(axis=0)).astype(np.float64)
    std[std <= 4 * np.finfo(X.dtype).eps * size] = 0.0
    return std
