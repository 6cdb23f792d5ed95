"""Writing one store by several processes, each of which writes consecutive sentences."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from numpy.typing import NDArray

from .._wording import count
from ._store_content import StoreContent
from ._store_format import NAMES, PROGRESS, Json
from ._store_journal import (
    JOINT_LOCK,
    NO_ROWS,
    Shard,
    journal_of,
    sealed_journal,
)
from ._store_reader import read_store
from ._stored_tokens import tokens_of
from .store import StoreWriter
from .tokens import TokenActivations


class ShardWriter(StoreWriter):
    """Write the rows of consecutive sentences of a store that several processes write.

    Each process writes the rows of its sentences at their place in X, and has its own journal. The
    process that finds all journals complete writes the journal of the whole store and removes the
    others. The files of the finished store are those of a single :class:`StoreWriter`.

    Parameters
    ----------
    path : str or path-like
    rank : int
        Number of this process.
    ends : sequence of int
        For each process, the number of sentences in its shard and in those before it.
    **content : dict
        Arguments of :class:`StoreWriter`, which are the same in each process, except `append`.

    Attributes
    ----------
    shard : Shard
        The sentences of this process. ``n_done`` and ``n_words_done`` include all before them.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, OSError
        As in :class:`StoreWriter`, or if another process has the same rank, the store is written by
        another number of processes, or the file system does not support locks.
    """

    shard: Shard

    def __init__(
        self, path: str | os.PathLike[str], *, rank: int, ends: Sequence[int], **content: Any
    ):
        self._rank, self._sentence_ends = rank, list(ends)
        super().__init__(path, **content)
        try:
            self._finish()
        except BaseException:
            self.close()
            raise

    def append(self, X: Any, n_sentences: int | None = None) -> None:
        """Append the rows of the next sentences; see :meth:`StoreWriter.append`."""
        super().append(X, n_sentences)
        self._finish()

    def _locked(self) -> AbstractContextManager[None]:
        return self._folder.locked_by(self._rank)

    def _alone(self) -> AbstractContextManager[None]:
        return self._folder.locked_jointly()

    def _remove_leftovers(self) -> None:
        self._folder.remove_leftovers([*NAMES, journal_of(self._rank)])

    def _set_content(self, content: StoreContent) -> None:
        super()._set_content(content)
        # Python integers, which can be written as JSON.
        self._plan = [(end, int(self._ends[end])) for end in self._sentence_ends]
        first = self._plan[self._rank - 1] if self._rank else (0, 0)
        self.shard = Shard(first, self._plan[self._rank], *first, {})
        self._progress = self.shard.counts()

    def _begin_journal(self) -> None:
        self._folder.write(PROGRESS, sealed_journal(self._sealed_by, NO_ROWS, shards=self._plan))

    def _own_progress(self, progress: Json) -> Json:
        shards = progress.get("shards")
        if shards is None and progress["n_sentences"] == self.n_sentences:  # it is finished
            return dict(zip(NO_ROWS, (*self.shard.end, {}), strict=True))
        world_size = len(self._plan)
        if shards is None or len(shards) != world_size:
            before = "one process" if shards is None else f"{len(shards)} processes"
            raise ValueError(
                f"{self.path} is unfinished and was begun by {before}, but "
                f"shard=({self._rank}, {world_size}) is that of {world_size} processes. Repeat "
                "the calls with the same number of processes, or choose another folder."
            )
        if [shard.end for shard in shards] != self._plan:
            raise ValueError(
                f"{self.path} is unfinished, and its shards end at other sentences: "
                f"{[shard.end[0] for shard in shards]} instead of {self._sentence_ends}. Complete "
                "it with the version of sklearn_neurox that created it, or choose another folder."
            )
        counts: Json = shards[self._rank].counts()
        return counts

    def _write_progress(self, progress: Json) -> None:
        about = [self._rank, len(self._plan)]
        content = sealed_journal(self._sealed_by, progress, shard=about)
        self._folder.write(journal_of(self._rank), content)

    def _check_rows(self, X: NDArray, n_sentences: int | None) -> int:
        n_done = super()._check_rows(X, n_sentences)
        if n_done > self.shard.end[0]:
            raise ValueError(
                f"X contains the rows of {count(n_done - self.n_done, 'sentence')}, but the shard "
                f"of rank {self._rank} ends at sentence {self.shard.end[0]}."
            )
        return n_done

    def _done(self) -> str:
        first, end = self.shard.first[0], self.shard.end[0]
        return f"{self.n_done - first} of the {end - first} sentences of rank {self._rank}"

    def _finish(self) -> None:
        """Complete the store if the rows of all processes are written."""
        if self.n_done < self.shard.end[0]:
            return
        with self._alone(), self._keeping():
            folder = self._folder
            progress = folder.read_file(folder.read_description(), PROGRESS)
            if progress["n_sentences"] < self.n_sentences:
                return
            if "shards" in progress:
                counts = {name: progress[name] for name in NO_ROWS}
                folder.write(PROGRESS, sealed_journal(self._sealed_by, counts))
            folder.remove_files_of_shards(keep=[JOINT_LOCK])


def load_part(path: str | os.PathLike[str], sentences: slice) -> TokenActivations:
    """Load consecutive sentences of a store whose rows are written.

    Parameters
    ----------
    path : str or path-like
    sentences : slice
        Numbers of the first sentence and of that after the last one.
    """
    tokens: TokenActivations = tokens_of(TokenActivations, read_store(path, part=sentences))
    return tokens
