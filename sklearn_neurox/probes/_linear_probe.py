"""Base class of the linear probes: from samples to a solver, and back to ``coef_``."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._callbacks import fit_task
from .._device import full_precision, resolve_device
from .._labels import WEIGHTED
from .._moments import scaled_weights
from .._row_chunks import linear_outputs
from .._row_copies import copy_rows
from .._second_moments import Moments
from .._validation import validate_activations
from .._weights import check_sample_weight
from ._solver import as_array
from ._standardization import Standardization
from .solvers import SOLVERS, Problem, Solution, Solver, Step, TrainingSet

# Fitted attributes, cleared before each fit.
FITTED = (
    "classes_", "coef_", "intercept_", "n_iter_", "objective_", "optimality_", "loss_curve_",
    "net_", "n_samples_seen_", "_sums", "_state",
)  # fmt: skip


class LinearProbe(CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta):
    """A linear map from the activations of a sample to outputs, trained on an objective."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "lambda_l1": [Interval(Real, 0, None, closed="left")],
        "lambda_l2": [Interval(Real, 0, None, closed="left")],
        "l2_penalty": [StrOptions({"norm", "squared"})],
        "standardize": ["boolean"],
        "solver": [StrOptions(SOLVERS.keys())],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "shuffle": ["boolean"],
        "net_params": [dict, None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _loss: ClassVar[str]

    lambda_l1: float
    lambda_l2: float
    l2_penalty: str
    standardize: bool
    solver: str
    net_params: dict[str, Any] | None
    warm_start: bool
    device: str | torch.device
    random_state: int | np.random.RandomState | None
    verbose: int
    classes_: NDArray
    coef_: NDArray
    intercept_: NDArray

    @abstractmethod
    def _check(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
        """Validate X and y, and return them as arrays."""

    @abstractmethod
    def _encode(self, y: NDArray, samples: str) -> tuple[NDArray[np.float64], dict[str, NDArray]]:
        """Return the targets (n_samples, n_outputs), and the fitted attributes to decode them.

        Error messages call the samples `samples`.
        """

    @abstractmethod
    def _as_coef(self, weight: NDArray, bias: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
        """Shape W (n_outputs, n_neurons) and b (n_outputs,) as ``coef_`` and ``intercept_``."""

    @abstractmethod
    def _get_weights(self) -> tuple[NDArray, NDArray]:
        """Return W and b that are equivalent to ``coef_`` and ``intercept_``."""

    def _weigh(self, y: NDArray, sample_weight: NDArray) -> NDArray:
        """Multiply the sample weights by the weights of their targets."""
        return sample_weight

    def _warn_if_separated(self, X: NDArray, y: NDArray, sample_weight: NDArray | None) -> None:
        """Warn if the objective on the training samples does not have a minimizer."""

    def _is_warm(self) -> bool:
        """Return whether training starts from the last fit."""
        return self.warm_start and hasattr(self, "coef_")

    def _fit(self, X: NDArray, y: NDArray, sample_weight: NDArray) -> Self:
        solver_class = SOLVERS[self.solver]
        name, at_most = solver_class.step_name, getattr(self, solver_class.max_steps)
        with full_precision(), fit_task(self, X, y, max_subtasks=at_most) as context:
            lambdas = [(self.lambda_l1, self.lambda_l2)]
            training = self._prepare(X, y, sample_weight, lambdas)
            solver, stopped = training.solver, False
            for count, step in enumerate(solver.steps(), start=1):
                task = context.subcontext(name).call_on_fit_task_begin(estimator=self, X=X, y=y)
                if self.verbose:
                    print(f"[{type(self).__name__}] {name} {count}: {step.objective[0]:.6g}")
                stopped = task.call_on_fit_task_end(
                    estimator=self,
                    X=X,
                    y=y,
                    reconstruction_attributes=training.fitted_at(step),
                )
                if stopped:
                    break
            solutions = solver.solutions()
            solver.warn(solutions, stopped=stopped)
            (fitted,) = training.fitted_by(solutions)
            self._set_fitted(fitted)
        return self

    def _fit_bank(
        self,
        X: NDArray,
        y: NDArray,
        sample_weight: NDArray | None,
        lambdas: Sequence[tuple[float, float]],
        *,
        n_layers: int = 1,
        moments: Moments | None = None,
    ) -> list[dict[str, Any]]:
        """Train a probe for each layer and each pair of lambdas on the same samples.

        Parameters
        ----------
        X, y : ndarray, validated
        sample_weight : ndarray of shape (n_samples,) or None, validated
        lambdas : list of (lambda_l1, lambda_l2)
        n_layers : int, default=1
            Number of layers of X, each a run of columns.
        moments : Moments, default=None
            Second moments of the samples, if they are known.

        Returns
        -------
        list of dict
            Fitted attributes, for each layer one for each pair.
        """
        # Not as a decorator, whose frame would be taken for the caller that warnings point to.
        with full_precision():
            training = self._prepare(
                X, y, sample_weight, lambdas, n_layers=n_layers, moments=moments
            )
            return training.fitted_by(training.solver.run())

    def _prepare(
        self,
        X: NDArray,
        y: NDArray,
        sample_weight: NDArray | None,
        lambdas: Sequence[tuple[float, float]],
        *,
        n_layers: int = 1,
        moments: Moments | None = None,
    ) -> _Training:
        """Return the training of a bank. The parameters are those of :meth:`_fit_bank`."""
        solver_class = SOLVERS[self.solver]
        self._check_net_params(solver_class)
        self._check_penalties(solver_class, lambdas)
        device = resolve_device(self.device)
        random_state = check_random_state(self.random_state)
        dtype = np.float64 if X.dtype == np.float64 else np.float32
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        n_samples = len(y)
        X, y, weight = _without_weightless(X, y, weight)
        # Like a StandardScaler in a Pipeline, it does not depend on the weights of the classes.
        standardization = Standardization.of(X, weight) if self.standardize else None
        X, y, weight = _without_weightless(X, y, self._weigh(y, scaled_weights(weight)))
        start = self._get_weights() if self._is_warm() else None
        targets, labels = self._encode(y, "samples" if len(y) == n_samples else WEIGHTED)
        weight = scaled_weights(weight)
        weight = (weight / weight.mean()).astype(dtype)
        if start is not None:
            _check_start(start, (targets.shape[1], X.shape[1] // n_layers))
            start = start if standardization is None else standardization.standardized(*start)
        problem = Problem(
            TrainingSet(X, targets, weight, self._loss, device, moments, standardization),
            np.array(lambdas, dtype=np.float64),
            self.l2_penalty,
            start,
            random_state,
            n_layers,
        )
        params = {name: getattr(self, name) for name in solver_class.parameters()}
        return _Training(self, solver_class(problem, **params), labels, y)

    def _prepare_batch(
        self,
        data: TrainingSet,
        y: NDArray,
        labels: dict[str, NDArray],
        start: tuple[NDArray, NDArray] | None = None,
        **params: Any,
    ) -> _Training:
        """Return the training on a batch, whose weights are not divided by their mean.

        Parameters
        ----------
        data : TrainingSet
        y : ndarray
            Only its number of dimensions is used.
        labels : dict
            Fitted attributes to decode the targets.
        start : tuple of ndarray, default=None
            Initial W and b.
        **params
            Parameters of the solver that replace those of the probe.
        """
        solver_class = SOLVERS[self.solver]
        lambdas = [(self.lambda_l1, self.lambda_l2)]
        self._check_net_params(solver_class)
        self._check_penalties(solver_class, lambdas)
        problem = Problem(
            data,
            np.array(lambdas, dtype=np.float64),
            self.l2_penalty,
            start,
            check_random_state(self.random_state),
        )
        own = {name: getattr(self, name) for name in solver_class.parameters()}
        return _Training(self, solver_class(problem, **own | params), labels, y)

    def optimality(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return how far the weights are from the minimum of the objective.

        For the training samples and any solver, this is the largest violation of the optimality
        conditions, as in the attribute ``optimality_`` of the exact solver. It takes about as long
        as one epoch of training.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations of the training samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or target values of the training samples.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, as in ``fit``.

        Returns
        -------
        float
            0 at the minimum. Its scale depends on the data and the loss, so compare it with that of
            the same probe after fewer epochs.

        Raises
        ------
        ValueError
            If y has other classes than the training samples, or another argument is not valid for
            ``fit``.
        """
        check_is_fitted(self)
        started = copy(self)
        started.warm_start = True
        data, targets = started._check(X, y)
        if is_classifier(self) and not np.array_equal(np.unique(targets), self.classes_):
            raise ValueError(
                f"y must contain the classes of the training samples, {self.classes_.tolist()}, "
                f"got {np.unique(targets).tolist()}."
            )
        weight = check_sample_weight(sample_weight, len(data))
        lambdas = [(self.lambda_l1, self.lambda_l2)]
        with full_precision():
            training = started._prepare(data, targets, weight, lambdas)
            return training.solver.problem.optimality_at_start()

    def _check_net_params(self, solver_class: type[Solver]) -> None:
        if self.net_params and "net_params" not in solver_class.parameters():
            names = [name for name, each in SOLVERS.items() if "net_params" in each.parameters()]
            raise ValueError(
                f"net_params requires solver={' or '.join(map(repr, names))}, got "
                f"solver={self.solver!r}, which does not train a net."
            )

    def _check_penalties(
        self, solver_class: type[Solver], lambdas: Sequence[tuple[float, float]]
    ) -> None:
        """Raise an error if the solver would ignore a penalty."""
        for name, penalty, values in zip(
            ("lambda_l1", "lambda_l2"), ("l1", self.l2_penalty), np.transpose(lambdas), strict=True
        ):
            if not values.any() or penalty in solver_class.minimized_penalties:
                continue
            kind = "" if penalty == "l1" else f" with l2_penalty={penalty!r}"
            names = [key for key, each in SOLVERS.items() if penalty in each.minimized_penalties]
            raise ValueError(
                f"solver={self.solver!r} does not minimize {name}={values.max():g}{kind}. Set "
                f"{name}=0, or use solver={' or '.join(map(repr, names))}."
            )

    def _set_fitted(self, attributes: Mapping[str, Any]) -> None:
        for name in FITTED:
            self.__dict__.pop(name, None)
        for name, value in attributes.items():
            setattr(self, name, value)

    def _outputs(self, X: ArrayLike) -> NDArray:
        check_is_fitted(self)
        return self._apply(validate_activations(self, X, reset=False))

    def _apply(self, X: NDArray) -> NDArray:
        return linear_outputs(X, self.coef_, self.intercept_)

    def __getstate__(self) -> dict[str, Any]:
        # Prediction does not require the net, and only pickle could store it.
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "net_"}


@dataclass(frozen=True)
class _Training:
    """A solver that trains a probe, and the conversion of its weights to fitted attributes.

    Parameters
    ----------
    probe : LinearProbe
    solver : Solver
    labels : dict
        Fitted attributes to decode the targets.
    y : ndarray
        The targets as passed to ``fit``.
    """

    probe: LinearProbe
    solver: Solver
    labels: dict[str, NDArray]
    y: NDArray

    def fitted_at(self, step: Step) -> dict[str, Any]:
        """Return the fitted attributes of a single probe after a step."""
        dtype = self.solver.problem.data.sample_weight.dtype
        return self._fitted(as_array(step.weight[0], dtype), as_array(step.bias[0], dtype))

    def fitted_by(self, solutions: list[Solution]) -> list[dict[str, Any]]:
        """Return the fitted attributes of solutions, for each layer one for each pair."""
        n_pairs = len(self.solver.problem.lambdas)
        return [
            self._fitted(each.weight, each.bias, layer=index // n_pairs) | each.attributes
            for index, each in enumerate(solutions)
        ]

    def _fitted(self, weight: NDArray, bias: NDArray, layer: int = 0) -> dict[str, Any]:
        data = self.solver.problem.data
        if data.standardization is not None:
            of_layer = data.standardization.of_layer(layer, weight.shape[1])
            weight, bias = of_layer.raw(weight, bias)
            data.check_finite(weight)
            data.check_finite(bias)
        coef, intercept = self.probe._as_coef(weight, bias, self.y)
        return self.labels | {"coef_": coef, "intercept_": intercept}


def _without_weightless(
    X: NDArray, y: NDArray, sample_weight: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Drop the samples of weight 0, so that they are not part of mini-batches either."""
    if sample_weight.all():
        return X, y, sample_weight.copy()
    kept = np.flatnonzero(sample_weight)
    return copy_rows(X, kept), y[kept], sample_weight[kept]


def _check_start(previous: tuple[NDArray, NDArray], shape: tuple[int, int]) -> None:
    if previous[0].shape != shape:
        raise ValueError(
            "warm_start=True requires the same number of outputs as in the last fit: expected "
            f"{len(previous[0])}, got {shape[0]}."
        )
