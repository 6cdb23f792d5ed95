"""Writing HDF5 files in such a way that a full disk raises an error."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._optional import import_optional


class _KeepsErrors:
    """An open file that keeps the first error instead of raising it.

    HDF5 writes most of its data when a file is closed. If that fails, its objects stay half
    closed, and the process can crash when they are released.
    """

    def __init__(self, number: int):
        self._number, self._place = number, 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._place
        elif whence == os.SEEK_END:
            offset += os.fstat(self._number).st_size
        self._place = offset
        return offset

    def tell(self) -> int:
        return self._place

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size, place = len(left), self._place
        while left and self.error is None:
            try:
                written = os.pwrite(self._number, left, place)
            except OSError as error:
                self.error = error
            else:
                left, place = left[written:], place + written
        self._place += size
        return size

    def read(self, size: int) -> bytes:
        content = bytearray(size)
        self.readinto(content)
        return bytes(content)

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        found = os.pread(self._number, len(target), self._place)
        target[: len(found)] = found
        target[len(found) :] = bytes(len(target) - len(found))  # as after a failed write
        self._place += len(target)
        return len(target)

    def truncate(self, size: int | None = None) -> int:
        size = self._place if size is None else size
        if not stat.S_ISREG(os.fstat(self._number).st_mode):  # a device does not have a size
            return size
        try:
            os.ftruncate(self._number, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def flush(self) -> None:
        """Nothing is buffered."""


class Hdf5Writer:
    """An HDF5 file that is written within the context of :func:`hdf5_writer`.

    Parameters
    ----------
    file : h5py.File
    target : _KeepsErrors
    """

    def __init__(self, file: Any, target: _KeepsErrors):
        self.file, self._target = file, target

    @property
    def has_failed(self) -> bool:
        """Whether something could not be written. The error is raised at the end."""
        return self._target.error is not None

    def add_text(self, name: str, text: str) -> None:
        """Add a dataset of one string."""
        self.file.create_dataset(name, data=[text], dtype=_h5py().string_dtype())


@contextmanager
def hdf5_writer(path: Path) -> Iterator[Hdf5Writer]:
    """Open a new HDF5 file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    h5py = _h5py()
    with path.open("w+b", buffering=0) as raw:
        target = _KeepsErrors(raw.fileno())
        with h5py.File(target, "w") as file:
            yield Hdf5Writer(file, target)
        if target.error is not None:
            raise OSError(target.error.errno, target.error.strerror, str(path))


def _h5py() -> Any:
    return import_optional("h5py", extra="store", purpose="An .hdf5 file")
