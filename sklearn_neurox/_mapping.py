"""Files mapped into memory, as activations larger than the memory are."""

from __future__ import annotations

import mmap

import numpy as np


def mapping_of(array: np.ndarray) -> mmap.mmap | None:
    """Find the file mapping that an array is a view of, if nothing in it can be lost.

    A copy-on-write mapping holds what was written to it nowhere else.
    """
    base: object = array
    shared = False
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            shared = base.mode in ("r", "r+", "w+")
        base = base.base
    return base if shared and isinstance(base, mmap.mmap) else None


def release(mapping: mmap.mmap | None) -> None:
    """Give the pages of a mapping back; they are read again when they are needed."""
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):  # not on every system
        mapping.madvise(mmap.MADV_DONTNEED)
