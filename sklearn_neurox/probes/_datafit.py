"""The smooth part of a probe's objective: the mean loss on a training set, and its gradient.

A datafit is what the exact solver minimizes, apart from the penalties. It evaluates a bank of K
probes on neurons that are centered at their weighted means, which the unpenalized bias compensates
for. Centering costs two small products and no copy of X, and removes a direction along which all
neurons change.

:class:`RowsDatafit` reads the samples in every evaluation. :class:`GramDatafit` reads them only
once, because a squared error depends on them only through X'X and X'y.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from mmap import mmap
from typing import Protocol

import torch
from torch import Tensor

from .._row_chunks import RowChunks, rows_at_once
from .._second_moments import check_range, without_rounding
from ._free_weights import ROWS_OF_CHUNK, Chunk, FreeWeightsLoss, few_weights_pay, neuron_by_neuron
from ._objective import CURVATURES, LOSSES

# Rounding error of a neuron, in standard deviations, above which samples are centered in memory. Up
# to it, centering the result of a product is accurate enough, and faster.
_LARGEST_ROUNDING = 4e-6


class Datafit(Protocol):
    """The mean loss of a bank on centered neurons.

    Attributes
    ----------
    mean : Tensor of shape (n_neurons,)
        The means that are subtracted from the neurons.
    variance : Tensor of shape (n_neurons,)
        Variances of the neurons, 0 for those that are constant up to rounding.
    curvature : Tensor of shape (n_outputs,)
        Approximate second derivative of the loss with respect to each bias. With respect to a
        weight, it is multiplied by the variance of the neuron.
    null_bias : Tensor of shape (n_outputs,)
        The best bias if all weights are 0.
    magnitude : float
        Size of the terms that add up to the mean loss, if it is larger than the loss.
    lever : float
        Largest mean of a neuron, in standard deviations where these are below 1. At least 1.
    n_rows : int
        Number of samples that an evaluation reads.
    has_free_shift : bool
        Whether adding a number to the biases of all outputs does not change the loss.
    """

    mean: Tensor
    variance: Tensor
    curvature: Tensor
    null_bias: Tensor
    magnitude: float
    lever: float

    @property
    def n_rows(self) -> int:
        """See above."""

    @property
    def has_free_shift(self) -> bool:
        """See above."""

    def evaluate(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean loss (K,) in float64, and its gradients with respect to weight and bias.

        Parameters
        ----------
        weight : Tensor of shape (K, n_outputs, n_neurons)
        bias : Tensor of shape (K, n_outputs)
            For centered neurons.
        """

    def hessian(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the second derivatives of the loss, in float64.

        They have the shape (K, n_weights, n_weights), with the bias after the weights of each
        output.
        """

    def restrict(self, neurons: Tensor) -> Datafit:
        """Return the datafit on some of the neurons."""

    def of_free_weights(self, free: Tensor) -> Datafit:
        """Return a datafit that is faster if all but the free weights are 0, or itself.

        It may return 0 as the gradient with respect to all other weights.

        Parameters
        ----------
        free : Tensor of bool of shape (n_outputs, n_neurons)
        """


class RowsDatafit:
    """The mean loss on samples, computed chunk by chunk.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_neurons)
        In any floating dtype and on any device. Chunks are moved to the device and dtype of
        `share`.
    targets : Tensor of shape (n_outputs, n_samples)
    share : Tensor of shape (n_samples,)
        Sample weights, with sum 1.
    loss : key of LOSSES
    mapping : mmap, default=None
        File mapping that X is a view of.
    """

    magnitude = 0.0

    def __init__(
        self, X: Tensor, targets: Tensor, share: Tensor, loss: str, mapping: mmap | None = None
    ):
        self.rows = RowChunks(X, share, mapping=mapping)
        self.targets, self.share, self.loss = targets, share, loss
        self._neuron_by_neuron: list[Chunk] | None = None
        self._free_weights_loss: FreeWeightsLoss | None = None
        self.null_bias, self.curvature = _null_model(loss, targets, share)
        total = torch.zeros(X.shape[1], dtype=torch.float64, device=share.device)
        for part, _, weight in self._chunks():
            total += weight @ part
        mean = total.to(share.dtype)
        rest, squares = torch.zeros_like(total), torch.zeros_like(total)
        for part, _, weight in self._chunks():
            centered = part - mean
            rest += weight @ centered  # the rounding error of the mean
            squares += weight @ centered.square_()
        self.mean = (mean + rest).to(share.dtype)
        self.variance = without_rounding((squares - rest**2).to(share.dtype), self.mean)
        differences = (part[weight > 0] - self.mean for part, _, weight in self._chunks())
        check_range(self.variance, self.mean, differences)
        self.lever = lever_of(self.mean, self.variance)
        std = torch.where(self.variance > 0, self.variance, torch.inf).sqrt()
        rounding = torch.finfo(self.mean.dtype).eps * (self.mean.abs() / std).amax()
        self._is_far = rounding.item() > _LARGEST_ROUNDING
        if self._is_far:
            self.rows = RowChunks(X, share, mapping=mapping, copy=True)

    @property
    def has_free_shift(self) -> bool:
        """See :class:`Datafit`."""
        return self.loss == "softmax_cross_entropy"

    def evaluate(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Datafit`."""
        if self._free_weights_loss is not None:
            return self._free_weights_loss.evaluate(weight, bias)
        flat, loss = weight.flatten(0, 1), LOSSES[self.loss]
        offset = bias.flatten() if self._is_far else bias.flatten() - flat @ self.mean
        value = torch.zeros(len(weight), dtype=torch.float64, device=weight.device)
        weight_grad, bias_grad = torch.zeros_like(flat), torch.zeros_like(offset)
        for X, targets, share in self._chunks(len(flat)):
            X = X.sub_(self.mean) if self._is_far else X
            outputs = torch.addmm(offset[:, None], flat, X.T).unflatten(0, bias.shape)
            terms, outputs_grad = loss(outputs, targets, share)
            value += terms.sum((1, 2), dtype=torch.float64)
            outputs_grad = outputs_grad.flatten(0, 1)
            weight_grad.addmm_(outputs_grad, X)
            bias_grad += outputs_grad.sum(1)
        if not self._is_far:
            weight_grad.addr_(bias_grad, self.mean, alpha=-1)
        return value, weight_grad.view(weight.shape), bias_grad.view(bias.shape)

    @property
    def n_rows(self) -> int:
        """See :class:`Datafit`."""
        return self.rows.shape[0]

    def hessian(self, weight: Tensor, bias: Tensor) -> Tensor:
        """See :class:`Datafit`."""
        size = bias.shape[1] * (weight.shape[2] + 1)
        point = torch.cat([weight, bias[..., None]], 2).double()
        total = point.new_zeros(
            len(weight), bias.shape[1], bias.shape[1], *[weight.shape[2] + 1] * 2
        )
        for X, _, share in self._chunks(size * bias.shape[1]):
            columns = torch.cat([X - self.mean, torch.ones_like(X[:, :1])], 1).double()
            curvature = CURVATURES[self.loss](point @ columns.T, share.double())
            total += (curvature[..., None, :] * columns.T) @ columns
        return total.transpose(2, 3).reshape(len(weight), size, size)

    def restrict(self, neurons: Tensor) -> RowsDatafit:
        """See :class:`Datafit`."""
        part = copy(self)
        part.rows = self.rows.select(neurons)
        part.mean, part.variance = self.mean[neurons], self.variance[neurons]
        part._neuron_by_neuron = None
        return part

    def of_free_weights(self, free: Tensor) -> RowsDatafit:
        """See :class:`Datafit`."""
        if not few_weights_pay(free, self.n_rows, self.mean):
            return self
        if self._neuron_by_neuron is None:
            self._neuron_by_neuron = neuron_by_neuron(self._read(ROWS_OF_CHUNK), self.mean)
        part = copy(self)
        part._free_weights_loss = FreeWeightsLoss(self._neuron_by_neuron, self.loss, free)
        return part

    def _chunks(self, width: int = 1) -> Iterator[Chunk]:
        """Yield X, targets and shares in chunks that are small enough for `width` outputs."""
        return self._read(rows_at_once(max(width, self.rows.shape[1]), self.share.device))

    def _read(self, size: int) -> Iterator[Chunk]:
        for rows, X in self.rows.read(size):
            yield X, self.targets[:, rows], self.share[rows]


