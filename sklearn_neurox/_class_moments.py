"""Moments of the neurons within classes, which can be added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import gen_batches
from torch import Tensor

from ._device import sum_of_grams
from ._moments import varying
from ._row_chunks import read_arrays
from ._second_moments import check_range

# What is kept of the deviations from the means of classes: nothing, the sum of their squares over
# all classes, the sum of their products over all classes, or these products for each class.
Scatter: TypeAlias = Literal["none", "squares", "within", "by_class"]

_ROWS = 512  # of a chunk of one class


@dataclass(frozen=True)
class ClassMoments:
    """Weights, means and scatter of the samples of each class, in float64.

    Deviations are those from the means of the samples themselves. The moments of disjoint sets of
    samples are added as in [1]_. Variances are therefore not lost to rounding if they are small
    compared with the means.

    Parameters
    ----------
    size : ndarray of shape (n_classes,)
        Sum of the sample weights of each class.
    means : ndarray of shape (n_classes, n_neurons)
        0 for classes without samples.
    scatter : ndarray
        Sum of the weighted products of the deviations, of shape (n_classes, n_neurons, n_neurons)
        by class, or (n_neurons, n_neurons) within all classes; the weighted squares of shape
        (n_neurons,); or nothing, of shape (0,).
    low, high : ndarray of shape (n_neurons,)
        Range of the neurons, in the dtype of X.

    References
    ----------
    .. [1] T. Chan, G. Golub and R. LeVeque (1979). Updating Formulae and a Pairwise Algorithm for
       Computing Sample Variances. Stanford University.
    """

    size: NDArray[np.float64]
    means: NDArray[np.float64]
    scatter: NDArray[np.float64]
    low: NDArray
    high: NDArray

    @classmethod
    def of(
        cls,
        X: NDArray,
        codes: NDArray[np.intp],
        weight: NDArray[np.float64],
        n_classes: int,
        scatter: Scatter,
    ) -> ClassMoments:
        """Sum over samples.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_neurons)
        codes : ndarray of shape (n_samples,)
            Class of each sample, as an index.
        weight : ndarray of shape (n_samples,)
            Positive weights.
        n_classes : int
        scatter : {"none", "squares", "within", "by_class"}

        Raises
        ------
        ValueError
            If squares of activations exceed the range of float64, unless `scatter` is "none" or
            "by_class".
        """
        size = np.bincount(codes, weights=weight, minlength=n_classes).astype(np.float64)
        means = np.zeros((n_classes, X.shape[1]))
        low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
        for rows, part in _chunks(X, codes, by_class=scatter == "by_class"):
            np.minimum(low, part.min(axis=0), out=low)
            np.maximum(high, part.max(axis=0), out=high)
            present = np.unique(codes[rows])
            means[present] += ((codes[rows] == present[:, np.newaxis]) * weight[rows]) @ part
        means /= np.where(size > 0, size, 1)[:, np.newaxis]
        shape = {"none": (0,), "squares": X.shape[1:], "within": X.shape[1:] * 2}
        total = np.zeros(shape.get(scatter, (n_classes, *X.shape[1:] * 2)))
        if scatter != "none":
            with np.errstate(over="ignore", invalid="ignore"):  # checked afterwards
                _add_scatter(total, X, codes, weight, means)
        moments = cls(size, means, total, low.astype(X.dtype), high.astype(X.dtype))
        if scatter in ("squares", "within"):
            moments._check_range()
        return moments

    def __add__(self, other: ClassMoments) -> ClassMoments:
        size = self.size + other.size
        share = other.size / np.where(size > 0, size, 1)
        difference = other.means - self.means
        scatter = self.scatter + other.scatter
        moved = np.sqrt(self.size * share)[:, np.newaxis] * difference
        if scatter.ndim == 3:
            for own, vector in zip(scatter, moved, strict=True):
                own += np.outer(vector, vector)
        elif scatter.ndim == 2:
            scatter += moved.T @ moved
        elif len(scatter):
            scatter += (moved**2).sum(axis=0)
        return ClassMoments(
            size,
            self.means + share[:, np.newaxis] * difference,
            scatter,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )

    @property
    def reach(self) -> NDArray[np.float64]:
        """Largest absolute activation of each neuron."""
        return np.maximum(self.high, -self.low).astype(np.float64)

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Which neurons are not constant up to rounding, (n_neurons,)."""
        low, high = self.low.astype(np.float64), self.high.astype(np.float64)
        return varying(low, high, self.low.dtype)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of each neuron over all samples, (n_neurons,)."""
        squares = self.scatter
        if squares.ndim > 1:
            squares = np.einsum("...jj->...j", squares)
        if squares.ndim > 1:
            squares = squares.sum(axis=0)
        return squares / self.size.sum() + variance_between(self.size, self.means)

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation of each neuron over all samples, 0 for constant neurons."""
        return np.where(self.varies, np.sqrt(self.variance), 0.0)

    def _check_range(self) -> None:
        share = self.size / self.size.sum()
        mean = torch.from_numpy(share @ self.means)
        ends = torch.from_numpy(np.stack([self.low, self.high]).astype(np.float64))
        with np.errstate(over="ignore", invalid="ignore"):
            variance = torch.from_numpy(self.variance)
        check_range(variance, mean, [ends - mean])


def _chunks(
    X: NDArray, codes: NDArray[np.intp], *, by_class: bool
) -> Iterator[tuple[slice | NDArray[np.intp], NDArray[np.float64]]]:
    """Yield rows and their activations in float64. By class, a chunk has samples of one class."""
    if not by_class:
        yield from read_arrays(X, np.float64, copy=True)
        return
    for c in np.unique(codes):
        samples = np.flatnonzero(codes == c)
        for rows in gen_batches(len(samples), _ROWS):
            yield samples[rows], X[samples[rows]].astype(np.float64)


def variance_between(size: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of the means of classes, which is exactly 0 if they are equal.

    Parameters
    ----------
    size : ndarray of shape (n_classes,)
        Sum of the sample weights of each class.
    means : ndarray of shape (n_classes, n_neurons)

    Returns
    -------
    ndarray of shape (n_neurons,)
    """
    share = size / size.sum()
    shifted = means - means[size.argmax()]
    return share @ (shifted - share @ shifted) ** 2


def _add_scatter(
    total: NDArray[np.float64],
    X: NDArray,
    codes: NDArray[np.intp],
    weight: NDArray[np.float64],
    means: NDArray[np.float64],
) -> None:
    """Add the weighted products or squares of the deviations from the means of classes."""

    def deviations() -> Iterator[tuple[int, Tensor]]:
        for rows, part in _chunks(X, codes, by_class=total.ndim == 3):
            own = codes[rows]
            part -= means[own]
            part *= np.sqrt(weight[rows])[:, np.newaxis]
            yield int(own[0]), torch.from_numpy(part)

    if total.ndim == 3:
        for c, chunks in groupby(deviations(), key=itemgetter(0)):
            sum_of_grams((part for _, part in chunks), torch.from_numpy(total[c]))
    elif total.ndim == 2:
        sum_of_grams((part for _, part in deviations()), torch.from_numpy(total))
    else:
        for _, part in deviations():
            total += np.einsum("ij,ij->j", part, part)
