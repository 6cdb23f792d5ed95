"""CRC-32 of the rows of a store: of a part of a large file, and of parts that are joined."""

from __future__ import annotations

import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

_POLYNOMIAL = 0xEDB88320  # of CRC-32; the lowest bit is the coefficient of the highest power
_PART = 2**26  # bytes that a thread checks at a time
_BLOCK = 2**22  # bytes that a thread reads at a time
_MAX_THREADS = 8


def joined_crc32(first: int, second: int, n_bytes: int) -> int:
    """Return the CRC-32 of two pieces of data from those of each.

    Parameters
    ----------
    first, second : int
        The CRC-32 of each piece.
    n_bytes : int
        The size of the second piece.

    Notes
    -----
    The CRC-32 is the remainder of a polynomial over the integers modulo 2. To append n bytes, the
    first polynomial is multiplied by x to the power of 8 n, which repeated squaring computes.
    """
    power, square = 1 << 31, 1 << 23  # 1, and x to the power of 8
    while n_bytes:
        if n_bytes & 1:
            power = _product(power, square)
        square = _product(square, square)
        n_bytes >>= 1
    return _product(power, first) ^ second


def _product(first: int, second: int) -> int:
    """Multiply two polynomials, modulo the polynomial of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        if first >> bit & 1:
            product ^= second
        second = (second >> 1) ^ (_POLYNOMIAL if second & 1 else 0)
    return product


def crc32_of_file(path: Path, start: int, n_bytes: int) -> int | None:
    """Compute the CRC-32 of a part of a file by several threads.

    Parameters
    ----------
    path : Path
    start, n_bytes : int
        First byte, and number of bytes.

    Returns
    -------
    int or None
        None if the file is shorter.
    """
    starts = range(start, start + n_bytes, _PART)
    sizes = [min(_PART, start + n_bytes - each) for each in starts]
    crc32 = 0
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as threads:
        for part, size in zip(threads.map(_crc32, repeat(path), starts, sizes), sizes, strict=True):
            if part is None:
                return None
            crc32 = joined_crc32(crc32, part, size)
    return crc32


def _crc32(path: Path, start: int, n_bytes: int) -> int | None:
    crc32 = 0
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        while n_bytes and (block := file.read(min(_BLOCK, n_bytes))):
            crc32, n_bytes = zlib.crc32(block, crc32), n_bytes - len(block)
    return None if n_bytes else crc32
