"""Checks of samples, labels and groups, and the selection of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing, check_array, check_consistent_length, indexable

from .._labels import check_labels, check_y
from .._validation import check_not_tokens, naming_the_cell


def check_activations(
    estimator: Any, X: Any, y: ArrayLike, groups: ArrayLike | None, **options: Any
) -> tuple[NDArray, NDArray]:
    """Check activations with options of ``check_array``, and check the targets of an estimator."""
    check_not_tokens(X)
    check_consistent_length(X, y, groups)
    return check_array(X, **options), check_y(estimator, y)


def check_samples(
    X: Any, y: ArrayLike, groups: ArrayLike | None
) -> tuple[Any, NDArray, NDArray | None]:
    """Check samples, their labels and their groups.

    An array of floats must be finite. Any other kind of X, such as a column of words before a
    ``OneHotEncoder``, is checked by the estimator.
    """
    check_not_tokens(X)
    check_consistent_length(X, y, groups)
    if isinstance(X, np.ndarray) and X.dtype.kind == "f":
        with naming_the_cell(X):
            X = check_array(X, input_name="X")
    X, groups = indexable(X, groups)
    if groups is not None:
        groups = check_labels(groups, name="groups")
    return X, check_labels(y, name="y"), groups


def take_samples(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of X, and convert float16, a storage format, to float32."""
    taken = _safe_indexing(X, rows)
    return taken.astype(np.float32) if getattr(taken, "dtype", None) == np.float16 else taken
