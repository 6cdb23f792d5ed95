"""The folder of a store: reading, checking, writing and locking its files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._files import TEMPORARY, replace_file, resolve, sync_folder
from .._warnings import warn
from ._store_description import check_description, file_name
from ._store_format import (
    FORMAT,
    IDS,
    LABELS,
    LOCK,
    NAMES,
    PLACES,
    PROGRESS,
    ROWS,
    SCHEMAS,
    STORE,
    WORDS,
    Json,
    from_npy,
    npy_size,
    parse_json,
    parse_words,
    read_sealed_json,
)
from ._store_journal import JOINT_LOCK, files_of_shards, lock_of, read_progress
from ._store_layout import Layout, schema_of
from ._store_locks import lock, temporary_lock
from ._store_rows import RowFiles
from .columns import Layer

_N_NAMED = 8  # files of X in an error message


class StoreFolder:
    """The files of one store.

    Parameters
    ----------
    path : str or path-like
        It is resolved here, so it still means this folder if the working directory or a link
        changes while the store is open.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = resolve(path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    # Writing

    def prepare(self) -> None:
        """Create the folder, or check that it contains only a store or part of a store.

        Raises
        ------
        FileNotFoundError
            If the parent folder does not exist.
        ValueError
            If the path is a file, or the folder contains something else.
        """
        path = self.path
        if not path.parent.is_dir():
            raise FileNotFoundError(
                f"Cannot create the store {path}: the folder {path.parent} does not exist."
            )
        if not path.exists():
            path.mkdir(exist_ok=True)
            sync_folder(path.parent)
        if not path.is_dir():
            raise ValueError(f"{path} is a file, but a store is a folder.")
        names = set(os.listdir(path))
        if STORE in names and (self / STORE).is_symlink():
            raise ValueError(
                f"The files of {path} are links, as in the cache of the Hugging Face Hub, so they "
                "must not be changed. Download the store with "
                "snapshot_download(..., local_dir=...)."
            )
        own = {LOCK, WORDS, IDS, LABELS, PLACES, PROGRESS}
        own |= {*filter(_is_leftover, names), *files_of_shards(names)}
        if STORE in names:
            self.read_description()
        elif names and (LOCK not in names or names - own):
            raise ValueError(
                f"{path} does not contain a store, because {STORE} is missing, but contains "
                f"{sorted(names)[:5]}. Nothing was changed. Choose a new or an empty folder."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude other writers with a lock, which is released when the process ends."""
        with self._locked() as is_locked:
            if not is_locked:
                warn(
                    f"{self.path} cannot be locked on this file system. Make sure that only one "
                    "writer uses it at a time."
                )
            yield

    @contextmanager
    def locked_by(self, rank: int) -> Iterator[None]:
        """Exclude other writers, except those of other shards, with two locks.

        Raises
        ------
        ValueError
            If a writer of all rows or of the same shard is open, or locks are not supported.
        """
        with self._locked(shared=True) as is_locked, ExitStack() as own:
            if not is_locked:
                raise ValueError(
                    f"{self.path} cannot be locked on this file system, so several processes "
                    "cannot write to it. Use another folder, or a single process."
                )
            try:
                own.enter_context(temporary_lock(self / lock_of(rank)))
            except BlockingIOError:
                raise ValueError(
                    f"Rank {rank} of {self.path} is open in another process. Each process needs "
                    "its own rank."
                ) from None
            yield

    @contextmanager
    def _locked(self, *, shared: bool = False) -> Iterator[bool]:
        with ExitStack() as stack:
            try:
                # A folder without a description is recognized by its lock.
                is_removed = (self / STORE).exists
                is_locked = stack.enter_context(
                    lock(self / LOCK, shared=shared, is_removed=is_removed)
                )
            except BlockingIOError:
                raise ValueError(
                    f"{self.path} is open in another writer. Close that writer first."
                ) from None
            yield is_locked

    def locked_jointly(self) -> AbstractContextManager[None]:
        """Wait until no other process creates or finishes the store, and exclude them meanwhile."""
        return temporary_lock(self / JOINT_LOCK, wait=True)

    def write(self, name: str, content: bytes | Callable[[BinaryIO], None]) -> None:
        """Write a file in one step: after a crash, it is either the old or the new file."""
        replace_file(self / name, content)

    def remove_leftovers(self, names: Collection[str] = NAMES) -> None:
        """Remove the unfinished files of a process that was killed.

        Parameters
        ----------
        names : collection of str, default=NAMES
            Files that no process is writing.
        """
        for name in os.listdir(self.path):
            if _is_leftover(name, names):
                (self / name).unlink(missing_ok=True)

    def remove_files_of_shards(self, *, keep: Collection[str] = ()) -> None:
        """Remove the journals and locks of the processes that wrote a store, which is finished."""
        for name in files_of_shards(os.listdir(self.path)):
            if name not in keep:
                (self / name).unlink(missing_ok=True)

    # Reading

    def read_description(self) -> Json:
        """Read the description, which is required to interpret all other files.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        ValueError
            If it is not a store, has another schema, or is damaged.
        """
        if not self.path.exists():
            raise FileNotFoundError(f"The store {self.path} does not exist.")
        try:
            raw = _read(self / STORE)
            store = parse_json(raw)
            if not isinstance(store, dict) or store.get("format") != FORMAT:
                raise ValueError("it was not written by StoreWriter.")
            if store.get("schema") not in SCHEMAS:
                raise ValueError(
                    f"it was written by sklearn_neurox {str(store.get('version'))[:20]} in schema "
                    f"{str(store.get('schema'))[:20]}, but this version reads schemas "
                    f"{' and '.join(map(str, SCHEMAS))}."
                )
            store = read_sealed_json(raw, "a description")
            check_description(store)
            if store["schema"] != schema_of(store):
                raise ValueError("its schema does not match its values.")
        except ValueError as error:
            divided = sorted(path.name for path in self.path.glob("X.*.npy"))
            others = [name for name in NAMES if name != STORE and (self / name).is_file()]
            others += _shortened(divided)
            raise ValueError(
                f"{self.path} is not a store, or is damaged: {STORE}: {error} Without it, the "
                f"other files cannot be verified{': ' if others else ''}{', '.join(others)}."
            ) from error
        return store

    def read_file(self, store: Json, name: str) -> Any:
        """Read one file, but not rows. If it is damaged, the error names the intact files.

        Raises
        ------
        ValueError
            If it is damaged.
        """
        try:
            return self._readers[name](store)
        except ValueError:
            self.read_files(store)
            raise

    def read_files(self, store: Json, layers: Sequence[Layer] | None = None) -> dict[str, Any]:
        """Read and check all files except the rows, and return their contents by file name.

        Parameters
        ----------
        store : dict
            The description.
        layers : sequence of int or str, default=None
            Layers whose files are required. If None, these are all.

        Raises
        ------
        ValueError
            If a file is damaged. The message separates damaged files from intact ones.
        """
        contents, damage = {}, {}
        for name, reader in self._readers.items():
            if name in store["files"] or name == PROGRESS:
                try:
                    contents[name] = reader(store)
                except ValueError as error:
                    damage[name] = f"{name}: {error}"
        if WORDS in contents and PROGRESS in contents:
            progress = contents[PROGRESS]
            if sum(map(len, contents[WORDS][: progress["n_sentences"]])) != progress["n_words"]:
                del contents[PROGRESS]
                damage[PROGRESS] = f"{PROGRESS}: its word count does not match {WORDS}."
        before = (store.get("grown_from") or store)["n_words"]
        n_written = contents[PROGRESS]["n_words"] if PROGRESS in contents else None
        intact, damage_of_rows = self.rows(store).check(before, n_written, layers)
        if damage or damage_of_rows:
            names = ", ".join([STORE, *contents, *_shortened(intact)])
            raise ValueError(
                f"{self.path} is damaged. "
                f"{' '.join([*damage.values(), *_shortened(list(damage_of_rows.values()))])} "
                f"{_advice(store, damage_of_rows)}Restore or download these files again, or "
                "delete the folder and repeat the calls that created it. "
                f"Intact files: {names}."
            )
        return contents

    def rows(self, store: Json) -> RowFiles:
        """Return the files of X."""
        return RowFiles(self.path, Layout.of(store))

    @property
    def _readers(self) -> dict[str, Callable[[Json], Any]]:
        """Functions that read a file as described in the store, or raise a ValueError."""
        return {
            PROGRESS: lambda store: read_progress(self.path, store),
            WORDS: self._read_words,
            IDS: self._read_sentence_ids,
            LABELS: self._read_labels,
            PLACES: self._read_places,
        }

    def _read_words(self, store: Json) -> list[list[str]]:
        raw = self._read_checked(store, WORDS)
        return parse_words(raw, store["n_sentences"], store["n_words"])

    def _read_sentence_ids(self, store: Json) -> NDArray[np.int64]:
        dtype, length = np.dtype("<i8"), store["n_sentences"]
        return from_npy(self._read_checked(store, IDS, npy_size(dtype, length)), dtype, length)

    def _read_labels(self, store: Json) -> NDArray:
        dtype, length = np.dtype(store["labels"]), store["n_words"]
        return from_npy(self._read_checked(store, LABELS, npy_size(dtype, length)), dtype, length)

    def _read_places(self, store: Json) -> NDArray[np.int64]:
        dtype, length = np.dtype("<i8"), 3 * store["n_words"]
        raw = self._read_checked(store, PLACES, npy_size(dtype, length))
        return from_npy(raw, dtype, length).reshape(-1, 3)

    def verify_rows(
        self, store: Json, progress: Json, layers: Sequence[Layer] | None = None
    ) -> None:
        """Verify the checksums of all rows that have been written.

        Raises
        ------
        ValueError
            If one of them does not match.
        """
        n_words = progress["n_words"]
        if damaged := self.rows(store).verify(n_words, progress["crc32"], layers):
            told = [
                f"{file.name}: the checksum of its {file.n_first(n_words):,} rows does not match "
                f"{PROGRESS}."
                for file in damaged
            ]
            raise ValueError(
                f"{self.path} is damaged. {' '.join(_shortened(told))} All other files are intact."
            )

    def _read_checked(self, store: Json, name: str, size: int | None = None) -> bytes:
        """Read a file of a known checksum and, if it is described, of a known size."""
        raw = _read(self / file_name(store, name), size)
        if hashlib.sha256(raw).hexdigest() != store["files"][name]:
            raise ValueError(f"the checksum of its {len(raw):,} bytes does not match {STORE}.")
        return raw

    def remove_older(self, store: Json) -> None:
        """Remove the files of a store before it has grown, which are not used anymore."""
        generation = store.get("generation", 0)
        for name in (WORDS, IDS, LABELS, PLACES):
            for older in range(generation):
                (self / file_name({"generation": older}, name)).unlink(missing_ok=True)


def _advice(store: Json, damage: Mapping[str, str]) -> str:
    """Say which layers can be loaded although files of other layers are damaged or missing."""
    layout = Layout.of(store)
    whole = [
        layer
        for layer in layout.layers
        if not any(file.name in damage for file in layout.files([layer]))
    ]
    if not damage or not whole:
        return ""
    return f"TokenActivations.load(path, layers={whole}) loads the intact layers. "


def _shortened(texts: list[str]) -> list[str]:
    """Return a few of many texts."""
    if len(texts) <= _N_NAMED:
        return texts
    return [*texts[:_N_NAMED], f"and {len(texts) - _N_NAMED} more"]


def _is_leftover(name: str, names: Collection[str] = NAMES) -> bool:
    stems = [f"{own}." for own in names] + (["X."] if ROWS in names else [])
    return name.endswith(TEMPORARY) and name.startswith(tuple(stems))


def _read(path: Path, size: int | None = None) -> bytes:
    """Read a file, whose size is compared first if it is known, because it may be very large."""
    if not path.is_file():
        raise ValueError("it is missing.")
    n_bytes = path.stat().st_size
    if size is not None and n_bytes > size:
        raise ValueError(
            f"it has {n_bytes:,} bytes, but the array described in {STORE} has {size:,}."
        )
    try:
        return path.read_bytes()
    except MemoryError:
        raise ValueError(f"its {n_bytes:,} bytes do not fit in memory.") from None
