"""Base class of the cross-validated linear probes, which train a whole grid on each fold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from copy import copy, deepcopy
from inspect import signature
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.callback import CallbackContext
from sklearn.metrics import check_scoring, get_scorer, get_scorer_names
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import Bunch, check_consistent_length
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import _check_method_params, check_is_fitted

from .._callbacks import fit_task
from .._device import resolve_device
from .._labels import WEIGHTED, check_labels, check_same_kind, check_targets, encode_labels
from .._parallel import run_parallel
from .._rare_labels import (
    ignore_rare_labels,
    of_defined_folds,
    warn_about_rare_labels,
    warn_about_undefined_folds,
)
from .._results import check_score, group_splitter, make_splits
from .._row_copies import copy_rows
from .._second_moments import Moments
from .._warnings import issued_once, warn
from .._weights import check_sample_weight, check_weights_of_folds
from ._gram import moments_of_folds
from ._grid_results import GRID, summarize
from ._linear_probe import FITTED, LinearProbe
from .solvers import SOLVERS

LAMBDAS = (0, 1e-5, 1e-4, 1e-3, 1e-2)
# Largest number of probes that a job trains as one bank. Larger banks are not much faster.
_PROBES_OF_A_JOB = 16


class LinearProbeCV(LinearProbe):
    """Base class of the cross-validated probes, each of which also derives from its plain probe."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{k: v for k, v in LinearProbe._parameter_constraints.items() if k not in GRID},
        "lambdas_l1": ["array-like"],
        "lambdas_l2": ["array-like"],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
    }
    _probe_class: ClassVar[type[LinearProbe]]

    cv: Any
    scoring: str | Callable[..., float] | None
    refit: bool
    n_jobs: int | None
    best_params_: dict[str, float]

    def _fit_grid(
        self, X: NDArray, y: NDArray, sample_weight: ArrayLike | None, params: dict[str, Any]
    ) -> Self:
        resolve_device(self.device)
        grid = {"lambda_l1": self._check_lambdas("lambdas_l1")}
        grid["lambda_l2"] = self._check_lambdas("lambdas_l2")
        candidates = list(ParameterGrid(grid))
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, len(X))
        if params.get("groups") is not None:
            params = params | {"groups": check_labels(params["groups"], name="groups")}
            check_consistent_length(X, params["groups"])
        routed = self._route(weight, params)
        split_params = {"groups": None} | routed.splitter.split
        splits = make_splits(X, y, cv=self.cv, classifier=is_classifier(self), **split_params)
        if weight is not None:
            scored = routed.scorer.score.get("sample_weight") is not None
            check_weights_of_folds(weight, splits, scored=scored)
        if is_classifier(self):
            used = y if weight is None else y[weight > 0]
            samples = "samples" if weight is None else WEIGHTED
            encode_labels(used, by=type(self).__name__, samples=samples)  # may raise an error
            warn_about_rare_labels(y, splits, weight)

        n_tasks = len(splits) + self.refit
        task = fit_task(self, X, y, max_subtasks=n_tasks, predicts=self.refit)
        with issued_once(), task as context:
            scores, zeros, times = self._cross_validate(
                X, y, weight, candidates, splits, routed.scorer.score, context
            )
            warn_about_undefined_folds(scores.T, y, splits, str(self.scoring or "score"))
            n_undefined = np.sum(~np.isfinite(of_defined_folds(scores.T)))
            if n_undefined:
                warn(
                    f"The scores of {n_undefined} fits are not finite. Pairs of lambdas with such "
                    "a score are ranked last."
                )
            fitted = summarize(candidates, scores, times) | {"zero_shares_": zeros.T}
            if self.refit:
                task = context.subcontext("refit").call_on_fit_task_begin(estimator=self, X=X, y=y)
                fitted |= self._refit(X, y, weight, fitted["best_params_"])
                task.call_on_fit_task_end(
                    estimator=self, X=X, y=y, reconstruction_attributes=fitted
                )
            self._set_fitted(fitted)
        return self

    def _cross_validate(
        self,
        X: NDArray,
        y: NDArray,
        sample_weight: NDArray | None,
        candidates: list[dict[str, float]],
        splits: list[tuple[NDArray, NDArray]],
        score_params: Mapping[str, Any],
        context: CallbackContext,
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Train and score the grid on each fold.

        Returns
        -------
        scores : ndarray of shape (n_folds, n_candidates)
        zeros : ndarray of shape (n_folds, n_candidates)
            Shares of the weights that are 0.
        times : ndarray of shape (n_folds, 2)
            Seconds of training and of scoring.
        """
        times: list[tuple[float, float]] = []
        scores: list[list[float]] = []
        zeros: list[list[float]] = []
        folds = self._fit_folds(X, y, sample_weight, candidates, splits)
        for (_, test), (probes, fit_time) in zip(splits, folds, strict=True):
            task = context.subcontext("fold").call_on_fit_task_begin(estimator=self, X=X, y=y)
            start = time.perf_counter()
            params = _check_method_params(X, score_params, test)
            scores.append(self._score_fold(probes, copy_rows(X, test), y[test], params))
            zeros.append([np.mean(probe.coef_ == 0) for probe in probes])
            times.append((fit_time, time.perf_counter() - start))
            if self.verbose:
                print(
                    f"[{type(self).__name__}] fold {len(scores)} of {len(splits)}: {len(probes)} "
                    f"pairs of lambdas in {sum(times[-1]):.1f} s, scores from "
                    f"{np.min(scores[-1]):.4g} to {np.max(scores[-1]):.4g}"
                )
            task.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes=vars(probes[0])
            )
        return np.array(scores), np.array(zeros), np.array(times)

    def _refit(
        self, X: NDArray, y: NDArray, sample_weight: NDArray | None, lambdas: dict[str, float]
    ) -> dict[str, Any]:
        """Train on all samples, and return the fitted attributes."""
        best = self._make_probe(lambdas)
        pair = (best.lambda_l1, best.lambda_l2)
        best._set_fitted(best._fit_bank(X, y, sample_weight, [pair])[0])
        best._warn_if_separated(X, y, sample_weight)
        return {name: vars(best)[name] for name in FITTED if hasattr(best, name)}

    def _fit_folds(
        self,
        X: NDArray,
        y: NDArray,
        sample_weight: NDArray | None,
        candidates: list[dict[str, float]],
        splits: list[tuple[NDArray, NDArray]],
    ) -> Iterator[tuple[list[LinearProbe], float]]:
        """Train the grid on each fold.

        Yields
        ------
        probes : list of fitted plain probes, in the order of the candidates
        seconds : float
            Time of their training.
        """
        moments: list[Moments | None] = [None] * len(splits)
        if SOLVERS[self.solver].uses_moments and self._loss == "squared_error":
            moments = moments_of_folds(X, y, sample_weight, splits, resolve_device(self.device))
        probes = [self._make_probe(candidate, cold=True) for candidate in candidates]
        # Each job has weak and strong penalties. Jobs do not depend on `n_jobs`, because a product
        # of another size is rounded in another way.
        n_parts = -(-len(probes) // _PROBES_OF_A_JOB)
        jobs = [
            (probes[part::n_parts], X, y, sample_weight, train, known)
            for (train, _), known in zip(splits, moments, strict=True)
            for part in range(n_parts)
        ]
        results = run_parallel(_train, jobs, n_jobs=self.n_jobs)
        for _ in splits:
            trained, seconds = probes.copy(), 0.0
            for part in range(n_parts):
                trained[part::n_parts], took = next(results)
                seconds += took
            yield trained, seconds

    def _score_fold(
        self, probes: list[LinearProbe], X: NDArray, y: NDArray, params: Mapping[str, Any]
    ) -> list[float]:
        """Score probes on held-out samples."""
        scorer = check_scoring(probes[0], self.scoring)
        # `fit` has checked X, and warned about rare labels.
        with config_context(assume_finite=True), ignore_rare_labels():
            return [_score(scorer, probe, X, y, params) for probe in probes]

    def _make_probe(self, lambdas: Mapping[str, float], *, cold: bool = False) -> LinearProbe:
        """Return the plain probe of a pair of lambdas.

        Unless `cold` is True, its warm start continues from the weights of this search.
        """
        names = set(self._probe_class._get_param_names()) - set(GRID)
        params = {name: getattr(self, name) for name in names}
        probe = clone(self._probe_class(**params, **lambdas))
        inherited = ["n_features_in_"]
        if cold:
            probe.warm_start = False
        else:
            inherited += ["feature_names_in_", "classes_", "coef_", "intercept_"]
        for name in inherited:
            if hasattr(self, name):
                setattr(probe, name, getattr(self, name))
        return probe

    def _check_lambdas(self, name: str) -> list[float]:
        lambdas = np.asarray(getattr(self, name))
        is_list = lambdas.ndim == 1 and len(lambdas) and lambdas.dtype.kind in "biuf"
        if not is_list or not (np.isfinite(lambdas) & (lambdas >= 0)).all():
            raise ValueError(
                f"{name} must be a list of non-negative numbers, got {getattr(self, name)!r}."
            )
        return lambdas.astype(float).tolist()

    def _route(self, sample_weight: NDArray | None, params: dict[str, Any]) -> Bunch:
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if not _routing_enabled():
            unknown = set(params) - {"groups"}
            if unknown:
                raise TypeError(
                    f"{type(self).__name__}.fit accepts X, y, sample_weight and groups, got "
                    f"{sorted(unknown)}. Other metadata requires "
                    "sklearn.set_config(enable_metadata_routing=True)."
                )
            if not _accepts_weights(check_scoring(self._probe_class(), self.scoring)):
                weights = {}
            return Bunch(splitter=Bunch(split=params), scorer=Bunch(score=weights))
        return process_routing(self, "fit", **params, **weights)

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing of this probe, its `cv` and its `scoring`.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(
            splitter=group_splitter(self.cv) or check_cv(self.cv, classifier=is_classifier(self)),
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )
        probe = self._probe_class()
        if hasattr(self, "_metadata_request"):  # the requests of set_score_request
            probe._metadata_request = deepcopy(self._metadata_request)
        router.add(
            scorer=check_scoring(probe, self.scoring),
            method_mapping=MethodMapping().add(caller="fit", callee="score"),
        )
        return router

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score of the probe with the best lambdas, as defined by `scoring`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
        """
        check_is_fitted(self)
        self._check_refitted()
        if self.scoring is None:
            return super().score(X, y, sample_weight)
        targets, weights = self._check_y(y), {}
        if sample_weight is not None:
            weights["sample_weight"] = check_sample_weight(sample_weight, len(targets))
        best = self._make_probe(self.best_params_)
        return check_score(get_scorer(self.scoring)(best, X, targets, **weights))

    def optimality(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return how far the weights are from the minimum, for the best lambdas.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.

        Returns
        -------
        float
        """
        check_is_fitted(self)
        self._check_refitted()
        return self._make_probe(self.best_params_).optimality(X, y, sample_weight)

    def _check_y(self, y: ArrayLike) -> NDArray:
        """Check labels or targets to score on."""
        if not is_classifier(self):
            return check_targets(y)
        labels = check_labels(y, name="y")
        check_same_kind(labels, self.classes_, name="y")
        return labels

    def _outputs(self, X: ArrayLike) -> NDArray:
        check_is_fitted(self)
        self._check_refitted()
        return super()._outputs(X)

    def _check_refitted(self) -> None:
        if not hasattr(self, "coef_"):
            raise AttributeError(
                f"This {type(self).__name__} was fitted with refit=False, so it cannot predict. "
                "Set refit=True to train on all samples with the best lambdas."
            )


def _train(
    probes: list[LinearProbe],
    X: NDArray,
    y: NDArray,
    sample_weight: NDArray | None,
    train: NDArray,
    moments: Moments | None,
) -> tuple[list[LinearProbe], float]:
    """Train some probes of the grid on a fold, and return them with the time in seconds."""
    start = time.perf_counter()
    pairs = [(probe.lambda_l1, probe.lambda_l2) for probe in probes]
    weight = None if sample_weight is None else sample_weight[train]
    labels = np.unique(y[train] if weight is None else y[train][weight > 0])
    if is_classifier(probes[0]) and len(labels) == 1:  # it is predicted for all samples
        zeros = {"coef_": np.zeros((1, X.shape[1])), "intercept_": np.zeros(1)}
        fitted = [zeros | {"classes_": labels}] * len(pairs)
    else:
        fitted = clone(probes[0])._fit_bank(
            copy_rows(X, train), y[train], weight, pairs, moments=moments
        )
    trained = [copy(probe) for probe in probes]
    for probe, attributes in zip(trained, fitted, strict=True):
        probe._set_fitted(attributes)
    return trained, time.perf_counter() - start


def _score(
    scorer: Callable[..., float], probe: LinearProbe, X: NDArray, y: NDArray, params: Mapping
) -> float:
    """Return the score on a fold, NaN if the scorer refuses its labels because some are rare."""
    try:
        return check_score(scorer(probe, X, y, **params))
    except ValueError:
        if not is_classifier(probe) or np.array_equal(np.unique(y), probe.classes_):
            raise
        return np.nan


def _accepts_weights(scorer: Callable[..., float]) -> bool:
    if hasattr(scorer, "_accept_sample_weight"):
        return scorer._accept_sample_weight()
    return "sample_weight" in signature(scorer).parameters
