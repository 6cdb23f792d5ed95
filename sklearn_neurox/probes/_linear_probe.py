"""What the linear probes share: start, train epoch by epoch, keep ``coef_``."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._callbacks import fit_task
from .._device import resolve_device
from .._validation import float_dtypes
from ._adam import LinearProbeNet, make_dataset, make_net, train_epoch


class LinearProbe(CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta):
    """A linear map from the activations of a word to outputs, trained on an objective."""

    _parameter_constraints: dict = {
        "lambda_l1": [Interval(Real, 0, None, closed="left")],
        "lambda_l2": [Interval(Real, 0, None, closed="left")],
        "l2_penalty": [StrOptions({"norm", "squared"})],
        "solver": [StrOptions({"adam"})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "shuffle": ["boolean"],
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
        device = resolve_device(self.device)
        random_state = check_random_state(self.random_state)
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=X.dtype, ensure_non_negative=True
        )
        X, y, sample_weight = _without_weightless(X, y, sample_weight)
        X, y, sample_weight = _without_weightless(X, y, self._weigh(y, sample_weight))
        previous = self._get_coef() if self._goes_on() else None
        targets, labels = self._encode(y)
        weight, bias = _start(previous, (targets.shape[1], X.shape[1]), random_state, X.dtype)
        net = make_net(
            weight[None],
            bias[None],
            loss=self._loss,
            lambda_l1=[self.lambda_l1],
            lambda_l2=[self.lambda_l2],
            l2_penalty=self.l2_penalty,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            shuffle=random_state if self.shuffle else None,
            device=device,
        )
        dataset = make_dataset(X, targets, sample_weight / sample_weight.mean(), device)
        with fit_task(self, X, y, max_subtasks=self.max_epochs) as context:
            fitted, loss_curve = self._train(net, dataset, X, y, labels, context)
            (objective,) = net.objective(dataset)
            _check_finite(objective, X.dtype)
            net.finish()
            fitted |= {"objective_": objective, "loss_curve_": np.array(loss_curve)}
            fitted |= {"n_iter_": len(loss_curve), "net_": net}
            for name, value in fitted.items():  # all or nothing: if fit fails, the last one stays
                setattr(self, name, value)
        return self

    def _train(self, net, dataset, X, y, labels, context):
        """Train epoch by epoch, until a callback asks to stop."""
        loss_curve: list[float] = []
        for _ in range(self.max_epochs):
            epoch = context.subcontext("epoch").call_on_fit_task_begin(estimator=self, X=X, y=y)
            loss_curve += train_epoch(net, dataset)
            _check_finite(loss_curve[-1], X.dtype)
            if self.verbose:
                print(f"[{type(self).__name__}] epoch {len(loss_curve)}: {loss_curve[-1]:.6g}")
            weight, bias = _weights(net)
            coef, intercept = self._as_coef(weight, bias, y)
            fitted = labels | {"coef_": coef, "intercept_": intercept}
            if epoch.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes=fitted
            ):
                break
        return fitted, loss_curve

    def _outputs(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, dtype=float_dtypes(X), reset=False)
        return X @ self.coef_.T + self.intercept_


def _without_weightless(X, y, sample_weight):
    """Leave out the words of weight 0: they equal removed rows, also in the mini-batches."""
    if sample_weight.all():
        return X, y, sample_weight
    kept = np.flatnonzero(sample_weight)
    return X[kept], y[kept], sample_weight[kept]


def _start(previous, shape, random_state, dtype):
    """First weights: those of the last fit, or uniform as in ``torch.nn.Linear``."""
    if previous is None:
        bound = 1 / np.sqrt(shape[1])
        previous = (
            random_state.uniform(-bound, bound, size=shape),
            random_state.uniform(-bound, bound, size=shape[0]),
        )
    weight, bias = previous
    if weight.shape != shape:
        raise ValueError(
            f"warm_start=True goes on from the last fit and needs as many outputs: expected "
            f"{len(weight)}, got {shape[0]}."
        )
    return weight.astype(dtype), bias.astype(dtype)


def _check_finite(objective, dtype):
    if not np.isfinite(objective):
        raise ValueError(
            f"Training left the range of {dtype}: the objective is {objective}. Scale X and y to "
            "about unit size, or lower learning_rate."
        )


def _weights(net: LinearProbeNet):
    """Copy W (n_outputs, n_neurons) and b (n_outputs,) of a bank of one probe."""
    bank = net.module_
    return tuple(
        tensor.detach()[0].to("cpu", copy=True).numpy() for tensor in (bank.weight, bank.bias)
    )
