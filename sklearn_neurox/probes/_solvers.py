"""From a training set to weights: the solvers behind one door.

Both take the words of a probe, a bank of penalties and, for layers, how many runs of columns to
train on apart; both give weights and what else a fit leaves behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .._device import as_tensor, to_device, torch_threads
from .._warnings import warn
from ._adam import make_dataset, make_net, train_epoch
from ._datafit import Datafit, GramDatafit, Moments, RowsDatafit
from ._owlqn import Minimum, Penalties, minimise

# Neurons from which their second moments are worth more than passes over the words.
_LARGEST_GRAM = 4096
# Words whose means are near enough to all means for sums of squares to lose nothing to rounding.
_WORDS_FOR_ORIGIN = 4096

# Called after each step of a single probe with objective, W and b; returns whether to stop.
Monitor = Callable[[float, NDArray, NDArray], bool]


@dataclass(frozen=True)
class TrainingSet:
    """Words, ready to train on.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons), of a floating dtype
    targets : ndarray of shape (n_words, n_outputs), float64
        One-hot classes or numbers.
    sample_weight : ndarray of shape (n_words,), with mean 1
        In the dtype to train in.
    loss : {"softmax_cross_entropy", "squared_error"}
    device : torch.device
    moments : Moments, default=None
        Of these words, where they are known: a squared error needs no more.
    """

    X: NDArray
    targets: NDArray[np.float64]
    sample_weight: NDArray
    loss: str
    device: torch.device
    moments: Moments | None = None


@dataclass(frozen=True)
class Solution:
    """Weights of one probe, and fitted attributes that depend on the solver.

    Parameters
    ----------
    weight : ndarray of shape (n_outputs, n_neurons)
    bias : ndarray of shape (n_outputs,)
    attributes : dict
    """

    weight: NDArray
    bias: NDArray
    attributes: dict[str, Any]


def solve_adam(
    probe,
    words: TrainingSet,
    lambdas: NDArray[np.float64],
    start: tuple[NDArray, NDArray],
    random_state: np.random.RandomState,
    *,
    monitor: Monitor | None = None,
    n_layers: int = 1,
) -> list[Solution]:
    """Train by mini-batch Adam, all pairs of lambdas and all layers as one bank.

    Parameters
    ----------
    probe : LinearProbe
        Gives the parameters of the solver.
    words : TrainingSet
    lambdas : ndarray of shape (n_pairs, 2)
    start : pair of ndarrays of shape (n_outputs, n_neurons) and (n_outputs,)
        First weights, of every probe.
    random_state : RandomState
        Draws the order of the words if `probe.shuffle`.
    monitor : callable, default=None
        For a single probe.
    n_layers : int, default=1

    Returns
    -------
    list of Solution
        For each layer one for each pair.
    """
    if probe.net_params and len(lambdas) > 1:  # their callbacks watch one probe, not a bank
        return [
            solution
            for pair in lambdas
            for solution in solve_adam(
                probe, words, pair[None], start, deepcopy(random_state), n_layers=n_layers
            )
        ]
    size = n_layers * len(lambdas)
    lambda_l1, lambda_l2 = np.tile(lambdas, (n_layers, 1)).T
    net = make_net(
        *(np.repeat(array[None], size, axis=0) for array in start),
        loss=words.loss,
        lambda_l1=lambda_l1,
        lambda_l2=lambda_l2,
        l2_penalty=probe.l2_penalty,
        batch_size=probe.batch_size,
        learning_rate=probe.learning_rate,
        shuffle=random_state if probe.shuffle else None,
        device=words.device,
        n_layers=n_layers,
        net_params=probe.net_params,
    )
    dataset = make_dataset(words.X, words.targets, words.sample_weight, words.device)
    loss_curve: list[list[float]] = []
    net.notify("on_train_begin", X=dataset, y=None)
    for _ in range(probe.max_epochs):
        loss_curve.append(train_epoch(net, dataset))
        _check_finite(loss_curve[-1], words)
        stop = monitor is not None and monitor(loss_curve[-1][0], *(a[0] for a in _weights(net)))
        if stop or hasattr(net, "stopped_"):
            break
    net.notify("on_train_end", X=dataset, y=None)
    objectives = net.objective(dataset)
    _check_finite(objectives, words)
    weights = _weights(net)
    net.finish()
    curves = np.array(loss_curve).T
    return [
        Solution(
            weight,
            bias,
            {"objective_": objective, "loss_curve_": curve, "n_iter_": len(curve)}
            | ({"net_": net} if size == 1 else {}),
        )
        for weight, bias, objective, curve in zip(*weights, objectives, curves, strict=True)
    ]


def solve_owlqn(
    probe,
    words: TrainingSet,
    lambdas: NDArray[np.float64],
    start: tuple[NDArray, NDArray] | None = None,
    *,
    monitor: Monitor | None = None,
) -> list[Solution]:
    """Minimise by orthant-wise L-BFGS; the parameters are those of :func:`solve_adam`.

    Without a `start` the solver starts at W = 0.
    """
    datafit = make_datafit(as_tensor(words.X), words)
    _check_finite(datafit.variance.tolist(), words)
    found: dict[int, Solution] = {}
    for pairs in _banks(datafit, lambdas[:, 0]):
        bank = _solve_bank(probe, datafit, words, lambdas[pairs], start, monitor)
        found |= dict(zip(pairs.tolist(), bank, strict=True))
    return [found[pair] for pair in range(len(lambdas))]


def make_datafit(X: torch.Tensor, words: TrainingSet) -> Datafit:
    """Mean loss of the words; two classes need one logit, and squared errors only moments."""
    if words.moments is not None:
        return words.moments.datafit()
    like = torch.from_numpy(words.sample_weight).to(words.device)
    targets = torch.from_numpy(words.targets.T.copy()).to(words.device)
    if words.loss == "squared_error" and X.shape[1] <= min(len(X), _LARGEST_GRAM):
        return Moments.of(X, targets, like).datafit()
    loss, targets = words.loss, targets.to(like)
    if loss == "softmax_cross_entropy" and len(targets) == 2:
        loss, targets = "logistic", targets[1:]
    return RowsDatafit(to_device(X, words.device), targets, like / len(X), loss)


def moments_of_folds(
    X: NDArray,
    y: NDArray,
    sample_weight: NDArray | None,
    splits: list[tuple[NDArray, NDArray]],
    device: torch.device,
) -> list[Moments | None]:
    """Moments of the training words of each fold; in one pass where the test words part them all.

    None where there are more neurons than it pays for.
    """
    smallest = min(len(train) for train, _ in splits)
    if X.shape[1] > min(smallest, _LARGEST_GRAM):
        return [None] * len(splits)
    targets = torch.from_numpy(y.reshape(len(y), -1).T.copy()).to(device)
    shares = np.ones(len(X)) if sample_weight is None else sample_weight
    weight = torch.from_numpy(shares).to(device)
    some = np.flatnonzero(shares)[:_WORDS_FOR_ORIGIN]
    origin = torch.cat([as_tensor(X[some]).double().mean(0).to(device), targets[:, some].mean(1)])

    def moments(rows: NDArray, origin: torch.Tensor | None = origin) -> Moments:
        rows = rows[shares[rows] > 0]  # a weight of 0 equals a removed row, whatever it holds
        return Moments.of(as_tensor(X[rows]), targets[:, rows], weight[rows], origin)

    held_out = np.sort(np.concatenate([test for _, test in splits]))
    if not np.array_equal(held_out, np.arange(len(X))) or any(
        len(np.union1d(train, test)) < len(X) or len(train) + len(test) > len(X)
        for train, test in splits
    ):
        return [moments(train) for train, _ in splits]
    parts = [moments(test) for _, test in splits]
    total = reduce(Moments.__add__, parts)
    rests = [total - part for part in parts]
    return [
        moments(train, None) if rest.is_lost_in(total) else rest
        for rest, (train, _) in zip(rests, splits, strict=True)
    ]


def _banks(datafit: Datafit, lambda_l1: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Part a grid into banks to solve one after the other.

    By lambda_l1, as sparse probes look at few neurons, but all of a bank at the same; where a
    look costs next to nothing, one bank of all.
    """
    if isinstance(datafit, GramDatafit):
        return [np.arange(len(lambda_l1))]
    return [np.flatnonzero(lambda_l1 == value) for value in np.unique(lambda_l1)]


