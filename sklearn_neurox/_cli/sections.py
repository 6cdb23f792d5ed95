"""What pages about activations share."""

from __future__ import annotations

from typing import Any

from .._optional import import_optional
from ..activations import TokenActivations
from ..neurons import top_words


def new_axes(height: float = 4) -> Any:
    """Make axes of a figure that pyplot does not keep open."""
    figure = import_optional("matplotlib.figure", extra="plot", purpose="A page")
    return figure.Figure(figsize=(6.4, height), layout="constrained").subplots()


def list_top_words(
    tokens: TokenActivations, neuron: int, n_words: int = 5, *, sign: int = 0
) -> str:
    """List top words among those that occur at least three times.

    With a `sign`, those on that side of the mean; without, those on both, negative ones marked.
    """
    scored = top_words(tokens.words, tokens.X[:, neuron], min_count=3)
    if sign:
        return "  ".join([str(word) for word, score in scored if score * sign > 0][:n_words])
    return "  ".join(f"{'−' if score < 0 else ''}{word}" for word, score in scored[:n_words])
