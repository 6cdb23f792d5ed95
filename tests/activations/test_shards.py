"""Several writers of one store: its files are those of a single writer."""

import errno
import itertools
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations import _checksums, _store_journal, _store_locks
from sklearn_neurox.activations.shards import ShardWriter, load_part

from .small_stores import FILES, about, content, rows, seal, write

pytest.importorskip("fcntl")

# Sentences end at rows 2, 3, 6 and 8.
ENDS = [2, 3, 4]
OWN = [slice(0, 3), slice(3, 6), slice(6, 8)]  # rows of each rank


def open_shard(path, rank, ends=ENDS, **changes):
    return ShardWriter(path, rank=rank, ends=ends, **about(**changes))


def write_shard(path, rank, **changes):
    with open_shard(path, rank, **changes) as writer:
        writer.append(rows(dtype=about(**changes)["dtype"])[OWN[rank]])


@pytest.fixture
def whole(tmp_path):
    return content(write(tmp_path / "whole"))


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_ranks_in_any_order(tmp_path, whole, order):
    path = tmp_path / "store"
    for rank in order[:2]:
        write_shard(path, rank)
        with pytest.raises(ValueError, match="is unfinished"):
            TokenActivations.load(path)
    write_shard(path, order[2])
    assert content(path) == whole
    TokenActivations.load(path, verify=True)


def test_ranks_at_the_same_time(tmp_path, whole):
    path = tmp_path / "store"
    with open_shard(path, 2) as last, open_shard(path, 0) as first, open_shard(path, 1) as second:
        assert (first.n_done, second.n_done, last.n_done) == (0, 2, 3)
        last.append(rows()[6:])
        first.append(rows()[:2])
        second.append(rows()[3:6])
        first.append(rows()[2:3])
    assert content(path) == whole
    for rank in range(3):  # and repeating the calls changes nothing
        with open_shard(path, rank) as writer:
            assert writer.n_done == ENDS[rank]
    assert content(path) == whole


def test_threads(tmp_path, whole):
    """Whoever creates and whoever finishes the store, the files are the same."""
    ends = [1, 2, 3, 4, 4, 4]
    first_rows = [0, 2, 3, 6, 8, 8, 8]

    def work(path, rank, barrier):
        barrier.wait(30)
        with open_shard(path, rank, ends) as writer:
            if first_rows[rank] < first_rows[rank + 1]:
                writer.append(rows()[first_rows[rank] : first_rows[rank + 1]])

    with ThreadPoolExecutor(len(ends)) as threads:
        for attempt in range(5):
            path, barrier = tmp_path / f"store{attempt}", Barrier(len(ends))
            futures = [threads.submit(work, path, rank, barrier) for rank in range(len(ends))]
            for future in futures:
                future.result()
            assert content(path) == whole


def test_reading_while_the_store_is_finished(tmp_path, monkeypatch):
    """The journals of the ranks disappear after a reader has read that of the store."""
    path, read, finished = tmp_path / "store", _store_journal._read, []
    for rank in (0, 1):
        write_shard(path, rank)

    def finish_before(file):
        if file.name == "progress.0.json" and not finished:
            finished.append(True)
            write_shard(path, 2)
        return read(file)

    monkeypatch.setattr(_store_journal, "_read", finish_before)
    np.testing.assert_array_equal(TokenActivations.load(path, verify=True).X, rows())
    assert finished


@pytest.mark.parametrize("ends", [[0, 0, 4], [4, 4, 4], [0, 4, 4], [0, 2, 2, 4, 4]])
def test_ranks_that_have_nothing_to_do(tmp_path, whole, ends):
    path, first_rows = tmp_path / "store", [0, 2, 3, 6, 8]
    for rank, end in enumerate(ends):
        start = ends[rank - 1] if rank else 0
        own = slice(first_rows[start], first_rows[end])
        with open_shard(path, rank, ends) as writer:
            if end > start:
                writer.append(rows()[own])
        part = load_part(path, slice(start, end))
        np.testing.assert_array_equal(part.X, rows()[own])
        assert len(part) == len(part.words) == len(part.y) == len(part.positions)
    assert content(path) == whole


