"""Training of linear probes batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if

from .._batch_sums import BatchSums, Sums, continues, from_sums, read_batch
from .._callbacks import fit_task
from .._device import as_tensor, full_precision, resolve_device
from .._moments import varying
from .._second_moments import Moments
from .._validation import fit_context
from .._weights import check_sample_weight
from ._standardization import Standardization
from .solvers import SOLVERS, Solver, TrainingSet

_ADVICE = {
    "LinearProbeClassifier": (
        'Set solver="adam"; call fit, which reads a memory map in chunks; or use partial_fit of '
        "MeanDifferenceClassifier(whiten=True) or GaussianProbeClassifier, which is exact."
    ),
    "LinearProbeRegressor": 'Set solver="adam" or solver="owlqn".',
}


def _solver_of(probe: BatchTraining, kind: str) -> type[Solver] | None:
    """Return the class of the solver, or None if the parameter is not valid.

    Raises
    ------
    AttributeError
        If the probe is a search, whose folds require all samples.
    """
    if "cv" in probe.get_params(deep=False):
        raise AttributeError(
            f"{type(probe).__name__} chooses the lambdas by cross-validation, which requires all "
            f"samples. Use partial_fit of {kind} with the chosen lambdas."
        )
    return SOLVERS.get(probe.solver)


def _no_batches(probe: BatchTraining, kind: str) -> AttributeError:
    return AttributeError(
        f"partial_fit trains on one batch after the other, which solver={probe.solver!r} does not "
        f"support. {_ADVICE[kind]}"
    )


def _knows_scale(probe: BatchTraining) -> bool:
    """Raise an error if passes over mini-batches would need the scale of later batches."""
    if not probe.standardize:
        return True
    raise AttributeError(
        f"With solver={probe.solver!r}, partial_fit is not available for standardize=True, because "
        "the standard deviations of later batches are not known. Standardize X, and set "
        "standardize=False."
    )


def _trains_classifier(probe: ClassifierBatches) -> bool:
    solver = _solver_of(probe, "LinearProbeClassifier")
    if solver is None or solver.trains_batches:
        return _knows_scale(probe)
    raise _no_batches(probe, "LinearProbeClassifier")


def _trains_regressor(probe: RegressorBatches) -> bool:
    solver = _solver_of(probe, "LinearProbeRegressor")
    if solver is None or solver.trains_batches:
        return _knows_scale(probe)
    if solver.uses_moments:
        return continues(probe)
    raise _no_batches(probe, "LinearProbeRegressor")


class BatchTraining:
    """Mixin of linear probes that are trained by one pass over the mini-batches of each batch."""

    solver: str
    standardize: bool
    net_params: dict[str, Any] | None
    device: str | torch.device
    get_params: Callable[..., dict[str, Any]]
    _loss: ClassVar[str]
    _prepare_batch: Callable[..., Any]
    _get_weights: Callable[[], tuple[NDArray, NDArray]]
    _set_fitted: Callable[[Mapping[str, Any]], None]
    # What the solver continues from, besides the weights: plain arrays.
    _state: dict[str, NDArray]

    def _check_batch_params(self) -> None:
        if self.net_params:
            raise ValueError(
                "partial_fit does not support net_params, because it continues with the state of "
                "Adam. Set net_params=None."
            )

    def _train_pass(
        self,
        X: NDArray,
        y: NDArray,
        targets: NDArray[np.float64],
        weight: NDArray[np.float64],
        labels: dict[str, NDArray],
        *,
        is_first: bool,
    ) -> None:
        """Train on the mini-batches of a batch, and set the fitted attributes.

        Parameters
        ----------
        X, y : ndarray, validated
        targets : ndarray of shape (n_samples, n_outputs)
        weight : ndarray of shape (n_samples,)
        labels : dict
            Fitted attributes to decode the targets.
        is_first : bool
            Whether the probe does not have weights yet.
        """
        start = None if is_first else self._get_weights()
        if start is not None and len(start[0]) != targets.shape[1]:
            raise ValueError(
                f"y must have the same number of columns in each batch: expected {len(start[0])}, "
                f"got {targets.shape[1]}."
            )
        dtype = np.float64 if X.dtype == np.float64 else np.float32
        data = TrainingSet(
            X, targets, weight.astype(dtype), self._loss, resolve_device(self.device)
        )
        one_pass = {SOLVERS[self.solver].max_steps: 1}
        before = [] if is_first else vars(self).get("loss_curve_", [])
        with full_precision(), fit_task(self, X, y):
            training = self._prepare_batch(data, y, labels, start, **one_pass)
            solver = training.solver
            solver.state = vars(self).get("_state", {})
            for _ in solver.steps():
                pass
            (fitted,) = training.fitted_by(solver.solutions())
            curve = np.concatenate([before, fitted["loss_curve_"]])
            self._set_fitted(fitted | {"loss_curve_": curve, "n_iter_": len(curve)})
            self._state = solver.state


class ClassifierBatches(BatchTraining):
    """Mixin of the classifier."""

    class_weight: Any
    _weigh: Callable[[NDArray, NDArray], NDArray]

    @available_if(_trains_classifier)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one pass over the mini-batches of X, beginning with the current weights.

        If all batches but the last one contain a multiple of `batch_size` samples, and `shuffle` is
        False, the result of several calls is that of ``fit`` with ``max_epochs=1`` on all samples.
        After ``fit``, training continues with its weights, and with a new state of Adam. Only
        available if ``solver="adam"``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels: strings, integers or booleans.
        classes : array-like of shape (n_classes,), default=None
            All classes that occur in any batch. Required in the first call, and may be omitted in
            later calls.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, by which the losses are multiplied. Unlike in ``fit``, they are not
            divided by their mean, which is not known.

        Returns
        -------
        self : LinearProbeClassifier
            Fitted probe. ``loss_curve_`` has one number for each call, and ``objective_`` is that
            on X.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, a label is not one of `classes`, `classes` differ from
            those of the first call, lengths differ, weights are negative, training diverges, or
            `class_weight` or `net_params` requires all samples.
        """
        self._check_batch_params()
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"partial_fit does not support class_weight={self.class_weight!r}, because the "
                "frequencies of the classes are not known. Pass a dict of weights, or "
                "sample_weight."
            )
        is_first = "coef_" not in vars(self)
        data, codes, weight = read_batch(
            self, X, y, classes, sample_weight, is_first=is_first, needs_classes=is_first
        )
        classes_ = vars(self)["classes_"]
        labels = classes_[codes]
        weight = self._weigh(labels, weight)
        kept = weight > 0
        self._train_pass(
            data[kept],
            labels[kept],
            np.eye(len(classes_))[codes[kept]],
            weight[kept],
            {"classes_": classes_},
            is_first=is_first,
        )
        return self


