"""The files of a store: how each is written, read and checked."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import zlib
from collections.abc import Callable
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .._warnings import warn

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FORMAT, _SCHEMA = "sklearn_neurox store of activations", 1
_DTYPES = {"float16": "<f2", "float32": "<f4", "float64": "<f8"}
# What labels may be: numbers, booleans, and strings of fixed width; never objects.
_LABELS = re.compile(r"\|[biu]1|<[iuf][248]|<U[1-9]\d{0,6}")
_LOCK, _STORE, _PROGRESS, _ROWS = ".sklearn_neurox.lock", "store.json", "progress.json", "X.npy"
_WORDS, _IDS, _Y = "words.json", "sentence_ids.npy", "labels.npy"
_NAMES = (_STORE, _PROGRESS, _ROWS, _WORDS, _IDS, _Y)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_HEADER = 128  # bytes before the numbers of a .npy file
_BLOCK = 2**23  # bytes of X that are checked at a time


def _check_folder(path):
    """Make the folder, or see that there is nothing in it but a store or the beginning of one."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to make a store in.")
    if not path.exists():
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)
    if not path.is_dir():
        raise ValueError(f"{path} is a file, but a store is a folder.")
    names = set(os.listdir(path))
    begun = {_LOCK, _WORDS, _IDS, _Y, _PROGRESS} | {f"{name}.tmp" for name in _NAMES}
    if _STORE in names:
        _read_store(path)
    elif names and (_LOCK not in names or names - begun):
        raise ValueError(
            f"{path} holds no store, because {_STORE} is missing, but {sorted(names)[:5]}. Nothing "
            "was changed; choose a folder that is empty or not there."
        )
    return path


@contextmanager
def _locked(folder):
    """Keep other writers out, with a lock that ends with the process."""
    with open(folder / _LOCK, "ab") as file:
        try:
            if fcntl is None:
                raise OSError(errno.ENOSYS, "no fcntl")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{folder} is open in another writer; close that one first.") from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            message = f"There are no locks for {folder}: see that it has one writer at a time."
            warn(message)
        try:
            yield
        finally:
            if fcntl is not None:  # a process that was forked would keep it
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_UN)


def _check_ids(sentence_ids, n_sentences):
    ids = np.asarray(sentence_ids)
    if ids.dtype.kind not in "iu" or ids.shape != (n_sentences,):
        raise ValueError(
            f"sentence_ids must be {n_sentences} integers, one for each sentence, got an array of "
            f"shape {ids.shape} and dtype {ids.dtype}."
        )
    return ids.astype("<i8")


def _check_labels(labels, n_words):
    """Turn labels into an array that a file can hold, without changing one."""
    y = np.asarray(labels)
    if y.shape != (n_words,):
        raise ValueError(f"labels must have the shape ({n_words},), got {y.shape}.")
    if y.dtype == object or not isinstance(labels, np.ndarray):
        kinds = sorted({type(label).__name__ for label in labels})
        if len(kinds) > 1:
            raise TypeError(f"labels must be of one type, got {' and '.join(kinds)}.")
        y = np.array(list(labels))
        if y.dtype.kind == "U" and y.tolist() != list(labels):
            raise ValueError("labels must not end in a null character.")
    y = y.astype(y.dtype.newbyteorder("<"))
    if not _LABELS.fullmatch(y.dtype.str):
        raise TypeError(f"labels must be strings, booleans or numbers, got dtype {y.dtype}.")
    return y


