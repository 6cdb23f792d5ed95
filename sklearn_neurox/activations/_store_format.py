"""The format of the files of a store: their names and bytes, and the values that they store."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._labels import check_labels

FORMAT, SCHEMAS = "sklearn_neurox store of activations", (1, 2)
LOCK, STORE, PROGRESS, ROWS = ".sklearn_neurox.lock", "store.json", "progress.json", "X.npy"
WORDS, IDS, LABELS = "words.json", "sentence_ids.npy", "labels.npy"
PLACES = "places.npy"
NAMES = (STORE, PROGRESS, ROWS, WORDS, IDS, LABELS, PLACES)
HEADER_SIZE = 128  # bytes before the numbers of a .npy file
# Labels are numbers, booleans or fixed-width strings, and never objects.
LABEL_DTYPE = re.compile(r"\|[biu]1|<[iuf][248]|<U[1-9]\d{0,6}")

Json = dict[str, Any]


def header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """Return the header of a .npy file in C order, independently of the version of NumPy."""
    text = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}"
    return (
        b"\x93NUMPY\x01\x00"
        + (HEADER_SIZE - 10).to_bytes(2, "little")
        + (text.ljust(HEADER_SIZE - 11) + "\n").encode()
    )


def to_npy(array: NDArray) -> bytes:
    """Return the content of a .npy file."""
    return header(array.dtype, array.shape) + array.tobytes()


def npy_size(dtype: np.dtype, length: int) -> int:
    """Return the number of bytes of a .npy file with a vector."""
    return HEADER_SIZE + length * dtype.itemsize


def from_npy(raw: bytes, dtype: np.dtype, length: int) -> NDArray:
    """Read a vector of known dtype and length from the content of a .npy file.

    Raises
    ------
    ValueError
        If it is another array, or contains code points that are not characters, or booleans other
        than 0 and 1.
    """
    expected = header(dtype, (length,))
    if raw[:HEADER_SIZE] != expected or len(raw) != npy_size(dtype, length):
        raise ValueError(f"it is not the array described in {STORE}.")
    array = np.frombuffer(raw, dtype, offset=HEADER_SIZE)
    if dtype.kind == "U" and array.view("<u4").max() > 0x10FFFF:
        raise ValueError("it contains code points that are not characters.")
    if dtype.kind == "b" and array.view(np.uint8).max() > 1:
        raise ValueError("it contains booleans other than 0 and 1.")
    return array.astype(dtype.newbyteorder("="))


def seal(content: Json) -> bytes:
    """Return JSON with its own checksum. The same content always gives the same bytes."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return json.dumps(
        content | {"sha256": hashlib.sha256(text.encode()).hexdigest()}, separators=(",", ":")
    ).encode()


def read_sealed_json(raw: bytes, what: str) -> Json:
    """Read JSON that :func:`seal` wrote.

    Raises
    ------
    ValueError
        If it is not a JSON object, or its checksum does not match.
    """
    content = parse_json(raw)
    if not isinstance(content, dict):
        raise ValueError(f"it is not {what}.")
    try:
        sealed = seal({key: value for key, value in content.items() if key != "sha256"})
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None
    if sealed != raw:
        raise ValueError("its checksum does not match its content.")
    return content


def parse_json(raw: bytes) -> Any:
    """Parse JSON.

    Raises
    ------
    ValueError
        If it is not JSON, is nested too deeply, or does not fit in memory.
    """
    try:
        return json.loads(raw)
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(f"it is not the JSON that was written ({reason}).") from error


def parse_words(raw: bytes, n_sentences: int, n_words: int) -> list[list[str]]:
    """Read the words of each sentence.

    Raises
    ------
    ValueError
        If it does not contain as many sentences of words as expected.
    """
    words = parse_json(raw)
    # Types are compared as sets, because checking each word would take most of the loading time.
    if (
        type(words) is not list
        or set(map(type, words)) != {list}
        or not all(words)
        or set(map(type, chain.from_iterable(words))) != {str}
    ):
        raise ValueError("it does not contain sentences of words.")
    if (len(words), sum(map(len, words))) != (n_sentences, n_words):
        raise ValueError(f"its numbers of sentences and words do not match {STORE}.")
    return words


def check_stored_labels(labels: ArrayLike, n_words: int) -> NDArray:
    """Convert labels to an array that can be stored in a file, without changing any of them.

    Raises
    ------
    TypeError, ValueError
        As in :func:`check_labels`, or if the number of labels is not the number of words, or NumPy
        stores them in different ways on different systems.
    """
    y = check_labels(labels, name="labels")
    if len(y) != n_words:
        raise ValueError(f"labels must have shape ({n_words},), got {y.shape}.")
    y = y.astype(y.dtype.newbyteorder("<"))
    if not LABEL_DTYPE.fullmatch(y.dtype.str):
        raise TypeError(f"labels must be strings, booleans or numbers, got dtype {y.dtype}.")
    return y


def check_places(
    positions: ArrayLike | None, offsets: ArrayLike | None, lengths: Sequence[int]
) -> NDArray[np.int64] | None:
    """Check where rows are in their texts, and return one array of these numbers.

    Parameters
    ----------
    positions : array-like of int of shape (n_words,) or None
    offsets : array-like of int of shape (n_words, 2) or None
    lengths : list of int
        Numbers of rows of the texts.

    Returns
    -------
    ndarray of int of shape (n_words, 3), or None if there are neither positions nor offsets
        The position, the first character and the end of each row. Unknown characters are -1.

    Raises
    ------
    ValueError
        If an array has another shape or dtype.
    """
    if positions is None and offsets is None:
        return None
    n_words = sum(lengths)
    places = np.full((n_words, 3), -1, dtype="<i8")
    default = np.concatenate([np.arange(length) for length in lengths])
    for name, given, own in (
        ("positions", default if positions is None else positions, places[:, 0]),
        ("offsets", offsets, places[:, 1:]),
    ):
        if given is None:
            continue
        array = np.asarray(given)
        if array.shape != own.shape or array.dtype.kind not in "iu":
            raise ValueError(
                f"{name} must be integers of shape {own.shape}, got an array of shape "
                f"{array.shape} and dtype {array.dtype}."
            )
        own[...] = array
    return places


def check_json(value: Any, name: str) -> Any:
    """Check that a value is unchanged by conversion to JSON and back, and return it.

    Raises
    ------
    TypeError
        If the value cannot be stored as JSON.
    """
    kind = type(value)
    if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if isinstance(value, Sequence) and kind in (list, tuple):
        return [check_json(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping) and kind is dict and all(type(key) is str for key in value):
        return {key: check_json(item, f"{name}[{key!r}]") for key, item in value.items()}
    raise TypeError(
        f"{name} is {str(value)[:60]!r} of type {kind.__name__}. Only None, booleans, finite "
        "numbers, strings, lists of these, and dicts of these with string keys can be stored."
    )


def is_count(value: Any) -> bool:
    """Return whether a value of a JSON file is a number of things."""
    return type(value) is int and 0 <= value < 2**48