class RegressorBatches(BatchSums, BatchTraining):
    """Mixin of the regressor."""

    _of_first_batch = ("n_features_in_", "feature_names_in_", "_y_ndim")

    coef_: NDArray = from_sums()
    intercept_: NDArray = from_sums()
    objective_: float = from_sums()
    optimality_: float = from_sums()
    loss_curve_: NDArray = from_sums()
    n_iter_: int = from_sums()
    _y_ndim: int
    _check_numbers: Callable[..., tuple[NDArray, NDArray]]

    @available_if(_trains_regressor)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Add a batch of samples.

        With ``solver="owlqn"``, sums of products of neurons are added, and the result is that of
        ``fit`` on all samples. The weights are computed when they are first used. Not available
        after ``fit``, which does not keep the sums.

        With ``solver="adam"``, the probe is trained for one pass over the mini-batches of X,
        beginning with the current weights, as in :meth:`LinearProbeClassifier.partial_fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights. With ``solver="adam"``, they are not divided by their mean, which is not
            known.

        Returns
        -------
        self : LinearProbeRegressor
            Fitted probe.

        Raises
        ------
        ValueError
            If X or y contain NaN or infinity, squares exceed the range of float64, lengths differ,
            weights are negative, y has another number of columns than in the first call, training
            diverges, or `net_params` requires all samples.
        """
        sums = not SOLVERS[self.solver].trains_batches
        is_first = self._is_first_batch()
        if not sums:
            self._check_batch_params()
        device = resolve_device(self.device)
        data, targets = self._check_numbers(X, y, reset=is_first)
        weight = check_sample_weight(sample_weight, len(data), relative=False)
        if not weight.all():
            data, targets, weight = data[weight > 0], targets[weight > 0], weight[weight > 0]
        columns = targets.reshape(len(targets), -1)
        if not sums:
            self._train_pass(data, targets, columns, weight, {}, is_first=is_first)
            return self
        if is_first:
            self._y_ndim = targets.ndim
        with fit_task(self, data, targets, predicts=False):
            self._keep(_sums_over(data, columns, weight, device), len(data))
        return self

    def _adds_sums(self) -> bool:
        solver = SOLVERS.get(self.solver)
        if solver is None or "cv" in self.get_params(deep=False):
            return False
        return solver.uses_moments and not solver.trains_batches

    def _added(self, one: Sums, other: Sums) -> Sums:
        n_columns = len(one["origin"]), len(other["origin"])
        if len(set(n_columns)) > 1:
            expected, got = (n - self.n_features_in_ for n in n_columns)
            raise ValueError(
                f"y must have the same number of columns in each batch: expected {expected}, got "
                f"{got}."
            )
        return {
            **self._moments_of(one).merged(self._moments_of(other)).arrays(),
            "low": np.minimum(one["low"], other["low"]),
            "high": np.maximum(one["high"], other["high"]),
        }

    def _moments_of(self, sums: Sums) -> Moments:
        n_outputs = len(sums["origin"]) - self.n_features_in_
        return Moments.from_arrays(sums["products"], sums["origin"], n_outputs)

    def _compute(self) -> dict[str, Any]:
        moments = self._moments_of(self._sums).to(resolve_device(self.device))
        low, high = self._sums["low"], self._sums["high"]
        dtype = np.float64 if low.dtype == np.float64 else np.float32
        standardization = None
        if self.standardize:
            found = moments.covariances()
            std = found.neurons.diagonal().clamp_min(0).sqrt().cpu().numpy()
            varies = varying(low.astype(np.float64), high.astype(np.float64), low.dtype)
            standardization = Standardization(found.mean.cpu().numpy(), np.where(varies, std, 0.0))
        data = TrainingSet(
            np.empty((0, self.n_features_in_), dtype),
            np.empty((0, moments.n_outputs)),
            np.empty(0, dtype),
            self._loss,
            moments.products.device,
            moments,
            standardization,
        )
        y = np.empty((0,) * self._y_ndim)
        with full_precision():
            training = self._prepare_batch(data, y, {})
            (fitted,) = training.fitted_by(training.solver.run())
        return fitted


@full_precision()
def _sums_over(
    X: NDArray, targets: NDArray[np.float64], weight: NDArray[np.float64], device: torch.device
) -> Sums:
    """Return second moments, and the range of the neurons in the dtype of X."""
    columns, shares = (torch.from_numpy(each).to(device) for each in (targets.T.copy(), weight))
    moments = Moments.of(as_tensor(X), columns, shares)
    return {**moments.arrays(), "low": X.min(axis=0), "high": X.max(axis=0)}
