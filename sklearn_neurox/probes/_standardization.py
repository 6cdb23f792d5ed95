"""Training on standardized neurons without a standardized copy of X.

The weights V and the bias of standardized neurons are those of V / std and of a shifted bias for X
as it is. Solvers find V, which the penalties apply to, and a probe stores V / std.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._moments import neuron_moments
from ._datafit import Datafit, lever_of


@dataclass(frozen=True)
class Standardization:
    """Means and standard deviations of neurons, with which they are standardized.

    Parameters
    ----------
    mean : ndarray of shape (n_neurons,), float64
    std : ndarray of shape (n_neurons,), float64
        0 for constant neurons, which are centered but not scaled, as in ``StandardScaler``.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, X: NDArray, sample_weight: NDArray) -> Self:
        """Return the standardization of the samples."""
        return cls(*neuron_moments(X, sample_weight))

    @property
    def scale(self) -> NDArray[np.float64]:
        """The divisors of the neurons."""
        return np.where(self.std > 0, self.std, 1.0)

    def of_layer(self, layer: int, n_neurons: int) -> Standardization:
        """Return the standardization of a layer, which is a run of `n_neurons` columns."""
        columns = slice(layer * n_neurons, (layer + 1) * n_neurons)
        return Standardization(self.mean[columns], self.std[columns])

    def standardized(self, weight: NDArray, bias: NDArray) -> tuple[NDArray, NDArray]:
        """Convert W (n_outputs, n_neurons) and b (n_outputs,) for X as it is, in float64."""
        weight = weight.astype(np.float64)
        return weight * self.scale, bias + weight @ self.mean

    def raw(self, weight: NDArray, bias: NDArray) -> tuple[NDArray, NDArray]:
        """Convert W and b for standardized neurons to those for X as it is, in the same dtype.

        The bias also compensates for the rounding of W, which large means would amplify.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = (weight / self.scale).astype(weight.dtype)
            return rounded, (bias - rounded @ self.mean).astype(bias.dtype)

    def in_place(self, like: Tensor) -> Callable[[Tensor], Tensor]:
        """Return a function that standardizes samples of the dtype and on the device of `like`."""
        mean, scale = (torch.from_numpy(each).to(like) for each in (self.mean, self.scale))
        return lambda rows: rows.sub_(mean).div_(scale)


class StandardizedDatafit:
    """A datafit as a function of the weights of standardized neurons.

    Weights before and gradients after an evaluation are divided by the standard deviations, so the
    samples are read as they are.

    Parameters
    ----------
    datafit : Datafit
    standardization : Standardization
    """

    def __init__(self, datafit: Datafit, standardization: Standardization):
        self._datafit = datafit
        mean, std, scale = (
            torch.from_numpy(each).to(datafit.mean.device)
            for each in (standardization.mean, standardization.std, standardization.scale)
        )
        self._scale = scale.to(datafit.mean)
        # With class weights, the means in the loss are not those of the standardization.
        self.mean = ((datafit.mean - mean) / scale).to(datafit.mean)
        share = datafit.variance.double().sqrt() / scale
        self.variance = torch.where(std > 0, share.square(), 0).to(datafit.mean)
        self.lever = lever_of(self.mean, self.variance)
        self.curvature, self.null_bias = datafit.curvature, datafit.null_bias
        self.magnitude = datafit.magnitude

    @property
    def n_rows(self) -> int:
        """See :class:`Datafit`."""
        return self._datafit.n_rows

    @property
    def has_free_shift(self) -> bool:
        """See :class:`Datafit`."""
        return self._datafit.has_free_shift

    def evaluate(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Datafit`."""
        value, weight_slope, bias_slope = self._datafit.evaluate(weight / self._scale, bias)
        return value, weight_slope / self._scale, bias_slope

    def hessian(self, weight: Tensor, bias: Tensor) -> Tensor:
        """See :class:`Datafit`."""
        scale = torch.cat([self._scale.double(), self._scale.new_ones(1).double()])
        scale = scale.repeat(bias.shape[1])
        return self._datafit.hessian(weight / self._scale, bias) / scale[:, None] / scale

    def restrict(self, neurons: Tensor) -> StandardizedDatafit:
        """See :class:`Datafit`."""
        part = copy(self)
        part._datafit, part._scale = self._datafit.restrict(neurons), self._scale[neurons]
        part.mean, part.variance = self.mean[neurons], self.variance[neurons]
        return part

    def of_free_weights(self, free: Tensor) -> StandardizedDatafit:
        """See :class:`Datafit`."""
        part = copy(self)
        part._datafit = self._datafit.of_free_weights(free)
        return self if part._datafit is self._datafit else part
