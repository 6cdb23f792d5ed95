r"""Orthant-wise limited-memory quasi-Newton for a bank of linear probes, to the optimum.

The method is that of Andrew and Gao (2007): L-BFGS on the objective as it is within one orthant,
where the L1 norm is linear, and a projection that sets a weight to 0 when it would leave its
orthant. Three things are added. L-BFGS sees only the weights that are free to move, and starts
from a metric that knows the scale of neurons and the frequency of classes. The
un-squared L2 norm is smooth away from W = 0, and W = 0 is decided by its own optimality condition.
Most neurons of a sparse probe end at 0, so the work is done on a working set of neurons that
grows until no other neuron violates the optimality conditions.

A point is a tensor `theta` of shape (K, n_outputs, n_neurons + 1): weights, and in the last column
the bias for centred neurons. Gradients and directions have the same shape.

Galen Andrew and Jianfeng Gao (2007). Scalable Training of L1-Regularized Log-Linear Models. ICML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ._datafit import Datafit
from ._objective import l2_term

# Of the steps that L-BFGS remembers; 10 to 50 of them, the more the better while they are small.
_MEMORY_ELEMENTS = 200_000
_SUFFICIENT_DECREASE = 1e-4
_TRIALS = 40
# Steps in a row without progress that is seen, after which rounding has the last word.
_STALLED = 30
# Neurons that join a working set: at least so many, and all whose violation is such a share of the
# largest. A set that would hold almost all of the neurons holds all.
_JOINING = 100
_STRONG = 0.3
_ALMOST_ALL = 0.7
# By how much one working set lowers the violation before the other neurons are looked at again.
_WORKING_SET_GAIN = 0.3


@dataclass(frozen=True)
class Penalties:
    """Penalties of a bank.

    Parameters
    ----------
    lambda_l1, lambda_l2 : Tensor of shape (K,)
    l2_penalty : {"norm", "squared"}
    """

    lambda_l1: Tensor
    lambda_l2: Tensor
    l2_penalty: str

    def take(self, probes: Tensor) -> Penalties:
        """Return the penalties of some of the probes."""
        return Penalties(self.lambda_l1[probes], self.lambda_l2[probes], self.l2_penalty)

    def on_columns(self, theta: Tensor) -> Tensor:
        """L1 penalty of each column of `theta`, (K, 1, n_neurons + 1); the bias has none."""
        columns = torch.ones_like(theta[:1, :1])
        columns[..., -1] = 0
        return self.lambda_l1[:, None, None] * columns


@dataclass(frozen=True)
class Minimum:
    """Where the solver ended.

    Parameters
    ----------
    weight : Tensor of shape (K, n_outputs, n_neurons)
    bias : Tensor of shape (K, n_outputs)
    objective : Tensor of shape (K,)
    optimality : Tensor of shape (K,)
        Largest violation of the optimality conditions.
    loss_curves : list of K lists of float
        The objective at the start and after each step.
    """

    weight: Tensor
    bias: Tensor
    objective: Tensor
    optimality: Tensor
    loss_curves: list[list[float]]


def minimise(
    datafit: Datafit,
    penalties: Penalties,
    *,
    start: tuple[Tensor, Tensor] | None = None,
    tol: float,
    max_iter: int,
    monitor: Callable[[list[float], Tensor, Tensor], bool],
) -> Minimum:
    """Minimise the objective of each probe of a bank.

    Parameters
    ----------
    datafit : Datafit
    penalties : Penalties of K probes
    start : pair of Tensors of shape (K, n_outputs, n_neurons) and (K, n_outputs), default=None
        Weights and bias to go on from; None starts at W = 0.
    tol : float
        Largest violation of the optimality conditions to end with.
    max_iter : int
        Points at most along the way of each probe, the start included.
    monitor : callable
        Called with objectives, weight and bias after each step; returns whether to stop.

    Returns
    -------
    Minimum
    """
    null, value, slope = _null_points(datafit, penalties)
    is_null = (_violation(datafit, penalties, null, slope)[..., :-1] == 0).all((1, 2))
    theta = null.clone()
    if start is not None:
        theta[~is_null] = _centre(datafit, *start)[~is_null]
        theta[..., :-1] *= datafit.variance > 0  # a constant neuron says nothing
        value, slope = _evaluate(datafit, penalties, theta)
    curves = [[first] for first in value.tolist()]
    ended = is_null

    while True:
        violation = _violation(datafit, penalties, theta, slope)
        optimality = _largest(datafit, violation).masked_fill(is_null, 0)
        spent = [len(curve) >= max_iter for curve in curves]
        ended = ended | (optimality <= tol) | torch.tensor(spent, device=theta.device)
        if ended.all():
            break
        running = torch.nonzero(~ended)[:, 0]
        part, columns, targets = _working_set(
            datafit, penalties.take(running), theta[running], violation[running], tol
        )
        before = value
        steps = _steps(
            part,
            penalties.take(running),
            theta[running][..., columns],
            value[running],
            slope[running][..., columns],
            targets,
        )
        for probes, points, values in steps:
            probes = running[probes]
            theta[probes] = theta[probes].index_copy_(2, columns, points)
            for probe, new in zip(probes.tolist(), values.tolist(), strict=True):
                curves[probe].append(new)
            stop = monitor(values.tolist(), *_uncentre(datafit, theta))
            if stop:
                ended = torch.ones_like(ended)
            if stop or max(len(curves[probe]) for probe in probes.tolist()) >= max_iter:
                break
        else:  # all have reached their targets or what rounding allows
            if part is datafit:
                ended = torch.ones_like(ended)
        value, slope = _evaluate(datafit, penalties, theta)
        ended = ended | (before - value <= _rounding(datafit, theta, value))
    return Minimum(*_uncentre(datafit, theta), value, optimality, curves)


def _null_points(datafit: Datafit, penalties: Penalties) -> tuple[Tensor, Tensor, Tensor]:
    """Return W = 0 with its best bias for each probe, and its value and slope."""
    null = datafit.mean.new_zeros(1, len(datafit.null_bias), len(datafit.mean) + 1)
    null[..., -1] = datafit.null_bias
    loss, weight_slope, bias_slope = datafit.evaluate(null[..., :-1], null[..., -1])
    slope = torch.cat([weight_slope, bias_slope[..., None]], 2)
    n_probes = len(penalties.lambda_l1)
    return null.repeat(n_probes, 1, 1), loss.repeat(n_probes), slope.repeat(n_probes, 1, 1)


def _evaluate(datafit: Datafit, penalties: Penalties, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Objective (K,) in float64, and the gradient of all of it but the L1 norm."""
    weight = theta[..., :-1]
    loss, weight_slope, bias_slope = datafit.evaluate(weight, theta[..., -1])
    size, shrinkage = l2_term(weight, penalties.lambda_l2, penalties.l2_penalty)
    l1 = penalties.lambda_l1 * weight.abs().sum((1, 2), dtype=torch.float64)
    weight_slope = torch.addcmul(weight_slope, weight, shrinkage[:, None, None])
    return loss + l1 + size, torch.cat([weight_slope, bias_slope[..., None]], 2)


