"""Warnings of the package, which point to the user's own code."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias


def _folders(names: Iterable[str]) -> Iterator[str]:
    """Yield the folders of packages, without importing them."""
    for name in names:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            yield f"{Path(spec.origin).parent}{os.sep}"


# Frames of this package, and of the libraries that call it back, are not the user's. Networks call
# hooks, and the standard library ends the body of a context manager.
_INSIDE = (
    f"{Path(__file__).parent}{os.sep}",
    contextlib.__file__,
    *_folders(("sklearn", "joblib", "torch", "tqdm", "transformers", "accelerate", "peft")),
)

_SILENCED: ContextVar[tuple[type[Warning], ...]] = ContextVar("_SILENCED", default=())
# Kinds of warnings that are issued once, and have been issued.
_ISSUED: ContextVar[set[str] | None] = ContextVar("_ISSUED", default=None)
# Message, category and kind of a warning.
Issued: TypeAlias = tuple[str, type[Warning], str | None]
_COLLECTED: ContextVar[list[Issued] | None] = ContextVar("_COLLECTED", default=None)


class UnseenLabelsWarning(UserWarning):
    """Warning that samples with labels not seen during training are scored as errors."""


def warn(message: str, category: type[Warning] = UserWarning, *, kind: str | None = None) -> None:
    """Issue a warning that points to the first frame outside the package.

    In Python 3.12 or later, ``skip_file_prefixes`` of ``warnings.warn`` does the same.

    Parameters
    ----------
    message : str
    category : type of Warning, default=UserWarning
    kind : str, default=None
        Name of a warning that is issued once within the context of :func:`issued_once`.
    """
    issued, collecting = _ISSUED.get(), _COLLECTED.get()
    if issubclass(category, _SILENCED.get()) or (issued is not None and kind in issued):
        return
    if collecting is not None:
        collecting.append((message, category, kind))
        return
    if issued is not None and kind is not None:
        issued.add(kind)
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def issued_once() -> Iterator[None]:
    """Issue each kind of warning once, although many fits in this thread may cause it.

    The context of a function that calls another such function is that of both.
    """
    if _ISSUED.get() is not None:
        yield
        return
    token = _ISSUED.set(set())
    try:
        yield
    finally:
        _ISSUED.reset(token)


@contextmanager
def collected() -> Iterator[list[Issued]]:
    """Collect the warnings that the package issues in this thread, so that another issues them."""
    warnings_of_block: list[Issued] = []
    token = _COLLECTED.set(warnings_of_block)
    try:
        yield warnings_of_block
    finally:
        _COLLECTED.reset(token)


@contextmanager
def silenced(category: type[Warning]) -> Iterator[None]:
    """Do not issue the warnings of a category that the package issues in this thread.

    Unlike ``warnings.catch_warnings``, this does not change the filters, which all threads share.
    """
    token = _SILENCED.set((*_SILENCED.get(), category))
    try:
        yield
    finally:
        _SILENCED.reset(token)
