"""Base class of the solvers: a problem, a sequence of steps, and the solutions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .._device import as_tensor, to_device
from .._files import mapping_of
from .._second_moments import Moments
from ._bank_objective import BankObjective
from ._datafit import Datafit, RowsDatafit
from ._gram import moments_pay, squared_error_of
from ._standardization import Standardization, StandardizedDatafit

Start = tuple[NDArray, NDArray]


@dataclass(frozen=True)
class TrainingSet:
    """Samples that are ready to train on.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_layers * n_neurons), of a floating dtype
    targets : ndarray of shape (n_samples, n_outputs), float64
        One-hot classes or numbers.
    sample_weight : ndarray of shape (n_samples,), with mean 1
        In the dtype to train in.
    loss : {"softmax_cross_entropy", "squared_error"}
    device : torch.device
    moments : Moments, default=None
        Second moments of these samples, if they are known. A squared error depends on nothing
        else.
    standardization : Standardization, default=None
        If given, the weights are those of standardized neurons. X and `moments` are not
        standardized.
    """

    X: NDArray
    targets: NDArray[np.float64]
    sample_weight: NDArray
    loss: str
    device: torch.device
    moments: Moments | None = None
    standardization: Standardization | None = None

    @cached_property
    def datafit(self) -> Datafit:
        """Mean loss of the samples, with a single logit if there are two classes."""
        datafit = self._datafit_of_raw_neurons()
        if self.standardization is None:
            return datafit
        return StandardizedDatafit(datafit, self.standardization)

    def _datafit_of_raw_neurons(self) -> Datafit:
        if self.moments is not None:
            return squared_error_of(self.moments)
        X = as_tensor(self.X)
        if self.loss == "squared_error" and moments_pay(*X.shape):
            weight = torch.from_numpy(self.sample_weight).to(self.device)
            targets = torch.from_numpy(self.targets.T.copy()).to(self.device)
            return squared_error_of(Moments.of(X, targets, weight))
        weight = torch.from_numpy(self.sample_weight).to(self.device)
        targets = torch.from_numpy(self.targets.T.copy()).to(weight)
        loss = self.loss
        if self.has_single_logit:
            loss, targets = "logistic", targets[1:]
        X = to_device(X, self.device)
        return RowsDatafit(X, targets, weight / len(X), loss, mapping_of(self.X))

    @property
    def has_single_logit(self) -> bool:
        """Whether the datafit takes the difference of the rows of two classes."""
        return self.loss == "softmax_cross_entropy" and self.targets.shape[1] == 2

    def check_finite(self, numbers: ArrayLike) -> None:
        """Raise an error if a number that was computed from these samples is NaN or infinite."""
        if not np.isfinite(numbers).all():
            raise ValueError(
                f"Training exceeded the range of {self.sample_weight.dtype}. Scale X and y to "
                "about unit variance, or decrease the lambdas or learning_rate."
            )


@dataclass(frozen=True)
class Problem:
    """The objectives to minimize: those of a bank of probes on the same samples.

    Parameters
    ----------
    data : TrainingSet
    lambdas : ndarray of shape (n_pairs, 2)
        lambda_l1 and lambda_l2 of each probe.
    l2_penalty : {"norm", "squared"}
    start : tuple of ndarray of shape (n_outputs, n_neurons) and (n_outputs,), default=None
        Initial W and b of every probe. They have another first dimension if the probes start at
        different points. If None, the solver chooses them.
    random_state : RandomState
    n_layers : int, default=1
        Number of layers of X, each a run of columns. Every layer has a probe for every pair of
        lambdas.
    """

    data: TrainingSet
    lambdas: NDArray[np.float64]
    l2_penalty: str
    start: Start | None
    random_state: np.random.RandomState
    n_layers: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (n_outputs, n_neurons) of the weights of one probe."""
        return self.data.targets.shape[1], self.data.X.shape[1] // self.n_layers

    @property
    def penalties(self) -> tuple[Tensor, Tensor]:
        """lambda_l1 and lambda_l2 (n_pairs,) for the weights that the datafit takes."""
        objective = self.objective(self.data.datafit)
        return objective.lambda_l1, objective.lambda_l2

    def objective(self, datafit: Datafit) -> BankObjective:
        """Return the objectives of the pairs of lambdas with a mean loss.

        The single logit w of two classes stands for the rows -w / 2 and w / 2.
        """
        lambda_l1, lambda_l2 = torch.from_numpy(self.lambdas.T.copy()).to(datafit.mean)
        if self.data.has_single_logit:
            lambda_l2 = lambda_l2 * (0.5 if self.l2_penalty == "squared" else np.sqrt(0.5))
        return BankObjective(datafit, lambda_l1, lambda_l2, self.l2_penalty)

    def of_datafit(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Convert weights (K, n_outputs, n_neurons) and bias (K, n_outputs) to those it takes."""
        if self.data.has_single_logit and weight.shape[1] == 2:
            return weight.diff(dim=1), bias.diff(dim=1)
        return weight, bias

    def optimality_at_start(self) -> float:
        """Return the largest violation of the optimality conditions at the initial W and b."""
        assert self.start is not None
        datafit = self.data.datafit
        objective = self.objective(datafit)
        weight, bias = (as_tensor(array).to(datafit.mean)[None] for array in self.start)
        theta = objective.point_of(*self.of_datafit(weight, bias))
        _, slope = objective.evaluate(theta)
        return objective.largest(objective.violation(theta, slope)).item()

    def part(self, pairs: NDArray[np.intp], start: Start | None) -> Problem:
        """Return the problem of some pairs of lambdas. All parts have the same random numbers."""
        random_state = deepcopy(self.random_state)
        return replace(self, lambdas=self.lambdas[pairs], start=start, random_state=random_state)


@dataclass(frozen=True)
class Step:
    """The state of K probes after a step. The tensors may change in the next step.

    Parameters
    ----------
    objective : list of K floats
    weight : Tensor of shape (K, n_outputs, n_neurons)
    bias : Tensor of shape (K, n_outputs)
    """

    objective: list[float]
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Solution:
    """Weights of one probe, and the fitted attributes that depend on the solver.

    Parameters
    ----------
    weight : ndarray of shape (n_outputs, n_neurons)
    bias : ndarray of shape (n_outputs,)
    attributes : dict
        At least ``objective_`` and ``n_iter_``.
    """

    weight: NDArray
    bias: NDArray
    attributes: dict[str, Any]


@dataclass
class Solver(ABC):
    """Base class of the solvers.

    A subclass is a dataclass. Its fields are named after the parameters of the probes that it uses,
    and hold their values. It iterates in :meth:`steps`, which may be stopped after any step, and
    returns the current weights in :meth:`solutions`.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    step_name : str
        Name of a step, for callbacks and messages.
    max_steps : str
        Name of the parameter that limits the number of steps.
    trains_layers : bool
        Whether the problem may have several layers.
    uses_moments : bool
        Whether a squared error is minimized on second moments, which cross-validation can then
        compute for all folds in one pass.
    trains_batches : bool
        Whether a pass over new samples can continue the training, as ``partial_fit`` does. Such a
        solver has an attribute `state`. It is None by default, and a dict of arrays if the training
        continues, which is empty at the beginning.
    is_exact : bool
        Whether the solver stops at the optimum, within `tol`.
    minimized_penalties : tuple of {"l1", "norm", "squared"}
        The penalties that the solver minimizes: L1, and the values of `l2_penalty`. A probe raises
        an error for any other penalty that is not 0.
    """

    problem: Problem

    step_name: ClassVar[str]
    max_steps: ClassVar[str]
    trains_layers: ClassVar[bool] = False
    uses_moments: ClassVar[bool] = False
    trains_batches: ClassVar[bool] = False
    is_exact: ClassVar[bool] = False
    minimized_penalties: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        self.state: dict[str, NDArray] | None = None

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Names of the parameters of the probes that this solver uses."""
        return tuple(field.name for field in fields(cls) if field.name != "problem")

    @abstractmethod
    def steps(self) -> Iterator[Step]:
        """Yield the state of the probes after each step."""

    @abstractmethod
    def solutions(self) -> list[Solution]:
        """Return the current solutions, for each layer one for each pair of lambdas."""

    def banks(self) -> list[NDArray[np.intp]]:
        """Divide the pairs of lambdas into the banks that are trained together."""
        return [np.arange(len(self.problem.lambdas))]

    def start_of(
        self, pairs: NDArray[np.intp], solved: Mapping[tuple[int, int], Solution]
    ) -> Start | None:
        """Return the initial W and b of a bank.

        Parameters
        ----------
        pairs : ndarray of int
            The pairs of lambdas of the bank.
        solved : mapping of (layer, pair) to Solution
            Solutions of the banks before it.
        """
        return self.problem.start

    def warn(  # noqa: B027 -- warnings are optional
        self, solutions: list[Solution], *, stopped: bool = False
    ) -> None:
        """Warn about solutions that may not meet the expectations of the user.

        Parameters
        ----------
        solutions : list of Solution
        stopped : bool, default=False
            Whether a callback stopped the solver.
        """

    def run(self) -> list[Solution]:
        """Solve the problem bank by bank, and return the solutions of all its probes."""
        found: dict[tuple[int, int], Solution] = {}
        for pairs in self.banks():
            problem = self.problem.part(pairs, self.start_of(pairs, found))
            bank = replace(self, problem=problem)
            for _ in bank.steps():
                pass
            keys = product(range(self.problem.n_layers), pairs.tolist())
            found |= dict(zip(keys, bank.solutions(), strict=True))
        solutions = [found[key] for key in sorted(found)]
        self.warn(solutions)
        return solutions


def as_array(tensor: Tensor, dtype: np.dtype) -> NDArray:
    """Copy a tensor to an array."""
    return tensor.detach().to("cpu", copy=True).numpy().astype(dtype, copy=False)
