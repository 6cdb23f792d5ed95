"""The file of the rows of a store, which has its final size before rows are written."""

from __future__ import annotations

import math
import os
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


def _reserve(file: BinaryIO, dtype: np.dtype, shape: tuple[int, int]) -> None:
    reserve(file.fileno(), HEADER_SIZE + math.prod(shape) * dtype.itemsize)
