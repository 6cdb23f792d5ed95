"""Files: memory-mapped arrays, and atomic writes."""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

# Suffix of files that are being written.
TEMPORARY = ".tmp"


def mapping_of(array: np.ndarray) -> mmap.mmap | None:
    """Return the file mapping that an array is a view of, if its pages can be released safely.

    Changes to a copy-on-write mapping are stored nowhere else, so its pages cannot be released.
    """
    base: object = array
    shared = False
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            shared = base.mode in ("r", "r+", "w+")
        base = base.base
    return base if shared and isinstance(base, mmap.mmap) else None


def release(mapping: mmap.mmap | None) -> None:
    """Release the pages of a mapping; they are read again when they are needed."""
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):  # not on every system
        mapping.madvise(mmap.MADV_DONTNEED)


@contextmanager
def replacing(targets: Collection[Path]) -> Iterator[list[Path]]:
    """Write temporary files next to their targets, and move them into place at the end.

    Each file is synced to disk before it replaces its target. After a crash, each target is
    therefore either the old file or the new one. After an error, no target is changed.

    Parameters
    ----------
    targets : collection of Path

    Yields
    ------
    list of Path
        Temporary files to write, one for each target.
    """
    unfinished = [
        target.with_name(f"{target.name}.{secrets.token_hex(4)}{TEMPORARY}") for target in targets
    ]
    try:
        yield unfinished
        for file, target in zip(unfinished, targets, strict=True):
            with open(file, "rb") as written:
                os.fsync(written.fileno())
            os.replace(file, target)
    finally:
        for file in unfinished:
            with suppress(OSError):  # an error in the body is more important
                file.unlink(missing_ok=True)
    for folder in {target.parent for target in targets}:
        sync_folder(folder)


def replace_file(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Write one file with :func:`replacing`.

    Parameters
    ----------
    path : Path
    content : bytes or callable
        The content, or a callable that writes it to the open file that it receives.
    """
    with replacing([path]) as (unfinished,), open(unfinished, "wb") as file:
        if callable(content):
            content(file)
        else:
            file.write(content)


def sync_folder(path: Path) -> None:
    """Make sure that the names of new files in a folder are written to disk."""
    if os.name == "nt":  # on Windows, a folder cannot be opened and does not need to be synced
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
