"""Digests of results, which differ if any bit of them does."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

# Their representation is their content.
_SHOWN = (
    int, float, complex, type, Path, type(None), slice, range, torch.dtype, torch.device,
)  # fmt: skip


def digest(value: Any) -> str:
    """Return a short digest of the types, dtypes, shapes and bits of a value at any depth.

    A memory map is equal to an array with the same bits.

    Raises
    ------
    TypeError
        If the value contains an object whose content is unknown.
    """
    found = hashlib.sha256()
    _add(found, value)
    return found.hexdigest()[:16]


def numbers(value: Any) -> np.ndarray:
    """Return all numbers of arrays and floats in a value, for comparisons with a tolerance."""
    parts: list[np.ndarray] = []
    _collect(parts, value)
    return np.concatenate([np.empty(0), *parts])


def _add(found: Any, value: Any) -> None:
    if isinstance(value, np.memmap):
        value = np.asarray(value)
    found.update(f"{type(value).__qualname__}(".encode())
    if isinstance(value, np.ndarray | np.generic) and value.dtype.hasobject:
        _add(found, value.tolist())
    elif isinstance(value, np.ndarray | np.generic):
        found.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).data)
    elif isinstance(value, torch.Tensor):
        _add(found, value.detach().numpy())
    elif isinstance(value, str | bytes):
        found.update(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
    elif isinstance(value, _SHOWN):
        found.update(repr(value).encode())
    elif isinstance(value, set | frozenset):
        for part in sorted(map(digest, value)):
            found.update(part.encode())
    else:
        for part in _parts(value):
            _add(found, part)
    found.update(b")")


def _parts(value: Any) -> list[Any]:
    """Return what a value consists of."""
    if isinstance(value, list | tuple):
        return list(value)
    if hasattr(value, "items"):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, np.random.RandomState):
        return list(value.get_state())
    if isinstance(value, np.dtype):
        return [value.str]
    if isinstance(value, torch.nn.Module):
        return [value.state_dict()]
    if isinstance(value, BaseEstimator):
        return [sorted(vars(value).items())]
    if hasattr(value, "__dict__"):
        return [vars(value)]
    if callable(value):
        return [value.__qualname__]
    names = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    if not names:
        raise TypeError(f"Cannot digest an object of type {type(value).__qualname__}.")
    return [getattr(value, name, None) for name in names]


def _collect(parts: list[np.ndarray], value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, float):
        parts.append(np.array([value]))
    elif isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f":
        parts.append(np.asarray(value, float).ravel())
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        _collect(parts, value.tolist())
    elif not isinstance(value, (np.ndarray, np.generic, str, bytes, set, frozenset, *_SHOWN)):
        for part in _parts(value):
            _collect(parts, part)
