"""Second moments of samples: additive sums from which squared errors are computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._device import as_tensor, gram, like
from ._datafit import GramDatafit

# Number of neurons above which passes over the samples are cheaper than second moments.
_LARGEST_GRAM = 4096
# Number of samples whose means are close enough to the means of all samples for sums of squares
# about them not to lose precision.
_SAMPLES_FOR_ORIGIN = 4096
# Smallest share of a sum of squares that may remain after a subtraction. The rounding error is
# 1e-16 of the sum.
_LEAST_SHARE = 1e-6
# Number of elements of the largest temporary array, 128 MB in float64.
_CHUNK_ELEMENTS = 1 << 24


def moments_pay(n_samples: int, n_neurons: int) -> bool:
    """Return whether second moments cost less than passes over the samples."""
    return n_neurons <= min(n_samples, _LARGEST_GRAM)


@dataclass(frozen=True)
class Moments:
    """Sums over samples of products of neurons and targets.

    Moments of disjoint sets of samples with the same origin can be added and subtracted.

    Parameters
    ----------
    products : Tensor of shape (1 + n_neurons + n_outputs, 1 + n_neurons + n_outputs), float64
        Weighted sum of the outer products of the rows (1, neurons, targets), each column less
        its origin.
    origin : Tensor of shape (n_neurons + n_outputs,), float64
        Values close to the means, so that variances are not lost to rounding.
    n_outputs : int
    """

    products: Tensor
    origin: Tensor
    n_outputs: int

    @classmethod
    def of(
        cls, X: Tensor, targets: Tensor, weight: Tensor, origin: Tensor | None = None
    ) -> Moments:
        """Sum over samples.

        Parameters
        ----------
        X : Tensor of shape (n_samples, n_neurons)
        targets : Tensor of shape (n_outputs, n_samples)
        weight : Tensor of shape (n_samples,)
        origin : Tensor of shape (n_neurons + n_outputs,), default=None
            If None, use the means, which are computed first.
        """
        targets, weight = targets.double(), weight.double()
        width = 1 + X.shape[1] + len(targets)
        size = max(1, _CHUNK_ELEMENTS // width)
        chunks = [slice(start, start + size) for start in range(0, len(X), size)]
        if origin is None:
            total = torch.stack([weight[rows] @ like(X[rows], weight) for rows in chunks]).sum(0)
            origin = torch.cat([total, targets @ weight]) / weight.sum()
        products = torch.zeros(width, width, dtype=torch.float64, device=weight.device)
        for rows in chunks:
            part = weight.new_ones(len(X[rows]), width)
            neurons = X[rows].to(weight.device)
            torch.sub(neurons, origin[: X.shape[1]], out=part[:, 1 : 1 + X.shape[1]])
            part[:, 1 + X.shape[1] :] = targets[:, rows].T - origin[X.shape[1] :]
            products += gram(part.mul_(weight[rows, None].sqrt()))
        return cls(products, origin, len(targets))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.products + other.products, self.origin, self.n_outputs)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.products - other.products, self.origin, self.n_outputs)

    def is_lost_in(self, total: Moments) -> bool:
        """Return whether the rounding of the total dominates the sum of weights or a variance."""
        n_samples = self.products[0, 0]
        if n_samples < _LEAST_SHARE * total.products[0, 0]:
            return True
        scatter = (self.products.diagonal() - self.products[0] ** 2 / n_samples)[1:]
        whole = total.products.diagonal()[1:]
        rounding = 16 * torch.finfo(torch.float64).eps * self.origin
        moves = whole > total.products[0, 0] * rounding**2
        return bool((moves & (scatter < _LEAST_SHARE * whole)).any())

    def datafit(self) -> GramDatafit:
        """Return the mean squared error on these samples."""
        mean = self.products[0] / self.products[0, 0]
        covariance = (self.products / self.products[0, 0]).addr_(mean, mean, alpha=-1)[1:, 1:]
        n = len(self.origin) - self.n_outputs
        means = self.origin + mean[1:]
        return GramDatafit(
            gram=covariance[:n, :n],
            cross=covariance[n:, :n],
            target_variance=covariance.diagonal()[n:],
            mean=means[:n],
            target_mean=means[n:],
        )


def moments_of_folds(
    X: NDArray,
    y: NDArray,
    sample_weight: NDArray | None,
    splits: list[tuple[NDArray, NDArray]],
    device: torch.device,
) -> list[Moments | None]:
    """Return the moments of the training samples of each fold.

    If every sample is held out once and used for training in all other folds, the moments of all
    folds require a single pass over the samples.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_neurons)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : ndarray of shape (n_samples,) or None
    splits : list of (train, test), ndarrays of indices
    device : torch.device

    Returns
    -------
    list of Moments, or of None if there are more neurons than moments pay for
    """
    if not moments_pay(min(len(train) for train, _ in splits), X.shape[1]):
        return [None] * len(splits)
    targets = torch.from_numpy(y.reshape(len(y), -1).T.copy()).to(device)
    shares = np.ones(len(X)) if sample_weight is None else sample_weight
    weight = torch.from_numpy(shares).to(device)
    some = np.flatnonzero(shares)[:_SAMPLES_FOR_ORIGIN]
    origin = torch.cat([as_tensor(X[some]).double().mean(0).to(device), targets[:, some].mean(1)])

    def moments(rows: NDArray, origin: Tensor | None = origin) -> Moments:
        rows = rows[shares[rows] > 0]  # a weight of 0 is equivalent to removing the sample
        return Moments.of(as_tensor(X[rows]), targets[:, rows], weight[rows], origin)

    if not _partition(splits, len(X)):
        return [moments(train) for train, _ in splits]
    parts = [moments(test) for _, test in splits]
    total = reduce(Moments.__add__, parts)
    rests = [total - part for part in parts]
    return [
        moments(train, None) if rest.is_lost_in(total) else rest
        for rest, (train, _) in zip(rests, splits, strict=True)
    ]


def _partition(splits: list[tuple[NDArray, NDArray]], n_samples: int) -> bool:
    """Return whether every sample is held out once and used for training in all other folds."""
    held_out = np.sort(np.concatenate([test for _, test in splits]))
    return np.array_equal(held_out, np.arange(n_samples)) and all(
        len(train) + len(test) == len(np.union1d(train, test)) == n_samples
        for train, test in splits
    )
