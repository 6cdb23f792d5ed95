"""The solver "adam": mini-batch Adam, for a bank of probes or for many layers at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .._warnings import warn
from ._adam import make_dataset, make_net, train_epoch
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
        """Warn if every probe has a larger squared error than the mean of the targets."""
        problem, data = self.problem, self.problem.data
        if data.loss != "squared_error":
            return
        mean = np.average(data.targets, axis=0, weights=data.sample_weight)
        squares = (data.targets - mean) ** 2
        of_mean = np.average(squares, axis=0, weights=data.sample_weight).mean()
        weights = torch.from_numpy(np.stack([each.weight for each in solutions])).double()
        lambda_l1, lambda_l2 = torch.from_numpy(self._lambdas().T)
        penalties = penalty(weights, lambda_l1, lambda_l2, problem.l2_penalty).numpy()
        best = np.min([each.attributes["objective_"] for each in solutions] - penalties)
        if best > (1 + _JITTER) * of_mean > 0:
            warn(
                f"After the last epoch, the squared error is {best:.3g}, larger than the "
                f"{of_mean:.3g} of always predicting the mean of y. Adam's steps are too small "
                "for targets of this scale. Standardize y (for example with "
                "TransformedTargetRegressor), increase learning_rate or max_epochs, or use "
                'solver="owlqn".',
                ConvergenceWarning,
            )

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