def _check_json(value, name):
    """Return what comes back from JSON, where that is the same."""
    kind = type(value)
    if value is None or kind in (bool, int, str) or (kind is float and math.isfinite(value)):
        return value
    if kind in (list, tuple):
        return [_check_json(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if kind is dict and all(type(key) is str for key in value):
        return {key: _check_json(item, f"{name}[{key!r}]") for key, item in value.items()}
    raise TypeError(
        f"{name} is {str(value)[:60]!r} of type {kind.__name__}, but only None, booleans, finite "
        "numbers, strings, lists of these, and dicts of these by string can be stored."
    )


def _check_about(about):
    """Check a description that was given or read."""
    layers, width, dtype = (about.get(key) for key in ("layers", "width", "dtype"))
    if not isinstance(layers, list) or not layers or not all(map(_is_count, layers)):
        raise ValueError(f"layers must be integers from 0, one at least, got {str(layers)[:80]}.")
    if len(set(layers)) < len(layers):
        raise ValueError(f"layers must be different, got {str(layers)[:80]}.")
    if not _is_count(width) or not width:
        raise ValueError(f"width must be a positive integer, got {str(width)[:80]}.")
    if dtype not in [*_DTYPES]:  # a list, because what was read need not be hashable
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, got {str(dtype)[:80]!r}.")
    match about:  # what follows is wrong only in a file
        case {"labels": None, "files": {"words.json": str(), "sentence_ids.npy": str()} as files}:
            fits = len(files) == 2
        case {"labels": str(y), "files": {"words.json": str(), "labels.npy": str()} as files}:
            fits = _LABELS.fullmatch(y) is not None and len(files) == 3 and _IDS in files
        case _:
            fits = False
    n_sentences, n_words = about.get("n_sentences"), about.get("n_words")
    fits = (
        fits
        and _is_count(n_sentences)
        and _is_count(n_words)
        and isinstance(about.get("parameters"), dict)
    )
    if not fits or not 0 < n_sentences <= n_words:
        raise ValueError("what it says does not fit together.")


def _is_count(value):
    return type(value) is int and 0 <= value < 2**48


def _layout(about):
    """Dtype and shape of X."""
    shape = (about["n_words"], len(about["layers"]) * about["width"])
    return np.dtype(_DTYPES[about["dtype"]]), shape


def _first_difference(path, there, here, corpus, y):
    """Tell in words the first thing in which a store is not what was asked for."""
    for key in ("layers", "width", "dtype"):
        if there[key] != here[key]:
            return f"{key} is {there[key]} there and {here[key]} here"
    if there["files"][_WORDS] != here["files"][_WORDS]:
        words = _read_words(path, there)
        pairs = zip_longest(words, corpus)
        i = next(i for i, (a, b) in enumerate(pairs) if a != b)
        a, b = (str(side[i])[:80] if i < len(side) else "missing" for side in (words, corpus))
        return f"sentence {i} is {a} there and {b} here"
    if there["files"].get(_IDS) != here["files"].get(_IDS):
        return "its sentence_ids are others"
    if there["files"].get(_Y) != here["files"].get(_Y):
        return _first_other_label(path, there, corpus, y)
    mine, theirs = here["parameters"], there["parameters"]
    for key in mine | theirs:
        # As text, because True == 1 and 1 == 1.0.
        a, b = (
            json.dumps(side[key], sort_keys=True) if key in side else "missing"
            for side in (theirs, mine)
        )
        if a != b:
            return f"parameters[{key!r}] is {a[:80]} there and {b[:80]} here"
    return None


def _first_other_label(path, there, corpus, y):
    if there["labels"] is None or y is None:
        return f"there are labels {'here' if y is not None else 'there'} only"
    before = _read_array(path, there, _Y, there["labels"], there["n_words"]).tolist()
    after = y.tolist()
    differ = (i for i, (a, b) in enumerate(zip(before, after, strict=True)) if repr(a) != repr(b))
    place = next(differ, None)
    if place is None:
        return f"its labels are of dtype {there['labels']} there and {y.dtype.str} here"
    sentence, word = 0, place
    while word >= len(corpus[sentence]):
        word -= len(corpus[sentence])
        sentence += 1
    return (
        f"the label of sentence {sentence}, word {word} ({corpus[sentence][word]!r:.60}), is "
        f"{before[place]!r:.60} there and {after[place]!r:.60} here"
    )


def _read_store(path):
    """Read the description, without which nothing else means anything."""
    if not path.exists():
        raise FileNotFoundError(f"There is no store {path}.")
    try:
        raw = _read(path / _STORE)
        store = _json(raw)
        if not isinstance(store, dict) or store.get("format") != _FORMAT:
            raise ValueError("it is not one that a StoreWriter wrote.")
        if store.get("schema") != _SCHEMA:
            raise ValueError(
                f"sklearn_neurox {str(store.get('version'))[:20]} wrote it in schema "
                f"{str(store.get('schema'))[:20]}, but this one reads schema {_SCHEMA}."
            )
        _check_seal(raw, store)
        _check_about(store)
    except (ValueError, RecursionError) as error:
        there = [name for name in _NAMES if name != _STORE and (path / name).is_file()]
        raise ValueError(
            f"{path} is no store, or a damaged one: {_STORE}: {error} Without it, the other files "
            f"cannot be told to be whole{': ' if there else ''}{', '.join(there)}."
        ) from error
    return store


def _json(raw):
    try:
        return json.loads(raw)
    except ValueError as error:
        raise ValueError(f"it is not the JSON that was written ({error}).") from error


def _read_files(path, store):
    """Read and check all but the rows; an error tells the whole files from the damaged ones."""
    readers: dict[str, Callable] = {
        _PROGRESS: _read_progress,
        _WORDS: _read_words,
        _IDS: partial(_read_array, name=_IDS, dtype="<i8", length=store["n_sentences"]),
        _Y: partial(_read_array, name=_Y, dtype=store["labels"], length=store["n_words"]),
        _ROWS: _check_size,
    }
    contents, damage = {}, {}
    for name, reader in readers.items():
        if name in store["files"] or name in (_PROGRESS, _ROWS):
            try:
                contents[name] = reader(path, store)
            except (ValueError, TypeError, RecursionError) as error:
                damage[name] = f"{name}: {error}"
    if _WORDS in contents and _PROGRESS in contents:
        progress = contents[_PROGRESS]
        if sum(map(len, contents[_WORDS][: progress["n_sentences"]])) != progress["n_words"]:
            del contents[_PROGRESS]
            damage[_PROGRESS] = f"{_PROGRESS}: it has not as many words as its sentences have."
    if damage:
        whole = ", ".join([_STORE, *contents])
        raise ValueError(f"{path} is damaged. {' '.join(damage.values())} Whole are {whole}.")
    return contents


def _progress_of(path, store):
    """Read the journal; where it is damaged, tell what is whole."""
    try:
        return _read_progress(path, store)
    except (ValueError, RecursionError):
        _read_files(path, store)
        raise


def _read(path):
    if not path.is_file():
        raise ValueError("it is missing.")
    return path.read_bytes()


def _read_sealed(path, store, name):
    raw = _read(path / name)
    if hashlib.sha256(raw).hexdigest() != store["files"][name]:
        raise ValueError(f"the checksum of its {len(raw):,} bytes is not that in {_STORE}.")
    return raw


def _read_progress(path, store):
    raw = _read(path / _PROGRESS)
    progress = _json(raw)
    if not isinstance(progress, dict):
        raise ValueError("it is no journal of a store.")
    _check_seal(raw, progress)
    counts = [progress.get(key) for key in ("n_sentences", "n_words", "crc32")]
    if not all(map(_is_count, counts)) or progress.get("store") != store["sha256"]:
        raise ValueError("it is not the journal of this store.")
    if counts[0] > store["n_sentences"] or counts[1] > store["n_words"]:
        raise ValueError("it counts more than the store can have.")
    return {key: progress[key] for key in ("n_sentences", "n_words", "crc32")}


def _read_words(path, store):
    words = json.loads(_read_sealed(path, store, _WORDS))
    # By their types at once: a word for word check would take longer than all else of opening.
    if (
        type(words) is not list
        or set(map(type, words)) != {list}
        or not all(words)
        or set(map(type, chain.from_iterable(words))) != {str}
    ):
        raise ValueError("it holds no sentences of words.")
    if (len(words), sum(map(len, words))) != (store["n_sentences"], store["n_words"]):
        raise ValueError(f"it has not as many sentences and words as {_STORE} says.")
    return words


def _read_array(path, store, name, dtype, length):
    raw = _read_sealed(path, store, name)
    dtype = np.dtype(dtype)
    if raw[:_HEADER] != _header(dtype, (length,)) or len(raw) != _HEADER + length * dtype.itemsize:
        raise ValueError(f"it is not the array that {_STORE} says.")
    array = np.frombuffer(raw, dtype, offset=_HEADER)
    if dtype.kind == "U" and array.view("<u4").max() > 0x10FFFF:
        raise ValueError("it holds what is no character.")
    return array.astype(dtype.newbyteorder("="))


def _check_size(path, store):
    """Check all of X but its numbers."""
    dtype, shape = _layout(store)
    row = shape[1] * dtype.itemsize
    expected = _HEADER + shape[0] * row
    path = path / _ROWS
    if not path.is_file():
        raise ValueError("it is missing.")
    size = path.stat().st_size
    if size != expected:
        n_rows = max(0, min(size, expected) - _HEADER) // row
        raise ValueError(
            f"it has {size:,} bytes, not {expected:,}: at most the first {n_rows:,} rows of "
            f"{shape[0]:,} are whole."
        )
    with open(path, "rb") as file:
        if file.read(_HEADER) != _header(dtype, shape):
            raise ValueError(f"its header does not say {dtype} of shape {shape}.")


def _verify_rows(path, store, progress):
    dtype, shape = _layout(store)
    left, crc32 = progress["n_words"] * shape[1] * dtype.itemsize, 0
    with open(path / _ROWS, "rb") as file:
        file.seek(_HEADER)
        while block := file.read(min(_BLOCK, left)):
            crc32, left = zlib.crc32(block, crc32), left - len(block)
    if left or crc32 != progress["crc32"]:
        raise ValueError(
            f"{path} is damaged. {_ROWS}: the checksum of its {progress['n_words']:,} rows is not "
            f"that in {_PROGRESS}. All other files are whole."
        )


def _header(dtype, shape):
    """Header of a .npy file in C order; NumPy's own may change with its version."""
    text = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape}, }}"
    return (
        b"\x93NUMPY\x01\x00"
        + (_HEADER - 10).to_bytes(2, "little")
        + (text.ljust(_HEADER - 11) + "\n").encode()
    )


def _npy(array):
    return _header(array.dtype, array.shape) + array.tobytes()


def _seal(content):
    """Write JSON with its own checksum; the same content is always the same bytes."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return json.dumps(
        content | {"sha256": hashlib.sha256(text.encode()).hexdigest()}, separators=(",", ":")
    ).encode()


def _check_seal(raw, content):
    if _seal({key: value for key, value in content.items() if key != "sha256"}) != raw:
        raise ValueError("its checksum is not that of its content.")


def _replace_file(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Write a file in one step: after a crash, it is the old one or the new one."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # on a full disk, give the space back
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(path):
    if os.name == "nt":  # where a folder cannot be opened, nor need be
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
