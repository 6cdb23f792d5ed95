"""Checks of parameters that several rankings share."""

from __future__ import annotations

from numbers import Real


def check_share(value: float, name: str) -> None:
    """Raise an error if a share is not a number in [0, 1]."""
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number in [0, 1], got {value!r}.")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value!r}.")
