"""Checks of sample weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._conversion import as_numpy
from ._labels import check_numbers

# Weights that differ by a larger factor are out of proportion: float32 would set some of them to 0.
_LARGEST_RATIO = 1e30


def check_sample_weight(
    sample_weight: ArrayLike | None, n_samples: int, *, relative: bool = True
) -> NDArray[np.float64]:
    """Check sample weights: non-negative numbers, of which at least one is positive.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), float or None
        A number is the weight of every sample. None means 1.
    n_samples : int
    relative : bool, default=True
        Whether only the ratios of the weights matter. They are then divided by the largest weight,
        so that their sums neither overflow nor underflow.

    Returns
    -------
    ndarray of float64 of shape (n_samples,)
        A new array.

    Raises
    ------
    TypeError
        If a weight is not a number.
    ValueError
        If the shape is wrong, a weight is negative, NaN or infinite, all weights are 0, or the
        positive weights differ by a factor of more than 1e30. If `relative` is False, also if a
        positive weight is below 1e-30 or above 1e30.
    """
    if sample_weight is None:
        return np.ones(n_samples)
    weight = check_numbers(_one_per_sample(sample_weight, n_samples), name="sample_weight")
    if (weight < 0).any():
        row = int((weight < 0).argmax())
        raise ValueError(
            f"Negative values in sample_weight: sample_weight[{row}] = {weight[row]}. Weights must "
            "be non-negative."
        )
    if not weight.any():
        raise ValueError("sample_weight must contain a positive weight, but all are zero.")
    check_weight_ratio(weight, name="sample_weight")
    if relative:
        return weight / weight.max()
    largest, smallest = weight.max(), weight[weight > 0].min()
    if largest > _LARGEST_RATIO or smallest < 1 / _LARGEST_RATIO:
        raise ValueError(
            "sample_weight counts samples, so positive weights must be from "
            f"{1 / _LARGEST_RATIO:g} to {_LARGEST_RATIO:g}, got {smallest:.3g} to {largest:.3g}."
        )
    return weight.copy()


def check_weights_of_folds(
    sample_weight: NDArray, splits: Sequence[tuple[NDArray, NDArray]], *, scored: bool
) -> None:
    """Raise a ValueError if all training samples of a fold have a weight of 0.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,)
    splits : sequence of (train, test), ndarrays of int
    scored : bool
        Whether the weights are used in the scores, so that test samples are checked as well.
    """
    for fold, split in enumerate(splits):
        for part, rows in zip(("training", "test"), split[: 1 + scored], strict=False):
            if not sample_weight[rows].any():
                raise ValueError(
                    f"In fold {fold}, all {len(rows)} {part} samples have a sample_weight of 0. "
                    "Use fewer folds, or set groups or cv so that each fold has samples of "
                    "positive weight in both parts."
                )


def check_weight_ratio(weight: NDArray[np.float64], *, name: str) -> None:
    """Raise a ValueError if positive weights differ by a factor that is out of proportion."""
    smallest, largest = weight[weight > 0].min(), weight.max()
    if smallest < largest / _LARGEST_RATIO:
        raise ValueError(
            f"{name} must not contain positive weights that differ by a factor of more than "
            f"{_LARGEST_RATIO:g}, got weights from {smallest:.3g} to {largest:.3g}. Set weights "
            "that are out of proportion to 0."
        )


def _one_per_sample(sample_weight: Any, n_samples: int) -> Any:
    """Return weights whose number is that of the samples, or raise an error."""
    weights = as_numpy(sample_weight, name="sample_weight")
    if not isinstance(weights, list | tuple):
        weights = np.asarray(weights)
    shape = (len(weights),) if isinstance(weights, list | tuple) else weights.shape
    if shape == ():
        return [weights.item()] * n_samples
    if shape != (n_samples,):
        raise ValueError(
            f"sample_weight must contain one number for each of the {n_samples} samples, got an "
            f"array of shape {shape}."
        )
    return weights