def _violation(datafit: Datafit, penalties: Penalties, theta: Tensor, slope: Tensor) -> Tensor:
    """Smallest subgradient of the objective: 0 at the optimum and nowhere else."""
    l1 = penalties.on_columns(theta)
    shrunk = slope - slope.clamp(-l1, l1)
    violation = torch.where(theta != 0, slope + l1 * theta.sign(), shrunk)
    violation[..., :-1] *= datafit.variance > 0
    if penalties.l2_penalty == "norm":
        weights = violation[..., :-1]
        length = torch.linalg.vector_norm(weights, dim=(1, 2))
        at_zero = ~theta[..., :-1].any(2).any(1) & (length > 0)
        rest = (1 - penalties.lambda_l2 / torch.where(at_zero, length, 1)).clamp_min(0)
        weights *= torch.where(at_zero, rest, 1)[:, None, None]
    return violation


def _largest(datafit: Datafit, violation: Tensor) -> Tensor:
    """Largest violation of each probe.

    That of a weight counts for a change of its neuron by one standard deviation if that is below
    1: the weights of small neurons are large, and so is what a small violation of theirs costs.
    What the bias still lacks counts at the means too: so the neurons as they come, which the
    solver centres, violate the conditions by no more.
    """
    unit = datafit.variance.sqrt().clamp_max(1)
    weights = violation[..., :-1].abs() / torch.where(unit > 0, unit, torch.inf)
    return weights.amax((1, 2)) + datafit.lever * violation[..., -1].abs().amax(1)


