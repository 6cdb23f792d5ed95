"""A folder of activations on disk: written over many hours, safe at any moment, read as a map.

========================  =========================================================================
``X.npy``                 every layer of every word, C order, of the final size from the beginning
``words.json``            the words of each sentence
``sentence_ids.npy``      the number of each sentence in the corpus
``labels.npy``            the labels, if there are any
``store.json``            shapes, parameters, and the sha256 of the three files above
``progress.json``         the journal: how many sentences are safely in X, and their CRC-32
========================  =========================================================================

The first four are plain files that NumPy and any reader of JSON open too. What is written never
moves: rows go into X and are synced to the disk, and only then is the journal replaced, in one
step. Rows past the journal's count are leftovers of a crash, and are written again.

**Why one array for all layers.** ``benchmarks/bench_store.py --layouts`` reads one layer of 13 x
768, float16, of 100,000 words (2.0 GB, on an SSD with read-ahead), from the page cache and cold.
The last column is a batch of 512 random rows over all layers, from the page cache. Seconds:

===============================  ==========  ==========  ===============  =====
layout                           cached      cold        read from disk   batch
===============================  ==========  ==========  ===============  =====
one array, C order               0.08-0.09   1.0-1.4     2.00 GB (all)    0.003
one array per layer              0.04-0.05   0.10-0.15   0.15 GB          0.007
zarr 3, uncompressed             0.19-0.49   0.14-0.19   0.15 GB          0.75
===============================  ==========  ==========  ===============  =====

Probes read rows of all layers, again and again, and only one array is a map of those. The price: a
layer read alone, cold, costs what the file costs, because its 1,536 bytes of a row of 19,968 lie
on every third or fourth page, and the system reads ahead (asking for these pages only,
``MADV_RANDOM``, reads 0.56 GB, but in 12 s). Afterwards it costs twice what a file of its own
would. Who needs few layers stores few. Fortran order has layers in one piece, but takes 23 times
as long for a batch of rows, and 26 times for adding 30 rows.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from itertools import chain
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..datasets.sentences import check_corpus
from ._store_files import (
    _FORMAT,
    _FULL,
    _HEADER,
    _IDS,
    _NAMES,
    _PROGRESS,
    _ROWS,
    _SCHEMA,
    _STORE,
    _WORDS,
    _Y,
    _check_about,
    _check_folder,
    _check_ids,
    _check_json,
    _check_labels,
    _first_difference,
    _header,
    _layout,
    _locked,
    _npy,
    _progress_of,
    _read_files,
    _read_store,
    _replace_file,
    _seal,
    _verify_rows,
)


class StoreWriter:
    """Write activations into a folder, a few sentences at a time, and go on after a crash.

    Parameters
    ----------
    path : str or path-like
        The folder. It is made if it is not there, and may be empty. If it holds a store that the
        same arguments began, that one is continued.
    layers : sequence of int
        Layers of a row, in the order of its columns; 0 are the embeddings.
    width : int
        Neurons of a layer.
    dtype : {"float16", "float32", "float64"}
        Of X.
    words : sequence of sequences of str
        The words of each sentence that gets rows, in the order of the corpus.
    sentence_ids : sequence of int of shape (n_sentences,)
        Number of each of these sentences in the corpus.
    labels : array-like of shape (n_words,), default=None
        Labels of the words, all strings, booleans, or numbers. Strings come back as a NumPy array
        of strings.
    parameters : dict, default=None
        What made the activations, such as the model's name and revision: what JSON can hold.
    n_sentences : int, default=None
        The length of `words`, if it is to be checked.

    Attributes
    ----------
    path : Path
    n_sentences, n_words : int
        Of the whole corpus.
    n_done, n_words_done : int
        Sentences and words that are safely in the store: what is next is sentence ``n_done``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type, or JSON cannot hold a parameter.
    ValueError
        If an argument is out of range or sizes do not fit; if `path` holds something else, a
        damaged store, or one of other words, layers or parameters, naming the first difference;
        or if another writer has it open.
    FileNotFoundError
        If the folder that `path` is in is not there.
    OSError
        If the disk is full or fails. The space is taken at the beginning, where the system can.

    Warns
    -----
    UserWarning
        If the system or the file system has no locks, so that a second writer goes unnoticed.

    See Also
    --------
    TokenActivations.load : Opens the store.

    Notes
    -----
    A writer holds no rows. The folder is locked until `close` or the end of the process, and of
    the processes forked from it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn_neurox import StoreWriter, TokenActivations
    >>> about = dict(
    ...     layers=(0, 1), width=3, dtype="float16", words=[["To", "be"], ["or"], ["not"]],
    ...     sentence_ids=[0, 1, 2], parameters={"model": "bert-base-cased", "revision": "cd5ef92"})
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "store"
    ...     with StoreWriter(path, **about) as writer:
    ...         writer.append(np.zeros((2, 6), np.float16))  # and the power fails
    ...     with StoreWriter(path, **about) as writer:
    ...         print(f"{writer.n_done} of {writer.n_sentences} sentences are there")
    ...         writer.append(np.ones((2, 6), np.float16))
    ...     TokenActivations.load(path)
    1 of 3 sentences are there
    TokenActivations(4 words in 3 sentences, 6 neurons in 2 layers, float16)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        layers: Sequence[int],
        width: int,
        dtype: str,
        words: Sequence[Sequence[str]],
        sentence_ids: ArrayLike,
        labels: ArrayLike | None = None,
        parameters: Mapping[str, Any] | None = None,
        n_sentences: int | None = None,
    ):
        corpus = check_corpus(words)
        if n_sentences is not None and n_sentences != len(corpus):
            raise ValueError(f"n_sentences={n_sentences}, but words has {len(corpus)} sentences.")
        self.path = Path(path)
        self.n_sentences, self.n_words = len(corpus), sum(map(len, corpus))
        self._ends = np.cumsum([0, *map(len, corpus)])
        y = None if labels is None else _check_labels(labels, self.n_words)
        files = {
            _WORDS: json.dumps(corpus, separators=(",", ":")).encode(),
            _IDS: _npy(_check_ids(sentence_ids, self.n_sentences)),
        } | ({} if y is None else {_Y: _npy(y)})
        about = {
            "layers": [index(layer) for layer in layers],
            "width": index(width),
            "dtype": np.dtype(dtype).name,
            "n_sentences": self.n_sentences,
            "n_words": self.n_words,
            "labels": None if y is None else y.dtype.str,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
            "parameters": _check_json(dict(parameters or {}), "parameters"),
        }
        _check_about(about)
        self._dtype, self._shape = _layout(about)
        with ExitStack() as opened:
            opened.enter_context(_locked(_check_folder(self.path)))
            self._begin(about, files, corpus, y)
            self._file = opened.enter_context(open(self.path / _ROWS, "r+b", buffering=0))
            self._opened = opened.pop_all()

    def _begin(self, about, files, corpus, y):
        """Continue the store that is there, or begin one. X comes last: no X without a store."""
        self._progress = {"n_sentences": 0, "n_words": 0, "crc32": 0}
        with self._keeping():
            for name in _NAMES:  # of a process that was killed
                (self.path / f"{name}.tmp").unlink(missing_ok=True)
            if not (self.path / _STORE).exists():
                version = import_module(__package__.partition(".")[0]).__version__
                store = _seal({"format": _FORMAT, "schema": _SCHEMA, "version": version} | about)
                self._sealed_by = json.loads(store)["sha256"]
                for name, content in files.items():
                    _replace_file(self.path / name, content)
                self._write_progress(self._progress)
                _replace_file(self.path / _STORE, store)
        store = _read_store(self.path)
        if difference := _first_difference(self.path, store, about, corpus, y):
            raise ValueError(f"{self.path} holds another store: {difference}.")
        self._sealed_by = store["sha256"]
        if not (self.path / _ROWS).exists() and not _progress_of(self.path, store)["n_sentences"]:
            with self._keeping():
                _replace_file(self.path / _ROWS, self._write_empty)
        self._progress = _read_files(self.path, store)[_PROGRESS]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    @property
    def n_done(self) -> int:
        """Sentences that are safely in the store."""
        return self._progress["n_sentences"]

    @property
    def n_words_done(self) -> int:
        """Words that are safely in the store."""
        return self._progress["n_words"]

    def append(self, X: NDArray, k: int | None = None) -> None:
        """Add the rows of the next sentences; when it returns, they are safe.

        Parameters
        ----------
        X : ndarray of shape (n_words_of_these_sentences, n_layers * width)
            Activations of the words of one or more whole sentences, of the dtype of the store.
        k : int, default=None
            How many sentences they are. None tells it from the rows.

        Raises
        ------
        TypeError
            If `X` is no array of the dtype of the store.
        ValueError
            If the shape is not that of whole sentences that are next, or the writer is closed.
        OSError
            If the disk is full or fails, naming the store and what it keeps: all that was there
            before. The same call may be tried again.
        """
        if self._file.closed:
            raise ValueError(f"The writer of {self.path} is closed.")
        n_done = self._check_rows(X, k)
        # Bytes, because memoryview knows no float16; a view, where X is contiguous.
        rows: Any = np.ascontiguousarray(X, dtype=self._dtype).reshape(-1).view(np.uint8)
        progress = {
            "n_sentences": n_done,
            "n_words": self.n_words_done + len(X),
            "crc32": zlib.crc32(rows, self._progress["crc32"]),
        }
        with self._keeping():
            self._file.seek(_HEADER + self.n_words_done * self._shape[1] * self._dtype.itemsize)
            left = memoryview(rows)
            while left:  # a system call may write a part
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
            self._write_progress(progress)
        self._progress = progress

    def close(self) -> None:
        """Close the files and give the lock back. An unfinished store can be continued later."""
        self._opened.close()

    def _check_rows(self, X, k):
        """Check rows, and return how many sentences are there with them."""
        if not isinstance(X, np.ndarray) or X.dtype != self._dtype:
            got = f"dtype {X.dtype}" if isinstance(X, np.ndarray) else type(X).__name__
            raise TypeError(f"X must be an array of dtype {self._dtype}, got {got}.")
        if X.ndim != 2 or X.shape[1] != self._shape[1]:
            raise ValueError(f"X must have {self._shape[1]} columns, got the shape {X.shape}.")
        end = self.n_words_done + len(X)
        n_done = int(np.searchsorted(self._ends, end))
        if n_done in (self.n_done, len(self._ends)) or self._ends[n_done] != end:
            lengths = np.diff(self._ends[self.n_done : self.n_done + 6]).tolist()
            raise ValueError(
                f"X must be the rows of whole sentences, one at least: those from sentence "
                f"{self.n_done} of {self.n_sentences} have {lengths} words (five at most are "
                f"listed), but X has {len(X)} rows."
            )
        if k is not None and k != n_done - self.n_done:
            raise ValueError(f"X has the rows of {n_done - self.n_done} sentences, but k={k}.")
        return n_done

    def _write_progress(self, progress):
        _replace_file(self.path / _PROGRESS, _seal({"store": self._sealed_by} | progress))

    def _write_empty(self, file):
        """Write X without rows, and take the space for them: better now than after hours."""
        size = _HEADER + math.prod(self._shape) * self._dtype.itemsize
        file.write(_header(self._dtype, self._shape))
        file.flush()
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except (AttributeError, OSError) as error:  # not on every system, or file system
            if getattr(error, "errno", None) in _FULL:
                raise
            file.truncate(size)

    @contextmanager
    def _keeping(self):
        """Say in an error of the disk where it was and what is kept."""
        try:
            yield
        except OSError as error:
            reason = (
                f"{error.strerror or error}. {self.n_done} of {self.n_sentences} sentences are "
                "kept in the store, and the same calls go on from there"
            )
            raise OSError(error.errno, reason, str(self.path)) from error


