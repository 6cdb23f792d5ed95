"""The solver "adam": mini-batch Adam, for a bank of probes or for many layers at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .._warnings import warn
from ._adam import make_dataset, make_net, train_epoch
from ._adam_progress import Progress, learnable_layers, null_objective
from ._adam_steps import make_steps
from ._objective import penalty
from ._solver import Solution, Solver, Step, as_array

# With strong penalties, predictions are close to the mean, with some jitter around it.
_JITTER = 1e-3


@dataclass
class Adam(Solver):
    """Mini-batch Adam with random initial weights, for a fixed number of epochs."""

    max_epochs: int
    batch_size: int
    learning_rate: float
    shuffle: bool
    net_params: dict[str, Any] | None

    step_name = "epoch"
    max_steps = "max_epochs"
    trains_layers = True
    trains_batches = True
    minimized_penalties = ("l1", "norm", "squared")

    def banks(self) -> list[NDArray[np.intp]]:
        """Train all pairs together. Callbacks of `net_params` watch one probe each."""
        (whole,) = super().banks()
        return [whole[[pair]] for pair in whole] if self.net_params else [whole]

    def steps(self) -> Iterator[Step]:
        """Train epoch by epoch, until one of skorch's callbacks stops the net."""
        problem, data = self.problem, self.problem.data
        lambda_l1, lambda_l2 = self._lambdas().T
        self.net = make_net(
            *(np.repeat(array[None], len(lambda_l1), axis=0) for array in self._start()),
            loss=data.loss,
            lambda_l1=lambda_l1,
            lambda_l2=lambda_l2,
            l2_penalty=problem.l2_penalty,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            shuffle=problem.random_state if self.shuffle else None,
            device=data.device,
            n_layers=problem.n_layers,
            net_params=self.net_params,
        )
        self.dataset = make_dataset(
            data.X, data.targets, data.sample_weight, data.device, data.standardization
        )
        if self.state:
            parts = self.net.module_, self.net.criterion_, self.net.optimizer_
            self.net.steps_ = make_steps(*parts)
            self.net.steps_.set_moments(self.state)
        self.curves: list[list[float]] = []
        self.net.notify("on_train_begin", X=self.dataset, y=None)
        for _ in range(self.max_epochs):
            self.curves.append(train_epoch(self.net, self.dataset))
            data.check_finite(self.curves[-1])
            bank = self.net.module_
            yield Step(self.curves[-1], bank.weight.detach(), bank.bias.detach())
            if hasattr(self.net, "stopped_"):
                break

    def solutions(self) -> list[Solution]:
        """Evaluate the probes on all samples, and move the net to the CPU."""
        net, data = self.net, self.problem.data
        net.notify("on_train_end", X=self.dataset, y=None)
        objectives = net.objective(self.dataset)
        data.check_finite(objectives)
        bank, dtype = net.module_, data.sample_weight.dtype
        weights, biases = as_array(bank.weight, dtype), as_array(bank.bias, dtype)
        if self.state is not None:
            start = {"weight": weights[0], "bias": biases[0]}
            self.state = start | net.steps_.get_moments()
        net.finish()
        attributes = {"net_": net} if len(weights) == 1 else {}
        return [
            Solution(
                weight,
                bias,
                {"objective_": objective, "loss_curve_": curve, "n_iter_": len(curve)} | attributes,
            )
            for weight, bias, objective, curve in zip(
                weights, biases, objectives, np.array(self.curves).T, strict=True
            )
        ]

    def warn(self, solutions: list[Solution], *, stopped: bool = False) -> None:
        """Warn if training ended long before the objective stopped decreasing."""
        null = null_objective(self.problem.data)
        if self.problem.data.loss == "squared_error":
            best = self._best_loss(solutions)
            if best > (1 + _JITTER) * null > 0:
                _warn_of_loss(best, null)
                return
        nets = [each.attributes.get("net_") for each in solutions]
        if stopped or self.problem.start is not None or any(hasattr(n, "stopped_") for n in nets):
            return
        progress = [Progress.of(each.attributes["loss_curve_"], null) for each in solutions]
        size = len(self.problem.lambdas)
        self._warn_if_unfinished([progress[i : i + size] for i in range(0, len(progress), size)])

    def _warn_if_unfinished(self, progress: list[list[Progress]]) -> None:
        """Warn about the layers in which all probes would learn more."""
        unfinished = np.array([all(each.is_unfinished for each in pairs) for pairs in progress])
        if unfinished.any():
            unfinished &= learnable_layers(self.problem)
        layers = np.flatnonzero(unfinished)
        if len(layers):
            # Of a layer, the probe that has learned most; of the layers, that furthest from done.
            best = [min(progress[layer], key=attrgetter("last")) for layer in layers]
            is_scaled = self.problem.data.standardization is not None
            _warn_of_progress(
                max(best, key=attrgetter("last")), len(layers), len(progress), is_scaled=is_scaled
            )

    def _best_loss(self, solutions: list[Solution]) -> float:
        """Return the smallest loss without the penalties."""
        weights = torch.from_numpy(np.stack([each.weight for each in solutions])).double()
        lambda_l1, lambda_l2 = torch.from_numpy(self._lambdas().T)
        penalties = penalty(weights, lambda_l1, lambda_l2, self.problem.l2_penalty).numpy()
        return np.min([each.attributes["objective_"] for each in solutions] - penalties)

    def _lambdas(self) -> NDArray[np.float64]:
        """Pairs of lambdas of all probes, one layer after the other."""
        return np.tile(self.problem.lambdas, (self.problem.n_layers, 1))

    def _start(self) -> list[NDArray]:
        """Return the given initial weights, or uniform weights as in ``torch.nn.Linear``."""
        start = self.problem.start
        if self.state:
            start = self.state["weight"], self.state["bias"]
        if start is None:
            shape = self.problem.shape
            bound = 1 / np.sqrt(shape[1])
            draw = self.problem.random_state.uniform
            start = draw(-bound, bound, size=shape), draw(-bound, bound, size=shape[0])
        return [array.astype(self.problem.data.sample_weight.dtype) for array in start]


def _warn_of_loss(best: float, of_mean: float) -> None:
    warn(
        f"After the last epoch, the squared error is {best:.3g}, larger than the {of_mean:.3g} of "
        "always predicting the mean of y. Adam's steps are too small for targets of this scale. "
        "Standardize y (for example with TransformedTargetRegressor), increase learning_rate or "
        'max_epochs, or use solver="owlqn".',
        ConvergenceWarning,
        kind="Adam",
    )


def _warn_of_progress(
    progress: Progress, n_unfinished: int, n_layers: int, *, is_scaled: bool
) -> None:
    where = f" in {n_unfinished} of {n_layers} layers" if n_layers > 1 else ""
    scaling = "" if is_scaled else "set standardize=True, "
    remedies = f'{scaling}increase learning_rate or max_epochs, or use solver="owlqn".'
    warn(
        f"Adam stopped while the objective was still decreasing{where}: by {progress.first:.2g} in "
        f"the first half of the {progress.n_epochs} epochs and by {progress.second:.2g} in the "
        f"second, to {progress.last:.3g}; at W = 0, it is {progress.null:.3g}. "
        f"{remedies[0].upper()}{remedies[1:]}",
        ConvergenceWarning,
        kind="Adam",
    )
