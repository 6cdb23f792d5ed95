"""Checks of targets: labels of one kind, or finite numbers."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d


def check_target(estimator, y) -> NDArray:
    """Check what an estimator is to learn, before it does.

    Parameters
    ----------
    estimator : estimator
        Labels are for a classifier, numbers for others.
    y : array-like of shape (n_words,), or for numbers (n_words, n_outputs)

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        As :func:`check_labels` and :func:`check_numbers`.
    """
    if is_classifier(estimator):
        labels = check_labels(y, name="y")
        if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
            raise ValueError(
                f"y holds numbers that are no classes, but {type(estimator).__name__} is a "
                "classifier: take a regressor, or make classes of them."
            )
        return labels
    if np.ndim(y) == 2 and np.shape(y)[1] > 1:
        y = np.asarray(y)
        check_numbers(y.ravel(), name="y")
        return y
    return check_numbers(y, name="y")


def check_labels(labels, *, name: str) -> NDArray:
    """Check labels, of one kind, that are classes if they are numbers.

    Parameters
    ----------
    labels : array-like of shape (n_words,) or (n_words, 1)
    name : str
        For the messages.

    Returns
    -------
    ndarray of shape (n_words,)

    Raises
    ------
    TypeError
        If kinds are mixed, such as strings and None.
    ValueError
        If there are none, they have other dimensions, or one is NaN or infinite.
    """
    vector = _vector(labels, name)
    if vector.dtype == object:
        values = vector.tolist()
        kinds = [kind_of(label) for label in values]
        _refuse(np.array([label != label for label in values], dtype=bool), vector, name)
        if len(set(kinds)) > 1:
            row = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
            raise TypeError(
                f"{name} must be of one kind, but holds {' and '.join(sorted(set(kinds)))}; the "
                f"first that differs is {name}[{row}], {values[row]!r}."
            )
        if kinds[0] not in ("number", "str"):
            raise TypeError(f"{name} must be strings or numbers, but {name}[0] is {values[0]!r}.")
        vector = np.array(values)  # numbers that came as objects are numbers
    return vector


def check_numbers(values, *, name: str) -> NDArray[np.float64]:
    """Check finite numbers, one a word, and give them in float64.

    Parameters
    ----------
    values : array-like of shape (n_words,) or (n_words, 1)
    name : str
        For the messages.

    Returns
    -------
    ndarray of float64 of shape (n_words,)

    Raises
    ------
    TypeError
        If one is no number, such as "1.5".
    ValueError
        If there are none, they have other dimensions, or one is NaN or infinite.
    """
    vector = _vector(values, name)
    if vector.dtype.kind not in "biuf":
        for row, value in enumerate(vector.tolist()):
            if not isinstance(value, Real):
                raise TypeError(f"{name} must be numbers, but {name}[{row}] is {value!r}.")
    vector = vector.astype(np.float64)
    _refuse(~np.isfinite(vector), vector, name)
    return vector


def _vector(values, name: str) -> NDArray:
    if isinstance(values, list | tuple) and any(isinstance(each, list) for each in values):
        raise TypeError(
            f"{name} must be one flat list with one entry a word, but holds lists, as of "
            "sentences: concatenate them."
        )
    if np.ndim(values) == 0:
        raise TypeError(f"{name} must be a list with one entry a word, got {values!r}.")
    shape = np.shape(values)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise ValueError(f"{name} must have shape (n_words,), got {shape}.")
    # Of objects as they are: numpy would turn [1, "a"] into strings.
    mixed = isinstance(values, list | tuple) and len({kind_of(value) for value in values}) > 1
    vector = column_or_1d(np.array(values, dtype=object) if mixed else values, input_name=name)
    if not len(vector):
        raise ValueError(f"{name} is empty: at least one word is needed.")
    if vector.dtype.kind == "f":
        _refuse(~np.isfinite(vector), vector, name)
    return vector


def kind_of(value) -> str:
    """Type of a label, all numbers being of one kind and all strings of another."""
    if isinstance(value, Real | np.bool_):
        return "number"
    return "str" if isinstance(value, str) else type(value).__name__


def _refuse(bad: NDArray[np.bool_], vector: NDArray, name: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"{name} must not hold NaN or infinity: {name}[{row}] is {vector[row]}.")
