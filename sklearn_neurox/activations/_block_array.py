"""Arrays whose rows and columns are in several arrays, such as memory maps of several files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._row_copies import copy_blocks


class BlockArray:
    """A matrix that consists of blocks.

    It supports only what is needed to select and store activations. Selections of adjacent rows or
    columns are views; other rows are copied.

    Parameters
    ----------
    runs : sequence of sequences of ndarray
        For each run of adjacent columns, the arrays with its rows, one below the other. All runs
        are divided between the same rows.
    """

    ndim = 2

    def __init__(self, runs: Sequence[Sequence[NDArray]]):
        self.runs = [list(parts) for parts in runs]
        self.dtype = self.runs[0][0].dtype
        self._ends = list(accumulate(len(part) for part in self.runs[0]))

    @classmethod
    def beside(cls, arrays: Sequence[BlockArray]) -> BlockArray:
        """Join arrays of the same rows side by side."""
        return cls([run for array in arrays for run in array.runs])

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix."""
        return self._ends[-1], sum(parts[0].shape[1] for parts in self.runs)

    @property
    def is_single(self) -> bool:
        """Whether there is only one block."""
        return len(self.runs) == len(self.runs[0]) == 1

    @property
    def blocks(self) -> list[NDArray]:
        """All arrays."""
        return [part for parts in self.runs for part in parts]

    @property
    def size(self) -> int:
        """Number of values."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, place: Any) -> BlockArray:
        """Select rows, or a pair of rows and a slice of columns."""
        rows, columns = place if isinstance(place, tuple) else (place, slice(None))
        selected = self._columns(*columns.indices(self.shape[1])[:2])
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(len(self))
            stop = max(start, stop)
            return BlockArray([self._adjacent(parts, start, stop) for parts in selected])
        taken = np.arange(len(self))[rows]
        return BlockArray([[self._take(parts, taken)] for parts in selected])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        """Return a copy in memory."""
        if copy is False:
            raise ValueError("A BlockArray cannot be converted to an array without a copy.")
        whole = np.hstack([np.concatenate(parts) for parts in self.runs])
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def to_array(self) -> NDArray:
        """Return a single array: the only block, or a copy, which is a file if it is large.

        Raises
        ------
        OSError
            If the disk is full.
        """
        if self.is_single:
            return self.runs[0][0]
        return copy_blocks(self.runs)

    def _columns(self, start: int, stop: int) -> Iterator[list[NDArray]]:
        first = 0
        for parts in self.runs:
            width = parts[0].shape[1]
            own = slice(max(0, start - first), max(0, stop - first))
            if start < first + width and first < stop:
                whole = own.start == 0 and own.stop >= width
                yield parts if whole else [part[:, own] for part in parts]
            first += width

    def _adjacent(self, parts: list[NDArray], start: int, stop: int) -> list[NDArray]:
        found = [
            part[max(0, start - end + len(part)) : stop - end + len(part)]
            for part, end in zip(parts, self._ends, strict=True)
            if start < end and end - len(part) < stop
        ]
        return found or [parts[0][:0]]

    def _take(self, parts: list[NDArray], rows: NDArray[np.intp]) -> NDArray:
        if len(parts) == 1:
            return parts[0][rows]
        values = np.empty((len(rows), parts[0].shape[1]), self.dtype)
        for part, end in zip(parts, self._ends, strict=True):
            first = end - len(part)
            own = (first <= rows) & (rows < end)
            values[own] = part[rows[own] - first]
        return values
