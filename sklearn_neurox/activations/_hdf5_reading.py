"""Reading .hdf5 files in a process of their own, which may crash or hang.

A file never ends or blocks the process of the user: the HDF5 library runs in a process with limits
on time and memory (`_hdf5_process`). Here, every declared size is compared with what is stored
before anything is allocated.
"""

from __future__ import annotations

import json
import math
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from .._optional import import_optional
from . import _hdf5_process

# Limits of the process that reads a file. A file of 1 MB can contain some 2000 sentences.
_SECONDS, _SECONDS_PER_BYTE = 10.0, 4e-6
_MEMORY, _MEMORY_PER_BYTE = 2**28, 4
# Deflate, the best of the usual filters, shrinks data at most by a factor of 1032.
_MAX_COMPRESSION = 1100


@dataclass(frozen=True)
class StoredValues:
    """A dataset on disk. Like a dataset of h5py, it is read by ``values[()]``."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    file: Hdf5File = field(repr=False)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, everything: tuple[()]) -> NDArray:
        """Read the values."""
        content = self.file.ask(self.name)
        if len(content) != math.prod(self.shape) * self.dtype.itemsize:
            raise self.file.damage(f"the dataset {self.name!r} changed while it was read")
        return np.frombuffer(content, self.dtype).reshape(self.shape)


@dataclass
class Hdf5File:
    """An open .hdf5 file.

    Parameters
    ----------
    path : Path
    process : Popen
        The process that reads the file, with pipes to its standard input and output.
    log : file
        What the process writes to its standard error.

    Attributes
    ----------
    members : dict
        Description of each object in the file, by name, as sent by the process.
    layers : list or None
        The attribute ``layers`` of the file.
    """

    path: Path
    process: subprocess.Popen[bytes]
    log: BinaryIO
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    layers: list[Any] | None = None

    def __post_init__(self) -> None:
        try:
            self._receive()
        except ValueError as error:
            raise RuntimeError(
                f"Could not start {sys.executable} to read {self.path}: {self._last_words()}."
            ) from error
        description = json.loads(self._receive())
        self.members, self.layers = description["members"], description["layers"]
        stored = sum(member.get("n_stored", 0) for member in self.members.values())
        if stored > self.path.stat().st_size:
            raise self.damage(f"its datasets declare {stored} bytes, more than the file has")

    def dataset(self, name: str) -> StoredValues | None:
        """Return a dataset that is completely stored in the file, or None if it is none.

        Raises
        ------
        ValueError
            If fewer values are stored than the dataset declares.
        """
        member = self.members.get(name, {})
        if member.get("shape") is None:
            return None
        values = StoredValues(name, tuple(member["shape"]), np.dtype(member["dtype"]), self)
        n_bytes = math.prod(values.shape) * values.dtype.itemsize
        n_chunks = 1
        if member["chunks"]:
            sides = zip(values.shape, member["chunks"], strict=True)
            n_chunks = math.prod(-(-side // chunk) for side, chunk in sides)
            n_bytes = n_chunks * math.prod(member["chunks"]) * values.dtype.itemsize
        most = member["n_stored"] * (_MAX_COMPRESSION if member["n_filters"] else 1)
        if n_bytes > most or member["n_chunks"] not in (None, n_chunks):
            raise self.damage(
                f"the dataset {name!r} declares the shape {values.shape}, but only "
                f"{member['n_stored']} bytes are stored"
            )
        return values

    def ask(self, name: str) -> bytearray:
        """Return the bytes of a dataset."""
        requests = cast(BinaryIO, self.process.stdin)
        with suppress(BrokenPipeError):  # the process ended, so that there will be no answer
            os.write(requests.fileno(), json.dumps(name).encode() + b"\n")
        return self._receive()

    def damage(self, reason: str) -> ValueError:
        """Return the error of a damaged file."""
        return ValueError(f"{self.path} is truncated, damaged or not an HDF5 file: {reason}.")

    def _receive(self) -> bytearray:
        answers = cast(BufferedReader, self.process.stdout)
        length = answers.read(8)
        content = bytearray(int.from_bytes(length, "little"))
        if len(length) < 8 or answers.readinto(content) < len(content):
            raise self.damage(self._last_words())
        return content

    def _last_words(self) -> str:
        """Return why the process ended."""
        code = self.process.wait()
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines() or [""]
        if lines[0].startswith("Timeout"):
            return "reading it takes too long"
        if code < 0 or lines[0].startswith("Fatal"):
            return f"the HDF5 library crashes (exit code {code})"
        return lines[-1].rstrip(".")


@contextmanager
def open_hdf5(path: Path) -> Iterator[Hdf5File]:
    """Open an .hdf5 file in a process of its own.

    Raises
    ------
    ValueError
        If the file is damaged, now or while its datasets are read.
    """
    import_optional("h5py", extra="store", purpose="An .hdf5 file")
    status = path.stat()  # raises FileNotFoundError if the file is missing
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} must be a regular file, which can be read in any order.")
    path.open("rb").close()  # raises PermissionError
    limits = [
        str(_SECONDS + status.st_size * _SECONDS_PER_BYTE),
        str(_MEMORY + status.st_size * _MEMORY_PER_BYTE),
    ]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HDF5_PLUGIN_PRELOAD": "::",  # a file cannot load libraries
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            # -P: modules of the package must not hide those of the standard library
            [sys.executable, "-P", "-W", "ignore", _hdf5_process.__file__, path.resolve(), *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        ) as process,
    ):
        try:
            yield Hdf5File(path, process, log)
        finally:
            process.kill()
