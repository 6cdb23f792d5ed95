"""Pickles that refer to memory-mapped files by their paths, and in which all arrays are aligned.

Other pickles contain the rows of a memory map, which may not fit into memory. dask moreover places
arrays at any address, at which NumPy adds numbers in another order.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path
from pickle import PicklingError, loads
from typing import Any

import cloudpickle
import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from ._files import backing_of, mapping_of

__all__ = ["dumps", "loads", "unpicklable"]

# Size in bytes of the parts of a file that show whether two processes see the same file.
_COMPARED = 1 << 12


def dumps(value: Any) -> bytes:
    """Pickle an object, in which memory-mapped arrays are replaced by the paths of their files.

    Parameters
    ----------
    value : object
        Anything that cloudpickle can pickle.

    Returns
    -------
    bytes
        Read by :func:`loads`, which opens the files read-only. It raises an OSError if the process
        does not have the file, and a ValueError if its file of this name is another one.

    Raises
    ------
    PicklingError
        If the object cannot be pickled.
    """
    content = BytesIO()
    try:
        _Pickler(content).dump(value)
    except OSError:  # a file is missing
        raise
    except Exception as error:
        raise unpicklable(f"{type(error).__name__}: {error}") from error
    return content.getvalue()


def unpicklable(reason: str) -> PicklingError:
    """Return the error that the arguments of a call cannot be sent to another process."""
    return PicklingError(
        f"The arguments of a call cannot be sent to another process ({reason}). Use n_jobs=1, or "
        "threads, to which nothing is sent: joblib.parallel_config(backend='threading')."
    )


class _Pickler(cloudpickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """Return how a memory-mapped array is opened again, and leave other objects as they are."""
        backing = backing_of(value) if isinstance(value, np.ndarray) and value.size else None
        if backing is not None and mapping_of(value) is not None:
            mapped, _ = backing
            if mapped.filename is not None:
                return _open, _description(value, mapped, Path(mapped.filename).resolve())
        return super().reducer_override(value)


def _description(array: NDArray, mapped: np.memmap, path: Path) -> tuple[Any, ...]:
    """Return the arguments of :func:`_open`."""
    if mapped.flags.writeable:
        mapped.flush()  # other machines read the file, and not this memory
    low, high = byte_bounds(array)
    offset = mapped.offset + low - mapped.ctypes.data
    part = np.memmap(path, np.uint8, mode="r", offset=offset, shape=(high - low,))
    view = array.shape, array.dtype, array.ctypes.data - low, array.strides
    return str(path), offset, high - low, _digest(part), view


def _open(
    path: str, offset: int, n_bytes: int, digest: int, view: tuple[Any, np.dtype, int, Any]
) -> NDArray:
    """Open a part of a file as an array, and check that it is the file that was pickled."""
    advice = "Put it, and the folder for temporary files (TMPDIR), where all workers find it."
    try:
        is_large_enough = Path(path).stat().st_size >= offset + n_bytes
    except FileNotFoundError as error:
        what = f"This worker does not have the file of a memory-mapped array. {advice}"
        raise FileNotFoundError(error.errno, what, path) from error
    if is_large_enough:
        part = np.memmap(path, np.uint8, mode="r", offset=offset, shape=(n_bytes,))
        if _digest(part) == digest:
            shape, dtype, start, strides = view
            return np.ndarray(shape, dtype, buffer=part, offset=start, strides=strides)
    raise ValueError(
        f"{path} is not the file of the memory-mapped array that was sent to this worker. {advice}"
    )


def _digest(part: NDArray[np.uint8]) -> int:
    """Return a checksum of the first and the last bytes."""
    return zlib.crc32(part[-_COMPARED:].tobytes(), zlib.crc32(part[:_COMPARED].tobytes()))
