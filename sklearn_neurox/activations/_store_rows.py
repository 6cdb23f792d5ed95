"""The file of the rows of a store, which has its final size before rows are written."""

from __future__ import annotations

import math
import os
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .._files import reserve
from ._store_format import HEADER_SIZE, header


def write_empty(file: BinaryIO, dtype: np.dtype, shape: tuple[int, int]) -> None:
    """Write X without rows, and reserve space for them to detect a full disk early."""
    file.write(header(dtype, shape))
    file.flush()
    _reserve(file, dtype, shape)


def extend_rows(path: Path, dtype: np.dtype, shape: tuple[int, int]) -> None:
    """Reserve space for more rows in X, and write its new shape, which may already be done."""
    with open(path, "r+b") as file:
        _reserve(file, dtype, shape)
        file.seek(0)
        file.write(header(dtype, shape))
        file.flush()
        os.fsync(file.fileno())


def check_new_rows(X: object, dtype: np.dtype, n_columns: int) -> None:
    """Check the dtype and the number of columns of rows that are appended.

    Raises
    ------
    TypeError, ValueError
        If they are not those of the store.
    """
    if not isinstance(X, np.ndarray) or X.dtype.newbyteorder("<") != dtype:
        got = f"dtype {X.dtype}" if isinstance(X, np.ndarray) else type(X).__name__
        raise TypeError(f"X must be an array of dtype {dtype}, got {got}.")
    if X.ndim != 2 or X.shape[1] != n_columns:
        raise ValueError(f"X must have {n_columns} columns, got shape {X.shape}.")


def write_rows(file: RawIOBase, place: int, left: memoryview) -> None:
    """Write the bytes of rows at a place of X, and sync them to disk."""
    file.seek(HEADER_SIZE + place)
    while left:  # a system call may write only a part
        left = left[file.write(left) :]
    os.fsync(file.fileno())


def _reserve(file: BinaryIO, dtype: np.dtype, shape: tuple[int, int]) -> None:
    reserve(file.fileno(), HEADER_SIZE + math.prod(shape) * dtype.itemsize)
