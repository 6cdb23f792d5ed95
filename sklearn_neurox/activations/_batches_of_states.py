"""Hidden states in files and in batches, as other programs leave them behind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .._optional import import_optional

MASK = "attention_mask"
_STATES = "hidden_states"
_NUMBER = re.compile(r"(?:.*\D)?(\d+)")


class StatesOfBatch(NamedTuple):
    """The hidden states of some texts, and their attention mask if it is known."""

    states: Any
    attention_mask: Any


def is_file(states: Any) -> bool:
    """Return whether states are the path of a file."""
    return isinstance(states, str | os.PathLike)


def read_safetensors(path: str | os.PathLike[str]) -> StatesOfBatch:
    """Read a file with one tensor per layer, and possibly an attention mask.

    Layers are named by the numbers at the ends of their names, or by their names if some of them do
    not have one.

    Raises
    ------
    ValueError
        If the suffix is another one, or the file is damaged or does not contain layers.
    """
    if Path(path).suffix != ".safetensors":
        raise ValueError(f"{path}: expected a file with the suffix .safetensors.")
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist.")
    # The package safetensors is a dependency of transformers.
    library: Any = import_optional(
        "safetensors.torch", extra="transformers", purpose="A .safetensors file"
    )
    try:
        tensors = dict(library.load_file(path))
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise ValueError(f"{path} is damaged or not a .safetensors file: {error}.") from error
    mask = tensors.pop(MASK, None)
    if not tensors:
        raise ValueError(f"{path} does not contain the states of any layer.")
    if list(tensors) == [_STATES]:  # of all layers
        return StatesOfBatch(tensors[_STATES], mask)
    numbers = [int(found[1]) for found in map(_NUMBER.fullmatch, tensors) if found]
    if len(set(numbers)) < len(tensors):
        return StatesOfBatch(tensors, mask)
    ordered = sorted(zip(numbers, tensors.values(), strict=True), key=lambda pair: pair[0])
    return StatesOfBatch(dict(ordered), mask)


def batches_of(states: Any) -> Iterator[StatesOfBatch] | None:
    """Return the batches of an iterator or a DataLoader of torch, or None for anything else."""
    is_loader = hasattr(states, "dataset") and hasattr(states, "batch_size")
    if not is_loader and not isinstance(states, Iterator):
        return None
    return (_batch(batch, number) for number, batch in enumerate(states))


def _batch(batch: Any, number: int) -> StatesOfBatch:
    """Return the states of a batch: alone, in a pair with its mask, or by name."""
    if isinstance(batch, Mapping) and (_STATES in batch or MASK in batch):
        rest = {name: value for name, value in batch.items() if name != MASK}
        return StatesOfBatch(rest.get(_STATES, rest), batch.get(MASK))
    if isinstance(batch, list | tuple) and len(batch) == 2 and getattr(batch[1], "ndim", 0) == 2:
        return StatesOfBatch(*batch)
    if isinstance(batch, list | tuple) and len(batch) == 1:
        return StatesOfBatch(batch[0], None)
    if hasattr(batch, "ndim") or isinstance(batch, Mapping):
        return StatesOfBatch(batch, None)
    raise TypeError(
        f"Batch {number}: expected states, a pair of states and attention mask, or a mapping with "
        f"{_STATES!r} and {MASK!r}, got {type(batch).__name__} {batch!r:.60}."
    )
