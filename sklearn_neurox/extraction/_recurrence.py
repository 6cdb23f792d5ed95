"""Recurrent layers that would treat the inputs of a batch as positions of one sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ._module_inputs import Batch

Shape = tuple[int, ...]


def check_recurrence(module: nn.Module, inputs: Batch, run: Callable[[Batch], object]) -> None:
    """Raise an error if a recurrent layer would mix the inputs of a batch.

    A layer with ``batch_first=False`` treats the first axis of its input as positions. Whether this
    axis really consists of positions cannot be determined from the shapes of a single batch,
    because there may be as many positions as inputs. It is determined with two small batches, which
    contain the same input once and twice: the number of positions stays the same, while the number
    of inputs does not. Modules without such a layer are not run.

    Parameters
    ----------
    module : torch.nn.Module
    inputs : Batch
    run : callable
        Feeds inputs to the module.

    Raises
    ------
    ValueError
        If there is such a layer. The message contains its path.
    """
    layers = {
        path: layer
        for path, layer in module.named_modules()
        if isinstance(layer, nn.RNNBase) and not layer.batch_first
    }
    if not layers:
        return
    with _shapes_of(layers) as shapes:
        run(inputs[[0]])
        n_calls = len(shapes)
        run(inputs[[0, 0]])
    for (path, once), (_, twice) in zip(shapes[:n_calls], shapes[n_calls:], strict=False):
        if once[0] != twice[0]:
            raise ValueError(
                f"{type(layers[path]).__name__} {path!r} has batch_first=False, but the first axis "
                f"of its input is that of the inputs: it has the shape {once} for one input and "
                f"{twice} for two. The layer would mix the inputs as if they were positions of one "
                "sequence. Build it with batch_first=True, or transpose its input."
            )


@contextmanager
def _shapes_of(layers: Mapping[str, nn.Module]) -> Iterator[list[tuple[str, Shape]]]:
    """Record the shape of each batch of sequences that reaches a layer."""
    shapes: list[tuple[str, Shape]] = []

    def recorder(path: str) -> Callable[[nn.Module, tuple, dict[str, Any]], None]:
        def record(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            received = args[0] if args else kwargs.get("input")
            if isinstance(received, Tensor) and received.ndim == 3:  # neither packed nor unbatched
                shapes.append((path, tuple(received.shape)))

        return record

    handles = [
        layer.register_forward_pre_hook(recorder(path), with_kwargs=True)
        for path, layer in layers.items()
    ]
    try:
        yield shapes
    finally:
        for handle in handles:
            handle.remove()
