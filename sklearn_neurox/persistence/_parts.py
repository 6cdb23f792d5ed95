"""The parts of an estimator: its parameters and attributes, at any depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

# Depth to which lists and estimators may be nested. skops would exceed the stack of Python.
MAX_DEPTH = 50


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


def check_depth(estimator: BaseEstimator) -> None:
    """Check that the parts of an estimator can be visited recursively.

    Raises
    ------
    TypeError
        If a parameter or attribute contains itself, or its parts are nested too deeply.
    """
    own = estimator.__getstate__() | estimator.get_params(deep=False)
    for name, value in own.items():
        # Depth first, so that an estimator that contains itself is found after as many steps.
        stack = [(value, 1)]
        while stack:
            part, depth = stack.pop()
            if depth > MAX_DEPTH:
                raise TypeError(
                    f"{name} of {type(estimator).__name__}: it contains itself, or is nested more "
                    f"than {MAX_DEPTH} levels deep."
                )
            stack.extend((each, depth + 1) for each in inside(part))
