"""Checks of the activations and neurons that tables show."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from .._html import printable
from ..activations import TokenActivations


def check_tokens(tokens: TokenActivations) -> None:
    """Raise a TypeError if an object is not a TokenActivations, a ValueError if it has no words."""
    if not isinstance(tokens, TokenActivations):
        raise TypeError(f"tokens must be TokenActivations, got {type(tokens).__name__}.")
    if not len(tokens):
        raise ValueError("The TokenActivations is empty: expected at least one word.")


def printable_word(word: Any, place: int) -> str:
    """Return the word at an index, without characters that a page cannot contain.

    Raises
    ------
    TypeError
        If the word is not a string.
    """
    if not isinstance(word, str):
        raise TypeError(
            f"words must contain strings, got {type(word).__name__} {word!r} at index {place}."
        )
    return printable(word)


def find_neurons(tokens: TokenActivations, neurons: int | str | Iterable[int | str]) -> list[int]:
    """Check the arguments of a table, and return the columns of its neurons.

    Parameters
    ----------
    tokens : TokenActivations
    neurons : int, str, or iterable of them
        Columns of X, or names such as "layer_3_neuron_17".

    Returns
    -------
    list of int
        Columns of X, in the order given.

    Raises
    ------
    TypeError
        If `tokens` is not a TokenActivations, or a neuron is neither an integer nor a string.
    ValueError
        If there are no words or no neurons, or a neuron is not a column of X or is repeated.
    """
    check_tokens(tokens)
    if not isinstance(neurons, Iterable | Integral):
        raise TypeError(f"neurons must be a list of columns or names, got {neurons!r}.")
    columns: list[int] = tokens.neurons.find(neurons).tolist()
    if not columns:
        raise ValueError("neurons is empty: expected at least one column or name.")
    return columns
