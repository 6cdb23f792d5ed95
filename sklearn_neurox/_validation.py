"""Checks of input that several rooms share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np
import sklearn.utils.validation
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.utils import assert_all_finite, check_array, gen_batches
from sklearn.utils.validation import FLOAT_DTYPES

from ._files import mapping_of, release

F = TypeVar("F", bound=Callable[..., Any])

# Rows of a float16 array that are looked through at a time.
_CHECKED_AT_ONCE = 8192


def float_dtypes(X) -> Any:
    """Dtypes of X to keep; a float16 array, a format to store, is computed in float32."""
    return np.float32 if getattr(X, "dtype", None) == np.float16 else [np.float64, np.float32]


# What scikit-learn needs after a failed fit to tear its callbacks down, and then takes away itself.
_OF_CALLBACKS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


@contextmanager
def all_or_nothing(estimator) -> Iterator[None]:
    """Leave an estimator as it was if what is done to it fails or is interrupted."""
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
def naming_the_cell(X) -> Iterator[None]:
    """Add to the error of a check the row and column of the first NaN or infinity in X."""
    try:
        yield
    except ValueError as error:
        if "could not convert string to float" in str(error):
            raise ValueError(f"X holds text, where numbers are expected: {error}.") from error
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


def _first_non_finite(X) -> tuple[int, int, float] | None:
    try:
        cells = np.asarray(X)
        for rows in gen_batches(len(cells), _CHECKED_AT_ONCE):
            part = np.asarray(cells[rows], dtype=np.float64)
            if not np.isfinite(part).all():
                row, column = np.argwhere(~np.isfinite(part))[0]
                return rows.start + row, column, part[row, column]
    except (TypeError, ValueError):  # no matrix of numbers: what the check said must do
        pass
    return None


def validate_data(estimator, X, y="no_validation", **options) -> Any:
    """Validate data as ``sklearn.utils.validation.validate_data`` does, naming a bad cell."""
    refuse_tokens(X)
    with naming_the_cell(X):
        return sklearn.utils.validation.validate_data(estimator, X, y, **options)


def refuse_tokens(X) -> None:
    """Refuse TokenActivations, where their X is meant."""
    if isinstance(getattr(X, "X", None), np.ndarray):
        raise TypeError(f"X is a {type(X).__name__}: give its activations, its X.")


def validate_activations(estimator, X, y="no_validation", **options) -> Any:
    """Validate data as scikit-learn does, with float16 arrays as they are.

    A float16 array may be a memory map larger than the memory: it is neither converted nor, to
    look for numbers that are none, turned into another array of its size.

    Parameters
    ----------
    estimator : estimator
    X, y, **options
        As for ``sklearn.utils.validation.validate_data``; without `y`, X alone is validated.

    Returns
    -------
    X, or (X, y)
        X of dtype float64, float32 or float16.

    Raises
    ------
    ValueError
        For all that scikit-learn refuses.
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


def check_vector(values, *, name: str) -> NDArray:
    """Check numbers that come one for each neuron or word.

    Parameters
    ----------
    values : array-like of shape (n,)
        It may be empty.
    name : str
        For the messages.

    Returns
    -------
    ndarray of shape (n,)
        Floating dtypes are kept.

    Raises
    ------
    ValueError
        For NaN, infinity, or another number of dimensions.
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


def check_scale(values, n_neurons: int) -> NDArray:
    """Check the scales of neurons, one number each, not negative.

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
        If there are more or fewer, or one is negative, NaN or infinite.
    """
    scale = check_vector(values, name="scale")
    if len(scale) != n_neurons:
        raise ValueError(
            f"scale needs one number for each of the {n_neurons} neurons, got {len(scale)}."
        )
    if (scale < 0).any():
        raise ValueError(f"scale must not be negative, got {scale.min()}.")
    return scale


def check_words(words: Iterable, *, name: str) -> list:
    """List words, which are not the letters of a string.

    Parameters
    ----------
    words : iterable of words
    name : str
        For the message.

    Returns
    -------
    list

    Raises
    ------
    TypeError
        If `words` is one string, or holds lists.
    """
    if isinstance(words, str):
        raise TypeError(f"{name} must be a list of words, got one string: {words[:60]!r}.")
    listed = words.tolist() if isinstance(words, np.ndarray) else list(words)
    if any(isinstance(word, list) for word in listed):
        raise TypeError(
            f"{name} must be one flat list of words, but holds lists, as of sentences: concatenate "
            "them, or take the words of TokenActivations."
        )
    return listed


def own_copy(X) -> Any:
    """Copy X, as steps of a Pipeline may work in place; what cannot change is not copied."""
    if isinstance(X, np.ndarray) and not X.flags.writeable:
        return X
    return X.copy() if hasattr(X, "copy") else X


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[F], F]:
    """Decorate a ``fit`` method so that it validates parameters, and is undone if it fails.

    It replaces ``sklearn.base._fit_context``, and adds :func:`all_or_nothing`.

    Parameters
    ----------
    prefer_skip_nested_validation : bool
        Whether to skip the validation of parameters inside ``fit``. False for estimators that
        contain others.
    """

    def decorator(fit: F) -> F:
        @wraps(fit)
        def undone_if_it_fails(estimator: Any, *args: Any, **params: Any) -> Any:
            with all_or_nothing(estimator):
                return fit(estimator, *args, **params)

        context = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)
        return cast(F, context(undone_if_it_fails))

    return decorator
