"""Orthant-wise L-BFGS steps for a bank of probes, or Newton steps if they are small.

Points, slopes and violations are those of :class:`BankObjective`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ._bank_objective import BankObjective
from ._newton import newton_direction, newton_pays

# Number of elements of the steps in the L-BFGS memory. It keeps 10 to 50 steps, more if they are
# small.
_MEMORY_ELEMENTS = 200_000
_SUFFICIENT_DECREASE = 1e-4
_TRIALS = 40
# Number of successive steps without progress after which rounding is assumed to be the cause.
_STALLED = 30
_NEWTON_STALLED = 5  # the same for Newton steps
# Share of weights that move below which their columns of the memory are selected.
_FEW_MOVE = 0.3
# Share of the free weights that must be left before only these are computed.
_SHRUNK = 0.5


def descend(
    objective: BankObjective, theta: Tensor, value: Tensor, slope: Tensor, targets: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Descend from `theta` until the violation of each probe is at most its target.

    Parameters
    ----------
    objective : BankObjective of K probes
    theta, value, slope : Tensor
        The initial points, their objectives and their slopes.
    targets : Tensor of shape (K,)

    Yields
    ------
    probes : Tensor
        Indices of the probes that have taken a step.
    theta : Tensor of shape (len(probes), n_outputs, n_neurons + 1)
    value : Tensor of shape (len(probes),)
    """
    probes = torch.arange(len(theta), device=theta.device)
    stalled = torch.zeros_like(probes)
    least, lowest = torch.full_like(targets, torch.inf), value
    memory: list[tuple[Tensor, Tensor]] = []
    is_small = newton_pays(theta, theta[0].numel(), objective.datafit.n_rows)
    length = min(max(_MEMORY_ELEMENTS // theta.numel(), 10), 50)
    whole, n_free = objective, math.inf
    while True:
        violation = objective.violation(theta, slope)
        size = objective.largest(violation)
        stalled = torch.where(size < 0.9 * least, 0, stalled)
        least = torch.minimum(least, size)
        on = (size > targets) & (stalled < _STALLED)
        if objective is not whole and not on.all():
            # Probes end only if the weights that were not free satisfy the conditions, too.
            objective, n_free = whole, math.inf
            value, slope = objective.evaluate(theta)
            continue
        if not on.any():
            return
        if not on.all():
            kept = torch.nonzero(on)[:, 0]
            probes, stalled, targets, least, lowest, theta, value, slope, violation = (
                tensor[kept]
                for tensor in (
                    probes, stalled, targets, least, lowest, theta, value, slope, violation
                )
            )  # fmt: skip
            memory = [(step[kept], change[kept]) for step, change in memory]
            whole = objective = objective.of_probes(kept)
        if is_small and (stalled >= _NEWTON_STALLED).any():
            # Where rounding hides the progress of Newton steps, those of L-BFGS may have some.
            is_small, stalled = False, torch.zeros_like(stalled)
        if is_small:
            direction = newton_direction(objective, theta, violation)
        else:
            free = ((theta != 0) | (violation != 0)).any(0)
            if free.sum().item() < _SHRUNK * n_free:
                objective = whole.of_free_weights(free[:, :-1])
                if objective is not whole:
                    n_free, slope = free.sum().item(), slope * free
            direction = _direction(objective, theta, violation, memory)
        new_theta, new_value, new_slope = _line_search(
            objective, theta, value, slope, violation, direction
        )
        if not is_small:
            memory = [*memory[1 - length :], (new_theta - theta, new_slope - slope)]
        has_progressed = lowest - new_value > objective.rounding(theta, value)
        stalled = torch.where(has_progressed, 0, stalled + 1)
        lowest = torch.minimum(lowest, new_value)
        if (stalled == _STALLED // 2).any():  # discard steps that consist of rounding errors
            kept = (stalled != _STALLED // 2)[:, None, None]
            memory = [(step * kept, change * kept) for step, change in memory]
        theta, value, slope = new_theta, new_value, new_slope
        yield probes, theta, value


def _direction(
    objective: BankObjective, theta: Tensor, violation: Tensor, memory: list[tuple[Tensor, Tensor]]
) -> Tensor:
    """Return the L-BFGS step of the weights that are free to move and go downhill.

    The inverse Hessian is in the compact form of Byrd, Nocedal and Schnabel (1994), which takes
    two products with the memory and two small triangular systems.
    """
    metric = objective.metric(theta).flatten(1)
    descent = -violation.flatten(1)
    if not memory:
        return (descent / metric).view_as(theta)
    steps, changes = ([pair[i].flatten(1) for pair in memory] for i in (0, 1))
    direction = torch.zeros_like(descent)
    moving = torch.nonzero(descent.any(0))[:, 0]
    columns = moving if len(moving) < _FEW_MOVE * descent.shape[1] else slice(None)
    direction[:, columns] = _inverse_hessian_times(
        descent[:, columns],
        metric[:, columns],
        torch.stack([step[:, columns] for step in steps], 1),
        torch.stack([change[:, columns] for change in changes], 1),
    )
    entering = ((objective.l1_of_columns(theta) > 0) & (theta == 0)).flatten(1)
    direction = direction.masked_fill(entering & (direction * descent <= 0), 0)
    downhill = (direction * descent).sum(1, keepdim=True) > 0
    return torch.where(downhill, direction, descent / metric).view_as(theta)


def _inverse_hessian_times(
    descent: Tensor, metric: Tensor, steps: Tensor, changes: Tensor
) -> Tensor:
    """Return the product of the estimated inverse Hessian with the descent of each probe.

    Parameters
    ----------
    descent : Tensor of shape (K, n_weights)
        0 for weights that are not free to move, which remain where they are.
    metric : Tensor of shape (K, n_weights)
        Second derivatives from which the estimate starts.
    steps, changes : Tensor of shape (K, n_steps, n_weights)
        The last steps, and the changes of the slope along them.
    """
    free = (descent != 0)[:, None]
    steps, scaled = steps * free, changes * (free / metric[:, None])
    inner = steps @ changes.mT  # (K, n_steps, n_steps)
    curvature = scaled @ changes.mT
    diagonal, size = inner.diagonal(dim1=1, dim2=2), curvature.diagonal(dim1=1, dim2=2)
    valid = diagonal > torch.finfo(descent.dtype).eps * size
    both = valid[:, None] & valid[:, :, None]
    triangle = torch.where(both, inner, 0).triu() + torch.diag_embed((~valid).to(descent.dtype))
    last = valid[:, -1:]
    scale = torch.where(last, diagonal[:, -1:] / torch.where(last, size[:, -1:], 1), 1)

    along = ((steps @ descent[..., None]).squeeze(2) * valid)[..., None]
    a = torch.linalg.solve_triangular(triangle, along, upper=True)
    rest = (scaled @ descent[..., None] - curvature @ a).squeeze(2) * scale
    e = torch.linalg.solve_triangular(
        triangle.mT, ((diagonal * a.squeeze(2) - rest) * valid)[..., None], upper=False
    )
    return (descent / metric - (a.mT @ scaled).squeeze(1)) * scale + (e.mT @ steps).squeeze(1)


def _line_search(
    objective: BankObjective,
    theta: Tensor,
    value: Tensor,
    slope: Tensor,
    violation: Tensor,
    direction: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Shorten each probe's step until its objective decreases. A probe without such a step stays.

    Returns
    -------
    theta, value, slope : Tensor
        The new points.
    """
    orthant = torch.where(theta != 0, theta, -violation)
    bounded = objective.l1_of_columns(theta) > 0
    rounding = 8 * objective.rounding(theta, value)  # the objective is a sum of many terms
    length = torch.ones_like(theta[:, :1, :1])
    new_theta, new_value, new_slope = theta.clone(), value.clone(), slope.clone()
    left = torch.arange(len(theta), device=theta.device)
    for _ in range(_TRIALS):
        trial = theta[left] + length[left] * direction[left]
        trial = trial.masked_fill(bounded[left] & (trial * orthant[left] <= 0), 0)
        trial_value, trial_slope = objective.of_probes(left).evaluate(trial)
        promised = (violation[left] * (trial - theta[left])).sum((1, 2), dtype=torch.float64)
        gain = trial_value - value[left]
        enough = gain <= _SUFFICIENT_DECREASE * promised + rounding[left]
        done = left[enough]
        new_theta[done], new_value[done] = trial[enough], trial_value[enough]
        new_slope[done] = trial_slope[enough]
        left = left[~enough]
        if not len(left):
            break
        # The minimum of the parabola through both values with the slope at the start.
        gain, promised = gain[~enough], promised[~enough]
        shorter = (-promised / (2 * (gain - promised))).nan_to_num(0.1).clamp(0.1, 0.5)
        length[left] *= shorter.to(theta.dtype)[:, None, None]
    return new_theta, new_value, new_slope
