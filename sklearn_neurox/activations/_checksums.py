"""CRC-32 of the rows of a store: of a part of a large file, and of parts that are joined."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
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


def crc32_of_files(pieces: Iterable[tuple[Path, int, int]]) -> list[int | None]:
    """Compute the CRC-32 of parts of files by several threads.

    Parameters
    ----------
    pieces : iterable of (Path, int, int)
        A file, the first byte, and the number of bytes.

    Returns
    -------
    list of int or None
        None for a file that is shorter.
    """
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as threads:
        waiting = [
            [
                (threads.submit(_crc32, path, start + done, size), size)
                for done in range(0, n_bytes, _PART)
                for size in [min(_PART, n_bytes - done)]
            ]
            for path, start, n_bytes in pieces
        ]
        return [_joined((each.result(), size) for each, size in parts) for parts in waiting]


def _joined(parts: Iterable[tuple[int | None, int]]) -> int | None:
    crc32 = 0
    for part, size in parts:
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
