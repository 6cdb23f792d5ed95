r"""The smooth part of a probe's objective: the mean loss on a training set, and its gradient.

A datafit is what the exact solver minimises, penalties apart. Each takes a bank of K probes and
sees the neurons centred at their weighted means, which the free bias makes up for: it costs two
small products and no copy of X, and spares the solver a direction along which all neurons move.

:class:`RowsDatafit` goes through the words at every evaluation. :class:`GramDatafit` goes through
them once: a squared error depends on them only through X'X and X'y.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .._device import gram, like, to_device
from ._objective import LOSSES

# Of a sum of squares, what must be left of it by subtraction; its rounding is 1e-16.
_LEAST_SHARE = 1e-6
# Elements of the largest temporary array, 64 MB in float32.
_CHUNK_ELEMENTS = 1 << 24


class Datafit(Protocol):
    """The mean loss of a bank on centred neurons.

    Attributes
    ----------
    mean : Tensor of shape (n_neurons,)
        What the neurons are centred at.
    variance : Tensor of shape (n_neurons,)
        0 where a neuron is constant up to rounding.
    curvature : Tensor of shape (n_outputs,)
        Second derivative of the loss by each bias, roughly; by a weight it is this times the
        variance of the neuron.
    null_bias : Tensor of shape (n_outputs,)
        The best bias where all weights are 0.
    magnitude : float
        Size of what adds up to the mean loss, where that is larger than the loss.
    lever : float
        Largest mean of a neuron, in standard deviations where these are below 1; at least 1.
    """

    mean: Tensor
    variance: Tensor
    curvature: Tensor
    null_bias: Tensor
    magnitude: float
    lever: float

    def evaluate(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean loss (K,) in float64, its gradient by weight (K, C, d) and by bias (K, C)."""

    def restrict(self, neurons: Tensor) -> Datafit:
        """Return the same on some of the neurons."""


