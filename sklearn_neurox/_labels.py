"""Labels: their kinds, their checks, and the classes that they form."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

# Kinds of valid labels.
KINDS = ("string", "boolean", "number")
# The samples that are used by a fit with weights, for the error messages.
WEIGHTED = "samples with a positive weight"


def kind_of(label: object) -> str:
    """Return "string", "boolean" or "number" or, for any other object, the name of its type."""
    if isinstance(label, str):
        return "string"
    if isinstance(label, bool | np.bool_):
        return "boolean"
    return "number" if isinstance(label, Real) else type(label).__name__


def check_one_kind(labels: Sequence[Any] | NDArray, *, name: str) -> None:
    """Raise an error if labels of several kinds are mixed, such as strings and None.

    Raises
    ------
    TypeError
        If labels of several kinds are mixed. The message names the first label of another kind.
    """
    if isinstance(labels, np.ndarray):
        labels = labels.ravel().tolist() if labels.dtype == object else []
    kinds = [kind_of(label) for label in labels]
    if len(set(kinds)) > 1:
        row = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
        raise TypeError(
            f"{name} must contain labels of one kind, but contains "
            f"{' and '.join(sorted(set(kinds)))} labels; the first that differs is {name}[{row}] "
            f"= {labels[row]!r}."
        )


def check_list(labels: Any, *, name: str) -> None:
    """Raise if a list mixes labels of several kinds, which NumPy would convert to one.

    Raises
    ------
    TypeError
        As :func:`check_one_kind`.
    """
    if isinstance(labels, list | tuple):
        check_one_kind(labels, name=name)


def check_labels(labels: ArrayLike, *, name: str) -> NDArray:
    """Check a vector of labels: strings, booleans or finite numbers, all of one kind.

    Parameters
    ----------
    labels : array-like of shape (n_samples,) or (n_samples, 1)
    name : str
        Name of the argument, for the error messages.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    TypeError
        If kinds are mixed, or a label is not a string, a boolean or a number.
    ValueError
        If `labels` is empty, has another shape, or contains NaN or infinity.
    """
    vector = _vector(labels, name)
    if vector.dtype == object:
        values = vector.tolist()
        _check_finite(np.array([label != label for label in values], dtype=bool), vector, name)
        check_one_kind(values, name=name)
        if kind_of(values[0]) not in KINDS:
            raise TypeError(
                f"{name} must contain strings, booleans or numbers, but {name}[0] = {values[0]!r}."
            )
        vector = np.array(values)  # numbers stored as objects become an array of numbers
    elif vector.dtype.kind not in "biufUT":
        raise TypeError(
            f"{name} must contain strings, booleans or numbers, got dtype {vector.dtype}."
        )
    return vector


def check_numbers(values: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Check a vector of finite numbers and convert it to float64.

    Parameters
    ----------
    values : array-like of shape (n_samples,) or (n_samples, 1)
    name : str
        Name of the argument, for the error messages.

    Returns
    -------
    ndarray of float64 of shape (n_samples,)

    Raises
    ------
    TypeError
        If a value is not a number, such as "1.5".
    ValueError
        If `values` is empty, has another shape, or contains NaN or infinity.
    """
    vector = _vector(values, name)
    if vector.dtype.kind not in "biuf":
        for row, value in enumerate(vector.tolist()):
            if not isinstance(value, Real):
                raise TypeError(f"{name} must contain numbers, but {name}[{row}] = {value!r}.")
    vector = vector.astype(np.float64)
    _check_finite(~np.isfinite(vector), vector, name)
    return vector


def check_y(estimator: Any, y: ArrayLike) -> NDArray:
    """Check the target of an estimator before it is trained.

    Parameters
    ----------
    estimator : estimator
        A classifier requires labels, and any other estimator numbers.
    y : array-like of shape (n_samples,), or of numbers of shape (n_samples, n_outputs)

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        As in :func:`check_labels` and :func:`check_numbers`.
    """
    if is_classifier(estimator):
        labels = check_labels(y, name="y")
        if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
            raise ValueError(
                f"y contains continuous values, but {type(estimator).__name__} is a classifier. "
                "Use a regressor, or discretize y."
            )
        return labels
    if np.ndim(y) == 2 and np.shape(y)[1] > 1:
        y = np.asarray(y)
        check_numbers(y.ravel(), name="y")
        return y
    return check_numbers(y, name="y")


def encode_labels(y: NDArray, *, by: str) -> tuple[NDArray, NDArray[np.intp]]:
    """Return the classes of `y`, and the class of each sample as an index.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    by : str
        Name of the caller, for the error messages.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted class labels.
    codes : ndarray of int of shape (n_samples,)

    Raises
    ------
    TypeError
        If labels of different kinds are mixed, such as strings and None.
    ValueError
        If the labels are continuous values, or there is a single class.
    """
    check_class_labels(y)
    return encode_classes(y, by=by)


def check_class_labels(y: NDArray) -> None:
    """Raise an error if labels of different kinds are mixed, or are continuous values."""
    check_one_kind(y, name="y")
    check_classification_targets(y)


def encode_classes(
    y: NDArray, *, by: str, samples: str = "samples"
) -> tuple[NDArray, NDArray[np.intp]]:
    """Encode labels as :func:`encode_labels` does, without checking them again.

    `samples` describes the samples in the error message.
    """
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{by} requires at least 2 classes, got 1 class: all {len(y)} {samples} have the label "
            f"{classes.tolist()[0]!r}."
        )
    return classes, codes


def check_target(target: Any, classes: ArrayLike) -> int:
    """Return the index of the class `target`.

    Raises
    ------
    ValueError
        If `target` is not one of the classes.
    """
    labels = np.asarray(classes).tolist()
    if np.ndim(target):
        raise ValueError(f"target must be a single class of {labels}, got {target!r}.")
    if target not in labels:
        raise ValueError(f"target must be one of the classes {labels}, got {target!r}.")
    return labels.index(target)


def _vector(values: Any, name: str) -> NDArray:
    if isinstance(values, list | tuple) and any(isinstance(each, list) for each in values):
        raise TypeError(
            f"{name} must be a flat list with one entry per sample, got a list of lists. "
            "Concatenate the labels of the sentences."
        )
    if np.ndim(values) == 0:
        raise TypeError(f"{name} must be a list with one entry per sample, got {values!r}.")
    shape = np.shape(values)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise ValueError(f"{name} must have shape (n_samples,), got {shape}.")
    # Without dtype=object, NumPy would convert [1, "a"] to strings.
    mixed = isinstance(values, list | tuple) and len({kind_of(value) for value in values}) > 1
    vector = column_or_1d(np.array(values, dtype=object) if mixed else values, input_name=name)
    if not len(vector):
        raise ValueError(f"{name} is empty: expected at least one sample.")
    if vector.dtype.kind == "f":
        _check_finite(~np.isfinite(vector), vector, name)
    return vector


def _check_finite(bad: NDArray[np.bool_], vector: NDArray, name: str) -> None:
    """Raise a ValueError that names the first value marked as bad."""
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"{name} must not contain NaN or infinity: {name}[{row}] = {vector[row]}.")