def _solve_bank(
    probe,
    datafit: Datafit,
    words: TrainingSet,
    lambdas: NDArray[np.float64],
    start: tuple[NDArray, NDArray] | None,
    monitor: Monitor | None,
) -> list[Solution]:
    """Minimise for some pairs of lambdas together.

    All begin at the same point: where the objective is flat, a probe of a grid then ends where it
    would by itself.
    """
    like, dtype = datafit.mean, words.sample_weight.dtype
    lambda_l1, lambda_l2 = torch.from_numpy(lambdas.T.copy()).to(like)
    point = None
    if start is not None:
        weight, bias = (as_tensor(array).to(like) for array in start)
        point = weight.expand(len(lambdas), -1, -1), bias.expand(len(lambdas), -1)
    if len(datafit.null_bias) < words.targets.shape[1]:  # one logit, of rows -w / 2 and w / 2
        lambda_l2 = lambda_l2 * (0.5 if probe.l2_penalty == "squared" else np.sqrt(0.5))
        point = point and (point[0].diff(dim=1), point[1].diff(dim=1))

    stopped = False

    def watch(objective, weight, bias):
        nonlocal stopped
        if monitor is not None:
            point = (_as_array(tensor[0], dtype) for tensor in (weight, bias))
            stopped = monitor(objective[0], *point)
        return stopped

    with torch_threads(len(lambdas) * words.targets.size * len(like)):
        minimum = minimise(
            datafit,
            Penalties(lambda_l1, lambda_l2, probe.l2_penalty),
            start=point,
            tol=probe.tol,
            max_iter=probe.max_iter,
            monitor=watch,
        )
    _check_finite(minimum.objective.tolist(), words)
    if not stopped:
        _warn_unless_converged(probe, minimum, lambdas, dtype)
    return [
        Solution(
            _as_array(weight, dtype),
            _as_array(bias, dtype),
            {
                "objective_": objective,
                "optimality_": optimality,
                "loss_curve_": np.array(curve),
                "n_iter_": len(curve),
            },
        )
        for weight, bias, objective, optimality, curve in zip(
            minimum.weight,
            minimum.bias,
            minimum.objective.tolist(),
            minimum.optimality.tolist(),
            minimum.loss_curves,
            strict=True,
        )
    ]


