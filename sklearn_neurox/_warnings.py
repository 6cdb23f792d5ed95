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
    *_folders(("sklearn", "joblib", "torch", "transformers", "accelerate", "peft")),
)

_SILENCED: ContextVar[tuple[type[Warning], ...]] = ContextVar("_SILENCED", default=())


class UnseenLabelsWarning(UserWarning):
    """Warning that samples with labels not seen during training are scored as errors."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning that points to the first frame outside the package.

    In Python 3.12 or later, ``skip_file_prefixes`` of ``warnings.warn`` does the same.

    Parameters
    ----------
    message : str
    category : type of Warning, default=UserWarning
    """
    if issubclass(category, _SILENCED.get()):
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


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