def test_an_unfinished_store_says_who_is_missing(tmp_path):
    path = tmp_path / "store"
    write_shard(path, 1)
    with open_shard(path, 0) as writer:
        writer.append(rows()[:2])
    with pytest.raises(
        ValueError,
        match=r"is unfinished: some rows of ranks 0, 2 \(of 3 processes\) are missing. Repeat their calls "
        r"of extract\(..., store=..., shard=\(rank, 3\)\) to resume, or load the first 1 of 4 sent",
    ):
        TokenActivations.load(path)
    # The rows before the first gap, whose checksum is joined from those of the shards.
    partial = TokenActivations.load(path, partial=True, verify=True)
    np.testing.assert_array_equal(partial.X, rows()[:2])
    assert TokenActivations.describe(path)["n_done"] == 1
    with open_shard(path, 0) as writer:
        assert writer.n_done == 1
        writer.append(rows()[2:3])
    partial = TokenActivations.load(path, partial=True, verify=True)
    np.testing.assert_array_equal(partial.X, rows()[:6])
    assert TokenActivations.describe(path)["n_done"] == 3
    own = load_part(path, slice(2, 3))
    np.testing.assert_array_equal(own.X, rows()[3:6])
    assert own.words.tolist() == ["not", "to", "be"]
    assert own.sentence_ids.tolist() == [3, 3, 3]
    assert own.y.tolist() == ["PART", "PART", "AUX"]


class Killed(BaseException):
    pass


def test_killed_after_any_file(tmp_path, whole, monkeypatch):
    """Whichever file is the last one that is replaced, the calls of all ranks complete the store."""
    replace, n_killed = os.replace, 0
    for after in range(12):
        path, left = tmp_path / f"store{after}", [after]

        def stop(source, target, left=left):
            if not left[0]:
                raise Killed
            left[0] -= 1
            replace(source, target)

        monkeypatch.setattr(os, "replace", stop)
        # A killed process does not remove its files.
        monkeypatch.setattr(_store_locks.Path, "unlink", lambda *args, **kwargs: None)
        try:
            for rank in (1, 0, 2):
                write_shard(path, rank)
        except Killed:
            n_killed += 1
        monkeypatch.undo()
        for rank in range(3):
            with open_shard(path, rank) as writer:
                if writer.n_done < ENDS[rank]:
                    writer.append(rows()[OWN[rank]])
        assert content(path) == whole
    assert n_killed == 10  # three files, the journal, the description, X; three journals; the last


def test_bfloat16(tmp_path):
    X = rows().astype(np.float32)
    whole = content(write(tmp_path / "whole", X, dtype="bfloat16"))
    for rank in range(3):
        with open_shard(tmp_path / "store", rank, dtype="bfloat16") as writer:
            writer.append(X[OWN[rank]])
    assert content(tmp_path / "store") == whole


def test_a_finished_store_grows(tmp_path):
    for rank in range(3):
        write_shard(tmp_path / "store", rank)
    write(tmp_path / "whole")
    for name in ("store", "whole"):
        with StoreWriter(tmp_path / name, **about(), append=True) as writer:
            writer.append(rows())
    assert content(tmp_path / "store") == content(tmp_path / "whole")


# --- What is refused -----------------------------------------------------------------------


def refused(path, message, opening):
    before = content(path)
    with pytest.raises(ValueError, match=message):
        opening()
    assert content(path) == before


def test_other_numbers_of_processes(tmp_path):
    path = tmp_path / "store"
    write_shard(path, 1)
    refused(
        path, r"begun by 3 processes, but shard=\(1, 2\) is that of 2 processes. Repeat the calls",
        lambda: open_shard(path, 1, [2, 4]),
    )  # fmt: skip
    refused(
        path, r"shards end at other sentences: \[2, 3, 4\] instead of \[1, 3, 4\]",
        lambda: open_shard(path, 1, [1, 3, 4]),
    )  # fmt: skip
    refused(
        path, r"3 processes write it. Repeat their calls with shard=\(rank, 3\), or choose",
        lambda: StoreWriter(path, **about()),
    )  # fmt: skip
    refused(
        path, r"3 processes write it. Repeat their calls with shard=\(rank, 3\), or choose",
        lambda: StoreWriter(path, **about(), append=True),
    )  # fmt: skip
    with StoreWriter(tmp_path / "one", **about()) as writer:
        writer.append(rows()[:2])
    refused(
        tmp_path / "one", r"begun by one process, but shard=\(1, 3\) is that of 3",
        lambda: open_shard(tmp_path / "one", 1),
    )  # fmt: skip


def test_other_content(tmp_path):
    path = tmp_path / "store"
    write_shard(path, 1)
    refused(
        path, "contains another store: width is 4 in the store, but 5 was passed",
        lambda: open_shard(path, 0, width=5),
    )  # fmt: skip


