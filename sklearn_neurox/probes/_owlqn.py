r"""Orthant-wise limited-memory quasi-Newton for a bank of linear probes, to the optimum.

The method is that of Andrew and Gao (2007): L-BFGS on the objective restricted to one orthant,
where the L1 norm is linear, and a projection that sets a weight to 0 when it would leave its
orthant. There are three additions. L-BFGS sees only the weights that are free to move, and starts
from a metric that reflects the scale of the neurons and the frequency of the classes. The unsquared
L2 norm is smooth away from W = 0, and W = 0 has its own optimality condition. Most weights of a
sparse probe are 0 at the optimum, so the steps are taken on a working set of neurons that grows
until no other neuron violates the optimality conditions.

Galen Andrew and Jianfeng Gao (2007). Scalable Training of L1-Regularized Log-Linear Models. ICML.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ._bank_objective import BankObjective
from ._lbfgs import descend

# Neurons that are added to a working set: at least this many, and all with at least this share of
# the largest violation. A set of almost all neurons is replaced by the set of all neurons.
_JOINING = 100
_STRONG = 0.3
_ALMOST_ALL = 0.7
# Factor by which one working set reduces the violation before the next one is chosen.
_WORKING_SET_GAIN = 0.3
# Share of the slope of the objective along the best direction from W = 0 that a working set must
# have, if W = 0 is a kink. It exceeds the gain, so the target of the working set is not met at
# W = 0.
_SHARE_AT_KINK = 0.5


class Minimization:
    """The minimization of the objective of each probe of a bank.

    :meth:`steps` performs the minimization, which may be stopped after any step.

    Parameters
    ----------
    objective : BankObjective of K probes
    start : tuple of Tensor of shape (K, n_outputs, n_neurons) and (K, n_outputs), default=None
        Initial weights and bias. If None, or if W = 0 has a lower objective, start at W = 0.
    tol : float
        Tolerance: maximum violation of the optimality conditions at the end.
    max_iter : int
        Maximum number of points that each probe visits, including the start.

    Attributes
    ----------
    curves : list of K lists of float
        The objective at the start and after each step.
    """

    def __init__(
        self,
        objective: BankObjective,
        *,
        start: tuple[Tensor, Tensor] | None = None,
        tol: float,
        max_iter: int,
    ):
        self.objective, self._tol, self._max_iter = objective, tol, max_iter
        self._theta, value, slope = objective.null_points()
        self._is_null = (objective.violation(self._theta, slope)[..., :-1] == 0).all((1, 2))
        if start is not None:
            theta = objective.point_of(*start)
            theta[..., :-1] *= objective.datafit.variance > 0  # constants contain no information
            start_value, start_slope = objective.evaluate(theta)
            # From a worse point than W = 0, a probe whose weights are all tiny is hard to reach.
            is_better = (start_value < value) & ~self._is_null
            value = torch.where(is_better, start_value, value)
            is_better = is_better[:, None, None]
            self._theta = torch.where(is_better, theta, self._theta)
            slope = torch.where(is_better, start_slope, slope)
        self.curves = [[first] for first in value.tolist()]
        self._arrive(value, slope)

    def steps(self) -> Iterator[tuple[list[float], Tensor, Tensor]]:
        """Yield the objectives that have changed, the weights and the bias after each step."""
        ended = self._is_null
        while True:
            spent = [len(curve) >= self._max_iter for curve in self.curves]
            ended = ended | (self._optimality <= self._tol)
            ended = ended | torch.tensor(spent, device=ended.device)
            if ended.all():
                return
            running = torch.nonzero(~ended)[:, 0]
            part, columns, targets = self._working_set(running)
            before = self._value
            descent = descend(
                part,
                self._theta[running][..., columns],
                self._value[running],
                self._slope[running][..., columns],
                targets,
            )
            for probes, points, values in descent:
                probes = running[probes]
                self._move(probes, columns, points, values)
                yield values.tolist(), *self.objective.weights_of(self._theta)
                if max(len(self.curves[probe]) for probe in probes.tolist()) >= self._max_iter:
                    is_complete = False
                    break
            else:  # every probe has reached its target, or is limited by rounding
                is_complete = True
            self._arrive(*self.objective.evaluate(self._theta))
            if is_complete:
                if part.datafit is self.objective.datafit:
                    return
                rounding = self.objective.rounding(self._theta, self._value)
                ended = ended | (before - self._value <= rounding)

    def minimum(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the current state of the probes.

        Returns
        -------
        weight : Tensor of shape (K, n_outputs, n_neurons)
        bias : Tensor of shape (K, n_outputs)
        objective : Tensor of shape (K,)
        optimality : Tensor of shape (K,)
            Largest violation of the optimality conditions.
        """
        if self._is_moving:  # `steps` was stopped
            self._arrive(*self.objective.evaluate(self._theta))
        return *self.objective.weights_of(self._theta), self._value, self._optimality

    def _move(self, probes: Tensor, columns: Tensor, points: Tensor, values: Tensor) -> None:
        """Move some probes. :meth:`_arrive` updates what depends on all neurons."""
        self._is_moving = True
        self._theta[probes] = self._theta[probes].index_copy_(2, columns, points)
        for probe, value in zip(probes.tolist(), values.tolist(), strict=True):
            self.curves[probe].append(value)

    def _arrive(self, value: Tensor, slope: Tensor) -> None:
        """Check the optimality conditions for all neurons."""
        self._is_moving = False
        self._value, self._slope = value, slope
        self._violation = self.objective.violation(self._theta, slope)
        optimality = self.objective.largest(self._violation)
        self._optimality = optimality.masked_fill(self._is_null, 0)

    def _working_set(self, running: Tensor) -> tuple[BankObjective, Tensor, Tensor]:
        """Choose neurons to work on.

        Returns
        -------
        objective : BankObjective
            Of the running probes, on these neurons.
        columns : Tensor
            The columns of points for these neurons and the bias.
        targets : Tensor of shape (len(running),)
            Largest violations on these neurons at the end.
        """
        objective = self.objective.of_probes(running)
        theta, violation = self._theta[running], self._violation[running]
        n_neurons = theta.shape[2] - 1
        used = theta[..., :-1].any(1).any(0)
        reach = self._reach(violation)
        strong = (reach > _STRONG) & ~used
        order = reach.masked_fill(used, torch.inf).argsort(descending=True, stable=True)
        size = int(used.sum()) + max(_JOINING, int(strong.sum()))
        size = max(size, _size_at_kink(objective, theta, violation, order))
        if size > _ALMOST_ALL * n_neurons or (objective.lambda_l1 == 0).any():
            columns = torch.arange(n_neurons + 1, device=theta.device)
            return objective, columns, violation.new_full((len(theta),), self._tol)
        neurons = order[:size]
        neurons = neurons[used[neurons] | (reach[neurons] > 0)].sort().values
        columns = torch.cat([neurons, neurons.new_tensor([n_neurons])])
        targets = _WORKING_SET_GAIN * objective.largest(violation)
        # Slightly below `tol`, because the check on all neurons rounds differently.
        return objective.of_neurons(neurons), columns, targets.clamp_min(0.9 * self._tol)

    def _reach(self, violation: Tensor) -> Tensor:
        """Return the violation (n_neurons,) of each neuron, relative to the largest of its probe.

        The neuron with the largest violation of a probe has a reach of 1, so a probe with small
        violations is not neglected in favor of the others of its bank.
        """
        unit = self.objective.datafit.variance.sqrt().clamp_max(1)
        reach = (violation[..., :-1] / torch.where(unit > 0, unit, 1)).abs().amax(1)
        largest = reach.amax(1, keepdim=True)
        return (reach / torch.where(largest > 0, largest, 1)).amax(0)


def _size_at_kink(objective: BankObjective, theta: Tensor, violation: Tensor, order: Tensor) -> int:
    """Return how many neurons, in the given order, the probes at W = 0 need to leave it.

    The violation at W = 0 is proportional to the gradient of the smooth part, of length
    lambda_l2 + v, where v is the length of the violation and the slope along the best direction.
    On some neurons, the slope is the length of their part of the gradient less lambda_l2.
    """
    at_kink = objective.at_kink(theta)
    if not at_kink.any():
        return 0
    squares = violation[at_kink][..., :-1].double().square().sum(1)
    lengths = squares[:, order].cumsum(1).sqrt()
    slope, lambda_l2 = lengths[:, -1:], objective.lambda_l2[at_kink, None].double()
    needed = (lambda_l2 + _SHARE_AT_KINK * slope) / (lambda_l2 + slope) * slope
    return 1 + int((lengths < needed).sum(1).max())
