"""Indices of neurons and layers: checks and masks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._conversion import as_numpy


def check_indices(
    values: ArrayLike | Iterable[Any], size: int | None, *, what: str
) -> NDArray[np.intp]:
    """Check that values are distinct indices within a range.

    Parameters
    ----------
    values : array-like or iterable of int
    size : int or None
        Indices must be from 0 to size - 1. If None, there is no upper bound.
    what : str
        What is indexed, for the error messages, such as "neuron" or "layer".

    Returns
    -------
    ndarray of int
        The indices in the order given.

    Raises
    ------
    TypeError
        If the values are not integers.
    ValueError
        If an index is out of range or repeated.
    """
    expected = "non-negative integers" if size is None else f"integers from 0 to {size - 1}"
    values = as_numpy(values, name=f"The list of {what} indices")
    try:
        listed = list(values)  # type: ignore[arg-type] # a scalar raises
        indices = np.asarray(listed)
    except (TypeError, ValueError) as error:  # not a list, or a ragged one
        is_estimator = hasattr(values, "get_support") or hasattr(values, "ranking_")
        advice = " Pass its attribute ranking_ or its get_support(indices=True)."
        raise TypeError(
            f"Expected a list of {what} indices ({expected}), got {values!r:.60}."
            f"{advice if is_estimator else ''}"
        ) from error
    if indices.dtype.kind in "iu" and any(isinstance(each, bool | np.bool_) for each in listed):
        raise TypeError(f"Expected {what} indices ({expected}), got booleans among them.")
    if indices.size == 0:
        return np.empty(0, dtype=np.intp)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise TypeError(
            f"Expected a one-dimensional list of {what} indices ({expected}), got an array of "
            f"dtype {indices.dtype} with {indices.ndim} dimension(s). Use np.flatnonzero to "
            "convert a mask to indices."
        )
    largest = np.iinfo(np.intp).max if size is None else size - 1
    outside = indices[(indices < 0) | (indices > largest)]
    if outside.size:
        known = "" if size is None else f"There are {size} {what}s, so "
        raise ValueError(f"{known}{what} indices must be {expected}, got {outside[0]}.")
    distinct, counts = np.unique(indices, return_counts=True)
    if (counts > 1).any():
        repeated = distinct[counts > 1][0]
        raise ValueError(f"Each {what} can be listed only once; {repeated} is repeated.")
    return indices.astype(np.intp)


def index_mask(indices: NDArray[np.intp], size: int, *, invert: bool = False) -> NDArray[np.bool_]:
    """Return a boolean mask that is True at `indices`, or everywhere else if `invert`."""
    mask = np.full(size, invert)
    mask[indices] = not invert
    return mask
