"""Arrays derived from the rows of another one, which are files if that one is."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.utils import gen_batches

from ._files import mapping_of, release, reserve

# Size in bytes from which the copy of rows of a memory map is a file.
_LARGEST_IN_MEMORY = 1 << 26
# Size in bytes of the rows that are copied at a time.
_AT_ONCE = 1 << 24


def copy_rows(X: NDArray, rows: NDArray[np.intp], dtype: DTypeLike | None = None) -> NDArray:
    """Copy some rows of an array.

    If X is a memory map and the copy is large, it is a memory map of a temporary file, as X may not
    fit into memory. Any estimator accepts it. The file is deleted when the copy is.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    rows : ndarray of int of shape (n_copied,)
    dtype : dtype, default=None
        Dtype of the copy. If None, that of X.

    Returns
    -------
    ndarray of shape (n_copied, n_columns)
        It can be modified.

    Raises
    ------
    OSError
        If the disk is full. The folder for temporary files is that of ``tempfile.gettempdir()``,
        which the environment variable ``TMPDIR`` sets.
    """
    kind = np.dtype(X.dtype if dtype is None else dtype)
    if not _is_large(X, len(rows) * kind.itemsize * _n_cells(X)):
        return X[rows].astype(kind, copy=False)
    return _write(X, kind, (len(rows), *X.shape[1:]), lambda some: X[rows[some]])


def map_rows(
    X: NDArray, function: Callable[[NDArray], NDArray], *, width: int, dtype: DTypeLike
) -> NDArray:
    """Apply a function of rows to an array, which may be a memory map as in :func:`copy_rows`.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
    function : callable
        Returns an array of shape (n_some, width) for n_some of the rows.
    width : int
        Number of columns of the result.
    dtype : dtype
        Dtype of the result.

    Returns
    -------
    ndarray of shape (n_rows, width)
    """
    kind = np.dtype(dtype)
    if not _is_large(X, len(X) * width * kind.itemsize):
        return function(X).astype(kind, copy=False)
    return _write(X, kind, (len(X), width), lambda some: function(X[some]))


def _n_cells(X: NDArray) -> int:
    return int(np.prod(X.shape[1:]))


def _is_large(X: NDArray, n_bytes: int) -> bool:
    """Return whether the rows of X are in a file, and a result of this size should be, too."""
    return mapping_of(X) is not None and n_bytes > _LARGEST_IN_MEMORY


def _write(
    X: NDArray, dtype: np.dtype, shape: tuple[int, ...], rows_of: Callable[[slice], NDArray]
) -> NDArray:
    """Write the rows of a result, some at a time, to a temporary file."""
    written = _temporary_map(dtype, shape)
    for some in gen_batches(len(written), max(1, _AT_ONCE // (X.itemsize * _n_cells(X)))):
        written[some] = rows_of(some)
        release(mapping_of(X))
        release(mapping_of(written))
    return written


def own_copy(X: Any) -> Any:
    """Return X if it is read-only, and a copy otherwise, since a step may modify X in place."""
    if not isinstance(X, np.ndarray):
        return X.copy() if hasattr(X, "copy") else X
    return copy_rows(X, np.arange(len(X))) if X.flags.writeable else X


def empty_rows(dtype: np.dtype, shape: tuple[int, ...]) -> NDArray:
    """Return an array that is not initialized or, if it is large, a memory map of a temporary file.

    The file is deleted when the memory map is.
    """
    if dtype.itemsize * int(np.prod(shape)) > _LARGEST_IN_MEMORY:
        return _temporary_map(dtype, shape)
    return np.empty(shape, dtype)


def _temporary_map(dtype: np.dtype, shape: tuple[int, ...]) -> np.memmap:
    """Return a memory map of a new temporary file, which is deleted with the memory map."""
    descriptor, path = tempfile.mkstemp(prefix="sklearn-neurox-", suffix=".rows")
    try:
        # Writing to a map on a full disk would crash the process.
        reserve(descriptor, dtype.itemsize * int(np.prod(shape)))
        mapped: np.memmap = np.memmap(path, dtype, mode="r+", shape=shape)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)
    weakref.finalize(mapped, _delete, path, os.getpid())
    return mapped


def _delete(path: str, owner: int) -> None:
    """Delete a file, but not in a fork of the process that created it and may still read it."""
    if os.getpid() == owner:
        with suppress(FileNotFoundError):
            os.unlink(path)
