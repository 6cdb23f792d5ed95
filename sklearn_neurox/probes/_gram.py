"""Squared errors that are computed from second moments, and the moments of folds."""

from __future__ import annotations

from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._device import as_tensor, full_precision
from .._row_copies import copy_rows
from .._second_moments import Moments
from ._datafit import GramDatafit

# Number of neurons above which passes over the samples are cheaper than second moments.
_LARGEST_GRAM = 4096
# Number of samples whose means are close enough to the means of all samples for sums of squares
# about them not to lose precision.
_SAMPLES_FOR_ORIGIN = 4096


def moments_pay(n_samples: int, n_neurons: int) -> bool:
    """Return whether second moments cost less than passes over the samples."""
    return n_neurons <= min(n_samples, _LARGEST_GRAM)


def squared_error_of(moments: Moments) -> GramDatafit:
    """Return the mean squared error on the samples of some moments."""
    found = moments.covariances()
    return GramDatafit(
        gram=found.neurons,
        cross=found.cross,
        target_variance=found.targets.diagonal(),
        mean=found.mean,
        target_mean=found.target_mean,
    )


@full_precision()
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
        return Moments.of(as_tensor(copy_rows(X, rows)), targets[:, rows], weight[rows], origin)

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
