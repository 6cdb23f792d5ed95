"""Words for numbers."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 neuron" or "1,024 neurons"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