class GramDatafit:
    """The mean squared error, computed from the second moments of the samples in float64.

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
        self.variance = without_rounding(gram.diagonal(), mean)
        self.lever = lever_of(mean, self.variance)

    def evaluate(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Datafit`."""
        slope = self.curvature[0].item()
        product = (weight.flatten(0, 1) @ self.gram).view_as(weight)
        shift = bias - self.null_bias
        errors = ((product - 2 * self.cross) * weight).sum(-1) + self.target_variance + shift**2
        return errors.mean(1).clamp_min(0), (product - self.cross) * slope, shift * slope

    @property
    def n_rows(self) -> int:
        """See :class:`Datafit`."""
        return 0

    @property
    def has_free_shift(self) -> bool:
        """See :class:`Datafit`."""
        return False

    def hessian(self, weight: Tensor, bias: Tensor) -> Tensor:
        """See :class:`Datafit`."""
        one = torch.block_diag(self.gram, self.gram.new_ones(1, 1)) * self.curvature[0]
        return torch.block_diag(*[one] * bias.shape[1]).repeat(len(weight), 1, 1)

    def restrict(self, neurons: Tensor) -> GramDatafit:
        """See :class:`Datafit`."""
        part = copy(self)
        part.gram, part.cross = self.gram[neurons[:, None], neurons], self.cross[:, neurons]
        part.mean, part.variance = self.mean[neurons], self.variance[neurons]
        return part

    def of_free_weights(self, free: Tensor) -> GramDatafit:
        """See :class:`Datafit`."""
        return self


def _null_model(loss: str, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best bias if all weights are 0, and the curvature of the loss there."""
    mean = targets @ share
    if loss == "squared_error":
        return mean, torch.full_like(mean, 2 / len(mean))
    rest = (1 - targets) @ share
    bias = _log(mean) if loss == "softmax_cross_entropy" else _log(mean) - _log(rest)
    return bias, mean * rest


def _log(share: Tensor) -> Tensor:
    """Return the logarithm of the shares of classes, which is finite even if they underflow."""
    return share.double().clamp_min(torch.finfo(torch.float64).tiny).log().to(share.dtype)


def lever_of(mean: Tensor, variance: Tensor) -> float:
    """Return the largest mean, in standard deviations where these are below 1. At least 1."""
    unit = variance.sqrt().clamp_max(1)
    return max(1.0, (mean.abs() / torch.where(unit > 0, unit, torch.inf)).max().item())
