"""What the linear probes share: from words and labels to solvers, and back to ``coef_``."""

from __future__ import annotations

import itertools
from abc import ABCMeta, abstractmethod
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .._callbacks import fit_task
from .._device import resolve_device
from .._validation import validate_activations
from .._warnings import warn
from ._objective import penalty
from ._solvers import TrainingSet, solve_adam, solve_owlqn

# What the last fit has left behind, and the next one may not.
_FITTED = (
    "classes_", "coef_", "intercept_", "n_iter_", "objective_", "optimality_", "loss_curve_", "net_"
)  # fmt: skip
# Rows of float16 activations that are predicted on at a time.
_PREDICTED_AT_ONCE = 8192


class LinearProbe(CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta):
    """A linear map from the activations of a word to outputs, trained on an objective."""

    _parameter_constraints: dict = {
        "lambda_l1": [Interval(Real, 0, None, closed="left")],
        "lambda_l2": [Interval(Real, 0, None, closed="left")],
        "l2_penalty": [StrOptions({"norm", "squared"})],
        "solver": [StrOptions({"adam", "owlqn"})],
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
    _loss: str
    classes_: np.ndarray

    @abstractmethod
    def _encode(self, y):
        """Turn y into targets (n_words, n_outputs), and a dict of attributes to turn them back."""

    def _weigh(self, y, sample_weight):
        """Weigh the words by what they are."""
        return sample_weight

    def _warn_if_separated(self, X, y, sample_weight):
        """Warn of words of training that leave the objective without a minimiser."""

    def _goes_on(self):
        """Tell whether training goes on from the last fit."""
        return self.warm_start and hasattr(self, "coef_")

    @abstractmethod
    def _as_coef(self, weight, bias, y):
        """Shape W (n_outputs, n_neurons) and b (n_outputs,) as ``coef_`` and ``intercept_``."""

    @abstractmethod
    def _get_coef(self):
        """Return a W and b that predict as ``coef_`` and ``intercept_`` do."""

    def _fit(self, X, y, sample_weight):
        is_adam = self.solver == "adam"
        name, at_most = ("epoch", self.max_epochs) if is_adam else ("iteration", self.max_iter)
        with fit_task(self, X, y, max_subtasks=at_most) as context:
            count = itertools.count(1)

            def monitor(objective, fitted):
                step = context.subcontext(name).call_on_fit_task_begin(estimator=self, X=X, y=y)
                if self.verbose:
                    print(f"[{type(self).__name__}] {name} {next(count)}: {objective:.6g}")
                return step.call_on_fit_task_end(
                    estimator=self, X=X, y=y, reconstruction_attributes=fitted
                )

            lambdas = [(self.lambda_l1, self.lambda_l2)]
            (fitted,) = self._fit_bank(X, y, sample_weight, lambdas, monitor=monitor)
            self._set_fitted(fitted)
        return self

    def _fit_bank(self, X, y, sample_weight, lambdas, *, monitor=None, n_layers=1, moments=None):
        """Train a probe for each layer and each pair of lambdas on the same words.

        Parameters
        ----------
        X, y : ndarray, validated
        sample_weight : array-like or None
        lambdas : list of (lambda_l1, lambda_l2)
        monitor : callable, default=None
            For a single probe; called after each step with the objective and a dict of what is
            fitted so far, returns whether to stop.
        n_layers : int, default=1
            Layers of X, runs of columns.
        moments : Moments, default=None
            Of the words, if they are known and the loss is the squared error.

        Returns
        -------
        list of dict
            Fitted attributes: for each layer one for each pair.
        """
        if self.net_params and self.solver != "adam":
            raise ValueError(f'net_params are for solver="adam"; {self.solver!r} has no net.')
        device = resolve_device(self.device)
        random_state = check_random_state(self.random_state)
        dtype = np.float64 if X.dtype == np.float64 else np.float32
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        X, y, sample_weight = _without_weightless(X, y, sample_weight)
        X, y, sample_weight = _without_weightless(X, y, self._weigh(y, sample_weight))
        previous = self._get_coef() if self._goes_on() else None
        targets, labels = self._encode(y)
        shape = (targets.shape[1], X.shape[1] // n_layers)
        _check_start(previous, shape)
        sample_weight /= sample_weight.max()  # the mean of large weights would overflow
        sample_weight = (sample_weight / sample_weight.mean()).astype(dtype)
        words = TrainingSet(X, targets, sample_weight, self._loss, device, moments)

        def as_fitted(weight, bias):
            coef, intercept = self._as_coef(weight, bias, y)
            return labels | {"coef_": coef, "intercept_": intercept}

        def monitor_weights(objective, weight, bias):
            return monitor(objective, as_fitted(weight, bias))

        lambdas = np.array(lambdas, dtype=np.float64)
        watch = monitor and monitor_weights
        if self.solver == "owlqn":
            solutions = solve_owlqn(self, words, lambdas, previous, monitor=watch)
        else:
            start = _random_start(shape, random_state) if previous is None else previous
            start = tuple(array.astype(dtype) for array in start)
            solutions = solve_adam(
                self, words, lambdas, start, random_state, monitor=watch, n_layers=n_layers
            )
            if self._loss == "squared_error":
                self._warn_of_bad_start(solutions, np.tile(lambdas, (n_layers, 1)), words)
        return [as_fitted(each.weight, each.bias) | each.attributes for each in solutions]

    def _warn_of_bad_start(self, solutions, lambdas, words):
        """Warn if all that was trained has a greater error than the mean of the targets."""
        mean = np.average(words.targets, axis=0, weights=words.sample_weight)
        squares = (words.targets - mean) ** 2
        of_mean = np.average(squares, axis=0, weights=words.sample_weight).mean()
        weights = torch.from_numpy(np.stack([each.weight for each in solutions])).double()
        lambda_l1, lambda_l2 = torch.from_numpy(lambdas.T)
        penalties = penalty(weights, lambda_l1, lambda_l2, self.l2_penalty).numpy()
        best = np.min([each.attributes["objective_"] for each in solutions] - penalties)
        if best > (1 + 1e-3) * of_mean > 0:  # strong penalties leave the mean, and some jitter
            warn(
                f"After the last epoch the squared error is {best:.3g}, but that of always saying "
                f"the mean of y is {of_mean:.3g}. Adam's steps are small for such numbers: "
                "standardise y (TransformedTargetRegressor does), raise learning_rate or "
                'max_epochs, or take solver="owlqn".',
                ConvergenceWarning,
            )

    def _set_fitted(self, attributes):
        for name in _FITTED:
            self.__dict__.pop(name, None)
        for name, value in attributes.items():
            setattr(self, name, value)

    def _outputs(self, X):
        check_is_fitted(self)
        return self._apply(validate_activations(self, X, reset=False))

    def _apply(self, X):
        if X.dtype != np.float16:
            return X @ self.coef_.T + self.intercept_
        batches = gen_batches(len(X), _PREDICTED_AT_ONCE)
        parts = [X[rows].astype(np.float32) @ self.coef_.T for rows in batches]
        return np.concatenate(parts) + self.intercept_

    def __getstate__(self):
        # Prediction does not need the net, and no format but pickle could hold it.
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "net_"}


def _without_weightless(X, y, sample_weight):
    """Leave out the words of weight 0: they equal removed rows, also in the mini-batches."""
    if sample_weight.all():
        return X, y, sample_weight.copy()
    kept = np.flatnonzero(sample_weight)
    return X[kept], y[kept], sample_weight[kept]


def _random_start(shape, random_state):
    """First weights, uniform as in ``torch.nn.Linear``."""
    bound = 1 / np.sqrt(shape[1])
    return (
        random_state.uniform(-bound, bound, size=shape),
        random_state.uniform(-bound, bound, size=shape[0]),
    )


def _check_start(previous, shape):
    if previous is not None and previous[0].shape != shape:
        raise ValueError(
            f"warm_start=True goes on from the last fit and needs as many outputs: expected "
            f"{len(previous[0])}, got {shape[0]}."
        )
