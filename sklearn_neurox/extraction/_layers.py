"""Selection of the layers of a transformer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from ..activations.columns import check_layers
from .hook_points import n_layers_of

Layers: TypeAlias = Iterable[int] | Literal["all"]


def check_layer_numbers(layers: Layers, *, include_embeddings: bool) -> None:
    """Check the numbers of layers as far as possible without a model.

    Parameters
    ----------
    layers : "all" or iterable of int
    include_embeddings : bool

    Raises
    ------
    TypeError
        If `layers` is neither "all" nor a list of integers.
    ValueError
        If the layers are not distinct or not in ascending order, or layer 0 is listed although
        `include_embeddings` is False.
    """
    if isinstance(layers, str):
        return
    numbers = check_layers(layers)
    if any(isinstance(layer, str) for layer in numbers):
        raise TypeError(f"layers must be 'all' or a list of integers, got {list(numbers)}.")
    if list(numbers) != sorted(numbers):
        raise ValueError(f"layers must be in ascending order, got {list(numbers)}.")
    if 0 in numbers and not include_embeddings:
        raise ValueError(
            f"layers={list(numbers)} contains layer 0, the embeddings, but "
            "include_embeddings=False excludes it. Remove 0 from layers, or leave out "
            "include_embeddings."
        )


def resolve_layers(
    layers: Layers, model: Any, modules: str | None, *, include_embeddings: bool
) -> tuple[int, ...]:
    """Return the numbers of the layers to extract from a model.

    Parameters
    ----------
    layers : "all" or iterable of int
        As checked by :func:`check_layer_numbers`.
    model : torch.nn.Module
    modules : str or None
        Modules are within the blocks, so layer 0 does not have any.
    include_embeddings : bool
        Whether "all" includes layer 0.

    Raises
    ------
    ValueError
        If the model does not have one of the layers.
    """
    last = n_layers_of(model)
    first = 0 if modules is None else 1
    if isinstance(layers, str):
        return tuple(range(first if include_embeddings else 1, last + 1))
    numbers = tuple(int(layer) for layer in layers)
    if numbers[0] < first or numbers[-1] > last:
        known = "0 (embeddings)" if first == 0 else "1 (the first block)"
        raise ValueError(
            f"layers must be between {known} and {last} for this model, got {list(numbers)}."
        )
    return numbers
