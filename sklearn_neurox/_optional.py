"""Packages that only some rooms need."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def import_optional(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a package of an extra, or say which extra brings it.

    Raises
    ------
    ImportError
        Naming the ``pip install`` that mends it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {module.partition('.')[0]}: pip install 'sklearn-neurox[{extra}]'"
        ) from error
