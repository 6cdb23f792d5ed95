"""Second moments of samples: sums of products of neurons and targets, which can be added."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._device import sum_of_grams
from ._row_chunks import RowChunks

# Smallest share of a sum of squares that may remain after a subtraction. The rounding error is
# 1e-16 of the sum.
_LEAST_SHARE = 1e-6
# Number of elements of the largest temporary array, 32 MB in float64.
_CHUNK_ELEMENTS = 1 << 22


class Covariances(NamedTuple):
    """Means and covariances of neurons and targets, in float64."""

    neurons: Tensor  # (n_neurons, n_neurons)
    cross: Tensor  # (n_outputs, n_neurons)
    targets: Tensor  # (n_outputs, n_outputs)
    mean: Tensor  # (n_neurons,)
    target_mean: Tensor  # (n_outputs,)


@dataclass(frozen=True)
class Moments:
    """Sums over samples of products of neurons and targets.

    Moments of disjoint sets of samples with the same origin can be added and subtracted.
    :meth:`merged` adds those with different origins.

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

        Raises
        ------
        ValueError
            If squares of values exceed the range of float64, or are below it.
        """
        targets, weight = targets.double(), weight.double()
        width = 1 + X.shape[1] + len(targets)
        size = max(1, _CHUNK_ELEMENTS // width)
        chunks = [slice(start, start + size) for start in range(0, len(X), size)]
        converted = RowChunks(X, weight)
        if origin is None:
            total = weight.new_zeros(X.shape[1])
            for rows, neurons in converted.read(size):
                total += weight[rows] @ neurons
            origin = torch.cat([total, targets @ weight]) / weight.sum()
        # Used for all chunks, because new memory costs more than the conversion.
        buffer = weight.new_empty(min(size, len(X)), width)

        def columns(rows: slice) -> Tensor:
            neurons = X[rows].to(weight.device)
            part = buffer[: len(neurons)]
            part[:, 0] = 1
            torch.sub(neurons, origin[: X.shape[1]], out=part[:, 1 : 1 + X.shape[1]])
            torch.sub(targets[:, rows].T, origin[X.shape[1] :], out=part[:, 1 + X.shape[1] :])
            share = weight[rows]
            return part if (share == 1).all() else part.mul_(share[:, None].sqrt())

        products = sum_of_grams(map(columns, chunks), weight.new_zeros(width, width))
        if not len(X):  # as in a fold whose samples all have the weight 0
            return cls(products, origin, len(targets))
        squares = (products.diagonal() / products[0, 0])[1:]
        n = X.shape[1]
        for name, square, start, parts in (
            ("X", squares[:n], origin[:n], (neurons for _, neurons in converted.read(size))),
            ("y", squares[n:], origin[n:], (targets[:, rows].T for rows in chunks)),
        ):
            check_range(square, start, (part - start for part in parts), name=name)
        return cls(products, origin, len(targets))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.products + other.products, self.origin, self.n_outputs)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.products - other.products, self.origin, self.n_outputs)

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both sets of samples, with their common mean as the origin.

        The variances within the sets are not lost to rounding, even if these have other means.
        """
        share = other.products[0, 0] / (self.products[0, 0] + other.products[0, 0])
        mean, others = (
            each.origin + each.products[0, 1:] / each.products[0, 0] for each in (self, other)
        )
        origin = torch.lerp(mean, others, share)
        total = self._about(origin)
        total += other._about(origin)
        return Moments(total, origin, self.n_outputs)

    def _about(self, origin: Tensor) -> Tensor:
        """Return the products of the rows (1, neurons, targets) less another origin."""
        products, shift = self.products.clone(), self.origin - origin
        sums, block = self.products[0, 1:], products[1:, 1:]
        block.addr_(shift, sums).addr_(sums, shift)
        block.addr_(shift, shift, alpha=self.weight)
        products[0, 1:] += self.weight * shift
        products[1:, 0] = products[0, 1:]
        return products

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

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the sums as arrays, which an estimator can keep, and :meth:`from_arrays` reads."""
        return {"products": self.products.cpu().numpy(), "origin": self.origin.cpu().numpy()}

    @classmethod
    def from_arrays(cls, products: NDArray[np.float64], origin: NDArray, n_outputs: int) -> Moments:
        """Return the moments whose sums are given as arrays."""
        return cls(torch.from_numpy(products), torch.from_numpy(origin), n_outputs)

    def to(self, device: torch.device) -> Moments:
        """Return the moments on a device."""
        return Moments(self.products.to(device), self.origin.to(device), self.n_outputs)

    @property
    def weight(self) -> float:
        """Sum of the sample weights."""
        return self.products[0, 0].item()

    def covariances(self) -> Covariances:
        """Return the means and covariances of the samples, divided by the sum of the weights."""
        mean = self.products[0] / self.products[0, 0]
        covariance = (self.products / self.products[0, 0]).addr_(mean, mean, alpha=-1)[1:, 1:]
        n = len(self.origin) - self.n_outputs
        means = self.origin + mean[1:]
        return Covariances(
            neurons=covariance[:n, :n],
            cross=covariance[n:, :n],
            targets=covariance[n:, n:],
            mean=means[:n],
            target_mean=means[n:],
        )


def check_range(
    variance: Tensor, mean: Tensor, differences: Iterable[Tensor], *, name: str = "X"
) -> None:
    """Raise an error if squares overflow, or a column appears constant because they underflow.

    Parameters
    ----------
    variance, mean : Tensor of shape (n_columns,)
    differences : iterable of Tensor of shape (n_rows, n_columns)
        Parts of the values minus their means. Only used if the variances are very small.
    name : {"X", "y"}, default="X"
    """
    info = torch.finfo(variance.dtype)
    if not len(variance):
        return
    column = "neuron" if name == "X" else "column"
    start = f"The squares of {name} exceeded the range of {info.dtype!s}: "
    end = f"Scale {name} to about unit variance."
    finite = variance.isfinite()
    if not finite.all():
        raise ValueError(f"{start}{column} {int((~finite).nonzero()[0])} overflows. {end}")
    if variance.max() >= info.tiny / info.eps**3:  # less is rounding beside the largest
        return
    reach = torch.zeros_like(mean)
    for part in differences:
        reach = torch.maximum(reach, part.abs().amax(0))
    lost = (variance < info.tiny) & (reach > 16 * info.eps * mean.abs())
    lost &= reach > info.eps**1.5 * reach.max()
    if lost.any():
        j = int(lost.nonzero()[0])
        raise ValueError(
            f"{start}the values of {column} {j} differ from their mean by at most "
            f"{reach[j].item():.1e}, whose square underflows. {end}"
        )


def without_rounding(variance: Tensor, mean: Tensor) -> Tensor:
    """Set variances to 0 if they are no larger than the rounding error of numbers of this size."""
    eps = torch.finfo(variance.dtype).eps
    floor = (16 * eps * mean).square().clamp_min(eps**3 * variance.max().item())
    return torch.where((variance > floor) | ~variance.isfinite(), variance, 0)
