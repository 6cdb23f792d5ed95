"""Real failures of disks and files: a clear error, nothing half-written, and the store resumes."""

import errno
import os
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest

from sklearn_neurox import StoreWriter, TokenActivations
from sklearn_neurox.activations import _store_rows

from .small_stores import WORDS, about, content, forkserver, rows, write

LAYOUTS = [{}, {"split_layers": True}, {"max_file_size": 128 + 3 * 32}]


def write_with_limit(path, limit, options, told):
    """Write in a process whose files cannot be larger than a limit, which is then lifted."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    n, width = 200, 1000
    X = np.arange(n * 2 * width, dtype=np.float32).reshape(n, -1)
    arguments = about(
        layers=(0, 1), width=width, words=[["w"]] * n, sentence_ids=range(n), labels=None, **options
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        with StoreWriter(path, **arguments) as writer:
            for start in range(0, n, 20):
                writer.append(X[start : start + 20])
    except OSError as error:
        told.put((error.errno, str(error)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    with StoreWriter(path, **arguments) as writer:
        writer.append(X[writer.n_done :])
    told.put(np.array_equal(TokenActivations.load(path, verify=True).X, X))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of files are those of Linux")
@pytest.mark.parametrize("options", [{}, {"split_layers": True}], ids=str)
@pytest.mark.parametrize("limit", [500, 500_000], ids=["of words", "of X"])
def test_files_that_cannot_grow(tmp_path, options, limit):
    """The error comes before the work, because the space is reserved at the start."""
    processes = forkserver()
    told, path = processes.Queue(), tmp_path / "store"
    process = processes.Process(target=write_with_limit, args=(path, limit, options, told))
    process.start()
    number, message = told.get(timeout=60)
    name = "words.json" if limit == 500 else ("X.layer_0.npy" if options else "X.npy")
    assert number == errno.EFBIG
    assert f"{name}: File too large. 0 of 200 sentences are kept in the store" in message
    assert "repeating the same calls resumes from there" in message
    assert told.get(timeout=60) is True
    process.join()
    assert process.exitcode == 0
    assert not [each for each in os.listdir(path) if each.endswith((".tmp", ".lock"))]


# Mounts a file system of 1 MB in a namespace of its own, which ends with the process.
FULL = """
import errno, os, sys
import numpy as np
from sklearn_neurox import StoreWriter, TokenActivations

folder, options, reserving = sys.argv[1], eval(sys.argv[2]), eval(sys.argv[3])
path, ballast = folder + "/store", folder + "/ballast"
n, width = 100, 500
X = np.arange(n * 2 * width, dtype=np.float32).reshape(n, -1)  # 400 kB
arguments = dict(layers=(0, 1), width=width, dtype="float32", words=[["w"]] * n,
                 sentence_ids=range(n), **options)

def fill(left):
    with open(ballast, "wb", buffering=0) as file:
        state = os.statvfs(folder)
        file.write(bytes(max(0, state.f_bavail * state.f_frsize - left)))

def attempt(start):
    try:
        with StoreWriter(path, **arguments) as writer:
            assert writer.n_done == start, writer.n_done
            while writer.n_done < n:
                writer.append(X[writer.n_done : writer.n_done + 10])
        return n
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
        print(error)
    return TokenActivations.describe(path)["n_done"] if os.path.exists(path + "/store.json") else 0

if not reserving:  # a file system that cannot reserve space, such as NFS
    def refuse(*args):
        raise OSError(errno.EOPNOTSUPP, "not supported")
    os.posix_fallocate = refuse
n_done = 0
for left in (8192, 100_000, 250_000, 10**6):
    os.path.exists(ballast) and os.remove(ballast)
    fill(left)
    n_done = attempt(n_done)
    if 0 < n_done:
        part = TokenActivations.load(path, partial=True, verify=True)
        np.testing.assert_array_equal(part.X, X[:n_done])
    print("done", n_done)
