"""Writers that are killed, locked out, or out of space: the finished store is the same."""

import errno
import io
import os
import random
import time
from dataclasses import dataclass

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations import _store_folder as folder_
from sklearn_neurox.activations import _store_locks as locks_
from sklearn_neurox.activations import _store_rows

from .small_stores import about, content, forkserver, rows, write

# --- A process that is killed ---------------------------------------------------------------


@dataclass
class Corpus:
    """Sentences of 1 to 4 words, and their rows."""

    n_sentences: int = 150

    def __post_init__(self):
        self.lengths = [1 + i % 4 for i in range(self.n_sentences)]
        self.starts = np.cumsum([0, *self.lengths])
        self.X = rows(self.starts[-1], 32, "float16")
        self.about = about(
            width=16,
            dtype="float16",
            words=[[f"w{i}"] * n for i, n in enumerate(self.lengths)],
            sentence_ids=np.arange(self.n_sentences),
            labels=np.arange(self.starts[-1]) % 3,
        )

    def finish(self, path, pause=0.0):
        with StoreWriter(path, **self.about) as writer:
            while (i := writer.n_done) < self.n_sentences:
                last = min(i + 2, self.n_sentences)
                writer.append(self.X[self.starts[i] : self.starts[last]])
                time.sleep(pause)


def child(path, begun):
    corpus = Corpus()
    begun.set()
    corpus.finish(path, pause=0.001)


def test_killed_at_any_moment_it_goes_on_and_the_result_is_the_same(tmp_path):
    Corpus().finish(tmp_path / "whole")
    whole = content(tmp_path / "whole")
    processes, chance = forkserver(), random.Random(0)
    n_kills = n_begun = round_ = 0
    while n_kills < 25:
        path = tmp_path / f"store{(round_ := round_ + 1)}"
        killed = -1
        while killed:
            begun = processes.Event()
            process = processes.Process(target=child, args=(path, begun))
            process.start()
            assert begun.wait(30)
            # Some while the folder is made, most when rows are written.
            process.join(chance.choice([0.02, 0.2, 0.5]) * chance.random())
            process.kill()
            process.join()
            killed = process.exitcode
            assert killed in (0, -9)
            n_kills += killed == -9
            if killed and (path / "X.npy").exists():
                tokens = TokenActivations.load(path, partial=True, verify=True)
                np.testing.assert_array_equal(tokens.X, Corpus().X[: len(tokens)])
                n_begun += 0 < len(tokens) < len(Corpus().X)
            process.close()
        assert content(path) == whole
    assert n_begun >= 3  # or the kills came when there was nothing to lose


def test_killed_between_any_two_files(tmp_path, monkeypatch):
    """What a crash leaves after each step of the beginning and of an append is continued."""
    whole = content(write(tmp_path / "whole"))
    n_steps, replace = 0, os.replace

    class Killed(BaseException):
        pass

    for after in range(20):
        left = [after]

        def stop(source, target, left=left):
            if not left[0]:
                raise Killed
            left[0] -= 1
            replace(source, target)

        path = tmp_path / f"store{after}"
        monkeypatch.setattr(os, "replace", stop)
        # A process that is gone takes no file back.
        monkeypatch.setattr(folder_.Path, "unlink", lambda *a, **k: None)
        try:
            write(path)
        except Killed:
            n_steps += 1
        monkeypatch.undo()
        with StoreWriter(path, **about()) as writer:
            if not writer.n_done:
                writer.append(rows())
        assert content(path) == whole
    assert n_steps == 7  # three files, the journal, the description, X, and the journal again


