"""Recurrent layers that take inputs for positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

Shapes = list[tuple[str, nn.RNNBase, tuple[int, ...]]]


@contextmanager
def watching_recurrence(module: nn.Module) -> Iterator[Shapes]:
    """Note what each recurrent layer gets whose first axis are the positions of a batch."""
    seen: Shapes = []
    handles = []
    for name, layer in module.named_modules():
        if isinstance(layer, nn.RNNBase) and not layer.batch_first:

            def note(layer: Any, args: tuple, kwargs: dict, name: str = name) -> None:
                given = args[0] if args else kwargs.get("input")
                if isinstance(given, Tensor) and given.ndim == 3:  # else no batch, or packed
                    seen.append((name, layer, tuple(given.shape)))

            handles.append(layer.register_forward_pre_hook(note, with_kwargs=True))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def check_recurrence(seen: Shapes, inputs: Tensor, run: Callable[[Tensor], Shapes]) -> None:
    """Refuse a layer that goes through the inputs of a batch as if they were positions.

    Parameters
    ----------
    seen : list
        What the layers got for `inputs`.
    inputs : Tensor of shape (n_inputs, ...)
    run : callable
        Gives what they get for other inputs.

    Raises
    ------
    ValueError
        If there is one, naming it.
    """
    if not any(shape[0] == len(inputs) for _, _, shape in seen):
        return
    # There may be as many positions by chance: with another number of inputs it is told.
    others = inputs[:1] if len(inputs) > 1 else inputs[[0, 0]]
    for (name, layer, shape), (_, _, other) in zip(seen, run(others), strict=False):
        if shape[0] == len(inputs) and other[0] == len(others):
            raise ValueError(
                f"{type(layer).__name__} {name!r} has batch_first=False and gets {shape}: it would "
                f"take the {len(inputs)} inputs for the positions of one, and mix them. Build it "
                "with batch_first=True, or swap the axes before it."
            )
