"""Neurons as a reader names them, found among the columns of X."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

from ..activations import TokenActivations


def check_tokens(tokens: Any) -> TokenActivations:
    """Check that activations come with their words.

    Raises
    ------
    TypeError
        If they are something else.
    ValueError
        If there are no words.
    """
    if not isinstance(tokens, TokenActivations):
        raise TypeError(f"Expected TokenActivations, got {type(tokens).__name__}.")
    if not len(tokens):
        raise ValueError("There are no words in the TokenActivations.")
    return tokens


def check_neurons(tokens: TokenActivations, neurons: Any) -> list[int]:
    """Find neurons, given as columns of X or by name.

    Parameters
    ----------
    tokens : TokenActivations
    neurons : int, str, or list of them

    Returns
    -------
    list of int
        Columns of X, in the order given.

    Raises
    ------
    TypeError
        If one is neither an integer nor a string.
    ValueError
        If there is none, one is not in X, or one comes twice.
    """
    if isinstance(neurons, str | Integral):
        neurons = [neurons]
    if not isinstance(neurons, Iterable):
        raise TypeError(f"neurons must be a list of columns or names, got {neurons!r}.")
    columns = [_column(tokens, neuron) for neuron in neurons]
    if not columns:
        raise ValueError("neurons is empty: expected at least one column or name.")
    for place, column in enumerate(columns):
        if column in columns[:place]:
            raise ValueError(f"{tokens.neuron_names[column]} (column {column}) comes twice.")
    return columns


def _column(tokens: TokenActivations, neuron: Any) -> int:
    names = tokens.neuron_names
    if isinstance(neuron, str):
        found = (names == neuron).nonzero()[0]
        if not len(found):
            raise ValueError(
                f"There is no neuron {neuron!r} in X; its names run from {names[0]!r} to "
                f"{names[-1]!r}."
            )
        return int(found[0])
    if isinstance(neuron, bool) or not isinstance(neuron, Integral):
        raise TypeError(
            f"A neuron is a column of X or a name such as {names[0]!r}, got "
            f"{type(neuron).__name__} {neuron!r}."
        )
    column = int(neuron)
    if not 0 <= column < len(names):
        raise ValueError(f"X has the columns 0 to {len(names) - 1}, got neuron {column}.")
    return column
