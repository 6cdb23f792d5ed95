"""Reading .hdf5 files in a process of their own, which may crash or hang.

A file never ends or blocks the process of the user: the HDF5 library runs in a process with limits
on time and memory (`_hdf5_process`). Here, every declared size is compared with what is stored
before anything is allocated.
"""

from __future__ import annotations

import json
import math
import os
import re
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
from sklearn.utils import gen_batches

from .._files import resolve
from .._optional import import_optional
from . import _hdf5_process

# Limits of the process that reads a file. A file of 1 MB can contain some 2000 sentences.
_SECONDS, _SECONDS_PER_BYTE = 10.0, 4e-6
_MEMORY, _MEMORY_PER_BYTE = 2**28, 4
# Deflate, the best of the usual filters, shrinks data at most by a factor of 1032.
_MAX_COMPRESSION = 1100
# All values of a compressed file may take this many bytes, or times the size of the file. Filters
# shrink activations by less than 10 unless most of them are zero.
_EXPANSION, _SMALL = 100, 2**26
_BLOCK = 2**23  # bytes that are received at a time


@dataclass(frozen=True)
class StoredValues:
    """A dataset on disk, of shape (n_layers, n_rows, width), or (n_rows, width) of one layer."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    file: Hdf5File = field(repr=False)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def blocks(self) -> Iterator[tuple[int, int, NDArray]]:
        """Read the values in blocks of rows, so that they are not held twice.

        Yields
        ------
        layer : int
        start : int
            The first row of the block.
        block : ndarray of shape (n_rows_in_block, width)
        """
        *layers, n_rows, width = self.shape
        if self.file.request(self.name) != math.prod(self.shape) * self.dtype.itemsize:
            raise self.file.damage(f"the dataset {self.name!r} changed while it was read")
        row = width * self.dtype.itemsize
        for layer in range(math.prod(layers)):
            for rows in gen_batches(n_rows, max(1, _BLOCK // row)):
                content = self.file.receive((rows.stop - rows.start) * row)
                yield layer, rows.start, np.frombuffer(content, self.dtype).reshape(-1, width)


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
            is_greeting = self._receive_size() == 0
            words = "" if is_greeting else "it printed something before it started"
        except ValueError:
            is_greeting, words = False, self._last_words()
        if not is_greeting:
            raise RuntimeError(f"Could not start {sys.executable} to read {self.path}: {words}.")
        description = json.loads(self.receive(self._receive_size()))
        self.members, self.layers = description["members"], description["layers"]
        stored = sum(member.get("n_stored", 0) for member in self.members.values())
        size = self.path.stat().st_size
        if stored > size:
            raise self.damage(f"its datasets declare {stored} bytes, more than the file has")
        # What is not stored is reported for the dataset.
        n_bytes = sum(
            min(_declared(member)[1], member["n_stored"] * _MAX_COMPRESSION)
            for member in self.members.values()
            if member.get("n_filters")
        )
        if n_bytes > max(_SMALL, _EXPANSION * size):
            raise ValueError(
                f"{self.path} has {size:,} bytes, but its compressed values take {n_bytes:,} "
                f"bytes, more than {_EXPANSION} times as many. If you know who wrote the file, "
                "decompress it with the command `h5repack -f NONE`, which is a part of HDF5."
            )

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
        n_chunks, n_bytes = _declared(member)
        most = member["n_stored"] * (_MAX_COMPRESSION if member["n_filters"] else 1)
        if n_bytes > most or member["n_chunks"] not in (None, n_chunks):
            raise self.damage(
                f"the dataset {name!r} declares the shape {values.shape}, but only "
                f"{member['n_stored']} bytes are stored"
            )
        return values

    def request(self, name: str) -> int:
        """Request a dataset, and return its number of bytes, which can then be received."""
        requests = cast(BinaryIO, self.process.stdin)
        with suppress(BrokenPipeError):  # the process ended, so that there will be no answer
            os.write(requests.fileno(), json.dumps(name).encode() + b"\n")
        return self._receive_size()

    def receive(self, size: int) -> bytearray:
        """Return the next bytes of an answer."""
        content = bytearray(size)
        if cast(BufferedReader, self.process.stdout).readinto(content) < size:
            raise self.damage(self._last_words())
        return content

    def damage(self, reason: str) -> ValueError:
        """Return the error of a damaged file, or of one that a writer has locked."""
        if re.search("unable to lock file|already open for", reason):
            return ValueError(
                f"{self.path} is open for writing, possibly in another process, or was not closed "
                f"by its writer ({reason})."
            )
        return ValueError(f"{self.path} is truncated, damaged or not an HDF5 file: {reason}.")

    def _receive_size(self) -> int:
        return int.from_bytes(self.receive(8), "little")

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


def _declared(member: dict[str, Any]) -> tuple[int, int]:
    """Return the numbers of chunks and of bytes that a dataset declares."""
    shape, chunks, n_chunks = member["shape"] or (), member["chunks"], 1
    n_values = math.prod(shape)
    if chunks:
        n_chunks = math.prod(-(-side // chunk) for side, chunk in zip(shape, chunks, strict=True))
        n_values = n_chunks * math.prod(chunks)
    return n_chunks, n_values * np.dtype(member["dtype"]).itemsize


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
    if not sys.executable:
        raise RuntimeError(
            f"Cannot read {path}: it is read in a process of its own, but sys.executable is "
            f"{sys.executable!r}. Set it to the path of Python."
        )
    limits = [
        str(_SECONDS + status.st_size * _SECONDS_PER_BYTE),
        str(_MEMORY + status.st_size * _MEMORY_PER_BYTE),
    ]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path)),
        "HDF5_PLUGIN_PRELOAD": "::",  # a file cannot load libraries
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            # -P: modules of the package must not hide those of the standard library
            # -S: a sitecustomize may print something, and all paths are in the environment
            [sys.executable, "-PS", "-W", "ignore", _hdf5_process.__file__, resolve(path), *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            cwd=Path(__file__).parent,  # Python does not start in a folder that was deleted
        ) as process,
    ):
        try:
            yield Hdf5File(path, process, log)
        finally:
            process.kill()
