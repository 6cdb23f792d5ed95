"""The journals of a store: which sentences are safely in X, and their CRC-32.

While several processes write one store, ``progress.json`` contains the numbers of sentences and
rows at the end of the shard of each process, and process r has a journal ``progress.<r>.json``.
When all shards are complete, ``progress.json`` is replaced by that of a single process, in one
step, and the other journals are removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from ._checksums import joined_crc32
from ._store_format import LOCK, PROGRESS, ROWS, Json, is_count, read_sealed_json, seal
from ._store_layout import Layout

NO_ROWS: Json = {"n_sentences": 0, "n_words": 0, "crc32": {}}
JOINT_LOCK = f"{LOCK}.shards"  # held for a moment, to create and to finish a store
_OF_SHARDS = re.compile(
    rf"progress\.\d+\.json(\.[0-9a-f]+\.tmp)?|{re.escape(LOCK)}\.(\d+|shards)", re.ASCII
)


class Shard(NamedTuple):
    """The sentences that one of several processes writes, and how many of them are written."""

    first: tuple[int, int]  # numbers of sentences and rows before it
    end: tuple[int, int]
    n_sentences: int  # written, including all before it
    n_words: int
    crc32: dict[str, int]  # of its own rows in each file

    @property
    def is_finished(self) -> bool:
        """Whether all rows are written."""
        return self.n_sentences == self.end[0]

    def counts(self) -> Json:
        """Return the content of its journal."""
        return {name: getattr(self, name) for name in NO_ROWS}


def journal_of(rank: int) -> str:
    """Return the name of the journal of one of several processes."""
    return f"progress.{rank}.json"


def lock_of(rank: int) -> str:
    """Return the name of the lock of one of several processes."""
    return f"{LOCK}.{rank}"


def files_of_shards(names: Iterable[str]) -> list[str]:
    """Return the names of files that exist only while several processes write a store."""
    return [name for name in names if _OF_SHARDS.fullmatch(name)]


def sealed_journal(store_sha256: str, counts: Json, **about: Any) -> bytes:
    """Return the content of a journal.

    Parameters
    ----------
    store_sha256 : str
        Checksum of the description.
    counts : dict
        ``n_sentences``, ``n_words``, and ``crc32`` of each file. If all rows are in one file, its
        CRC-32 is stored as a number.
    **about : dict
        Other entries.
    """
    crc32 = counts["crc32"]
    is_one = crc32.keys() <= {ROWS}
    stored = crc32.get(ROWS, 0) if is_one else dict(sorted(crc32.items()))
    return seal({"store": store_sha256} | counts | {"crc32": stored} | about)


def is_empty(progress: Json) -> bool:
    """Return whether no rows are written."""
    shards = progress.get("shards") or []
    return not progress["n_sentences"] and all(s.n_sentences == s.first[0] for s in shards)


def read_progress(folder: Path, store: Json) -> Json:
    """Read the journals of a store.

    Parameters
    ----------
    folder : Path
    store : dict
        The description of the store.

    Returns
    -------
    dict
        ``n_sentences``, ``n_words`` and ``crc32`` of the rows that are written without a gap. While
        several processes write the store, also ``shards``, a list of :class:`Shard`.

    Raises
    ------
    ValueError
        If a journal is damaged, or is not that of this store.
    """
    raw = _read(folder / PROGRESS)
    if raw is None:
        raise ValueError("it is missing.")
    counts, ends = _parse_progress(raw, store)
    if ends is None:
        return counts
    journals = [_read(folder / journal_of(rank)) for rank in range(len(ends))]
    again = _read(folder / PROGRESS)
    if again is not None and again != raw:  # the last process has just finished the store
        return read_progress(folder, store)
    shards = [_parse_shard(journal, store, rank, ends) for rank, journal in enumerate(journals)]
    return _joined(shards, store) | {"shards": shards}


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _parse_progress(raw: bytes, store: Json) -> tuple[Json, list[tuple[int, int]] | None]:
    """Read the journal of a store, and the ends of the shards if several processes write it."""
    progress = read_sealed_json(raw, "the journal of a store")
    counts = _parse_counts(progress, store)
    # A store that has just grown still has the journal of the complete store before.
    before = store.get("grown_from") or {}
    is_older = bool(before) and progress.get("store") == before["sha256"]
    if (
        counts is None
        or (progress.get("store") != store["sha256"] and not is_older)
        or (is_older and any(counts[key] != before[key] for key in ("n_sentences", "n_words")))
    ):
        raise ValueError("it is not the journal of this store.")
    if counts["n_sentences"] > store["n_sentences"] or counts["n_words"] > store["n_words"]:
        raise ValueError("it counts more sentences or words than the store has.")
    ends = progress.get("shards")
    if ends is None:
        return counts, None
    if not _are_ends(ends, store) or counts["n_words"]:
        raise ValueError("its shards are not those of this store.")
    return counts, [(end[0], end[1]) for end in ends]


def _are_ends(ends: Any, store: Json) -> bool:
    """Return whether these are numbers of sentences and rows in ascending order."""
    return (
        isinstance(ends, list)
        and len(ends) > 1
        and all(isinstance(end, list) and len(end) == 2 for end in ends)
        and all(is_count(number) for end in ends for number in end)
        and all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(ends))
        and ends[-1] == [store["n_sentences"], store["n_words"]]
    )


def _parse_shard(
    raw: bytes | None, store: Json, rank: int, ends: Sequence[tuple[int, int]]
) -> Shard:
    """Read the journal of one of several processes, which does not exist before the first rows."""
    first, end = ends[rank - 1] if rank else (0, 0), ends[rank]
    if raw is None:
        return Shard(first, end, *first, {})
    name = journal_of(rank)
    try:
        journal = read_sealed_json(raw, "the journal of a process")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    counts = _parse_counts(journal, store)
    if (
        counts is None
        or journal.get("store") != store["sha256"]
        or journal.get("shard") != [rank, len(ends)]
        or not first[0] <= counts["n_sentences"] <= end[0]
        or not first[1] <= counts["n_words"] <= end[1]
        or (counts["n_sentences"] == end[0]) != (counts["n_words"] == end[1])
    ):
        raise ValueError(f"{name}: it is not the journal of process {rank} of this store.")
    return Shard(first, end, **counts)


def _parse_counts(journal: Json, store: Json) -> Json | None:
    """Return the counts in a journal, or None if they are not valid."""
    counts = {name: journal.get(name) for name in NO_ROWS}
    names, crc32 = {file.name for file in Layout.of(store).files()}, counts["crc32"]
    if not isinstance(crc32, dict):
        crc32 = {ROWS: crc32} if crc32 != 0 or ROWS in names else {}
    numbers = [counts["n_sentences"], counts["n_words"], *crc32.values()]
    if not all(map(is_count, numbers)) or crc32.keys() - names:
        return None
    return None if any(crc >= 2**32 for crc in crc32.values()) else counts | {"crc32": crc32}


def _joined(shards: Sequence[Shard], store: Json) -> Json:
    """Return the counts of all rows before the first gap."""
    layout, joined = Layout.of(store), NO_ROWS
    for shard in shards:
        crc32 = dict(joined["crc32"])
        for file, rows in layout.files_of_rows(slice(shard.first[1], shard.n_words)):
            n_bytes = (rows.stop - rows.start) * file.width * layout.dtype.itemsize
            own = shard.crc32.get(file.name, 0)
            crc32[file.name] = joined_crc32(crc32.get(file.name, 0), own, n_bytes)
        joined = shard.counts() | {"crc32": crc32}
        if not shard.is_finished:
            break
    return joined
