"""Locks of files, which are released when the process ends."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # there are no locks

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def lock(
    path: Path, *, shared: bool = False, is_removed: Callable[[], bool] = lambda: False
) -> Iterator[bool]:
    """Lock a file, which is created if it does not exist.

    Parameters
    ----------
    path : Path
    shared : bool, default=False
        Whether others may lock the file as well, if they share it, too.
    is_removed : callable, optional
        Called at the end. Returns whether the last one who has locked the file removes it.

    Yields
    ------
    bool
        Whether the file is locked: False if the system or the file system does not support locks.

    Raises
    ------
    BlockingIOError
        If another process, or another part of this one, has locked the file.
    """
    while True:
        with open(path, "ab") as file:
            is_locked = True
            try:
                _acquire(file, shared=shared, wait=False)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                is_locked = False
            if is_locked and not _is_at(file, path):
                continue  # its last owner has just removed it
            try:
                yield is_locked
            finally:
                if is_removed() and (not is_locked or _is_alone(file)):
                    with suppress(OSError):  # on Windows, an open file cannot be removed
                        path.unlink(missing_ok=True)
                _release(file)
            return


@contextmanager
def temporary_lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Lock a file that exists only while it is locked, or was left by a process that was killed.

    Parameters
    ----------
    path : Path
    wait : bool, default=False
        Whether to wait until others release the lock.

    Raises
    ------
    BlockingIOError
        As in :func:`lock`, unless `wait` is set.
    OSError
        If the system or the file system does not support locks.
    """
    while True:
        with open(path, "ab") as file:
            _acquire(file, shared=False, wait=wait)
            if _is_at(file, path):  # otherwise, its owner has removed it in the meantime
                try:
                    yield
                    return
                finally:
                    path.unlink(missing_ok=True)
                    _release(file)


def _acquire(file: BinaryIO, *, shared: bool, wait: bool) -> None:
    if fcntl is None:
        raise OSError(errno.ENOSYS, "no fcntl")
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    fcntl.flock(file, kind | (0 if wait else fcntl.LOCK_NB))


def _is_alone(file: BinaryIO) -> bool:
    """Return whether nobody shares the lock, which then excludes all others."""
    try:
        _acquire(file, shared=False, wait=False)
    except OSError:
        return False
    return True


def _release(file: BinaryIO) -> None:
    if fcntl is not None:  # otherwise, a forked process would keep the lock
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
