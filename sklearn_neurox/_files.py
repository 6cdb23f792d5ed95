"""Files: memory-mapped arrays, and atomic writes."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

# Suffix of files that are being written.
TEMPORARY = ".tmp"
_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def mapping_of(array: np.ndarray) -> mmap.mmap | None:
    """Return the file mapping that an array is a view of, if its pages can be released safely.

    Changes to a copy-on-write mapping are stored nowhere else, so its pages cannot be released.
    """
    backing = backing_of(array)
    return backing[1] if backing and backing[0].mode in ("r", "r+", "w+") else None


def backing_of(array: np.ndarray) -> tuple[np.memmap, mmap.mmap] | None:
    """Return the memory map that an array is, or is a view of, and its file mapping."""
    base: object = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and isinstance(base.base, mmap.mmap):
            return base, base.base
        base = base.base
    return None


def check_not_truncated(array: np.ndarray) -> None:
    """Raise an OSError if an array is a memory map of a file that has become too short for it."""
    backing = backing_of(array)
    if backing is not None:
        mapped, mapping = backing
        _check_size(mapping, str(mapped.filename))


def _check_size(mapping: mmap.mmap, name: str | None = None) -> None:
    # Reading beyond the end of the file would crash the process.
    if mapping.size() < len(mapping):
        reason = "The file of a memory map was truncated after it was opened"
        raise OSError(errno.EIO, reason, name) if name else OSError(errno.EIO, reason)


def release(mapping: mmap.mmap | None) -> None:
    """Release the pages of a mapping; they are read again when they are needed.

    Raises
    ------
    OSError
        If the file has become too short for the mapping.
    """
    if mapping is not None:
        _check_size(mapping)
        if hasattr(mmap, "MADV_DONTNEED"):  # not on every system
            mapping.madvise(mmap.MADV_DONTNEED)


@contextmanager
def replacing(targets: Collection[Path]) -> Iterator[list[Path]]:
    """Write temporary files next to their targets, and move them into place at the end.

    Each file is synced to disk before it replaces its target. After a crash, each target is
    therefore either the old file or the new one. After an error in the body, or if a target cannot
    be replaced at the end, no target is changed. Several targets are moved one after the other: if
    the file system fails between two moves, the targets before it are new, and the others are old.
    A new file has the permissions of the file that it replaces; until then, only its owner can read
    it. A link stays a link, and the file that it points to is replaced. A device or a pipe is
    written to, because it has no content to keep.

    Parameters
    ----------
    targets : collection of Path
        Links and relative paths are resolved here, so the body may change the working directory.

    Yields
    ------
    list of Path
        Files to write, one for each target, in the order of the targets. They exist and are empty.

    Raises
    ------
    OSError
        If a target is a folder or write-protected, or the disk is full or fails. It names the
        target, or the folder of several targets if the body raises an error without a path.
    """
    resolved = [_check_target(target) for target in targets]
    unfinished = [
        target if _is_stream(target) else target.with_name(_temporary_name(target))
        for target in resolved
    ]
    moves = [
        (file, target) for file, target in zip(unfinished, resolved, strict=True) if file != target
    ]
    try:
        for file, target in moves:
            mode = 0o600 if target.exists() else 0o666  # without the bits of the umask
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        yield unfinished
        for file, target in moves:
            with open(file, "rb") as written:
                os.fsync(written.fileno())
            _check_target(target)
            if target.exists():
                shutil.copymode(target, file)
        for file, target in moves:
            os.replace(file, target)
    except OSError as error:
        name = _name_of_target(error, moves, resolved)
        if name == error.filename:
            raise
        reason = error.strerror or str(error)
        raise OSError(error.errno or errno.EIO, reason, name) from error
    finally:
        for file, _ in moves:
            with suppress(OSError):  # an error in the body is more important
                file.unlink(missing_ok=True)
    for folder in {target.parent for _, target in moves}:
        sync_folder(folder)


def _name_of_target(
    error: OSError, moves: list[tuple[Path, Path]], targets: list[Path]
) -> str | bytes | int:
    """Return the path of an error, which is a target rather than its temporary file."""
    if error.filename is None:
        return str(targets[0] if len(targets) == 1 else targets[0].parent)
    names = {str(file): str(target) for file, target in moves}
    return names.get(str(error.filename), error.filename)


def resolve(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a file or folder, without links.

    A path that is kept must be resolved when it is received, because the working directory and
    links may change until it is used.

    Raises
    ------
    OSError
        If a link points to itself.
    """
    resolved = Path(os.path.realpath(path))
    if resolved.is_symlink():  # `realpath` returns a link that points to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return resolved


def _check_target(path: Path) -> Path:
    """Return the absolute path of a file to write, or raise an OSError if it cannot be written."""
    target = resolve(path)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Expected a file, got a folder", str(path))
    if target.exists() and not os.access(target, os.W_OK):  # which os.replace would ignore
        raise PermissionError(errno.EACCES, "The file is write-protected", str(path))
    return target


def _is_stream(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _temporary_name(target: Path) -> str:
    # Shortened, because a name may already be as long as the file system allows.
    return f"{target.name[:50]}.{secrets.token_hex(4)}{TEMPORARY}"


def replace_file(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Write one file with :func:`replacing`.

    Parameters
    ----------
    path : Path
    content : bytes or callable
        The content, or a callable that writes it to the open file that it receives.
    """
    with replacing([path]) as (unfinished,), open(unfinished, "wb") as file:
        if callable(content):
            content(file)
        else:
            file.write(content)


def reserve(descriptor: int, size: int) -> None:
    """Extend an open file to a size in bytes, so that a full disk is detected before it is written.

    Raises
    ------
    OSError
        If there is not enough space. Not every system and file system reserves space.
    """
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) in _DISK_IS_FULL:
            raise
        os.truncate(descriptor, size)


def sync_folder(path: Path) -> None:
    """Make sure that the names of new files in a folder are written to disk."""
    if os.name == "nt":  # on Windows, a folder cannot be opened and does not need to be synced
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
