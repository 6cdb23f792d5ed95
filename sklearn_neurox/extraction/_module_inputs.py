"""Inputs of a module in batches of equal length, so that padding is neither read nor pooled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from .._conversion import as_numpy
from ._inputs import as_inputs

_MASK = "attention_mask"


@dataclass(frozen=True)
class Batch:
    """Inputs of equal shape.

    Parameters
    ----------
    places : ndarray of int of shape (n_inputs,)
        Places of the inputs among all inputs.
    tensors : dict of Tensor
        Keyword arguments of the module, or a positional argument under the name "".
    """

    places: NDArray[np.intp]
    tensors: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: slice | list[int]) -> Batch:
        return Batch(self.places[rows], {name: each[rows] for name, each in self.tensors.items()})

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first argument."""
        return tuple(self._first.shape)

    @property
    def dtype(self) -> Any:
        """Dtype of the first argument."""
        return self._first.dtype

    def feed(self, call: Callable[..., Any]) -> Any:
        """Call a function with the inputs."""
        if "" in self.tensors:
            return call(self.tensors[""])
        return call(**self.tensors)

    @property
    def _first(self) -> Tensor:
        return next(iter(self.tensors.values()))


def batches_of(X: Any, module: nn.Module) -> list[Batch]:
    """Check inputs, and group them by length, without padding.

    Parameters
    ----------
    X : array-like, Tensor, mapping or sequence of sequences
        As in :meth:`ModuleActivations.transform`.
    module : torch.nn.Module

    Returns
    -------
    list of Batch
        A single batch unless inputs have different lengths.

    Raises
    ------
    ValueError
        If the inputs are not valid.
    """
    if isinstance(X, Mapping):
        return _grouped(_rows_of_mapping(X), module)
    if _is_ragged(X):
        rows = [{"": np.asarray(as_numpy(row, name=f"X[{i}]"))} for i, row in enumerate(X)]
        for i, row in enumerate(rows):
            if row[""].ndim != rows[0][""].ndim or row[""].shape[1:] != rows[0][""].shape[1:]:
                raise ValueError(
                    "All inputs in X must have the same shape, except for their lengths, but input "
                    f"0 has the shape {rows[0][''].shape} and input {i} has {row[''].shape}."
                )
        return _grouped(rows, module)
    inputs = as_inputs(X, module)
    return [Batch(np.arange(len(inputs)), {"": inputs})]


def _is_ragged(X: Any) -> bool:
    """Return whether X is a list of sequences of different lengths."""
    if not isinstance(X, Sequence) or isinstance(X, str) or not len(X):
        return False
    is_sequence = [isinstance(row, Sequence | np.ndarray | Tensor) and not isinstance(row, str)
                   and getattr(row, "ndim", 1) > 0 for row in X]  # fmt: skip
    return all(is_sequence) and len({len(row) for row in X}) > 1


def _rows_of_mapping(X: Mapping[str, Any]) -> list[dict[str, NDArray]]:
    """Return the arguments of each input, without its padding."""
    if not X:
        raise ValueError("X is an empty mapping: expected the arguments of the module by name.")
    columns = {name: list(as_numpy(values, name=name)) for name, values in X.items()}
    lengths = {name: len(rows) for name, rows in columns.items()}
    if len(set(lengths.values())) > 1 or not min(lengths.values()):
        raise ValueError(f"The arguments in X must have the same number of inputs, got {lengths}.")
    rows = []
    for i in range(next(iter(lengths.values()))):
        row = {name: np.asarray(values[i]) for name, values in columns.items()}
        own = _own_positions(row, i)
        rows.append({name: values[own] for name, values in row.items()})
    return rows


def _own_positions(row: Mapping[str, NDArray], place: int) -> slice:
    """Return the positions of an input that are not padding."""
    sizes = {name: values.shape[:1] for name, values in row.items()}
    if len(set(sizes.values())) > 1 or () in sizes.values():
        raise ValueError(
            f"Input {place}: all arguments in X must have one value per position, got the lengths "
            f"{ {name: size[0] if size else None for name, size in sizes.items()} }."
        )
    if _MASK not in row:
        return slice(None)
    mask = row[_MASK]
    found = np.flatnonzero(mask)
    if mask.ndim != 1 or not np.isin(mask, (0, 1)).all():
        raise ValueError(f"Input {place}: {_MASK} must contain 0 and 1 for each position.")
    if not len(found):
        raise ValueError(f"Input {place} consists of padding only.")
    if found[-1] - found[0] >= len(found):
        raise ValueError(
            f"Input {place}: {_MASK} masks positions between others. Expected padding at the "
            "beginning or the end."
        )
    return slice(found[0], found[-1] + 1)


def _grouped(rows: list[dict[str, NDArray]], module: nn.Module) -> list[Batch]:
    groups: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        length = len(next(iter(row.values())))
        if not length:
            raise ValueError(f"Input {place} is empty.")
        groups.setdefault(length, []).append(place)
    return [
        Batch(
            np.array(places),
            {
                name: as_inputs(np.stack([rows[place][name] for place in places]), module)
                for name in rows[0]
            },
        )
        for places in groups.values()
    ]
