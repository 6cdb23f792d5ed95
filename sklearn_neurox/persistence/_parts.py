"""The parts of an estimator: its parameters and attributes, at any depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator


def parts(value: Any) -> Iterator[Any]:
    """Yield a value and, recursively, its parameters, fitted attributes and items."""
    yield value
    for part in inside(value):
        yield from parts(part)


def inside(value: Any) -> Iterable[Any]:
    """Return the parameters and attributes of an estimator, or the items of a container."""
    if isinstance(value, BaseEstimator):
        return (value.__getstate__() | value.get_params(deep=False)).values()
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, np.ndarray) and value.dtype == object:
        return value.ravel().tolist()  # such as the estimators of an ensemble
    return value if isinstance(value, list | tuple) else ()
