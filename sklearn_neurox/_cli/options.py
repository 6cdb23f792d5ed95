"""What the options of several commands have in common."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import import_module


class Choices:
    """The names in a registry of the package.

    The registry, and therefore torch, is imported only when a name is checked or listed. It is
    assigned to an option that already exists, because ``add_argument`` of Python 3.14 lists the
    choices to check the help.

    Parameters
    ----------
    module : str
        Module within the package.
    registry : str
        Name of a mapping or a sequence in this module.
    """

    def __init__(self, module: str, registry: str) -> None:
        self.module = module
        self.registry = registry

    def __iter__(self) -> Iterator[str]:
        return iter(getattr(import_module(f"..{self.module}", __package__), self.registry))

    def __contains__(self, name: object) -> bool:
        return name in list(self)


def add_random_state(command: argparse.ArgumentParser) -> None:
    """Add the option --random-state."""
    command.add_argument(
        "--random-state", metavar="N", type=int, default=0, help="random seed (default: 0)"
    )
