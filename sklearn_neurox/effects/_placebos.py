"""Placebos: other edits, matched to an edit, whose effects show what its own effect is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.base import clone
from torch import Tensor

from ..extraction.state_edits import StateEdit, function_of
from ..interventions import (
    DirectionProjector,
    NeuronAblator,
    NullspaceEraser,
    SteeringVector,
)

Placebos: TypeAlias = Sequence[str]

# Neurons are matched within bins of this many neurons of similar displacement, or of fewer if there
# would be less than four bins.
_BIN, _MIN_BINS, _MIN_BIN = 20, 4, 4
_SPARE = 2  # neurons to draw from for each one that is drawn
# Largest singular value of a displacement that is considered rounding, relative to the first one.
_ROUNDING = 1e-6
_MAX_MOVED = 2048  # states whose displacement is analyzed


class MatchedEdit:
    """An edit that moves each state in the direction of a placebo, but as far as another edit.

    Parameters
    ----------
    edit : transformer
        Determines how far each state moves.
    placebo : transformer
        Determines the direction.
    """

    def __init__(self, edit: Any, placebo: Any):
        self.edit = edit
        self.placebo = placebo
        self._functions: dict[tuple[torch.dtype, torch.device], StateEdit] = {}

    def transform(self, X: NDArray) -> NDArray:
        """Edit rows of X."""
        rows = torch.from_numpy(np.ascontiguousarray(X))
        return self.state_edit(rows.dtype, rows.device)(rows).numpy()

    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """Return the edit as a function of tensors, which is kept for other batches."""
        key = dtype, device
        if key not in self._functions:
            self._functions[key] = self._function(*key)
        return self._functions[key]

    def _function(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        wide = dtype if dtype.itemsize >= 4 else torch.float32
        edit, placebo = (function_of(each, wide, device) for each in (self.edit, self.placebo))

        def move(states: Tensor) -> Tensor:
            exact = states.to(wide)
            distance = (edit(exact) - exact).norm(dim=-1, keepdim=True)
            step = placebo(exact) - exact
            length = step.norm(dim=-1, keepdim=True)
            # A state that the placebo does not move does not have a direction, and stays.
            scale = torch.where(length > 0, distance / length, 0)
            return (exact + step * scale).to(dtype)

        return move


@dataclass(frozen=True)
class Matching:
    """Draw placebos that are matched to an edit.

    Parameters
    ----------
    edit : transformer
        Fitted edit.
    states : ndarray of shape (n_states, n_neurons)
        States of the training texts at the edited positions.
    """

    edit: Any
    states: NDArray

    def draw(self, kind: str, n_draws: int, random: RandomState) -> Iterator[Any]:
        """Yield `n_draws` placebos of a kind, or a single one of the kind "largest"."""
        if kind == "largest":
            yield MatchedEdit(self.edit, self._largest())
            return
        for _ in range(n_draws):
            if kind == "norm" and self._ablated is not None:
                neurons = matched_neurons(self._sizes, self._ablated, random)
                yield MatchedEdit(self.edit, self._ablator(neurons))
            else:
                directions = random.normal(size=(self._rank, self._n_drawn(kind)))
                if kind == "covariance":
                    directions = directions @ self._centered
                yield MatchedEdit(self.edit, self._along(directions))

    def _n_drawn(self, kind: str) -> int:
        return len(self.states) if kind == "covariance" else self.states.shape[1]

    def _largest(self) -> Any:
        if self._ablated is not None:
            order = np.argsort(-self._sizes, kind="stable")
            return self._ablator(order[: self._ablated.sum()])
        covariance = self._centered.T @ self._centered
        width = len(covariance)
        _, vectors = eigh(covariance, subset_by_index=[width - self._rank, width - 1])
        return self._along(vectors.T)

    def _along(self, directions: NDArray) -> Any:
        """Return an edit along other directions that is of the kind of the edit."""
        if self._is_constant:
            return SteeringVector(directions[0])
        return DirectionProjector(directions, center=self._center)

    @cached_property
    def _ablated(self) -> NDArray[np.bool_] | None:
        """The neurons that are ablated, or None if the edit changes directions."""
        return self.edit.ablated_ if isinstance(self.edit, NeuronAblator) else None

    def _ablator(self, neurons: NDArray) -> NeuronAblator:
        ablator: Any = clone(self.edit).set_params(neurons=neurons, invert=False)
        return ablator.fit(self.states)

    @cached_property
    def _sizes(self) -> NDArray[np.float64]:
        """Mean squared displacement of each neuron if it is ablated."""
        center = 0.0 if self.edit.mode == "zero" else self.states.mean(axis=0, dtype=np.float64)
        return np.square(self.states - center, dtype=np.float64).mean(axis=0)

    @cached_property
    def _centered(self) -> NDArray[np.float64]:
        return self.states - self.states.mean(axis=0, dtype=np.float64)

    @cached_property
    def _moved(self) -> NDArray[np.float64]:
        """Displacements of some of the states."""
        step = -(-len(self.states) // _MAX_MOVED)
        rows = torch.from_numpy(self.states[::step].astype(np.float64))
        return (function_of(self.edit, rows.dtype, rows.device)(rows) - rows).numpy()

    @cached_property
    def _is_constant(self) -> bool:
        """Whether all states move by the same vector."""
        if self._ablated is not None:
            return False
        largest = np.abs(self._moved).max()
        return bool(largest > 0 and np.ptp(self._moved, axis=0).max() <= _ROUNDING * largest)

    @cached_property
    def _rank(self) -> int:
        """Number of directions of a placebo, at most half of the neurons."""
        if self._is_constant:
            return 1
        if self._ablated is not None:
            rank = int(self._ablated.sum())
        else:
            values = np.linalg.svd(self._moved, compute_uv=False)
            rank = int((values > _ROUNDING * values[0]).sum())
        return max(1, min(rank, self.states.shape[1] // 2))

    @cached_property
    def _center(self) -> NDArray[np.float64]:
        """The point whose components along the removed directions remain."""
        mean = self.states.mean(axis=0, dtype=np.float64)
        if isinstance(self.edit, DirectionProjector):
            return np.zeros_like(mean) if self.edit.center is None else np.array(self.edit.center)
        if isinstance(self.edit, NullspaceEraser) or getattr(self.edit, "mode", None) == "zero":
            return np.zeros_like(mean)
        return getattr(self.edit, "center_", mean)


def matched_neurons(
    sizes: NDArray[np.float64], chosen: NDArray[np.bool_], random: RandomState
) -> NDArray[np.intp]:
    """Draw neurons that are matched to others in number and size.

    The neurons are sorted by size and divided into bins. For those that are chosen in a bin, as
    many are drawn from the other neurons in it. If there are too few for draws that differ, these
    are drawn from the neighboring bins as well, so none of the chosen neurons is ever drawn.

    Parameters
    ----------
    sizes : ndarray of shape (n_neurons,)
        The quantity that is matched, such as the variance.
    chosen : ndarray of bool of shape (n_neurons,)
        Less than half of the neurons.
    random : RandomState

    Returns
    -------
    ndarray of int of shape (n_chosen,)

    Raises
    ------
    ValueError
        If half of the neurons or more are chosen.
    """
    n_chosen = int(chosen.sum())
    if n_chosen and 2 * n_chosen >= len(chosen):
        raise ValueError(
            f"The placebo 'norm' ablates other neurons, but {n_chosen} of {len(chosen)} neurons "
            "are ablated by the edit. Ablate less than half of them, or leave out this placebo."
        )
    order = np.argsort(sizes, kind="stable")
    n_bins = max(len(order) // _BIN, min(_MIN_BINS, len(order) // _MIN_BIN), 1)
    parts = np.array_split(order, n_bins)
    counts = np.array([chosen[part].sum() for part in parts])
    is_free = ~chosen
    # Bins with enough neurons of their own come first, so that the others leave these to them.
    is_short = [_SPARE * n > is_free[part].sum() for n, part in zip(counts, parts, strict=True)]
    for number in np.argsort(is_short, kind="stable"):
        pool = _pool(parts, number, is_free, _SPARE * counts[number])
        is_free[random.choice(pool, size=counts[number], replace=False)] = False
    return np.flatnonzero(~is_free & ~chosen)


def _pool(
    parts: Sequence[NDArray[np.intp]], number: int, is_free: NDArray[np.bool_], size: int
) -> NDArray[np.intp]:
    """Return the free neurons in a bin and, until there are enough, in the nearest others."""
    pool = np.empty(0, dtype=np.intp)
    for radius in range(len(parts)):
        near = np.concatenate(parts[max(number - radius, 0) : number + radius + 1])
        pool = near[is_free[near]]
        if len(pool) >= size:
            break
    return pool
