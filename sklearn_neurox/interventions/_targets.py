"""Labels of any kind as columns of numbers, for erasers."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import type_of_target

from .._conversion import as_numpy
from .._labels import check_labels, check_numbers, encode_labels, find_codes

# For each column of y its classes, or None for continuous values.
Columns: TypeAlias = list[NDArray | None]


class TargetEncoder:
    """Encode labels as one column per class, and continuous values as they are.

    An eraser removes all linear information about the columns. Classes must therefore have a column
    each: a single column with the numbers of classes would leave everything that is not linear in
    the numbers.

    Parameters
    ----------
    classes : array-like, default=None
        All classes of a single column. If None, the first call of :meth:`encode` finds them.
    """

    def __init__(self, classes: ArrayLike | None = None):
        self._columns: Columns | None = None
        if classes is not None:
            self._columns = [_sorted(classes)]

    @classmethod
    def of(cls, columns: Columns) -> TargetEncoder:
        """Return an encoder for columns that have been found before."""
        encoder = cls()
        encoder._columns = columns
        return encoder

    @property
    def columns(self) -> Columns:
        """The columns, once :meth:`encode` has been called."""
        assert self._columns is not None
        return self._columns

    def encode(self, y: ArrayLike) -> NDArray[np.float64]:
        """Return y of shape (n_samples,) or (n_samples, n_outputs) as (n_samples, n_columns)."""
        columns = _columns(y)
        if self._columns is None:
            self._columns = [_classes(column) for column in columns]
        if len(columns) != len(self._columns):
            raise ValueError(
                f"y must have the same number of columns in each batch: expected "
                f"{len(self._columns)}, got {len(columns)}."
            )
        return np.hstack([_encode(*pair) for pair in zip(columns, self._columns, strict=True)])

    def check_classes(self, classes: ArrayLike) -> None:
        """Raise a ValueError if the classes are not those of the first batch."""
        given = _sorted(classes).tolist()
        known = [None if each is None else each.tolist() for each in self._columns or ()]
        if known != [given]:
            raise ValueError(f"classes must be those of the first call, {known}, got {[given]}.")


def _sorted(classes: ArrayLike) -> NDArray:
    return encode_labels(check_labels(classes, name="classes"), by="LeaceEraser")[0]


def _columns(y: Any) -> list[Any]:
    """Split y into its columns."""
    y = as_numpy(y, name="y")
    if hasattr(y, "iloc"):
        return [y.iloc[:, j] for j in range(y.shape[1])] if y.ndim == 2 else [y]
    if isinstance(y, list | tuple):
        is_nested = bool(y) and all(isinstance(row, list | tuple | np.ndarray) for row in y)
        return [list(column) for column in zip(*y, strict=True)] if is_nested else [y]
    y = np.asanyarray(y)
    return list(y.T) if y.ndim == 2 else [y]


def _classes(column: Any) -> NDArray | None:
    labels = check_labels(column, name="y")
    with np.errstate(invalid="ignore"):  # of numbers that are too large for integers
        kind = type_of_target(labels)
    if kind == "continuous":
        return None
    return encode_labels(labels, by="LeaceEraser")[0]


def _encode(column: Any, classes: NDArray | None) -> NDArray[np.float64]:
    if classes is None:
        return check_numbers(column, name="y")[:, np.newaxis]
    codes = find_codes(check_labels(column, name="y"), classes, name="y")
    return np.eye(len(classes))[codes]
