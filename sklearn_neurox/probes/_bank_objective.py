"""The objectives of a bank of probes as functions of one tensor, and their optimality conditions.

A point is a tensor `theta` of shape (K, n_outputs, n_neurons + 1), which contains the weights and,
in the last column, the bias for centered neurons. Gradients and directions have the same shape. The
*slope* is the gradient of an objective without its L1 norm. The *violation* is the smallest
subgradient of the whole objective, which is 0 only at the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ._datafit import Datafit
from ._objective import l2_term


@dataclass(frozen=True)
class BankObjective:
    """The objectives of K probes, which share the mean loss and differ in their penalties.

    Parameters
    ----------
    datafit : Datafit
    lambda_l1, lambda_l2 : Tensor of shape (K,)
    l2_penalty : {"norm", "squared"}
    """

    datafit: Datafit
    lambda_l1: Tensor
    lambda_l2: Tensor
    l2_penalty: str

    def of_probes(self, probes: Tensor) -> BankObjective:
        """Return the objectives of some of the probes."""
        return replace(self, lambda_l1=self.lambda_l1[probes], lambda_l2=self.lambda_l2[probes])

    def of_neurons(self, neurons: Tensor) -> BankObjective:
        """Return the objectives on some neurons, with the weights of all others equal to 0."""
        return replace(self, datafit=self.datafit.restrict(neurons))

    def of_free_weights(self, free: Tensor) -> BankObjective:
        """Return objectives that are faster if all but the free weights are 0, or itself.

        Parameters
        ----------
        free : Tensor of bool of shape (n_outputs, n_neurons)
        """
        datafit = self.datafit.of_free_weights(free)
        return self if datafit is self.datafit else replace(self, datafit=datafit)

    def null_points(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return W = 0 with its best bias for each probe, and its value and slope."""
        datafit = self.datafit
        null = datafit.mean.new_zeros(1, len(datafit.null_bias), len(datafit.mean) + 1)
        null[..., -1] = datafit.null_bias
        loss, weight_slope, bias_slope = datafit.evaluate(null[..., :-1], null[..., -1])
        slope = torch.cat([weight_slope, bias_slope[..., None]], 2)
        n_probes = len(self.lambda_l1)
        return null.repeat(n_probes, 1, 1), loss.repeat(n_probes), slope.repeat(n_probes, 1, 1)

    def evaluate(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the objectives (K,) in float64, and their slopes."""
        weight = theta[..., :-1]
        loss, weight_slope, bias_slope = self.datafit.evaluate(weight, theta[..., -1])
        size, shrinkage = l2_term(weight, self.lambda_l2, self.l2_penalty)
        l1 = self.lambda_l1 * weight.abs().sum((1, 2), dtype=torch.float64)
        weight_slope = torch.addcmul(weight_slope, weight, shrinkage[:, None, None])
        return loss + l1 + size, torch.cat([weight_slope, bias_slope[..., None]], 2)

    def violation(self, theta: Tensor, slope: Tensor) -> Tensor:
        """Return the smallest subgradients."""
        l1 = self.l1_of_columns(theta)
        shrunk = slope - slope.clamp(-l1, l1)
        violation = torch.where(theta != 0, slope + l1 * theta.sign(), shrunk)
        violation[..., :-1] *= self.datafit.variance > 0
        if self.l2_penalty == "norm":
            weights = violation[..., :-1]
            length = torch.linalg.vector_norm(weights, dim=(1, 2))
            at_kink = self.at_kink(theta) & (length > 0)
            rest = (1 - self.lambda_l2 / torch.where(at_kink, length, 1)).clamp_min(0)
            weights *= torch.where(at_kink, rest, 1)[:, None, None]
        return violation

    def at_kink(self, theta: Tensor) -> Tensor:
        """Return the mask (K,) of the probes at W = 0 whose L2 penalty is not smooth there.

        All their weights leave 0 together, or none does: the gradient of the loss, less its part
        that the L1 norm balances, must be longer than lambda_l2.
        """
        at_zero = ~theta[..., :-1].any(2).any(1)
        return at_zero & (self.lambda_l2 > 0) & (self.l2_penalty == "norm")

    def largest(self, violation: Tensor) -> Tensor:
        """Return the largest violation of each probe.

        The violation of a weight is divided by the standard deviation of its neuron if that is
        below 1: the weights of small neurons are large, and small violations matter as much. The
        violation of the bias is multiplied by the largest mean of a neuron, so the result also
        holds for raw neurons, which the solver centers.
        """
        datafit = self.datafit
        unit = datafit.variance.sqrt().clamp_max(1)
        weights = violation[..., :-1].abs() / torch.where(unit > 0, unit, torch.inf)
        return weights.amax((1, 2)) + datafit.lever * violation[..., -1].abs().amax(1)

    def rounding(self, theta: Tensor, value: Tensor) -> Tensor:
        """Return the rounding error of each objective."""
        return torch.finfo(theta.dtype).eps * (value.abs() + self.datafit.magnitude)

    def metric(self, theta: Tensor) -> Tensor:
        """Return positive estimates of the second derivatives with respect to each weight and bias.

        The curvature of the loss is known at W = 0, and changes most for rare classes and small
        neurons as a probe becomes confident. It is therefore moved halfway towards its mean, on a
        logarithmic scale.
        """
        datafit, weight = self.datafit, theta[..., :-1]
        _, shrinkage = l2_term(weight, self.lambda_l2, self.l2_penalty)
        curvature = (datafit.curvature * datafit.curvature.mean()).sqrt()
        variance = (datafit.variance * datafit.variance.mean()).sqrt()
        bias = curvature.expand(len(theta), -1)[..., None]
        curvature = curvature[:, None] * variance + shrinkage[:, None, None]
        # A step from W = 0 must follow the gradient itself. In any other direction the norm may
        # grow more than the rest of the objective falls.
        at_kink = self.at_kink(theta)[:, None, None]
        curvature = torch.where(at_kink, curvature.amax((1, 2), keepdim=True), curvature)
        metric = torch.cat([curvature, bias], 2)
        return torch.where(metric > 0, metric, 1)

    def hessian(self, theta: Tensor) -> Tensor:
        """Return the second derivatives (K, n_weights, n_weights) in float64, with flat points."""
        weight = theta[..., :-1]
        hessian = self.datafit.hessian(weight, theta[..., -1])
        _, shrinkage = l2_term(weight, self.lambda_l2, self.l2_penalty)
        columns = torch.ones_like(theta[0], dtype=torch.float64)
        columns[..., -1] = 0  # of the bias
        hessian.diagonal(dim1=1, dim2=2).add_(shrinkage.double()[:, None] * columns.flatten())
        if self.l2_penalty == "norm":
            flat = (theta * columns).flatten(1)
            norm = torch.linalg.vector_norm(flat, dim=1)
            unit = flat / torch.where(norm > 0, norm, 1)[:, None]
            hessian -= shrinkage.double()[:, None, None] * unit[:, :, None] * unit[:, None]
        return hessian

    def l1_of_columns(self, theta: Tensor) -> Tensor:
        """Return lambda_l1 of each column of `theta`, (K, 1, n_neurons + 1), 0 for the bias."""
        columns = torch.ones_like(theta[:1, :1])
        columns[..., -1] = 0
        return self.lambda_l1[:, None, None] * columns

    def point_of(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the point of the given weights and bias."""
        return torch.cat([weight, (bias + weight @ self.datafit.mean)[..., None]], 2)

    def weights_of(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights and bias, for raw neurons, of a point."""
        weight = theta[..., :-1]
        return weight, theta[..., -1] - weight @ self.datafit.mean
