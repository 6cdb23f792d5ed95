"""Checks of the numbers that displays draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._rare_labels import of_defined_folds


def check_finite(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Check that all numbers can be drawn.

    Parameters
    ----------
    values : array-like
    name : str
        Name of the values, for the error messages.

    Returns
    -------
    ndarray of float64 of the shape of `values`

    Raises
    ------
    TypeError
        If `values` are not numbers.
    ValueError
        If a value is NaN or infinite.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of numbers, got {values!r:.60}.") from error
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        at = f" at index {place[0] if len(place) == 1 else place}" if place else ""
        raise ValueError(f"{name} must be finite, got {array[place]}{at}.")
    return array


def check_fields(
    result: Any, fields: tuple[str, ...], *, name: str = "", by_fold: bool = False
) -> None:
    """Check that the numbers in some fields of a result can be drawn.

    Parameters
    ----------
    result : result
    fields : tuple of str
        Fields that are arrays, mappings of names to arrays, or None.
    name : str, default=""
        Name of the result, if it has one, for the error messages.
    by_fold : bool, default=False
        Whether the last axis of the arrays is that of the folds. Folds without any score are not
        drawn.

    Raises
    ------
    ValueError
        If a value is NaN or infinite.
    """
    of_result = f" of the result {name!r}" if name else ""
    for field in fields:
        values = getattr(result, field)
        parts = values.items() if isinstance(values, Mapping) else [(None, values)]
        for key, part in parts:
            place = field if key is None else f"{field}[{key!r}]"
            if part is not None:
                check_finite(of_defined_folds(part) if by_fold else part, f"{place}{of_result}")


def check_has_tree(clustering: Any) -> None:
    """Raise a TypeError if a fitted estimator did not cluster neurons."""
    if not hasattr(getattr(clustering, "clustering_", clustering), "linkage_matrix_"):
        raise TypeError(
            "clustering must be a CorrelationClustering or an IndependentNeuronSelector, got "
            f"{type(clustering).__name__}."
        )