assert n_done == n
assert sorted(os.listdir(path)) == sys.argv[4].split(","), os.listdir(path)
"""


def can_mount():
    if sys.platform != "linux":
        return False
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"split_layers": True}], ids=str)
@pytest.mark.parametrize("reserving", [True, False])
def test_a_full_file_system(tmp_path, options, reserving):
    if not can_mount():
        pytest.skip("mounting a file system requires privileges")
    names = ["X.layer_0.npy", "X.layer_1.npy"] if options else ["X.npy"]
    names += ["progress.json", "sentence_ids.npy", "store.json", "words.json"]
    mount = f"mount -t tmpfs -o size=1m tmpfs {tmp_path} && exec "
    child = [sys.executable, "/dev/stdin", str(tmp_path), repr(options), repr(reserving)]
    quoted = shlex.join([*child, ",".join(names)])
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount + quoted],
        input=FULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("done")]
    assert counts == sorted(counts)
    assert counts[-1] == 100
    if reserving:
        assert counts[:-1] == [0, 0, 0]  # the error comes before the work
    else:
        assert any(0 < n_done < 100 for n_done in counts)
    assert done.stdout.count("No space left on device") >= 2


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_a_file_that_is_removed_while_rows_are_written(tmp_path, options):
    path = tmp_path / "store"
    with StoreWriter(path, **about(**options)) as writer:
        writer.append(rows()[:3])
        name = sorted(name for name in os.listdir(path) if name.startswith("X"))[-1]
        kept = (path / name).read_bytes()
        (path / name).unlink()
        with pytest.raises(
            FileNotFoundError, match=f"{name}: No such file.* Restore it, or delete"
        ):
            writer.append(rows()[3:])
        assert writer.n_done == 2
        assert not (path / name).exists()  # no empty file in its place
        (path / name).write_bytes(kept)
        writer.append(rows()[3:])
    assert content(path) == content(write(tmp_path / "whole", **options))


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_a_file_that_is_removed_before_the_store_is_resumed(tmp_path, options):
    """It is not replaced by an empty one, which would lose rows that the journal counts."""
    path = tmp_path / "store"
    with StoreWriter(path, **about(**options)) as writer:
        writer.append(rows()[:6])
    name = sorted(name for name in os.listdir(path) if name.startswith("X"))[0]
    (path / name).unlink()
    before = content(path)
    message = (
        rf"is damaged\. {name}: it is missing.*Restore or download these files again, or delete"
    )
    for use in (
        lambda: StoreWriter(path, **about(**options)),
        lambda: TokenActivations.load(path, partial=True),
    ):
        with pytest.raises(ValueError, match=message):
            use()
    assert content(path) == before


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_a_file_that_is_cut_short(tmp_path, options):
    path = write(tmp_path / "store", **options)
    name = sorted(name for name in os.listdir(path) if name.startswith("X"))[-1]
    size = (path / name).stat().st_size
    os.truncate(path / name, size - 40)
    for use in (
        lambda: TokenActivations.load(path),
        lambda: TokenActivations.load(path, verify=True),
        lambda: StoreWriter(path, **about(**options)),
        lambda: StoreWriter(path, append=True, **about(**options)),
    ):
        with pytest.raises(
            ValueError, match=rf"{name}: it has {size - 40} bytes instead of {size}"
        ):
            use()
        assert (path / name).stat().st_size == size - 40


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_removed_files_can_still_be_read_by_those_who_have_opened_them(tmp_path, options):
    if sys.platform == "win32":
        pytest.skip("open files cannot be removed")
    path = write(tmp_path / "store", **options)
    tokens = TokenActivations.load(path)
    for name in os.listdir(path):
        (path / name).unlink()
    np.testing.assert_array_equal(tokens.X, rows())
    np.testing.assert_array_equal(tokens.layer(3), rows()[:, 4:])


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_disk_that_fails_while_a_store_grows(tmp_path, monkeypatch, options, step):
    path = write(tmp_path / "store", **options)
    more = about(**options) | {"append": True}
    before = TokenActivations.load(path)
    place, name = (_store_rows, "_write_all") if step == "write" else (os, step)
    call, n_failed = getattr(place, name), 0
    for n_calls in range(0, 40, 3):
        left = [n_calls]

        def failing(*args, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*args)

        with monkeypatch.context() as patch:
            patch.setattr(place, name, failing)
            try:
                with StoreWriter(path, **more) as writer:
                    writer.append(rows() + 1)
                break
            except OSError as error:
                failed = str(error)
        n_failed += 1
        assert "are kept in the store, and repeating the same calls resumes" in failed
        partial = TokenActivations.load(path, partial=True, verify=True)
        np.testing.assert_array_equal(partial.X, rows()[: len(partial)])
    assert n_failed >= 1
    tokens = TokenActivations.load(path, verify=True)
    np.testing.assert_array_equal(tokens.X, np.vstack([rows(), rows() + 1]))
    np.testing.assert_array_equal(before.X, rows())
    assert tokens.words[:8].tolist() == [word for words in WORDS for word in words]