def _as_array(tensor: torch.Tensor, dtype) -> NDArray:
    """Copy a tensor to an array."""
    return tensor.detach().to("cpu", copy=True).numpy().astype(dtype)


def _weights(net) -> tuple[NDArray, NDArray]:
    """Copy W (P, n_outputs, n_neurons) and b (P, n_outputs) of a bank."""
    bank = net.module_
    return bank.weight.detach().cpu().clone().numpy(), bank.bias.detach().cpu().clone().numpy()


def _check_finite(numbers: Sequence[float], words: TrainingSet) -> None:
    """Check objectives, or variances of neurons."""
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"Training left the range of {words.sample_weight.dtype}. Scale X and y to about unit "
            "size, or lower the lambdas or learning_rate."
        )


def _warn_unless_converged(probe, minimum: Minimum, lambdas: NDArray[np.float64], dtype) -> None:
    late = [
        (optimality, len(curve), pair)
        for optimality, curve, pair in zip(
            minimum.optimality.tolist(), minimum.loss_curves, lambdas.tolist(), strict=True
        )
        if optimality > probe.tol
    ]
    if not late:
        return
    optimality, n_iter, (l1, l2) = max(late)
    others = f", and those of {len(late) - 1} more pairs of lambdas" if len(late) > 1 else ""
    cause = (
        f"stopped at max_iter={probe.max_iter}; raise it, or tol"
        if n_iter >= probe.max_iter
        else f"stopped after {n_iter} iterations, as rounding in {dtype} hides a further descent; "
        "raise tol, scale X, or pass float64"
    )
    warn(
        f"The optimality conditions are violated by {optimality:.1e} at lambda_l1={l1:g}, "
        f"lambda_l2={l2:g}{others}, more than tol={probe.tol:g}: the solver {cause}.",
        ConvergenceWarning,
    )
