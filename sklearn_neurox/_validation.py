"""Checks of input that several rooms share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import FLOAT_DTYPES


def float_dtypes(X) -> Any:
    """Dtypes of X to keep; a float16 array, a format to store, is computed in float32."""
    return np.float32 if getattr(X, "dtype", None) == np.float16 else [np.float64, np.float32]


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
        If `words` is one string.
    """
    if isinstance(words, str):
        raise TypeError(f"{name} must be a list of words, got one string: {words[:60]!r}.")
    return words.tolist() if isinstance(words, np.ndarray) else list(words)
