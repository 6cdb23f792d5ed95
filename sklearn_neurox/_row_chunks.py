"""Chunks of rows of a matrix, converted to another dtype or moved to another device.

Passes over activations read chunks that fit into the cache of a core: each product then finds the
rows of the chunk there, and their conversion costs little. All chunks of a pass are converted into
one buffer, because allocating memory for each of them takes longer than the conversion.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from ._device import as_tensor, like, to_device
from ._files import mapping_of, release

# Number of elements of a chunk, 2 MB in float32. On AMD processors with 1 MB of L2 cache per core,
# products with chunks of half to twice this size are the fastest.
_ELEMENTS = 1 << 19
# With fewer rows, each product has too little work.
_LEAST_ROWS = 256
# Number of elements of a chunk on a device, which needs more work per product: 64 MB in float32.
_ELEMENTS_ON_DEVICE = 1 << 24
# Size in bytes of the largest copy of some columns of a memory-mapped file.
_LARGEST_COPY = 1 << 28
# Number of elements after which the pages of a memory-mapped file are released.
_RELEASED_AFTER = 1 << 24


class RowChunks:
    """Rows of a matrix, in the dtype and on the device of another tensor.

    Parameters
    ----------
    X : Tensor of shape (n_rows, n_columns)
        In any floating dtype and on any device. It is not modified.
    target : Tensor
        Chunks have its dtype and device.
    mapping : mmap, default=None
        File mapping that X is a view of. Its pages are released while the rows are read.
    columns : Tensor of shape (n_columns,), default=None
        Columns of X to read. By default, all columns.
    copy : bool, default=False
        Whether chunks are always copies, so that they can be modified.
    """

    def __init__(
        self,
        X: Tensor,
        target: Tensor,
        *,
        mapping: mmap | None = None,
        columns: Tensor | None = None,
        copy: bool = False,
    ):
        self.X, self.target, self.mapping, self.columns = X, target, mapping, columns
        self.copy = copy
        self._converted: Tensor | None = None
        self._single: Tensor | None = None
        self._gathered: Tensor | None = None
        self._n_read = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, and number of columns of a chunk."""
        return len(self.X), self.X.shape[1] if self.columns is None else len(self.columns)

    def select(self, columns: Tensor) -> RowChunks:
        """Return chunks of some of the columns.

        They are copied at once, because products with a small matrix are fast, unless the copy of a
        memory-mapped file would be large.
        """
        if self.columns is not None:
            columns = self.columns[columns.to(self.columns.device)]
        columns = columns.to(self.X.device)
        n_bytes = len(self.X) * len(columns) * self.X.element_size()
        if self.mapping is not None and n_bytes > _LARGEST_COPY:
            return RowChunks(
                self.X, self.target, mapping=self.mapping, columns=columns, copy=self.copy
            )
        # Several times as fast as X[:, columns].
        X = torch.index_select(self.X, 1, columns)
        return RowChunks(to_device(X, self.target.device), self.target, copy=self.copy)

    def read(self, size: int | None = None) -> Iterator[tuple[slice, Tensor]]:
        """Yield the rows of each chunk and the chunk, which is valid until the next one.

        Parameters
        ----------
        size : int, default=None
            Number of rows of each chunk except the last one. By default, as many as fit into the
            cache of a core.
        """
        n_rows, width = self.shape
        size = min(n_rows, size or rows_at_once(width, self.target.device))
        for start in range(0, n_rows, max(1, size)):
            rows = slice(start, min(start + size, n_rows))
            yield rows, self.take(rows)
        release(self.mapping)

    def take(self, rows: slice | Tensor) -> Tensor:
        """Return some rows. The result is valid until the next call."""
        self._release_if_due()
        part = self.X[rows] if isinstance(rows, slice) else self._gather(rows.to(self.X.device))
        self._n_read += part.numel()
        if self.columns is not None:
            part = torch.index_select(part, 1, self.columns)
        if self.target.device.type != "cpu":
            moved = like(part, self.target)
            return moved.clone() if self.copy and moved.data_ptr() == part.data_ptr() else moved
        if not self.copy and part.dtype == self.target.dtype:
            return part
        if part.element_size() < 4 and self.target.dtype == torch.float64:
            # Three times as fast as a direct conversion, and exact, too.
            self._single = _at_least(self._single, part, part.new_empty(0, dtype=torch.float32))
            part = self._single[: len(part)].copy_(part)
        self._converted = _at_least(self._converted, part, self.target)
        return self._converted[: len(part)].copy_(part)

    def _gather(self, rows: Tensor) -> Tensor:
        part = self.X[:1].expand(len(rows), -1)
        self._gathered = _at_least(self._gathered, part, self.X)
        return torch.index_select(self.X, 0, rows, out=self._gathered[: len(rows)])

    def _release_if_due(self) -> None:
        if self._n_read >= _RELEASED_AFTER:
            release(self.mapping)
            self._n_read = 0


def read_arrays(
    X: NDArray, dtype: DTypeLike, *, size: int | None = None, copy: bool = False
) -> Iterator[tuple[slice, NDArray]]:
    """Yield chunks of an array, which may be a memory map, in another dtype.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns), of a floating dtype
    dtype : dtype
        A floating dtype.
    size, copy
        As in :class:`RowChunks`.

    Yields
    ------
    rows : slice
    chunk : ndarray of shape (n_rows_of_chunk, n_columns)
        Valid until the next chunk.
    """
    for rows, chunk in read_tensors(X, dtype, size=size, copy=copy):
        yield rows, chunk.numpy()


def read_tensors(
    X: NDArray, dtype: DTypeLike, *, size: int | None = None, copy: bool = False
) -> Iterator[tuple[slice, Tensor]]:
    """Yield chunks as :func:`read_arrays` does, as tensors."""
    target = torch.from_numpy(np.empty(0, dtype))
    yield from RowChunks(as_tensor(X), target, mapping=mapping_of(X), copy=copy).read(size)


def linear_outputs(X: NDArray, coef: NDArray, intercept: NDArray) -> NDArray:
    """Return X @ coef.T + intercept without a converted copy of X.

    X is always read in chunks, because the product of all rows is rounded in another way. The
    result is therefore the same for an array in memory and for a memory map.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns), of a floating dtype
        A float16 array is converted to float32.
    coef : ndarray of shape (n_outputs, n_columns) or (n_columns,)
    intercept : ndarray of shape (n_outputs,), or float

    Returns
    -------
    ndarray of shape (n_rows, n_outputs) or (n_rows,)
    """
    dtype = np.result_type(X, np.float32)
    outputs = np.empty((len(X), *coef.shape[:-1]), np.result_type(dtype, coef, intercept))
    for rows, chunk in read_arrays(X, dtype):
        np.add(chunk @ coef.T, intercept, out=outputs[rows])
    return outputs


def rows_at_once(width: int, device: torch.device | None = None) -> int:
    """Return the number of rows of a chunk, for matrices with `width` columns.

    Parameters
    ----------
    width : int
        Number of columns of the widest matrix that has a row for each row of the chunk.
    device : torch.device, default=None
        By default, the CPU.
    """
    if device is not None and device.type != "cpu":
        return max(1, _ELEMENTS_ON_DEVICE // max(1, width))
    return max(_LEAST_ROWS, _ELEMENTS // max(1, width))


def _at_least(buffer: Tensor | None, part: Tensor, target: Tensor) -> Tensor:
    """Return a buffer for the rows of `part` in the dtype and on the device of `target`."""
    if buffer is None or len(buffer) < len(part):
        return target.new_empty(part.shape)
    return buffer
