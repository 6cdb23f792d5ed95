"""Imports of packages that belong to an extra."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def import_optional(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a module of an optional dependency.

    Parameters
    ----------
    module : str
        The module, such as "matplotlib.pyplot".
    extra : str
        The extra of sklearn-neurox that installs it.
    purpose : str
        What requires the module, used as the subject of the error message.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If the package is not installed. The message contains the ``pip install`` command that
        installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} requires {module.partition('.')[0]}. You can install it with "
            f"`pip install 'sklearn-neurox[{extra}]'`."
        ) from error