def test_a_lock_keeps_the_second_writer_out(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "store"
    with StoreWriter(path, **about()):
        before = content(path)
        with pytest.raises(
            ValueError, match=r"is open in another writer\. Close that writer first"
        ):
            StoreWriter(path, **about())
        assert content(path) == before
    StoreWriter(path, **about()).close()


def hold(path, ready):
    with StoreWriter(path, **about()):
        ready.set()
        time.sleep(60)


def test_a_dead_process_keeps_no_lock(tmp_path):
    pytest.importorskip("fcntl")
    processes = forkserver()
    ready = processes.Event()
    process = processes.Process(target=hold, args=(tmp_path / "store", ready))
    process.start()
    try:
        assert ready.wait(30)
        with pytest.raises(ValueError, match="is open in another writer"):
            StoreWriter(tmp_path / "store", **about())
    finally:
        process.kill()
        process.join()
        process.close()
    write(tmp_path / "store")


@pytest.mark.parametrize("without", ["module", "file system"])
def test_without_locks_it_says_so(tmp_path, monkeypatch, without):
    if without == "module":
        monkeypatch.setattr(locks_, "fcntl", None)
    else:
        monkeypatch.setattr(locks_.fcntl, "flock", fail(errno.ENOLCK))
    with pytest.warns(UserWarning, match="store cannot be locked on this file system"):
        write(tmp_path / "store")
    assert len(TokenActivations.load(tmp_path / "store")) == 8


# --- A full disk ----------------------------------------------------------------------------


def fail(number):
    def failing(*args):
        raise OSError(number, os.strerror(number))

    return failing


class Full(io.FileIO):
    """File that accepts `capacity` bytes, and then raises an error."""

    def __init__(self, path, capacity):
        super().__init__(path, "r+b")
        self.capacity = capacity

    def write(self, part):
        if not self.capacity:
            fail(errno.ENOSPC)()
        # A system call may write only a part.
        n = super().write(part[: min(7, self.capacity)])
        self.capacity -= n
        return n


@pytest.mark.parametrize("where", ["rows", "fsync", "replace"])
def test_a_full_disk_keeps_whole_sentences(tmp_path, monkeypatch, where):
    path = tmp_path / "store"
    with StoreWriter(path, **about()) as writer:
        writer.append(rows()[:3])
        before = content(path)
        with monkeypatch.context() as patch:
            if where == "rows":
                patch.setattr(_store_rows, "open_to_write", lambda path: Full(path, 41))
            else:
                patch.setattr(os, where, fail(errno.ENOSPC))
            with pytest.raises(OSError, match="2 of 4 sentences are kept") as caught:
                writer.append(rows()[3:6])
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(path)
        assert writer.n_done == 2
        after = content(path)
        assert after | {"X.npy": b""} == before | {"X.npy": b""}
        np.testing.assert_array_equal(
            TokenActivations.load(path, partial=True, verify=True).X, rows()[:3]
        )
        writer.append(rows()[3:6])  # there is space again
    with StoreWriter(path, **about()) as writer:
        assert writer.n_done == 3
        writer.append(rows()[6:])
    assert content(path) == content(write(tmp_path / "whole"))


def test_a_part_at_a_time_is_all_in_the_end(tmp_path, monkeypatch):
    with StoreWriter(tmp_path / "store", **about()) as writer:
        monkeypatch.setattr(_store_rows, "open_to_write", lambda path: Full(path, 10**6))
        writer.append(rows())
    assert content(tmp_path / "store") == content(write(tmp_path / "whole"))


def test_a_disk_too_small_is_said_before_the_work(tmp_path, monkeypatch):
    path = tmp_path / "store"
    monkeypatch.setattr(os, "posix_fallocate", fail(errno.ENOSPC), raising=False)
    with pytest.raises(OSError, match="0 of 4 sentences are kept") as caught:
        StoreWriter(path, **about())
    assert caught.value.errno == errno.ENOSPC
    assert not [name for name in os.listdir(path) if name.startswith("X.npy")]
    monkeypatch.undo()
    write(path)


def test_a_file_system_that_cannot_reserve_space(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", fail(errno.EOPNOTSUPP), raising=False)
    path = write(tmp_path / "store")
    monkeypatch.undo()
    assert content(path) == content(write(tmp_path / "whole"))