def load_store(
    path: str | os.PathLike[str], *, partial: bool = False, verify: bool = False
) -> dict[str, Any]:
    """Open a store: its words in memory, and its activations as a map of the file.

    Parameters
    ----------
    path : str or path-like
        The folder that a ``StoreWriter`` wrote.
    partial : bool, default=False
        Take the sentences that are there if others are still missing.
    verify : bool, default=False
        Read all rows, and compare their checksum: the only part that a mere opening leaves out.

    Returns
    -------
    TokenActivations
        X is a read-only ``np.memmap`` of shape (n_words, n_layers * width).

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it is no store, of another schema, unfinished, or damaged, saying what is whole.

    See Also
    --------
    StoreWriter : Writes the store, with an example of both.
    describe_store : Tells what made it.
    """
    path = Path(path)
    store = _read_store(path)
    files = _read_files(path, store)
    progress = files[_PROGRESS]
    n_done, n_words = progress["n_sentences"], progress["n_words"]
    if n_done < store["n_sentences"] and not partial:
        raise ValueError(
            f"{path} is unfinished: {n_done} of {store['n_sentences']} sentences are there. Make "
            "the call that began it again (as extract(..., store=...) or a StoreWriter), which "
            "goes on from there, or take these with TokenActivations.load(path, partial=True)."
        )
    if verify:
        _verify_rows(path, store, progress)
    dtype, shape = _layout(store)
    X = np.memmap(path / _ROWS, dtype, mode="r", offset=_HEADER, shape=shape)
    words = files[_WORDS][:n_done]
    lengths = np.array([len(sentence) for sentence in words], dtype=np.intp)
    starts = np.cumsum(lengths) - lengths
    return {
        "X": X[:n_words],
        "words": np.fromiter(chain.from_iterable(words), dtype=object, count=n_words),
        "sentence_ids": np.repeat(files[_IDS][:n_done].astype(np.intp), lengths),
        "positions": np.arange(n_words) - np.repeat(starts, lengths),
        "layers": tuple(store["layers"]),
        "y": files[_Y][:n_words].copy() if _Y in files else None,
        "unit": store["parameters"].get("unit", "neuron"),
    }


def describe_store(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell what is in a store, without its words and activations.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Returns
    -------
    dict
        ``layers``, ``width``, ``dtype``, ``n_sentences``, ``n_words``, ``n_done``,
        ``n_words_done`` and the ``parameters`` that it was written with.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it is no store, or its ``store.json`` or ``progress.json`` is damaged.
    """
    store = _read_store(Path(path))
    progress = _progress_of(Path(path), store)
    keys = ("layers", "width", "dtype", "n_sentences", "n_words", "parameters")
    done = {"n_done": progress["n_sentences"], "n_words_done": progress["n_words"]}
    return {key: store[key] for key in keys} | done
