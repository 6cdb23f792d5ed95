"""dask arrays, which are computed block by block into an array or, if they are large, a file.

Everything that reads a memory map then also accepts a dask array: the result is that of the same
numbers in an array of NumPy, to the last bit, and several passes compute each block only once.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._cluster import is_in_cluster
from ._files import mapping_of, release
from ._optional import import_optional
from ._row_copies import empty_rows


def is_dask(value: Any) -> bool:
    """Return whether an object is one of dask, without importing dask."""
    return "dask" in sys.modules and type(value).__module__.partition(".")[0] == "dask"


def read_dask(value: Any, *, name: str) -> Any:
    """Compute a dask array or a column of a DataFrame of dask.

    Parameters
    ----------
    value : dask.array.Array, or Series or Index of dask.dataframe
    name : str
        Name of the argument, for the error messages.

    Returns
    -------
    ndarray or Series of pandas
        A large array of two or more dimensions is a memory map of a temporary file, as in
        :func:`~sklearn_neurox._row_copies.copy_rows`.

    Raises
    ------
    TypeError
        If the object is another one, such as a DataFrame, or has blocks that are not arrays of
        NumPy of the dtype of the array.
    ValueError
        If the sizes of the blocks are unknown.
    """
    arrays = import_optional("dask.array", extra="dask", purpose="An array of dask")
    is_array, is_frame = isinstance(value, arrays.Array), isinstance(value, _frames())
    if not is_array and not is_frame:
        raise TypeError(
            f"{name} must be an array, got {type(value).__name__} of dask. Pass its compute()."
        )
    if value.ndim < 2:
        return value.compute()
    if is_frame:
        raise TypeError(
            f"{name} must be an array, got {type(value).__name__} of dask. Pass its "
            "to_dask_array(lengths=True)."
        )
    if any(np.isnan(size) for sizes in value.chunks for size in sizes):
        raise ValueError(
            f"{name} is a dask array with blocks of unknown sizes. Call its compute_chunk_sizes() "
            "first."
        )
    if value.dtype.hasobject:
        raise TypeError(
            f"{name} must contain numbers, got a dask array of dtype {value.dtype}. If its cells "
            "are numbers, pass its astype(numpy.float32)."
        )
    written = empty_rows(value.dtype, value.shape)
    _compute(value, _Blocks(written, name))
    return written


def _frames() -> tuple[type, ...]:
    """Return the types of DataFrames and their columns, if dask.dataframe is imported."""
    frames = sys.modules.get("dask.dataframe")
    return () if frames is None else (frames.DataFrame, frames.Series, frames.Index)


class _Blocks:
    """An array that blocks are written to."""

    def __init__(self, written: NDArray, name: str):
        self._written, self._name = written, name
        self._mapping = mapping_of(written)

    def __setitem__(self, place: tuple[slice, ...], block: Any) -> None:
        expected = self._written[place]
        if type(block) is not np.ndarray or block.dtype != expected.dtype:
            found = f"{type(block).__name__} of dtype {getattr(block, 'dtype', None)}"
            raise TypeError(
                f"{self._name} is a dask array of dtype {expected.dtype}, and its blocks must be "
                f"arrays of NumPy of this dtype, but a block is of the type {found}."
            )
        if block.shape != expected.shape:
            raise ValueError(
                f"{self._name} is a dask array that declares a block of shape {expected.shape}, "
                f"but this block has shape {block.shape}."
            )
        expected[...] = block
        release(self._mapping)

    def __dask_tokenize__(self) -> tuple[str, int]:
        """Identify this object in a graph. By default, dask would read the file for this."""
        return type(self).__name__, id(self)


def _compute(array: Any, blocks: _Blocks) -> None:
    """Write each block when it is computed, and forget it."""
    base = import_optional("dask.base", extra="dask", purpose="An array of dask")
    arrays = import_optional("dask.array", extra="dask", purpose="An array of dask")
    scheduler = base.get_scheduler(collections=[array])
    client = getattr(scheduler, "__self__", None)
    if is_in_cluster() or client is None:
        # Other processes could not write to this array.
        is_shared = scheduler in map(base.named_schedulers.get, ("sync", "threads"))
        used = scheduler if is_shared else "threads"
        arrays.store(array, blocks, lock=False, scheduler=used)
        return
    distributed = import_optional("distributed", extra="dask", purpose="A dask cluster")
    places = arrays.core.slices_from_chunks(array.chunks)
    futures = client.compute(list(array.to_delayed().ravel()))
    place_of = dict(zip(futures, places, strict=True))
    del futures
    for future in distributed.as_completed(list(place_of)):
        blocks[place_of.pop(future)] = future.result()
