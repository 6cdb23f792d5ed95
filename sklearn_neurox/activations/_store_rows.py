"""The files of X in the folder of a store, which have their final size before rows are written."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._files import replace_file, reserve
from ._block_array import BlockArray
from ._checksums import crc32_of_files
from ._store_format import HEADER_SIZE, header
from ._store_layout import Layout, XFile
from .columns import Layer

_MAX_OPEN = 64  # files at a time; systems allow a process at least 256


class RowFiles:
    """The files of X.

    Parameters
    ----------
    path : Path
        Folder of the store.
    layout : Layout
    """

    def __init__(self, path: Path, layout: Layout):
        self._path, self._layout = path, layout

    # Writing

    def create_missing(self) -> None:
        """Write files without rows, and reserve space for them to detect a full disk early."""
        for file in self._layout.files():
            if not (self._path / file.name).exists():
                replace_file(self._path / file.name, self._empty(file))

    def extend(self, n_before: int) -> None:
        """Reserve space for more rows, and write the new shapes, which may already be done.

        Parameters
        ----------
        n_before : int
            Number of rows before the store has grown.
        """
        self.create_missing()
        for file in (each for each in self._layout.files() if each.rows.stop > n_before):
            with open(self._path / file.name, "r+b") as opened:
                self._write_shape(opened, file)
                os.fsync(opened.fileno())

    def write(self, first: int, X: NDArray, crc32: dict[str, int]) -> dict[str, int]:
        """Write rows and sync them to disk.

        Parameters
        ----------
        first : int
            Index of the first row in X of the store.
        X : ndarray of shape (n_rows, n_columns)
        crc32 : dict of str to int
            CRC-32 of the rows that each file already contains. Files without rows are missing.

        Returns
        -------
        dict of str to int
            The CRC-32 of each file with these rows.

        Raises
        ------
        OSError
            If the disk is full or fails, or a file has been removed.
        """
        crc32, pieces = dict(crc32), self._layout.files_of_rows(slice(first, first + len(X)))
        while some := list(islice(pieces, _MAX_OPEN)):
            with ExitStack() as stack:
                opened = []
                for file, rows in some:
                    opened.append(stack.enter_context(open_to_write(self._path / file.name)))
                    part = X[rows.start - first : rows.stop - first, file.columns]
                    raw = _bytes_of(part, self._layout.dtype)
                    opened[-1].seek(HEADER_SIZE + (rows.start - file.rows.start) * self._row(file))
                    _write_all(opened[-1], raw)
                    crc32[file.name] = zlib.crc32(raw, crc32.get(file.name, 0))
                for each in opened:  # at the end, so that the system writes all of them at once
                    os.fsync(each.fileno())
        return crc32

    # Reading

    def check(
        self,
        n_before: int,
        n_written: int | None,
        layers: Sequence[Layer] | None = None,
    ) -> tuple[list[str], dict[str, str]]:
        """Check the sizes and headers of files, but not their values.

        Parameters
        ----------
        n_before : int
            Number of rows that the files have at least. A store that has just grown may still have
            the sizes and headers of the store before.
        n_written : int or None
            Number of rows that are written, or None if this is not known.
        layers : sequence of int or str, default=None
            If not None, only files that contain one of these layers are checked.

        Returns
        -------
        intact : list of str
            Names of files.
        damage : dict of str to str
            What is wrong with each of the other files.
        """
        intact, damage = [], {}
        for file in self._layout.files(layers):
            try:
                found = self._n_rows_in(file, n_before)
                expected = file.n_first(n_written or 0)
                if found < expected:  # of a store that has grown
                    raise ValueError(
                        f"it has {found:,} rows instead of the {expected:,} rows that were written."
                    )
                intact.append(file.name)
            except ValueError as error:
                damage[file.name] = f"{file.name}: {error}"
        return intact, damage

    def open(self, n_rows: int, layers: Sequence[Layer] | None = None) -> NDArray | BlockArray:
        """Open the first rows of X, or of some layers, as read-only memory maps."""
        runs = self._layout.runs(layers)
        X = BlockArray([self._open_run(run, n_rows) for run in runs])
        if layers is not None and not self._layout.split_layers:
            columns = [self._layout.columns(layer) for layer in layers]
            X = BlockArray.beside([X[:, own] for own in columns])
        return X.to_array() if X.is_single else X

    def verify(
        self, n_words: int, crc32: dict[str, int], layers: Sequence[Layer] | None = None
    ) -> list[XFile]:
        """Compute the checksums of the first rows, and return the files that are damaged."""
        files = [file for file in self._layout.files(layers) if file.rows.start < n_words]
        pieces = [
            (self._path / file.name, HEADER_SIZE, file.n_first(n_words) * self._row(file))
            for file in files
        ]
        found = zip(files, crc32_of_files(pieces), strict=True)
        return [file for file, crc in found if crc != crc32.get(file.name, 0)]

    def _row(self, file: XFile) -> int:
        """Return the number of bytes of a row of a file."""
        return file.width * self._layout.dtype.itemsize

    def _empty(self, file: XFile) -> Callable[[BinaryIO], None]:
        return lambda opened: self._write_shape(opened, file)

    def _write_shape(self, opened: BinaryIO, file: XFile) -> None:
        reserve(opened.fileno(), HEADER_SIZE + file.n_rows * self._row(file))
        opened.write(header(self._layout.dtype, (file.n_rows, file.width)))
        opened.flush()

    def _n_rows_in(self, file: XFile, n_before: int) -> int:
        """Return the number of rows that a file has space for, or raise a ValueError."""
        path, row, before = self._path / file.name, self._row(file), file.n_first(n_before)
        if not before and not path.exists():
            return 0
        if not path.is_file():
            raise ValueError("it is missing.")
        size = path.stat().st_size
        least, expected = (HEADER_SIZE + n * row for n in (before or file.n_rows, file.n_rows))
        if not least <= size <= expected:
            n_rows = max(0, min(size, expected) - HEADER_SIZE) // row
            raise ValueError(
                f"it has {size:,} bytes instead of {expected:,}: at most the first {n_rows:,} of "
                f"{file.n_rows:,} rows are intact."
            )
        with open(path, "rb") as opened:
            found = opened.read(HEADER_SIZE)
        dtype, shape = self._layout.dtype, (file.n_rows, file.width)
        if found not in (header(dtype, shape), header(dtype, (before, file.width))):
            raise ValueError(f"its header does not describe {dtype} of shape {shape}.")
        return (size - HEADER_SIZE) // row

    def _open_run(self, run: tuple[str, slice], n_rows: int) -> list[NDArray]:
        parts: list[NDArray] = []
        for file in self._layout.parts(run):
            if n := file.n_first(n_rows):
                path, dtype = self._path / file.name, self._layout.dtype
                shape = n, file.width
                parts.append(np.memmap(path, dtype, mode="r", offset=HEADER_SIZE, shape=shape))
        return parts


def _bytes_of(X: NDArray, dtype: np.dtype) -> memoryview:
    # As bytes, because memoryview does not support float16; a view if X is contiguous.
    raw: Any = np.ascontiguousarray(X, dtype).reshape(-1).view(np.uint8)
    return memoryview(raw)


def _write_all(file: FileIO, left: memoryview) -> None:
    while left:  # a system call may write only a part
        left = left[file.write(left) :]


def open_to_write(path: Path) -> FileIO:
    """Open an existing file whose rows are written without a buffer."""
    return open(path, "r+b", buffering=0)


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
