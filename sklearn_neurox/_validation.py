"""Checks of input that several packages share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, TypeVar, cast

import numpy as np
import sklearn.utils.validation
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, gen_batches
from sklearn.utils._param_validation import validate_params as _validate_params
from sklearn.utils.validation import FLOAT_DTYPES

from ._conversion import as_numpy
from ._files import check_not_truncated
from ._row_chunks import read_tensors

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


@contextmanager
def noting(*places: str) -> Iterator[None]:
    """Add notes to an error that say for which part of the data it occurred."""
    try:
        yield
    except Exception as error:
        for place in places:
            error.add_note(f"The error occurred {place}.")
        raise


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


def validate_data(estimator: Any, X: Any, **options: Any) -> NDArray:
    """Call ``validate_data`` of scikit-learn for X, and add the first invalid cell to its errors.

    Tensors become arrays first, so that scikit-learn does the same with any of its settings.
    """
    check = partial(sklearn.utils.validation.validate_data, estimator)
    return _check_cells(check, as_cells(X), "X", options)


def check_matrix(X: ArrayLike, *, name: str = "X", **options: Any) -> NDArray:
    """Call ``check_array`` of scikit-learn for a matrix of numbers, as :func:`validate_data` does.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_columns)
    name : str, default="X"
        Name of the argument, for the error messages.
    **options
        Options of ``check_array``.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
    """
    check = partial(check_array, input_name=name)
    return _check_cells(check, as_cells(X, name=name), name, options)


def _check_cells(check: Callable[..., NDArray], X: Any, name: str, options: dict) -> NDArray:
    """Call a check of scikit-learn, and add the first invalid cell to its errors.

    In float16, scikit-learn's search for NaN and infinity allocates an array of the size of X,
    which may be a memory map. It is replaced by a search in chunks.
    """
    is_float16 = isinstance(X, np.ndarray) and X.dtype == np.float16
    in_chunks = is_float16 and options.get("ensure_all_finite", True) is True
    if in_chunks:
        options = options | {"ensure_all_finite": False}
    with naming_the_cell(X):
        checked = check(X, **options)
        if in_chunks:
            for rows, chunk in read_tensors(X, np.float32):
                if not chunk.sum().isfinite():  # the sum of float16 numbers does not overflow
                    assert_all_finite(X[rows], input_name=name)
    return checked


def as_cells(X: Any, *, name: str = "X") -> Any:
    """Convert tensors to arrays, and raise an error for cells that are not numbers.

    scikit-learn would convert text such as "1.5", and dates, to numbers.
    """
    check_not_tokens(X, name=name)
    check_not_estimator(X, name=name)
    X = as_numpy(X, name=name)
    if isinstance(X, np.ndarray):
        check_not_truncated(X)
    if issparse(X) or _has_numbers_only(X):
        return X
    cells = np.asarray(X)
    if _has_numbers_only(cells):
        return X
    text = next((cell for cell in cells.flat if isinstance(cell, str | bytes)), None)
    if text is not None:
        text = text.item() if isinstance(text, np.generic) else text
        raise ValueError(f"{name} must contain numbers, but contains text: {text!r:.60}.")
    if cells.dtype.kind in "mM":
        raise TypeError(f"{name} must contain numbers, but contains dates or times: {cells.dtype}.")
    return X


def _has_numbers_only(X: Any) -> bool:
    """Return whether the dtypes of an array or a DataFrame are those of numbers."""
    dtypes = [X.dtype] if isinstance(X, np.ndarray) else getattr(X, "dtypes", [None])
    return all(getattr(dtype, "kind", "") in tuple("biufc") for dtype in dtypes)


def check_not_tokens(X: Any, *, name: str = "X") -> None:
    """Raise a TypeError if an argument is a TokenActivations object rather than an array."""
    if isinstance(getattr(X, "X", None), np.ndarray):
        advice = " Pass its attribute X instead." if name == "X" else ""
        raise TypeError(f"{name} must be an array, got {type(X).__name__}.{advice}")


def check_not_estimator(value: Any, *, name: str, advice: str = "") -> None:
    """Raise a TypeError if a value is a class, an estimator or a module rather than an array."""
    if callable(value) or (hasattr(value, "fit") and hasattr(value, "get_params")):
        is_class = isinstance(value, type)
        got = f"the class {value.__name__}" if is_class else type(value).__name__
        raise TypeError(f"{name} must be an array, got {got}.{advice}")


def validate_samples(
    estimator: Any, X: Any, y: Any, check: Callable[[Any], NDArray], **options: Any
) -> tuple[NDArray, NDArray]:
    """Validate X as :func:`validate_activations` does, and check y before NumPy converts it.

    Parameters
    ----------
    estimator : estimator
    X, y
        As passed to ``fit``.
    check : callable
        Function that checks y and returns it as an array.
    **options
        As in ``sklearn.utils.validation.validate_data``. If they contain `dtype`, a float16 array
        is converted.

    Returns
    -------
    X, y : ndarray

    Raises
    ------
    ValueError
        If y is None, or lengths differ. Also as in :func:`validate_activations` and `check`.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    validate = validate_data if "dtype" in options else validate_activations
    data = validate(estimator, X, **options)
    targets = check(y)
    check_consistent_length(data, targets)
    return data, targets


def validate_activations(estimator: Any, X: Any, **options: Any) -> NDArray:
    """Validate data as scikit-learn does, but keep float16 arrays.

    A float16 array may be a memory map that is larger than the memory, so it is not converted.

    Parameters
    ----------
    estimator : estimator
    X, **options
        As in ``sklearn.utils.validation.validate_data``.

    Returns
    -------
    ndarray of dtype float64, float32 or float16

    Raises
    ------
    ValueError
        As in ``sklearn.utils.validation.validate_data``.
    """
    return validate_data(estimator, X, dtype=FLOAT_DTYPES, **options)


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
        If a value is NaN or infinite, or `values` does not have one dimension or contains text.
    """
    vector = check_matrix(
        values,
        name=name,
        ensure_2d=False,
        allow_nd=True,
        ensure_min_samples=0,
        ensure_all_finite=False,
        dtype=FLOAT_DTYPES,
    )
    if vector.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got an array of shape {vector.shape}.")
    for place in np.flatnonzero(~np.isfinite(vector))[:1]:
        kind = "NaN" if np.isnan(vector[place]) else "infinity"
        raise ValueError(f"{name} contains {kind}. The first is {vector[place]} at index {place}.")
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
        If `words` is a single string, is not iterable, or contains lists, missing values or objects
        that are not hashable.
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
    for place, word in enumerate(listed):
        if not isinstance(word, str) and (word is None or not _is_hashable_and_equal(word)):
            raise TypeError(
                f"{name} must not contain missing or unhashable values, but {name}[{place}] = "
                f"{word!r:.60}."
            )
    return listed


def _is_hashable_and_equal(word: Any) -> bool:
    """Return whether a word can be looked up, unlike a dict, NaN, or a missing value of pandas."""
    try:
        hash(word)
        return bool(word == word)
    except TypeError:
        return False


def n_samples_of(X: Any) -> int:
    """Return the number of samples of an array, a sparse matrix or a list."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


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
