"""Labels: their kinds, their checks, and the classes that they form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ._conversion import as_numpy

# Called with the index of a label; returns its place, for error messages.
Place: TypeAlias = Callable[[int], str]
# Kinds of valid labels.
KINDS = ("string", "boolean", "number")
# The samples that are used by a fit with weights, for the error messages.
WEIGHTED = "samples with a positive weight"
_N_SHOWN = 20  # labels in a message


def kind_of(label: object) -> str:
    """Return "string", "boolean" or "number" or, for any other object, the name of its type."""
    if isinstance(label, str):
        return "string"
    if isinstance(label, bool | np.bool_):
        return "boolean"
    return "number" if isinstance(label, Real) else type(label).__name__


def check_one_kind(
    labels: Sequence[Any] | NDArray, *, name: str, place: Place | None = None
) -> None:
    """Raise a TypeError that names the first label of another kind, such as None among strings."""
    if isinstance(labels, np.ndarray):
        labels = labels.ravel().tolist() if labels.dtype == object else []
    if len(set(map(type, labels))) < 2:
        return
    kinds = [kind_of(label) for label in labels]
    if len(set(kinds)) > 1:
        row = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
        raise TypeError(
            f"{name} must contain labels of one kind, but contains "
            f"{' and '.join(sorted(set(kinds)))} labels; the first that differs is "
            f"{place(row) if place else f'{name}[{row}]'} = {labels[row]!r:.60}."
        )


def check_labels(labels: ArrayLike, *, name: str, warn: bool = False) -> NDArray:
    """Check a vector of labels: strings, booleans or finite numbers, all of one kind.

    Labels are checked one by one before NumPy converts them, because a conversion turns NaN into
    "nan", and True into 1 or "True".

    Parameters
    ----------
    labels : array-like of shape (n_samples,) or (n_samples, 1)
        List, array, tensor, or column of a DataFrame, also of a nullable or categorical dtype.
    name : str
        Name of the argument, for the error messages.
    warn : bool, default=False
        Whether to warn, as scikit-learn's estimators do, that a column is flattened.

    Returns
    -------
    ndarray of shape (n_samples,)
        Array of strings, booleans, integers or floats, with the same distinct values as `labels`.

    Raises
    ------
    TypeError
        If kinds are mixed, or a label is not a string, a boolean or a number.
    ValueError
        If `labels` is empty, has another shape, is masked, contains NaN or infinity, or contains a
        label that an array cannot hold, such as an integer of more than 64 bits.
    """
    vector = _vector(labels, name, warn=warn)
    if vector.dtype == object:
        return check_values(vector.tolist(), name=name)
    if vector.dtype.kind not in "biufU":
        raise TypeError(
            f"{name} must contain strings, booleans or numbers, got dtype {vector.dtype}."
        )
    _check_finite(vector, name)
    return vector


def check_listed(values: list[Any], *, name: str, place: Place | None = None) -> None:
    """Check that labels in a list are strings, booleans or finite numbers, all of one kind.

    Error messages contain ``place(index)``, such as "sentence 3, word 1". By default, the place is
    an expression such as ``y[3]``.
    """
    place = place or (lambda row: f"{name}[{row}]")
    _check_finite(values, name, place)
    if kind_of(values[0]) not in KINDS:
        raise TypeError(
            f"{name} must contain strings, booleans or numbers, but {place(0)} = {values[0]!r:.60}."
        )
    check_one_kind(values, name=name, place=place)


def check_values(values: list[Any], *, name: str, place: Place | None = None) -> NDArray:
    """Check labels as :func:`check_listed`, and return an array of exactly these labels."""
    place = place or (lambda row: f"{name}[{row}]")
    check_listed(values, name=name, place=place)
    vector = np.array(values)
    if vector.dtype == object:
        row = next((i for i, each in enumerate(values) if not isinstance(each, Integral)), None)
        if row is not None:
            raise TypeError(
                f"{name} must contain strings, booleans, integers or floats, but {place(row)} = "
                f"{values[row]!r:.60}."
            )
    found = vector.tolist()
    is_integer = all(isinstance(each, Integral) for each in values)
    if found != values or vector.dtype == object or (is_integer and vector.dtype.kind == "f"):
        row = next((i for i, each in enumerate(values) if found[i] != each), None)
        row = int(np.argmax(np.abs(values))) if row is None else row
        raise ValueError(
            f"An array cannot hold {place(row)} = {values[row]!r:.60} exactly. Integers must have "
            "64 bits, and strings must not end in a null character. Use other labels."
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
        If a value is not a number, such as "1.5", or booleans and numbers are mixed.
    ValueError
        If `values` is empty, has another shape, is masked, or contains NaN or infinity.
    """
    vector = _vector(values, name)
    if vector.dtype.kind not in "biuf":
        listed = vector.tolist()
        for row, value in enumerate(listed):
            if not isinstance(value, Real):
                raise TypeError(f"{name} must contain numbers, but {name}[{row}] = {value!r}.")
        check_one_kind(listed, name=name)
        _check_finite(listed, name)
    try:
        with np.errstate(over="ignore"):  # infinity is an error
            vector = vector.astype(np.float64)
    except OverflowError as error:
        raise ValueError(f"{name} contains a number that exceeds float64.") from error
    _check_finite(vector, name)
    return vector