def test_two_processes_of_the_same_rank(tmp_path):
    path = tmp_path / "store"
    with open_shard(path, 1):
        with pytest.raises(ValueError, match=r"Rank 1 of .* is open in another process"):
            open_shard(path, 1)
        with pytest.raises(ValueError, match="is open in another writer"):
            StoreWriter(path, **about())
        open_shard(path, 0).close()
    open_shard(path, 1).close()
    with (
        StoreWriter(tmp_path / "one", **about()),
        pytest.raises(ValueError, match="is open in another writer"),
    ):
        open_shard(tmp_path / "one", 0)


def test_rows_beyond_the_shard(tmp_path):
    with (
        open_shard(tmp_path / "store", 0) as writer,
        pytest.raises(
            ValueError, match="rows of 3 sentences, but the shard of rank 0 ends at sentence 2"
        ),
    ):
        writer.append(rows()[:6])


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_full_disk(tmp_path, whole, monkeypatch, where):
    path = tmp_path / "store"

    def fail(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_shard(path, 0)
    write_shard(path, 2)
    with open_shard(path, 1) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(os, where, fail)
            with pytest.raises(OSError, match="0 of the 1 sentences of rank 1 are kept"):
                writer.append(rows()[3:6])
        writer.append(rows()[3:6])  # there is space again
    assert content(path) == whole


def test_without_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(_store_locks, "fcntl", None)
    with pytest.raises(ValueError, match=r"so several processes cannot write to it\. Use"):
        open_shard(tmp_path / "store", 0)


@pytest.mark.parametrize(
    "change",
    [
        {"n_sentences": 4}, {"n_words": 9}, {"crc32": 2**32}, {"shard": [0, 3]}, {"store": "0"},
        {"n_words": "3"},
    ],
)  # fmt: skip
def test_a_damaged_journal_of_a_shard(tmp_path, change):
    path = tmp_path / "store"
    write_shard(path, 1)
    seal(path, "progress.1.json", **change)
    for opening in (
        lambda: TokenActivations.load(path, partial=True),
        lambda: open_shard(path, 0),
    ):
        with pytest.raises(ValueError, match=r"progress.1.json: it is not the journal of process"):
            opening()
    (path / "progress.1.json").write_bytes(b"{")
    with pytest.raises(ValueError, match=r"progress.1.json: it is not the JSON"):
        TokenActivations.describe(path)


@pytest.mark.parametrize(
    "ends", [[], [[4, 8]], [[2, 3], [3, 6]], [[3, 6], [2, 3], [4, 8]], [[-1, 0], [4, 8]], 3, [3, 4]]
)
def test_shards_that_are_not_those_of_the_store(tmp_path, ends):
    path = tmp_path / "store"
    write_shard(path, 1)
    seal(path, "progress.json", shards=ends)
    with pytest.raises(ValueError, match=r"its shards are not those of this store"):
        TokenActivations.load(path, partial=True)


def test_files_of_a_finished_store(tmp_path):
    for rank in range(3):
        write_shard(tmp_path / "store", rank)
    assert sorted(os.listdir(tmp_path / "store")) == FILES


# --- Checksums -----------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(0, 0), (0, 5), (5, 0), (1, 1), (1000, 7), (3, 100_000)])
def test_joined_checksums_are_those_of_the_joined_data(sizes):
    first, second = (np.random.default_rng(size).bytes(size) for size in sizes)
    joined = _checksums.joined_crc32(zlib.crc32(first), zlib.crc32(second), len(second))
    assert joined == zlib.crc32(first + second)


def test_joining_is_associative_for_sizes_beyond_memory():
    join = _checksums.joined_crc32
    first, second, third = 0xDEADBEEF, 0x12345678, 0xCAFEBABE
    sizes = 2**41 + 3, 2**43 + 1
    at_once = join(first, join(second, third, sizes[1]), sum(sizes))
    assert join(join(first, second, sizes[0]), third, sizes[1]) == at_once


@pytest.mark.parametrize("part", [1, 7, 64, 1000])
def test_threads_compute_the_same_checksum(tmp_path, monkeypatch, part):
    data = np.random.default_rng(0).bytes(300)
    (tmp_path / "file").write_bytes(data)
    monkeypatch.setattr(_checksums, "_PART", part)
    monkeypatch.setattr(_checksums, "_BLOCK", 5)
    for start, n_bytes in ((0, 300), (28, 272), (28, 100), (300, 0)):
        pieces = [(tmp_path / "file", start, n_bytes), (tmp_path / "file", 28, 273)]
        found = _checksums.crc32_of_files(pieces)
        assert found == [zlib.crc32(data[start : start + n_bytes]), None]  # the file is shorter
