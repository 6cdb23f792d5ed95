"""The layout of a store: how X is divided into files.

==========================  =======================================================================
``X.npy``                   every layer of every row, in C order
``X.layer_3.npy``           one layer of every row, with ``split_layers``
``X.part_00002.npy``        some of the rows, with ``max_file_size``
``X.layer_3.part_00002.npy``  both
==========================  =======================================================================

Each file is an array of its own that NumPy can open. Everything that writes, checks or reads X asks
the layout which rows and columns a file has.

**Why one file is the default.** ``benchmarks/bench_store.py --layouts`` reads one of 13 layers of
768 neurons, float16, for 100,000 words (2.0 GB, on an SSD with read-ahead), from the page cache and
cold. The last columns are 20 batches of 512 random rows of all layers, and writing. Seconds:

==============================  ======  =====  ==============  =======  =======
layout                          cached  cold   read from disk  batches  writing
==============================  ======  =====  ==============  =======  =======
one file                        0.17    1.87   2.00 GB (all)   0.20     8.9
a file per layer                0.11    0.16   0.15 GB         1.2      13.4
``np.memmap`` of the layer      0.11    0.145  0.15 GB
==============================  ======  =====  ==============  =======  =======

Probes of all layers read their rows repeatedly, and only a single file can be memory-mapped as
their X. The drawback is that reading a single layer from a cold file costs as much as reading the
whole file: its 1,536 bytes of a row of 19,968 lie on every third or fourth page, and the system
reads ahead. (Asking for these pages only, with ``MADV_RANDOM``, reads 0.56 GB, but takes 12 s.)
Zarr 3 without compression takes 0.14 to 0.19 s for a cold layer, and 0.75 s for a single batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from ._store_format import HEADER_SIZE, Json, is_count
from .columns import Layer
from .dtypes import stored_dtype

# Entries of a description that determine the layout, and their values in a store without them.
LAYOUT: Json = {"split_layers": False, "max_file_size": None}

_MAX_FILES = 9_900  # the Hugging Face Hub accepts 10,000 in a folder
_PORTABLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?)?B", re.ASCII)
_UNITS = {None: 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for suffix, base in (("", 1000), ("i", 1024))
}


class XFile(NamedTuple):
    """A file with some rows and columns of X."""

    name: str
    rows: slice
    columns: slice

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.rows.stop - self.rows.start

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.columns.stop - self.columns.start

    def n_first(self, n_words: int) -> int:
        """Return how many of the first rows of X it contains."""
        return max(0, min(n_words, self.rows.stop) - self.rows.start)


@dataclass(frozen=True)
class Layout:
    """The files of X.

    Parameters
    ----------
    dtype : dtype
    shape : tuple of int
        Shape of X.
    layers : tuple of int or str
    split_layers : bool
        Whether each layer has files of its own.
    rows_per_file : int or None
        Number of rows of each file except the last one. If None, a file has all rows.
    """

    dtype: np.dtype
    shape: tuple[int, int]
    layers: tuple[Layer, ...]
    split_layers: bool
    rows_per_file: int | None

    @classmethod
    def of(cls, store: Json) -> Layout:
        """Return the layout that the description of a store determines.

        Raises
        ------
        ValueError
            If a file would be smaller than a row.
        """
        dtype = stored_dtype(store["dtype"]).newbyteorder("<")
        layers, n_columns = tuple(store["layers"]), len(store["layers"]) * store["width"]
        split_layers, size = _entries(store)
        rows_per_file = None
        if size is not None:
            row = (store["width"] if split_layers else n_columns) * dtype.itemsize
            rows_per_file = (size - HEADER_SIZE) // row
            if rows_per_file < 1:
                raise ValueError(
                    f"max_file_size={size} is too small: a row of a file and its header have "
                    f"{HEADER_SIZE + row:,} bytes."
                )
        return cls(dtype, (store["n_words"], n_columns), layers, split_layers, rows_per_file)

    @property
    def n_files(self) -> int:
        """Number of files."""
        n_parts = 1 if self.rows_per_file is None else -(-self.shape[0] // self.rows_per_file)
        return n_parts * (len(self.layers) if self.split_layers else 1)

    @property
    def row_bytes(self) -> int:
        """Number of bytes of a row of X."""
        return self.shape[1] * self.dtype.itemsize

    def files(self, layers: Sequence[Layer] | None = None) -> Iterator[XFile]:
        """Yield the files of X, or those that contain some of its layers."""
        rows = slice(0, self.shape[0])
        return chain.from_iterable(self._parts(run, rows) for run in self.runs(layers))

    def files_of_rows(self, rows: slice) -> Iterator[tuple[XFile, slice]]:
        """Yield the files that contain some rows of X, and which of these rows they contain."""
        for run in self.runs():
            for file in self._parts(run, rows):
                start, stop = max(rows.start, file.rows.start), min(rows.stop, file.rows.stop)
                yield file, slice(start, stop)

    def runs(self, layers: Sequence[Layer] | None = None) -> list[tuple[str, slice]]:
        """Return the beginning of the name and the columns of each run of adjacent columns.

        Parameters
        ----------
        layers : sequence of int or str, default=None
            If not None, only runs that contain one of these layers, in their order.
        """
        if not self.split_layers:
            return [("X", slice(0, self.shape[1]))]
        names = dict(zip(self.layers, _names_of(self.layers), strict=True))
        chosen = self.layers if layers is None else layers
        return [(f"X.layer_{names[layer]}", self.columns(layer)) for layer in chosen]

    def columns(self, layer: Layer) -> slice:
        """Return the columns of a layer."""
        width, number = self.shape[1] // len(self.layers), self.layers.index(layer)
        return slice(number * width, (number + 1) * width)

    def parts(self, run: tuple[str, slice]) -> list[XFile]:
        """Return the files of a run of columns."""
        return list(self._parts(run, slice(0, self.shape[0])))

    def _parts(self, run: tuple[str, slice], rows: slice) -> Iterator[XFile]:
        stem, columns = run
        n_rows, size = self.shape[0], self.rows_per_file
        if size is None:
            yield XFile(f"{stem}.npy", slice(0, n_rows), columns)
            return
        for part in range(rows.start // size, -(-rows.stop // size)):
            own = slice(part * size, min((part + 1) * size, n_rows))
            yield XFile(f"{stem}.part_{part:05d}.npy", own, columns)


def _names_of(layers: Sequence[Layer]) -> list[str]:
    """Return a part of a file name for each layer that all file systems distinguish and accept."""
    names = [str(layer) for layer in layers]
    is_portable = all(map(_PORTABLE.fullmatch, names))
    if is_portable and len({name.casefold() for name in names}) == len(names):
        return names
    return [str(number) for number in range(len(names))]


def check_layout(store: Json) -> Layout:
    """Check the entries of a description that determine the layout, and return it.

    Raises
    ------
    ValueError
        If a value is not valid, or there would be too many files for one folder.
    """
    split_layers, size = _entries(store)
    if type(split_layers) is not bool or not (size is None or (is_count(size) and size)):
        raise ValueError("what it says about the files of X is not valid.")
    layout = Layout.of(store)
    if layout.n_files > _MAX_FILES:
        raise ValueError(
            f"X would be divided into {layout.n_files:,} files, but a folder should have at most "
            f"{_MAX_FILES:,}. Increase max_file_size."
        )
    return layout


def _entries(store: Json) -> tuple[Any, Any]:
    split_layers, max_file_size = (store.get(name, default) for name, default in LAYOUT.items())
    return split_layers, max_file_size


def layout_of(split_layers: Any, max_file_size: Any) -> Json:
    """Check the parameters `split_layers` and `max_file_size`, and return those to describe.

    Parameters
    ----------
    split_layers : bool
    max_file_size : int, str or None
        A number of bytes, or a size such as "5GB".

    Raises
    ------
    TypeError, ValueError
        If they are not valid.
    """
    if not isinstance(split_layers, bool | np.bool_):
        raise TypeError(f"split_layers must be True or False, got {split_layers!r:.60}.")
    given = {"split_layers": bool(split_layers), "max_file_size": _size_of(max_file_size)}
    return {name: value for name, value in given.items() if value != LAYOUT[name]}


def _size_of(size: Any) -> int | None:
    match = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    if match:
        size = int(float(match[1]) * _UNITS[match[2]])
    if size is None or (isinstance(size, int | np.integer) and size > 0 and size is not True):
        return None if size is None else int(size)
    raise ValueError(
        f"max_file_size must be a positive number of bytes or a size such as '5GB', got {size!r}."
    )


def schema_of(store: Json) -> int:
    """Return the schema of a store: 2 if X is divided, which older versions cannot read."""
    return 1 + any(name in store for name in LAYOUT)
