"""Differences between what is saved and what would be loaded."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator


def check_same(saved: Any, loaded: Any) -> None:
    """Check that types, dtypes and values are the same, at any depth.

    Raises
    ------
    TypeError
        If they differ. The message names the first difference.
    """
    if type(saved) is not type(loaded):
        _refuse(saved, loaded)
    if isinstance(saved, np.ma.MaskedArray):
        check_same(saved.data, loaded.data)
        check_same(np.ma.getmaskarray(saved), np.ma.getmaskarray(loaded))
    elif isinstance(saved, np.ndarray | np.generic):
        _check_array(np.asarray(saved), np.asarray(loaded))
    elif isinstance(saved, dict):
        _check_keys(list(saved), list(loaded))
        check_same(list(saved.values()), list(loaded.values()))
    elif isinstance(saved, list | tuple):
        if len(saved) != len(loaded):
            _refuse(saved, loaded)
        for one, other in zip(saved, loaded, strict=True):
            check_same(one, other)
    elif isinstance(saved, set | frozenset):
        check_same(sorted(saved, key=repr), sorted(loaded, key=repr))
    elif isinstance(saved, np.random.RandomState):
        check_same(saved.get_state(legacy=False), loaded.get_state(legacy=False))
    elif isinstance(saved, BaseEstimator):
        check_same(saved.__getstate__(), loaded.__getstate__())
    elif hasattr(saved, "__dict__") and not isinstance(saved, type | FunctionType):
        check_same(vars(saved), vars(loaded))
    elif type(saved).__repr__ is not object.__repr__ and repr(saved) != repr(loaded):
        _refuse(saved, loaded)  # compared as text: NaN is NaN, and -0.0 is not 0.0


def _check_keys(saved: list[Any], loaded: list[Any]) -> None:
    try:
        check_same(saved, loaded)
    except TypeError:
        raise TypeError(
            f"a dict with the keys {saved!r:.80} would be loaded with different keys, "
            f"{loaded!r:.80}. Use only strings or only numbers as keys."
        ) from None


def _check_array(saved: NDArray, loaded: NDArray) -> None:
    if saved.dtype != loaded.dtype or saved.shape != loaded.shape:
        _refuse(saved, loaded)
    if saved.dtype == object:
        check_same(saved.tolist(), loaded.tolist())
    elif saved.tobytes() != loaded.tobytes():
        _refuse(saved, loaded)


def _refuse(saved: Any, loaded: Any) -> None:
    raise TypeError(
        f"{saved!r:.80} of type {type(saved).__name__} would be loaded as {loaded!r:.80} of type "
        f"{type(loaded).__name__}."
    )
