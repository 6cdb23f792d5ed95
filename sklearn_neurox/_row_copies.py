"""Copies of the rows or columns of an array, which are files if the array is one."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
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
# Number of columns of an array in memory that are copied at a time, and of the rows that are
# transposed at a time, which are then still in the cache.
_COLUMNS = 32
_TRANSPOSED = 1024


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
    if not becomes_file(X, len(rows) * kind.itemsize * _n_cells(X)):
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
    return map_slices(X, lambda some: function(X[some]), width=width, dtype=dtype)


def map_slices(
    X: NDArray, function: Callable[[slice], NDArray], *, width: int, dtype: DTypeLike
) -> NDArray:
    """Apply a function of slices of the rows of X, whose result may depend on their positions.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        The result is a memory map under the conditions of :func:`copy_rows`.
    function : callable
        Called with adjacent slices, in their order. It returns an array of shape (n_some, width).
    width : int
        Number of columns of the result.
    dtype : dtype
        Dtype of the result.

    Returns
    -------
    ndarray of shape (n_rows, width)
    """
    kind = np.dtype(dtype)
    if not becomes_file(X, len(X) * width * kind.itemsize):
        return function(slice(0, len(X))).astype(kind, copy=False)
    return _write(X, kind, (len(X), width), function)


def read_columns(X: NDArray) -> Iterator[NDArray]:
    """Yield the columns of an array one after the other, as contiguous arrays.

    A large memory map is transposed into a temporary file first, so that it is read only once.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)

    Yields
    ------
    ndarray of shape (n_rows,)
        Valid until the next column.
    """
    n_rows, n_columns = X.shape
    if becomes_file(X, X.nbytes):
        width = n_columns
        columns: NDArray = _temporary_map(X.dtype, (n_columns, n_rows))
    else:
        width = min(_COLUMNS, n_columns)
        columns = np.empty((width, n_rows), X.dtype)
    for some in gen_batches(n_columns, width):
        part = columns[: some.stop - some.start]
        _transpose(X[:, some], part)
        for column in part:
            yield column
            release(mapping_of(columns))


def copy_blocks(runs: Sequence[Sequence[NDArray]]) -> NDArray:
    """Join arrays to a single one, which may be a memory map as in :func:`copy_rows`.

    Parameters
    ----------
    runs : sequence of sequences of ndarray
        For each run of adjacent columns, the arrays with its rows, one below the other. All runs
        are divided between the same rows.

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
    """
    shape = sum(map(len, runs[0])), sum(parts[0].shape[1] for parts in runs)
    blocks = [part for parts in runs for part in parts]
    dtype = np.result_type(*{block.dtype for block in blocks})
    n_bytes = shape[0] * shape[1] * dtype.itemsize
    if not any(becomes_file(block, n_bytes) for block in blocks):
        return np.hstack([np.concatenate(parts) if parts[1:] else parts[0] for parts in runs])
    written, first = _temporary_map(dtype, shape), 0
    for row in zip(*runs, strict=True):  # the blocks of the same rows
        for some in gen_batches(len(row[0]), _rows_at_once(written)):
            rows = slice(first + some.start, first + some.stop)
            np.concatenate([block[some] for block in row], axis=1, out=written[rows])
            for array in (*row, written):
                release(mapping_of(array))
        first += len(row[0])
    return written


def _transpose(X: NDArray, result: NDArray) -> None:
    """Write X.T to `result`."""
    for some in gen_batches(len(X), _rows_at_once(X)):
        for rows in gen_batches(some.stop - some.start, _TRANSPOSED):
            result[:, some][:, rows] = X[some][rows].T
        release(mapping_of(X))
        release(mapping_of(result))


def _n_cells(X: NDArray) -> int:
    return int(np.prod(X.shape[1:]))


def _rows_at_once(X: NDArray) -> int:
    return max(1, _AT_ONCE // (X.itemsize * _n_cells(X)))


def becomes_file(X: NDArray, n_bytes: int) -> bool:
    """Return whether the rows of X are in a file, and a result of `n_bytes` should be, too."""
    return mapping_of(X) is not None and n_bytes > _LARGEST_IN_MEMORY


def _write(
    X: NDArray, dtype: np.dtype, shape: tuple[int, ...], rows_of: Callable[[slice], NDArray]
) -> NDArray:
    """Write the rows of a result, some at a time, to a temporary file."""
    written = _temporary_map(dtype, shape)
    for some in gen_batches(len(written), _rows_at_once(X)):
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