def _working_set(
    datafit: Datafit, penalties: Penalties, theta: Tensor, violation: Tensor, tol: float
) -> tuple[Datafit, Tensor, Tensor]:
    """Choose neurons to work on.

    Returns
    -------
    datafit : Datafit on these neurons
    columns : Tensor
        Their columns of `theta`, and that of the bias.
    targets : Tensor of shape (K,)
        Violations to end with.
    """
    n_neurons = theta.shape[2] - 1
    used = theta[..., :-1].any(1).any(0)
    unit = datafit.variance.sqrt().clamp_max(1)
    reach = (violation[..., :-1] / torch.where(unit > 0, unit, 1)).abs().amax((0, 1))
    strong = (reach > _STRONG * reach.max()) & ~used
    size = int(used.sum()) + max(_JOINING, int(strong.sum()))
    if size > _ALMOST_ALL * n_neurons or (penalties.lambda_l1 == 0).any():
        columns = torch.arange(n_neurons + 1, device=theta.device)
        return datafit, columns, violation.new_full((len(theta),), tol)
    neurons = reach.masked_fill(used, torch.inf).topk(size).indices
    neurons = neurons[used[neurons] | (reach[neurons] > 0)].sort().values
    columns = torch.cat([neurons, neurons.new_tensor([n_neurons])])
    targets = _WORKING_SET_GAIN * _largest(datafit, violation)
    # A little less than asked for: the check on all neurons rounds in another order.
    return datafit.restrict(neurons), columns, targets.clamp_min(0.9 * tol)


