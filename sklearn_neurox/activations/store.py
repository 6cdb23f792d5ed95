"""Store of activations on disk, which is written incrementally and read as a memory map.

========================  =========================================================================
``X.npy``                 every layer of every word, of the final size from the start; several
                          files with ``split_layers`` or ``max_file_size``: see ``_store_layout``
``words.json``            the words of each sentence
``sentence_ids.npy``      the number of each sentence in the corpus
``labels.npy``            the labels, if there are any
``places.npy``            position and characters of each row in its text, if it is a token
``store.json``            shapes, parameters, and the SHA-256 of the files above
``progress.json``         the journal: how many sentences are safely in X, and their CRC-32
========================  =========================================================================

All but the last two are plain files that NumPy and any JSON reader can open. Nothing that has been
written is ever moved: rows are written to X and synced to disk, and only then is the journal
replaced, in one step. Rows beyond the count in the journal were left by a crash and are
overwritten. If sentences are appended to a finished store, X is extended, and the files of words,
labels and places are written under new names, such as ``words.1.json``, before the description
refers to them. If several processes write a store, each has its own journal: see
``_store_journal``.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._wording import count
from ._store_content import StoreContent, grown
from ._store_description import file_name
from ._store_difference import first_difference
from ._store_folder import StoreFolder
from ._store_format import FORMAT, PROGRESS, STORE, Json, seal
from ._store_journal import NO_ROWS, is_empty, sealed_journal
from ._store_layout import Layout, layout_of, schema_of
from ._store_rows import RowFiles, check_new_rows
from .bfloat16 import bits_of
from .columns import Layer
from .dtypes import BFLOAT16

__all__ = ["StoreWriter", "layout_of"]


class StoreWriter:
    """Write activations to a folder, a few sentences at a time, and resume after a crash.

    Parameters
    ----------
    path : str or path-like
        Folder of the store. It is created if it does not exist, and may be empty. If it contains a
        store that was created with the same arguments, writing resumes where it stopped.
    layers : sequence of int or str
        Layers in a row, in the order of its columns. Layer 0 consists of the embeddings. In a
        network that is not a stack of blocks, layers are paths of modules.
    width : int
        Number of neurons in a layer.
    dtype : {"float16", "float32", "float64", "bfloat16"}
        Dtype of X. The bits of bfloat16, which NumPy does not have, are stored as uint16.
    words : sequence of sequences of str
        The words of each sentence to store, in the order of the corpus.
    sentence_ids : array-like of int of shape (n_sentences,)
        Number of each of these sentences in the corpus. If `positions` is passed, a number may be
        repeated, because the rows of a text need not be adjacent.
    labels : array-like of shape (n_words,), default=None
        Labels of the words: all strings, all booleans or all numbers. Strings are read back as a
        NumPy array of strings.
    parameters : dict, default=None
        How the activations were computed, such as the name and revision of the model. The values
        must be serializable as JSON. "unit" is the kind of the columns, as in :class:`Neurons`.
    positions : array-like of int of shape (n_words,), default=None
        Position of each row in its text. If it is passed, the rows are tokens of texts, which may
        contain white space. If None, the words of each sentence are numbered from 0.
    offsets : array-like of int of shape (n_words, 2), default=None
        First character of each row in its text, and the character after its last one.
    n_sentences : int, default=None
        Expected number of sentences in `words`. If None, it is not checked.
    append : bool, default=False
        Whether to append the sentences to a store that is finished. `sentence_ids` are then
        counted from the highest number of a sentence in the store. If appending was interrupted,
        the same arguments resume it.
    varying : collection of str, default=()
        Names of `parameters` that may differ if sentences are appended, such as digests of the
        words. The store contains a digest of all their values.
    split_layers : bool, default=False
        Whether to write each layer to a file of its own, which can be read and downloaded without
        the others. Otherwise, all layers of a row are adjacent, and X is a single memory map.
    max_file_size : int or str, default=None
        Largest size of a file of X in bytes, or as a text such as "5GB". The rows of X are divided
        between files of this size. If None, the size is not limited.

    Attributes
    ----------
    path : Path
        Absolute path of the folder.
    n_sentences, n_words : int
        Numbers of sentences and words in the whole corpus, including those of a store to which
        sentences are appended.
    n_done, n_words_done : int
        Numbers of sentences and words that are safely in the store. The next sentence to append
        is sentence ``n_done``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type, or a parameter is not serializable as JSON.
    ValueError
        If an argument is out of range or sizes do not match; if `path` contains something else, a
        damaged store, or a store of other words, layers or parameters (the message names the first
        difference; with `append`, words and labels may differ); or if another writer has the store
        open, or several processes write it.
    FileNotFoundError
        If the parent folder of `path` does not exist.
    OSError
        If the disk is full or fails. Space for all rows is reserved at the start where the system
        supports it.

    Warns
    -----
    UserWarning
        If the system or the file system does not support locks, in which case a second writer
        cannot be detected.

    See Also
    --------
    TokenActivations.load : Open a store.
    TokenActivations.describe : Describe a store without loading it.

    Notes
    -----
    A writer keeps no rows in memory. The folder is locked until ``close`` is called or the process
    and all processes forked from it end.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn_neurox import StoreWriter, TokenActivations
    >>> arguments = dict(
    ...     layers=(0, 1), width=3, dtype="float16", words=[["To", "be"], ["or"], ["not"]],
    ...     sentence_ids=[0, 1, 2], parameters={"model": "bert-base-cased", "revision": "cd5ef92"})
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "store"
    ...     with StoreWriter(path, **arguments) as writer:
    ...         writer.append(np.zeros((2, 6), np.float16))  # then the power fails
    ...     with StoreWriter(path, **arguments) as writer:
    ...         print(f"{writer.n_done} of {writer.n_sentences} sentences are written")
    ...         writer.append(np.ones((2, 6), np.float16))
    ...     TokenActivations.load(path)
    1 of 3 sentences are written
    TokenActivations(4 words in 3 sentences, 6 neurons in 2 layers, float16)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        layers: Sequence[Layer],
        width: int,
        dtype: str,
        words: Sequence[Sequence[str]],
        sentence_ids: ArrayLike,
        labels: ArrayLike | None = None,
        parameters: Mapping[str, Any] | None = None,
        positions: ArrayLike | None = None,
        offsets: ArrayLike | None = None,
        n_sentences: int | None = None,
        append: bool = False,
        varying: Collection[str] = (),
        split_layers: bool = False,
        max_file_size: int | str | None = None,
    ):
        content = StoreContent.check(
            layers=layers, width=width, dtype=dtype, words=words, sentence_ids=sentence_ids,
            labels=labels, parameters=parameters, positions=positions, offsets=offsets,
            split_layers=split_layers, max_file_size=max_file_size,
        )  # fmt: skip
        if n_sentences is not None and n_sentences != len(content.words):
            words = count(len(content.words), "sentence")
            raise ValueError(f"n_sentences={n_sentences}, but words contains {words}.")
        self._folder = StoreFolder(path)
        self.path = self._folder.path
        self._folder.prepare()
        with ExitStack() as opened:
            opened.enter_context(self._locked())
            if append and (self._folder / STORE).exists():
                content = grown(self._folder, content, varying)
            self._set_content(content)
            files = content.files()
            description = content.description(files)
            self._layout = Layout.of(description)
            self._rows = RowFiles(self.path, self._layout)
            self._is_bfloat16 = description["dtype"] == BFLOAT16
            with self._alone(), self._keeping():
                self._remove_leftovers()
                if not (self._folder / STORE).exists():
                    self._begin(description, files)
                elif content.growth:
                    self._grow(description, files)
            self._resume(description, content)
            self._is_closed = False
            self._opened = opened.pop_all()

    # A writer of a shard replaces these methods. `_locked` excludes other writers while this one is
    # open, and `_alone` excludes all other processes for a moment.

    def _locked(self) -> AbstractContextManager[None]:
        return self._folder.locked()

    def _alone(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _remove_leftovers(self) -> None:
        self._folder.remove_leftovers()

    def _begin_journal(self) -> None:
        self._write_progress(self._progress)

    def _own_progress(self, progress: Json) -> Json:
        """Return what this writer has written, according to the journals."""
        if shards := progress.get("shards"):
            raise ValueError(
                f"{self.path} is unfinished, and {len(shards)} processes write it. Repeat their "
                f"calls with shard=(rank, {len(shards)}), or choose another folder."
            )
        self._folder.remove_files_of_shards()
        return progress

    def _set_content(self, content: StoreContent) -> None:
        self.n_sentences, self.n_words = len(content.words), sum(content.lengths)
        self._ends = np.cumsum([0, *content.lengths])
        self._progress = NO_ROWS

    def _begin(self, description: Json, files: dict[str, bytes]) -> None:
        """Write all files except X. The description is written last, so X always has one."""
        self._write_files(description, files)
        self._begin_journal()
        self._folder.write(STORE, self._sealed)

    def _grow(self, description: Json, files: dict[str, bytes]) -> None:
        """Write the files of a store with more sentences, unless this has already been done.

        The old files remain until the description refers to the new ones, and the old journal is
        valid until the first rows are appended.
        """
        store = self._folder.read_description()
        if store.get("generation", 0) < description["generation"]:
            self._write_files(description, files)
            self._folder.write(STORE, self._sealed)

    def _write_files(self, description: Json, files: dict[str, bytes]) -> None:
        version = import_module(__package__.partition(".")[0]).__version__
        about = {"format": FORMAT, "schema": schema_of(description), "version": version}
        self._sealed = seal(about | description)
        self._sealed_by = json.loads(self._sealed)["sha256"]
        for name, content in files.items():
            self._folder.write(file_name(description, name), content)

    def _write_description(self, description: Json) -> None:
        self._folder.write(STORE, self._sealed)

    def _resume(self, description: Json, content: StoreContent) -> None:
        """Check that the store on disk matches the arguments, and read its progress."""
        folder = self._folder
        store = folder.read_description()
        difference = first_difference(folder, store, description, content.words, content.labels)
        if difference:
            raise ValueError(f"{self.path} contains another store: {difference}.")
        self._sealed_by = store["sha256"]
        with self._alone(), self._keeping():
            if is_empty(folder.read_file(store, PROGRESS)):
                self._rows.create_missing()
        self._progress = self._own_progress(folder.read_files(store)[PROGRESS])
        if content.growth:
            with self._keeping():
                self._rows.extend(description["grown_from"]["n_words"])
                self._write_progress(self._progress)
                folder.remove_older(store)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def n_done(self) -> int:
        """Number of sentences that are safely in the store."""
        n_done: int = self._progress["n_sentences"]
        return n_done

    @property
    def n_words_done(self) -> int:
        """Number of words that are safely in the store."""
        n_done: int = self._progress["n_words"]
        return n_done

    def append(self, X: Any, n_sentences: int | None = None) -> None:
        """Append the rows of the next sentences, which are on disk when the method returns.

        Parameters
        ----------
        X : ndarray of shape (n_words, n_layers * width)
            Activations of the words of one or more whole sentences, of the dtype of the store. In
            a store of bfloat16, a tensor of bfloat16, or an array of float32, which is rounded.
        n_sentences : int, default=None
            Expected number of sentences in `X`. If None, it is not checked.

        Raises
        ------
        TypeError
            If `X` is not an array of the dtype of the store.
        ValueError
            If `X` does not have the shape of the next whole sentences, or the writer is closed.
        OSError
            If the disk is full or fails. The message names the store and its content, which is
            unchanged. The same call can be repeated.
        """
        if self._is_closed:
            raise ValueError(f"The writer of {self.path} is closed.")
        X = bits_of(X) if self._is_bfloat16 else X
        n_done = self._check_rows(X, n_sentences)
        first = self.n_words_done
        with self._keeping():
            crc32 = self._rows.write(first, X, self._progress["crc32"])
            progress = {"n_sentences": n_done, "n_words": first + len(X), "crc32": crc32}
            self._write_progress(progress)
        self._progress = progress

    def close(self) -> None:
        """Release the lock. An unfinished store can be resumed later."""
        self._is_closed = True
        self._opened.close()

    def _check_rows(self, X: NDArray, n_sentences: int | None) -> int:
        """Check rows, and return the number of sentences in the store after appending them."""
        check_new_rows(X, self._layout.dtype, self._layout.shape[1])
        end = self.n_words_done + len(X)
        n_done = int(np.searchsorted(self._ends, end))
        if n_done in (self.n_done, len(self._ends)) or self._ends[n_done] != end:
            lengths = np.diff(self._ends[self.n_done : self.n_done + 6]).tolist()
            raise ValueError(
                "X must contain the rows of at least one whole sentence. The sentences from "
                f"sentence {self.n_done} of {self.n_sentences} have {lengths} words (at most five "
                f"are listed), but X has {len(X)} rows."
            )
        n_new = n_done - self.n_done
        if n_sentences not in (None, n_new):
            raise ValueError(f"X contains the rows of {n_new} sentences, but {n_sentences=}.")
        return n_done

    def _write_progress(self, progress: Json) -> None:
        self._folder.write(PROGRESS, sealed_journal(self._sealed_by, progress))

    def _done(self) -> str:
        return f"{self.n_done} of {self.n_sentences} sentences"

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        """Add the path and the content of the store to an error raised by the disk."""
        try:
            yield
        except OSError as error:
            what = error.strerror or str(error)
            if isinstance(error.filename, str | bytes):
                what = f"{Path(os.fsdecode(error.filename)).name}: {what}"
            reason = (
                f"{what}. {self._done()} are kept in the store, and repeating the same calls "
                "resumes from there"
            )
            if error.errno == errno.ENOENT:
                reason = (
                    f"{what}. The file was removed while the store was written. Restore it, or "
                    "delete the folder and repeat the same calls"
                )
            raise OSError(error.errno, reason, str(self.path)) from error
