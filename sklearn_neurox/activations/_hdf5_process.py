"""The process that reads an .hdf5 file: it describes the file and sends values on request.

A damaged file can crash the HDF5 library, make it hang, or make it allocate any amount of memory.
Therefore `_hdf5_reading` runs this file as a script, in a process with limits. It does not decide
what is valid, and does not import the package.

A message on stdout consists of its length and its bytes. The first one is empty and confirms that
the process runs. The second one is the description. After that, each line on stdin is the name of
a dataset, and the answer is its values.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import sys
from contextlib import suppress
from typing import Any

import numpy as np

# Memory that is needed to read a dataset, as a multiple of its size: its chunks and a copy.
_COPIES = 3
_SECONDS_PER_BYTE = 2e-8  # of values, which a compressed file contains many of


def main(path: str, seconds: float, memory: int) -> None:
    """Serve one file.

    Parameters
    ----------
    path : str
    seconds : float
        Time after which the process ends itself, even within the HDF5 library. It begins again for
        each dataset, with some time for its values.
    memory : int
        Bytes that may be allocated in addition to the datasets.
    """
    h5py: Any = importlib.import_module("h5py")
    _send(b"")
    faulthandler.dump_traceback_later(seconds, exit=True)
    _limit_memory(memory)
    with h5py.File(path, "r") as file:
        members = {name: _describe(file, name, h5py) for name in file}
        layers = None
        if "layers" in file.attrs and file.attrs.get_id("layers").shape is not None:
            layers = np.ravel(file.attrs["layers"]).tolist()
        _send(json.dumps({"members": members, "layers": layers}, default=str).encode())
        for line in sys.stdin.buffer:
            dataset = file[json.loads(line)]
            n_bytes = dataset.size * dataset.dtype.itemsize
            _limit_memory(memory + _COPIES * n_bytes)
            faulthandler.dump_traceback_later(seconds + n_bytes * _SECONDS_PER_BYTE, exit=True)
            values = np.asarray(dataset[()])
            _send(values.flat[0] if values.dtype == object else np.ascontiguousarray(values).data)


def _describe(file: Any, name: str, h5py: Any) -> dict[str, Any]:
    """Describe a member without following a link or reading values."""
    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        return {"text": type(link).__name__}
    member = file[name]
    if not isinstance(member, h5py.Dataset):
        return {"text": str(member)}
    creation = member.id.get_create_plist()
    kind = creation.get_layout()
    if creation.get_external_count() or kind == h5py.h5d.VIRTUAL:
        return {"text": "dataset whose values are in other files"}
    is_chunked = kind == h5py.h5d.CHUNKED
    positions = None
    if "positions" in member.attrs and member.attrs.get_id("positions").shape is not None:
        positions = np.ravel(member.attrs["positions"]).tolist()
    return {
        "text": str(member),
        "shape": member.shape,
        "dtype": member.dtype.str,
        "n_stored": member.id.get_storage_size(),
        "chunks": member.chunks,
        "n_chunks": member.id.get_num_chunks() if is_chunked else None,
        "n_filters": creation.get_nfilters(),
        "positions": positions,
    }


def _limit_memory(n_bytes: int) -> None:
    """Limit what the process can allocate in addition to what it has now, if this is Linux."""
    with suppress(ImportError, FileNotFoundError):
        resource: Any = importlib.import_module("resource")
        with open("/proc/self/statm") as statistics:
            n_pages = int(statistics.read().split()[0])
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = n_pages * resource.getpagesize() + n_bytes
        if most == resource.RLIM_INFINITY or limit < most:
            resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _send(content: Any) -> None:
    content = memoryview(content).cast("B")
    sys.stdout.buffer.write(len(content).to_bytes(8, "little"))
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