def _steps(
    datafit: Datafit,
    penalties: Penalties,
    theta: Tensor,
    value: Tensor,
    slope: Tensor,
    targets: Tensor,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Go down from `theta`, with its value and slope; each probe to its target of the violation.

    Yields
    ------
    probes : Tensor
        Those still on their way.
    theta : Tensor of shape (len(probes), n_outputs, n_neurons + 1)
    value : Tensor of shape (len(probes),)
    """
    probes = torch.arange(len(theta), device=theta.device)
    stalled = torch.zeros_like(probes)
    least, lowest = torch.full_like(targets, torch.inf), value
    memory: list[tuple[Tensor, Tensor]] = []
    length = min(max(_MEMORY_ELEMENTS // theta.numel(), 10), 50)
    while True:
        violation = _violation(datafit, penalties, theta, slope)
        size = _largest(datafit, violation)
        stalled = torch.where(size < 0.9 * least, 0, stalled)
        least = torch.minimum(least, size)
        on = (size > targets) & (stalled < _STALLED)
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
            penalties = penalties.take(kept)
        direction = _direction(datafit, penalties, theta, violation, memory)
        new_theta, new_value, new_slope = _line_search(
            datafit, penalties, theta, value, slope, violation, direction
        )
        memory = [*memory[1 - length :], (new_theta - theta, new_slope - slope)]
        seen = lowest - new_value > _rounding(datafit, theta, value)
        stalled = torch.where(seen, 0, stalled + 1)
        lowest = torch.minimum(lowest, new_value)
        if (stalled == _STALLED // 2).any():  # what rounding has put into the memory misleads
            kept = (stalled != _STALLED // 2)[:, None, None]
            memory = [(step * kept, change * kept) for step, change in memory]
        theta, value, slope = new_theta, new_value, new_slope
        yield probes, theta, value


def _rounding(datafit: Datafit, theta: Tensor, value: Tensor) -> Tensor:
    """Return the rounding of the objective, of its last digit."""
    return torch.finfo(theta.dtype).eps * (value.abs() + datafit.magnitude)


def _direction(
    datafit: Datafit,
    penalties: Penalties,
    theta: Tensor,
    violation: Tensor,
    memory: list[tuple[Tensor, Tensor]],
) -> Tensor:
    """L-BFGS step on the weights that are free to move, without those that would go uphill.

    The inverse Hessian is in the compact form of Byrd, Nocedal and Schnabel (1994), for which
    two products with the memory and two small triangular systems do.
    """
    metric = _metric(datafit, penalties, theta).flatten(1)
    descent = -violation.flatten(1)
    if not memory:
        return (descent / metric).view_as(theta)
    free = (descent != 0)[:, None]
    steps, changes = (torch.stack([pair[i].flatten(1) for pair in memory], 1) for i in (0, 1))
    steps, scaled = steps * free, changes * (free / metric[:, None])
    inner = steps @ changes.mT  # (K, memory, memory)
    curvature = scaled @ changes.mT
    diagonal, size = inner.diagonal(dim1=1, dim2=2), curvature.diagonal(dim1=1, dim2=2)
    valid = diagonal > torch.finfo(theta.dtype).eps * size
    both = valid[:, None] & valid[:, :, None]
    triangle = torch.where(both, inner, 0).triu() + torch.diag_embed((~valid).to(theta.dtype))
    last = valid[:, -1:]
    scale = torch.where(last, diagonal[:, -1:] / torch.where(last, size[:, -1:], 1), 1)

    along = ((steps @ descent[..., None]).squeeze(2) * valid)[..., None]
    a = torch.linalg.solve_triangular(triangle, along, upper=True)
    rest = (scaled @ descent[..., None] - curvature @ a).squeeze(2) * scale
    e = torch.linalg.solve_triangular(
        triangle.mT, ((diagonal * a.squeeze(2) - rest) * valid)[..., None], upper=False
    )
    direction = (descent / metric - (a.mT @ scaled).squeeze(1)) * scale + (e.mT @ steps).squeeze(1)

    entering = ((penalties.on_columns(theta) > 0) & (theta == 0)).flatten(1)
    direction = direction.masked_fill(entering & (direction * descent <= 0), 0)
    downhill = (direction * descent).sum(1, keepdim=True) > 0
    return torch.where(downhill, direction, descent / metric).view_as(theta)


def _metric(datafit: Datafit, penalties: Penalties, theta: Tensor) -> Tensor:
    """Second derivative of the objective by each weight and bias, roughly; positive.

    That of the loss is taken halfway, in its logarithm, to one for all: it is known at W = 0, and
    changes most for rare classes and small neurons as a probe grows sure of itself.
    """
    weight = theta[..., :-1]
    _, shrinkage = l2_term(weight, penalties.lambda_l2, penalties.l2_penalty)
    curvature = (datafit.curvature * datafit.curvature.mean()).sqrt()
    variance = (datafit.variance * datafit.variance.mean()).sqrt()
    bias = curvature.expand(len(theta), -1)[..., None]
    curvature = curvature[:, None] * variance + shrinkage[:, None, None]
    # A step from W = 0 must follow the gradient itself: only then the norm grows less than the
    # rest of the objective falls.
    at_zero = ~weight.any(2).any(1) & (penalties.lambda_l2 > 0) & (penalties.l2_penalty == "norm")
    at_zero = at_zero[:, None, None]
    curvature = torch.where(at_zero, curvature.amax((1, 2), keepdim=True), curvature)
    curvature = torch.where(curvature > 0, curvature, 1)
    return torch.cat([curvature, bias], 2)


def _line_search(
    datafit: Datafit,
    penalties: Penalties,
    theta: Tensor,
    value: Tensor,
    slope: Tensor,
    violation: Tensor,
    direction: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Shorten each probe's step until the objective falls; a probe without such a step stays.

    Returns
    -------
    theta, value, slope : Tensor
        The new points.
    """
    orthant = torch.where(theta != 0, theta, -violation)
    bounded = penalties.on_columns(theta) > 0
    rounding = 8 * _rounding(datafit, theta, value)  # of a sum of many
    length = torch.ones_like(theta[:, :1, :1])
    new_theta, new_value, new_slope = theta.clone(), value.clone(), slope.clone()
    left = torch.arange(len(theta), device=theta.device)
    for _ in range(_TRIALS):
        trial = theta[left] + length[left] * direction[left]
        trial = trial.masked_fill(bounded[left] & (trial * orthant[left] <= 0), 0)
        trial_value, trial_slope = _evaluate(datafit, penalties.take(left), trial)
        promised = (violation[left] * (trial - theta[left])).sum((1, 2), dtype=torch.float64)
        gain = trial_value - value[left]
        enough = gain <= _SUFFICIENT_DECREASE * promised + rounding[left]
        done = left[enough]
        new_theta[done], new_value[done] = trial[enough], trial_value[enough]
        new_slope[done] = trial_slope[enough]
        left = left[~enough]
        if not len(left):
            break
        # The minimum of the parabola through both values and the slope at the start.
        gain, promised = gain[~enough], promised[~enough]
        shorter = (-promised / (2 * (gain - promised))).nan_to_num(0.1).clamp(0.1, 0.5)
        length[left] *= shorter.to(theta.dtype)[:, None, None]
    return new_theta, new_value, new_slope


def _centre(datafit: Datafit, weight: Tensor, bias: Tensor) -> Tensor:
    """Turn weights and bias into a point: its bias is for centred neurons."""
    return torch.cat([weight, (bias + weight @ datafit.mean)[..., None]], 2)


def _uncentre(datafit: Datafit, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Turn a point into weights and bias."""
    weight = theta[..., :-1]
    return weight, theta[..., -1] - weight @ datafit.mean
