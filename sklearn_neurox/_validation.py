"""Checks of input that several packages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np
import sklearn.utils.validation
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils import assert_all_finite, check_array, gen_batches
from sklearn.utils._param_validation import validate_params as _validate_params
from sklearn.utils.validation import FLOAT_DTYPES

from ._files import mapping_of, release

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Rows of a float16 array that are checked at a time.
_CHECKED_AT_ONCE = 8192


def validate_params(constraints: Mapping[str, list[Any]]) -> Callable[[_Function], _Function]:
    """Return scikit-learn's decorator that validates parameters, but keep the type annotations.

    Parameters
    ----------
    constraints : mapping of str to list
        The valid values of each parameter, as in ``_parameter_constraints`` of an estimator.

    Returns
    -------
    callable
        Decorator. It also validates the parameters of estimators that are passed to the function.
    """
    return _validate_params(constraints, prefer_skip_nested_validation=False)


def float_dtypes(X: Any) -> Any:
    """Return the dtypes of X to keep. Computations on float16, a storage format, use float32."""
    return np.float32 if getattr(X, "dtype", None) == np.float16 else [np.float64, np.float32]


# scikit-learn needs these after a failed fit to tear down its callbacks, and then removes them.
_OF_CALLBACKS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


@contextmanager
def all_or_nothing(estimator: Any) -> Iterator[None]:
    """Restore the attributes of an estimator if the block raises an error or is interrupted."""
    attributes = vars(estimator)
    before = attributes.copy()
    try:
        yield
    except BaseException:
        kept = {name: attributes[name] for name in _OF_CALLBACKS if name in attributes}
        attributes.clear()
        attributes.update(before | kept)
        raise


@contextmanager
def naming_the_cell(X: Any) -> Iterator[None]:
    """Add the row and column of the first NaN or infinity in X to the error of a check."""
    try:
        yield
    except ValueError as error:
        if "could not convert string to float" in str(error):
            raise ValueError(f"X must contain numbers, but contains text: {error}.") from error
        if "contains NaN" not in str(error) and "contains infinity" not in str(error):
            raise
        cell = _first_non_finite(X)
        if cell is None:
            raise
        row, column, value = cell
        name = f" ({X.columns[column]})" if hasattr(X, "columns") else ""
        message = str(error).splitlines()[0]
        raise ValueError(
            f"{message} The first is {value} in row {row}, column {column}{name}."
        ) from error


def _first_non_finite(X: Any) -> tuple[int, int, float] | None:
    try:
        cells = np.asarray(X)
        for rows in gen_batches(len(cells), _CHECKED_AT_ONCE):
            part = np.asarray(cells[rows], dtype=np.float64)
            if not np.isfinite(part).all():
                row, column = np.argwhere(~np.isfinite(part))[0]
                return rows.start + row, column, part[row, column]
    except (TypeError, ValueError):  # not a matrix of numbers: the message stays as it is
        pass
    return None


def validate_data(estimator: Any, X: Any, y: Any = "no_validation", **options: Any) -> Any:
    """Call ``validate_data`` of scikit-learn, and add the first invalid cell to its errors."""
    check_not_tokens(X)
    with naming_the_cell(X):
        return sklearn.utils.validation.validate_data(estimator, X, y, **options)


def check_not_tokens(X: Any) -> None:
    """Raise a TypeError if X is a TokenActivations object rather than its array."""
    if isinstance(getattr(X, "X", None), np.ndarray):
        name = type(X).__name__
        raise TypeError(f"X must be an array, got {name}. Pass its attribute X instead.")


def validate_activations(estimator: Any, X: Any, y: Any = "no_validation", **options: Any) -> Any:
    """Validate data as scikit-learn does, but keep float16 arrays.

    A float16 array may be a memory map that is larger than the memory. It is not converted, and
    the search for NaN and infinity does not allocate another array of its size.

    Parameters
    ----------
    estimator : estimator
    X, y, **options
        As in ``sklearn.utils.validation.validate_data``. If `y` is not passed, only X is validated.

    Returns
    -------
    X, or (X, y)
        X of dtype float64, float32 or float16.

    Raises
    ------
    ValueError
        As in ``sklearn.utils.validation.validate_data``.
    """
    if not isinstance(X, np.ndarray) or X.dtype != np.float16:
        return validate_data(estimator, X, y, dtype=[np.float64, np.float32], **options)
    checked = validate_data(estimator, X, y, dtype=np.float16, ensure_all_finite=False, **options)
    mapping = mapping_of(X)
    with naming_the_cell(X):
        for rows in gen_batches(len(X), _CHECKED_AT_ONCE):
            assert_all_finite(X[rows], input_name="X")
            release(mapping)
    return checked


def check_vector(values: ArrayLike, *, name: str) -> NDArray:
    """Check a vector of finite numbers.

    Parameters
    ----------
    values : array-like of shape (n,)
        May be empty.
    name : str
        Name of the argument, for the error messages.

    Returns
    -------
    ndarray of shape (n,)
        Floating dtypes are kept.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or `values` does not have one dimension.
    """
    vector = check_array(
        values,
        ensure_2d=False,
        allow_nd=True,
        ensure_min_samples=0,
        dtype=FLOAT_DTYPES,
        input_name=name,
    )
    if vector.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got an array of shape {vector.shape}.")
    return vector


def check_scale(values: ArrayLike, n_neurons: int) -> NDArray:
    """Check the scales of neurons: one non-negative number per neuron.

    Parameters
    ----------
    values : array-like of shape (n_neurons,)
    n_neurons : int

    Returns
    -------
    ndarray of shape (n_neurons,)

    Raises
    ------
    ValueError
        If the length is wrong, or a value is negative, NaN or infinite.
    """
    scale = check_vector(values, name="scale")
    if len(scale) != n_neurons:
        raise ValueError(
            f"scale must contain one number for each of the {n_neurons} neurons, got {len(scale)}."
        )
    if (scale < 0).any():
        raise ValueError(f"scale must be non-negative, got {scale.min()}.")
    return scale


def check_words(words: Iterable[Any], *, name: str) -> list[Any]:
    """Convert an iterable of words to a list.

    Parameters
    ----------
    words : iterable of words
    name : str
        Name of the argument, for the error messages.

    Returns
    -------
    list

    Raises
    ------
    TypeError
        If `words` is a single string, is not iterable, or contains lists.
    """
    if isinstance(words, str):
        raise TypeError(f"{name} must be a list of words, got a single string: {words[:60]!r}.")
    if not isinstance(words, Iterable):
        raise TypeError(f"{name} must be a list of words, got {words!r:.60}.")
    listed = words.tolist() if isinstance(words, np.ndarray) else list(words)
    if any(isinstance(word, list) for word in listed):
        raise TypeError(
            f"{name} must be a flat list of words, got a list of lists. Concatenate the words of "
            "the sentences, or use the words of TokenActivations."
        )
    return listed


def own_copy(X: Any) -> Any:
    """Return X if it is read-only, and a copy otherwise, since a step may modify X in place."""
    if isinstance(X, np.ndarray) and not X.flags.writeable:
        return X
    return X.copy() if hasattr(X, "copy") else X


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Function], _Function]:
    """Return a decorator of ``fit`` that validates parameters and undoes a fit that fails.

    It replaces ``sklearn.base._fit_context``, and adds :func:`all_or_nothing`.

    Parameters
    ----------
    prefer_skip_nested_validation : bool
        Whether to skip the validation of parameters of estimators that are fitted inside ``fit``.
        Use False for meta-estimators.
    """

    def decorator(fit: _Function) -> _Function:
        @wraps(fit)
        def undone_if_it_fails(estimator: Any, *args: Any, **params: Any) -> Any:
            with all_or_nothing(estimator):
                return fit(estimator, *args, **params)

        context = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)
        return cast("_Function", context(undone_if_it_fails))

    return decorator
