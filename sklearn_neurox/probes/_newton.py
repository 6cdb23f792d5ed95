"""Newton steps for small probes, which take far fewer steps than L-BFGS if neurons differ in scale.

A step minimizes the quadratic model of the objective within the current orthant, in which the L1
norm is linear. The weights of the result are of known sign, so with a factor of the Hessian this is
a least-squares problem with non-negative coefficients, which is solved exactly.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from ._bank_objective import BankObjective

# Numbers of weights of a probe, and of multiply-adds for a Hessian, up to which a Newton step takes
# about as long as a few of the many steps of L-BFGS that it replaces.
_MAX_WEIGHTS = 100
_MAX_MULTIPLY_ADDS = 2e7
# Eigenvalues of the scaled Hessian are at least this share of the largest one.
_LEAST_CURVATURE = 1e-10


def newton_pays(like: Tensor, n_weights: int, n_samples: int) -> bool:
    """Return whether a probe should take Newton steps.

    Parameters
    ----------
    like : Tensor
        A tensor of the dtype and on the device of the weights. In float32, the steps of L-BFGS come
        closer to the minimum.
    n_weights : int
        Number of weights and biases of the probe.
    n_samples : int
        Number of samples that a Hessian is computed from.
    """
    is_small = n_weights <= _MAX_WEIGHTS and n_samples * n_weights**2 <= _MAX_MULTIPLY_ADDS
    return is_small and like.device.type == "cpu" and like.dtype == torch.float64


def newton_direction(objective: BankObjective, theta: Tensor, violation: Tensor) -> Tensor:
    """Return the step of each probe to the minimum of its model within its orthant.

    At W = 0, or if the model cannot be minimized, it is a step along the violation.
    """
    along = -violation / objective.metric(theta)
    hessians = objective.hessian(theta).numpy()
    bounded = (objective.l1_of_columns(theta) > 0).expand_as(theta).flatten(1).numpy()
    points, slopes = (each.flatten(1).double().numpy() for each in (theta, violation))
    steps = along.clone()
    for k in torch.nonzero(~objective.at_kink(theta))[:, 0].tolist():
        step = _minimize(hessians[k], slopes[k], points[k], bounded[k])
        if step is not None:
            steps[k] = torch.from_numpy(step).view_as(steps[k])
    if objective.datafit.has_free_shift:
        # The same bias for all classes has no effect, so along it a step consists of rounding.
        steps[..., -1] -= steps[..., -1].mean(1, keepdim=True)
    downhill = (steps * violation).sum((1, 2), keepdim=True) < 0
    return torch.where(downhill, steps, along)


def _minimize(
    hessian: NDArray[np.float64],
    slope: NDArray[np.float64],
    point: NDArray[np.float64],
    bounded: NDArray[np.bool_],
) -> NDArray[np.float64] | None:
    """Return the step to the minimum of a quadratic model, or None.

    Parameters
    ----------
    hessian : ndarray of shape (n_weights, n_weights)
    slope : ndarray of shape (n_weights,)
        Smallest subgradient, of which the elements that are 0 at a weight of 0 stay there.
    point : ndarray of shape (n_weights,)
    bounded : ndarray of bool of shape (n_weights,)
        The weights that must not change their sign.
    """
    free = np.flatnonzero((slope != 0) | (point != 0))
    hessian, slope = hessian[np.ix_(free, free)], slope[free]
    start, bounded = point[free], bounded[free]
    if not (np.isfinite(hessian).all() and (hessian.diagonal() > 0).all()):
        return None
    unit = 1 / np.sqrt(hessian.diagonal())
    values, vectors = np.linalg.eigh(hessian * unit[:, np.newaxis] * unit)
    values = np.sqrt(np.maximum(values, _LEAST_CURVATURE * values[-1]))
    factor = values[:, np.newaxis] * vectors.T
    target = factor @ (start / unit) - (vectors.T @ (slope * unit)) / values
    if not bounded.any():
        end = vectors @ (target / values)
    else:
        sign = np.where(bounded, np.sign(np.where(start != 0, start, -slope)), 1)
        # A weight without a bound is the difference of two non-negative coefficients.
        columns = np.hstack([factor * sign, -factor[:, ~bounded]])
        try:
            found, _ = nnls(columns, target)
        except RuntimeError:  # too many iterations
            return None
        end = found[: len(free)] * sign
        end[~bounded] -= found[len(free) :]
    step = np.zeros_like(point)
    step[free] = end * unit - start
    return step
