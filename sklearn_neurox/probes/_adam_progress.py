"""Whether Adam stopped long before the objective did.

The objectives of the epochs say so at no cost. Only if they do, a pass over the samples checks that
there is something left to learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .._device import as_tensor
from .._files import mapping_of
from .._row_chunks import RowChunks, rows_at_once
from ._solver import Problem, TrainingSet

# Fewer epochs are taken for the user's choice.
_FEW_EPOCHS = 10
# A decrease in the second half of the epochs is large if it exceeds this share of what was gained
# before, and if it exceeds this share of the objective at W = 0.
_SHARE_OF_GAIN, _SHARE_OF_NULL = 0.4, 0.01
# Number of permutations of the targets, and of standard deviations above their mean.
_N_PERMUTATIONS, _N_DEVIATIONS = 20, 4
_MAX_SAMPLES = 8192


def null_objective(data: TrainingSet) -> float:
    """Return the smallest objective with W = 0: that of the label frequencies, or of the mean."""
    mean = np.average(data.targets, axis=0, weights=data.sample_weight)
    if data.loss == "softmax_cross_entropy":
        return float(-(mean * np.log(mean)).sum())
    squares = (data.targets - mean) ** 2
    return float(np.average(squares, axis=0, weights=data.sample_weight).mean())


@dataclass(frozen=True)
class Progress:
    """Decrease of the objective in the first and the second half of the epochs.

    Parameters
    ----------
    first, second : float
        Decrease in each half.
    last : float
        Objective of the last epoch.
    null : float
        Objective at W = 0.
    n_epochs : int
    """

    first: float
    second: float
    last: float
    null: float
    n_epochs: int

    @classmethod
    def of(cls, curve: ArrayLike, null: float) -> Progress:
        """Measure the progress on the objectives of the epochs, (n_epochs,)."""
        curve = np.asarray(curve)
        middle = (len(curve) - 1) // 2
        return cls(
            float(curve[0] - curve[middle]),
            float(curve[middle] - curve[-1]),
            float(curve[-1]),
            null,
            len(curve),
        )

    @property
    def is_unfinished(self) -> bool:
        """Whether the second half decreased the objective by more than 40 % of the gain.

        The gain is the decrease in the first half, or below the objective at W = 0. The latter is
        smaller if the initial weights are bad, as for neurons on large scales.
        """
        gain = min(self.first, self.null - self.last)
        large = max(_SHARE_OF_GAIN * gain, _SHARE_OF_NULL * self.null)
        return self.n_epochs >= _FEW_EPOCHS and self.second > large


def learnable_layers(problem: Problem) -> NDArray[np.bool_]:
    """Return the layers whose neurons say more about the targets than W = 0 does.

    The covariances of the targets with the standardized neurons are compared with those of permuted
    targets. They also are the gradient at W = 0, so they say whether the penalties of every probe
    keep the minimum there. Evenly spaced samples are used if there are many.

    Returns
    -------
    ndarray of bool of shape (n_layers,)
    """
    gradient, permuted, variance = _covariances(problem.data)
    scale = torch.where(variance > 0, variance.rsqrt(), 0)

    def square(covariance: Tensor) -> NDArray:
        parts = (covariance * scale).square().unflatten(-1, (problem.n_layers, -1))
        return parts.sum((-3, -1)).numpy()

    chance = square(permuted)
    related = square(gradient) > chance.mean(axis=0) + _N_DEVIATIONS * chance.std(axis=0)
    if (standardization := problem.data.standardization) is not None:
        gradient = gradient / torch.from_numpy(standardization.scale)
    return related & _leaves_zero(problem, gradient)


def _leaves_zero(problem: Problem, gradient: Tensor) -> NDArray[np.bool_]:
    """Return the layers in which the weakest penalties do not keep the minimum at W = 0."""
    lambda_l1, lambda_l2 = problem.lambdas.min(axis=0)
    factor = 1.0 if problem.data.loss == "softmax_cross_entropy" else 2 / len(gradient)
    excess = (factor * gradient.abs() - lambda_l1).clamp(min=0)
    norm = excess.unflatten(-1, (problem.n_layers, -1)).square().sum((0, -1)).sqrt().numpy()
    return norm > (lambda_l2 if problem.l2_penalty == "norm" else 0.0)


def _covariances(data: TrainingSet) -> tuple[Tensor, Tensor, Tensor]:
    """Sum up the samples in a single pass.

    Returns
    -------
    covariance : Tensor of shape (n_outputs, n_columns)
        Covariances of the targets with the columns of X.
    permuted : Tensor of shape (n_permutations, n_outputs, n_columns)
        Those of permuted targets.
    variance : Tensor of shape (n_columns,)
    """
    n_samples = len(data.targets)
    rows = np.linspace(0, n_samples - 1, min(n_samples, _MAX_SAMPLES)).astype(np.intp)
    share = data.sample_weight[rows].astype(np.float64)
    share /= share.sum()
    targets = data.targets[rows] - share @ data.targets[rows]
    random_state = np.random.RandomState(0)  # that of the problem must not be affected
    orders = [random_state.permutation(len(rows)) for _ in range(_N_PERMUTATIONS)]
    sides = [targets, *(targets[order] for order in orders)]
    weighted = torch.from_numpy(np.concatenate(sides, axis=1) * share[:, None])
    shares = torch.from_numpy(share)
    chunks = RowChunks(
        as_tensor(data.X), shares.new_empty(0), mapping=mapping_of(data.X), copy=True
    )
    size = rows_at_once(data.X.shape[1], shares.device)
    total: list[Tensor] = []
    origin: Tensor | None = None
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        X = chunks.take(torch.from_numpy(rows[part]))
        origin = X[0].clone() if origin is None else origin  # differences lose no digits
        X -= origin
        sums = [weighted[part].T @ X, shares[part] @ X, shares[part] @ X.square()]
        total = [a + b for a, b in zip(total, sums, strict=True)] if total else sums
    products, mean, square = total
    covariances = products - weighted.sum(0)[:, None] * mean
    covariances = covariances.unflatten(0, (1 + _N_PERMUTATIONS, -1))
    return covariances[0], covariances[1:], (square - mean.square()).clamp(min=0)
