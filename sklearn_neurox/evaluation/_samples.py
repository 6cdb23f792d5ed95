"""Checks of samples, labels and groups, and the selection of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing, check_consistent_length, indexable

from .._conversion import as_numpy
from .._labels import check_labels, check_y
from .._row_copies import copy_rows
from .._validation import check_matrix, check_not_estimator, check_not_tokens


def check_activations(
    estimator: Any, X: Any, y: ArrayLike, groups: ArrayLike | None, **options: Any
) -> tuple[NDArray, NDArray, NDArray | None]:
    """Check activations with options of ``check_array``, targets of an estimator, and groups."""
    activations, targets = check_matrix(X, **options), check_y(estimator, y)
    if groups is not None:
        groups = check_labels(groups, name="groups")
    check_consistent_length(activations, targets, groups)
    return activations, targets, groups


def check_samples(
    X: Any, y: ArrayLike, groups: ArrayLike | None
) -> tuple[Any, NDArray, NDArray | None]:
    """Check samples, their labels and their groups.

    An array of floats must be finite. Any other kind of X, such as a column of words before a
    ``OneHotEncoder``, is checked by the estimator.
    """
    check_not_tokens(X)
    check_not_estimator(X, name="X")
    X = as_numpy(X, name="X")
    if isinstance(X, np.ndarray) and X.dtype.kind == "f":
        X = check_matrix(X)
    labels = check_labels(y, name="y")
    checked = None if groups is None else check_labels(groups, name="groups")
    (X,) = indexable(X)
    check_consistent_length(X, labels, checked)
    return X, labels, checked


def take_samples(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of X, and convert float16, a storage format, to float32."""
    dtype = np.float32 if getattr(X, "dtype", None) == np.float16 else None
    return copy_rows(X, rows, dtype) if isinstance(X, np.ndarray) else _safe_indexing(X, rows)