class RowsDatafit:
    """The mean loss on words, chunk by chunk.

    Parameters
    ----------
    X : Tensor of shape (n_words, n_neurons)
        In any floating dtype and on any device; chunks of it are moved to those of `share`.
    targets : Tensor of shape (n_outputs, n_words)
    share : Tensor of shape (n_words,)
        Weights of the words, with sum 1.
    loss : key of LOSSES
    """

    magnitude = 0.0

    def __init__(self, X: Tensor, targets: Tensor, share: Tensor, loss: str):
        self.X, self.targets, self.share, self.loss = X, targets, share, loss
        self.null_bias, self.curvature = _null_model(loss, targets @ share)
        total = torch.zeros(X.shape[1], dtype=torch.float64, device=share.device)
        for part, _, weight in self._chunks():
            total += weight @ part
        mean = total.to(share.dtype)
        rest, squares = torch.zeros_like(total), torch.zeros_like(total)
        for part, _, weight in self._chunks():
            centred = part - mean
            rest += weight @ centred  # what rounding has left in the mean
            squares += weight @ centred.square_()
        self.mean = (mean + rest).to(share.dtype)
        self.variance = _without_rounding((squares - rest**2).to(share.dtype), self.mean)
        self.lever = _lever(self.mean, self.variance)

    def evaluate(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Datafit`."""
        flat, loss = weight.flatten(0, 1), LOSSES[self.loss]
        offset = bias.flatten() - flat @ self.mean
        value = torch.zeros(len(weight), dtype=torch.float64, device=weight.device)
        weight_grad, bias_grad = torch.zeros_like(flat), torch.zeros_like(offset)
        for X, targets, share in self._chunks(len(flat)):
            outputs = torch.addmm(offset[:, None], flat, X.T).unflatten(0, bias.shape)
            terms, outputs_grad = loss(outputs, targets, share)
            value += terms.sum((1, 2), dtype=torch.float64)
            outputs_grad = outputs_grad.flatten(0, 1)
            weight_grad.addmm_(outputs_grad, X)
            bias_grad += outputs_grad.sum(1)
        weight_grad.addr_(bias_grad, self.mean, alpha=-1)
        return value, weight_grad.view(weight.shape), bias_grad.view(bias.shape)

    def restrict(self, neurons: Tensor) -> RowsDatafit:
        """See :class:`Datafit`."""
        part = copy(self)
        # Several times as fast as X[:, neurons].
        X = torch.index_select(self.X, 1, neurons.to(self.X.device))
        part.X = to_device(X, self.share.device)
        part.mean, part.variance = self.mean[neurons], self.variance[neurons]
        return part

    def _chunks(self, width: int = 1) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Words, targets and shares such that neither words nor `width` outputs grow large."""
        size = max(1, _CHUNK_ELEMENTS // max(width, self.X.shape[1]))
        for start in range(0, len(self.X), size):
            rows = slice(start, start + size)
            yield like(self.X[rows], self.share), self.targets[:, rows], self.share[rows]


@dataclass(frozen=True)
class Moments:
    """Sums over words of products of neurons and targets; sums over parts add and subtract.

    Parameters
    ----------
    products : Tensor of shape (1 + n_neurons + n_outputs, 1 + n_neurons + n_outputs), float64
        Weighted sum of the outer products of the rows (1, neurons, targets), each column less
        its origin.
    origin : Tensor of shape (n_neurons + n_outputs,), float64
        Near the means, so that no variance is lost to rounding.
    n_outputs : int
    """

    products: Tensor
    origin: Tensor
    n_outputs: int

    @classmethod
    def of(
        cls, X: Tensor, targets: Tensor, weight: Tensor, origin: Tensor | None = None
    ) -> Moments:
        """Go through the words (n_words, n_neurons), targets (n_outputs, n_words) in float64.

        The means are the origin, if none is given.
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
            words = X[rows].to(weight.device)
            torch.sub(words, origin[: X.shape[1]], out=part[:, 1 : 1 + X.shape[1]])
            part[:, 1 + X.shape[1] :] = targets[:, rows].T - origin[X.shape[1] :]
            products += gram(part.mul_(weight[rows, None].sqrt()))
        return cls(products, origin, len(targets))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.products + other.products, self.origin, self.n_outputs)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.products - other.products, self.origin, self.n_outputs)

    def is_lost_in(self, total: Moments) -> bool:
        """Tell whether a variance is so small that rounding of the total is seen in it."""
        n_words = self.products[0, 0]
        scatter = (self.products.diagonal() - self.products[0] ** 2 / n_words)[1:]
        whole = total.products.diagonal()[1:]
        rounding = 16 * torch.finfo(torch.float64).eps * self.origin
        moves = whole > total.products[0, 0] * rounding**2
        return bool((moves & (scatter < _LEAST_SHARE * whole)).any())

    def datafit(self) -> GramDatafit:
        """Mean squared error on these words."""
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


class GramDatafit:
    """The mean squared error, from the second moments of the words; in float64.

    Parameters
    ----------
    gram : Tensor of shape (n_neurons, n_neurons)
        Covariance of the neurons.
    cross : Tensor of shape (n_outputs, n_neurons)
        Covariance of the targets and the neurons.
    target_variance : Tensor of shape (n_outputs,)
    mean : Tensor of shape (n_neurons,)
    target_mean : Tensor of shape (n_outputs,)
    """

    def __init__(
        self,
        gram: Tensor,
        cross: Tensor,
        target_variance: Tensor,
        mean: Tensor,
        target_mean: Tensor,
    ):
        self.gram, self.cross, self.target_variance = gram, cross, target_variance
        self.mean, self.null_bias = mean, target_mean
        self.magnitude = target_variance.mean().item()
        self.curvature = torch.full_like(target_mean, 2 / len(target_mean))
        self.variance = _without_rounding(gram.diagonal(), mean)
        self.lever = _lever(mean, self.variance)

    def evaluate(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Datafit`."""
        slope = self.curvature[0].item()
        product = (weight.flatten(0, 1) @ self.gram).view_as(weight)
        shift = bias - self.null_bias
        errors = ((product - 2 * self.cross) * weight).sum(-1) + self.target_variance + shift**2
        return errors.mean(1).clamp_min(0), (product - self.cross) * slope, shift * slope

    def restrict(self, neurons: Tensor) -> GramDatafit:
        """See :class:`Datafit`."""
        part = copy(self)
        part.gram, part.cross = self.gram[neurons[:, None], neurons], self.cross[:, neurons]
        part.mean, part.variance = self.mean[neurons], self.variance[neurons]
        return part


def _null_model(loss: str, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Best bias without any weight, and the curvature of the loss there."""
    if loss == "softmax_cross_entropy":
        return mean.log(), mean * (1 - mean)
    if loss == "logistic":
        return mean.logit(), mean * (1 - mean)
    return mean, torch.full_like(mean, 2 / len(mean))


def _lever(mean: Tensor, variance: Tensor) -> float:
    """Largest mean, in standard deviations where these are below 1; at least 1."""
    unit = variance.sqrt().clamp_max(1)
    return max(1.0, (mean.abs() / torch.where(unit > 0, unit, torch.inf)).max().item())


def _without_rounding(variance: Tensor, mean: Tensor) -> Tensor:
    """Set the variances to 0 that are no larger than the rounding of numbers of this size."""
    eps = torch.finfo(variance.dtype).eps
    floor = (16 * eps * mean).square().clamp_min(eps**3 * variance.max().item())
    return torch.where((variance > floor) | ~variance.isfinite(), variance, 0)