def check_targets(y: ArrayLike, *, name: str = "y") -> NDArray[np.float64]:
    """Check the numbers that a regressor is trained on, and convert them to float64.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    name : str, default="y"
        Name of the argument, for the error messages.

    Returns
    -------
    ndarray of float64, of the shape of `y`

    Raises
    ------
    TypeError, ValueError
        As in :func:`check_numbers`.
    """
    y = as_numpy(y, name=name)
    if isinstance(y, list | tuple) and len(y) and all(map(_is_nested, y)):
        rows = [check_numbers(row, name=f"{name}[{i}]") for i, row in enumerate(y)]
        i = next((i for i, row in enumerate(rows) if len(row) != len(rows[0])), None)
        if i is not None:
            raise ValueError(
                f"The rows of {name} must have the same length, but {name}[0] has length "
                f"{len(rows[0])}, and {name}[{i}] has length {len(rows[i])}."
            )
        return np.array(rows)
    if isinstance(y, list | tuple) or issparse(y) or np.asarray(y).ndim != 2:
        return check_numbers(y, name=name)
    columns = np.asarray(y).T
    if not columns.size:
        raise ValueError(f"{name} is empty: expected at least one number, got {np.shape(y)}.")
    return np.column_stack(
        [check_numbers(column, name=f"{name}[:, {i}]") for i, column in enumerate(columns)]
    )


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
        As in :func:`check_labels` and :func:`check_targets`.
    """
    if is_classifier(estimator):
        labels = check_labels(y, name="y")
        if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
            raise ValueError(
                f"y contains continuous values, but {type(estimator).__name__} is a classifier. "
                "Use a regressor, or discretize y."
            )
        return labels
    targets = check_targets(y)
    return targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets


def check_class_labels(y: ArrayLike) -> NDArray:
    """Check the labels that a classifier is trained on, and return them as a vector.

    Raises
    ------
    TypeError, ValueError
        As in :func:`check_labels`, or if the labels are continuous values.
    """
    labels = check_labels(y, name="y", warn=True)
    check_classification_targets(labels)
    return labels


def encode_labels(
    y: NDArray, *, by: str, samples: str = "samples"
) -> tuple[NDArray, NDArray[np.intp]]:
    """Return the classes of `y`, and the class of each sample as an index.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels that have been checked.
    by : str
        Name of the caller, for the error message.
    samples : str, default="samples"
        Description of the samples, for the error message.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Sorted class labels.
    codes : ndarray of int of shape (n_samples,)

    Raises
    ------
    ValueError
        If there is a single class.
    """
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{by} requires at least 2 classes, got 1 class: all {len(y)} {samples} have the label "
            f"{classes.tolist()[0]!r}."
        )
    return classes, codes


def check_same_kind(labels: ArrayLike, classes: ArrayLike, *, name: str) -> None:
    """Raise a TypeError if labels and classes are of different kinds, such as True and 1.

    Python and NumPy compare True and 1 as equal, so a comparison would not find the mistake.
    """
    kinds = [kind_of(np.asarray(each).ravel()[:1].tolist()[0]) for each in (labels, classes)]
    if kinds[0] != kinds[1]:
        raise TypeError(f"{name} contains {kinds[0]} labels, but the classes are {kinds[1]}s.")


def find_codes(labels: NDArray, classes: ArrayLike, *, name: str) -> NDArray[np.intp]:
    """Return the place of each label among the classes of a fitted estimator.

    Raises
    ------
    ValueError
        If a label is not one of the classes.
    """
    known = np.asarray(classes).tolist()
    # With its kind, because Python compares True and 1 as equal.
    code_of = {(kind_of(label), label): code for code, label in enumerate(known)}
    found, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    listed = [(kind_of(label), label) for label in found.tolist()]
    unknown = [i for i, label in enumerate(listed) if label not in code_of]
    if unknown:
        named = ", ".join(f"{listed[i][1]!r} ({counts[i]} samples)" for i in unknown[:_N_SHOWN])
        more = f" and {len(unknown) - _N_SHOWN} more" if len(unknown) > _N_SHOWN else ""
        raise ValueError(
            f"{name} contains labels that were not seen during training: {named}{more}. The "
            f"classes of the estimator are {known[:_N_SHOWN]}{' ...' * (len(known) > _N_SHOWN)}."
        )
    return np.array([code_of[label] for label in listed], dtype=np.intp)[inverse]


def check_target(target: Any, classes: ArrayLike, *, name: str = "target") -> int:
    """Return the index of the class `target`.

    Raises
    ------
    ValueError
        If `target` is not one of the classes.
    """
    labels = np.asarray(classes).tolist()
    if np.ndim(target):
        raise ValueError(f"{name} must be a single class of {labels}, got {target!r}.")
    # True is not the class 1, although Python compares them as equal.
    places = [
        place
        for place, label in enumerate(labels)
        if kind_of(label) == kind_of(target) and label == target
    ]
    if not places:
        raise ValueError(f"{name} must be one of the classes {labels}, got {target!r}.")
    return places[0]


def _vector(values: Any, name: str, *, warn: bool = False) -> NDArray:
    """Return a vector of the given values, which is of dtype object if they must be checked."""
    values = as_numpy(values, name=name)
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        vector = np.fromiter(values, dtype=object, count=len(values))
    else:
        vector = _vector_of_array(values, name, warn=warn)
    if not len(vector):
        raise ValueError(f"{name} is empty: expected at least one sample.")
    if vector.dtype == object:
        _check_flat(vector.tolist(), name)
    return vector


def _vector_of_array(values: Any, name: str, *, warn: bool) -> NDArray:
    """Return a vector of the values of an array, a column, or another object with values."""
    if issparse(values):
        raise TypeError(f"{name} must be a dense list, got a sparse {type(values).__name__}.")
    array = np.asarray(values)
    if array.ndim == 0:
        raise TypeError(f"{name} must be a list with one entry per sample, got {values!r:.60}.")
    if array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 1):
        raise ValueError(f"{name} must have shape (n_samples,), got {array.shape}.")
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must not contain complex numbers, got dtype {array.dtype}.")
    if array.dtype.kind == "T":  # variable-width strings, which may be missing
        array = array.astype(object)
    return column_or_1d(array, input_name=name, warn=warn)


def _check_flat(values: list[Any], name: str) -> None:
    if {str, bool, int, float}.issuperset(map(type, values)):
        return
    row = next((row for row, each in enumerate(values) if _is_nested(each)), None)
    if row is not None:
        raise TypeError(
            f"{name} must be a flat list with one entry per sample, got a list of lists: "
            f"{name}[{row}] = {values[row]!r:.60}. Concatenate the labels of the sentences."
        )


def _is_nested(value: Any) -> bool:
    if isinstance(value, list | tuple | Set | Mapping):
        return True
    return isinstance(value, np.ndarray) and value.ndim > 0


def _check_finite(values: NDArray | list[Any], name: str, place: Place | None = None) -> None:
    """Raise a ValueError that names the first NaN or infinity."""
    if isinstance(values, np.ndarray):
        bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(1, dtype=bool)
        row = int(bad.argmax()) if bad.any() else None
    else:
        row = next((i for i, value in enumerate(values) if _is_not_finite(value)), None)
    if row is not None:
        where = place(row) if place else f"{name}[{row}]"
        raise ValueError(f"{name} must not contain NaN or infinity: {where} = {values[row]}.")


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float | np.floating) and not np.isfinite(value)
