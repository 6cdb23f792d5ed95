"""Estimators that are fitted on batches of rows, and their folds."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags

from .._labels import check_targets, check_y
from .._warnings import warn
from ._streamed_labels import RowLabels


def check_estimators(estimators: Any, *, score: bool) -> dict[str, tuple[int, Any]]:
    """Check the layers and estimators of :func:`fit_stream`.

    Raises
    ------
    TypeError, ValueError
        If they are not a dict of names to (layer, estimator), or an estimator does not have the
        methods that are required.
    """
    if not isinstance(estimators, Mapping):
        raise TypeError(
            "estimators must be a dict of names to (layer, estimator), got "
            f"{type(estimators).__name__}."
        )
    if not estimators:
        raise ValueError("estimators is empty: expected at least one.")
    for name, pair in estimators.items():
        if not isinstance(name, str):
            raise TypeError(f"The names of estimators must be strings, got {name!r:.60}.")
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(f"estimators[{name!r}] must be (layer, estimator), got {pair!r:.80}.")
        layer, estimator = pair
        if not isinstance(layer, Integral) or isinstance(layer, bool):
            raise TypeError(
                f"estimators[{name!r}]: the layer must be an integer, got {layer!r:.60}."
            )
        if not isinstance(estimator, BaseEstimator):
            raise TypeError(
                f"estimators[{name!r}] must contain an estimator, got {estimator!r:.60}."
            )
        _check_methods(name, estimator, score=score)
    return {name: (int(layer), estimator) for name, (layer, estimator) in estimators.items()}


def _check_methods(name: str, estimator: Any, *, score: bool) -> None:
    unfitted = clone(estimator)
    try:
        unfitted.partial_fit  # noqa: B018 -- raises an error with advice
    except AttributeError as error:
        advice = f": {error.__cause__}" if error.__cause__ else "."
        raise TypeError(
            f"estimators[{name!r}]: this {type(estimator).__name__} does not have the method "
            f"partial_fit{advice}"
        ) from error
    if score and not (is_classifier(estimator) or is_regressor(estimator)):
        raise ValueError(
            f"score=True requires classifiers or regressors, but estimators[{name!r}] is a "
            f"{type(estimator).__name__}."
        )


class Finished(NamedTuple):
    """The estimator that has seen all texts, and those of the training parts of the folds."""

    whole: Any
    trained: tuple[Any, ...]
    is_computed: list[bool]  # whether the fitted attributes of those of the folds are available


class StreamedEstimator:
    """An estimator for one layer, or for each fold one that has seen the texts of this fold.

    Sums are kept once for each fold. They are added for the training parts when all texts have been
    run. An estimator without sums is fitted on each training part while the texts run.

    Parameters
    ----------
    name : str
    estimator : estimator
    labels : RowLabels or None
    n_folds : int
        1 without cross-validation.
    """

    def __init__(self, name: str, estimator: Any, labels: RowLabels | None, n_folds: int):
        self.name = name
        self._unfitted = clone(estimator)
        self._adds = hasattr(self._unfitted, "merge") and hasattr(self._unfitted, "finish")
        self._parameters = signature(self._unfitted.partial_fit).parameters
        self._classes = None if labels is None else labels.classes
        self._check(labels)
        self._by_fold = [clone(estimator) for _ in range(n_folds)]
        self._whole = clone(estimator)

    def _check(self, labels: RowLabels | None) -> None:
        """Raise an error if the estimator cannot use the labels or the weights."""
        kind = type(self._unfitted).__name__
        if labels is None:
            if get_tags(self._unfitted).target_tags.required:
                raise ValueError(f"estimators[{self.name!r}], a {kind}, requires labels.")
            return
        values = labels.values if labels.classes is None else labels.classes
        if is_classifier(self._unfitted):
            check_y(self._unfitted, values)
        elif is_regressor(self._unfitted):
            check_targets(values, name="labels")
        if labels.weight is not None and "sample_weight" not in self._parameters:
            raise ValueError(
                f"partial_fit of estimators[{self.name!r}], a {kind}, does not have the parameter "
                "sample_weight."
            )

    def add(self, X: NDArray, y: NDArray | None, weight: NDArray | None, fold: int) -> None:
        """Add rows of texts that are held out in a fold."""
        options: dict[str, Any] = {}
        if "classes" in self._parameters and self._classes is not None:
            options["classes"] = self._classes
        if weight is not None:
            options["sample_weight"] = weight
        if self._adds:
            self._by_fold[fold].partial_fit(X, y, **options)
            return
        for estimator in self._seeing(fold):
            estimator.partial_fit(X, y, **options)

    def _seeing(self, fold: int) -> list[Any]:
        """Return the estimators without sums that are fitted on the texts of a fold."""
        return [self._whole, *(each for k, each in enumerate(self._by_fold) if k != fold)]

    def finished(self) -> Finished:
        """Return the estimators, and remove the sums of the folds."""
        folds = range(len(self._by_fold) if len(self._by_fold) > 1 else 0)
        if not self._adds:
            return Finished(
                self._whole, tuple(self._by_fold[k] for k in folds), [True for _ in folds]
            )
        trained, is_computed = [], []
        for fold in folds:
            training = clone(self._unfitted)
            for other in folds:
                if other != fold:
                    self._merge(training, self._by_fold[other])
            is_computed.append(self._finish(training, fold))
            trained.append(training)
        for part in self._by_fold:
            self._merge(self._whole, part)
        self._by_fold = []
        return Finished(self._whole, tuple(trained), is_computed)

    def _merge(self, into: Any, part: Any) -> None:
        if hasattr(part, "n_features_in_"):  # a fold may not have any rows
            into.merge(part)

    def _finish(self, estimator: Any, fold: int) -> bool:
        """Compute the fitted attributes, remove the sums, and return whether this is possible."""
        try:
            estimator.finish()
        except ValueError as error:
            # The model has run for a long time, and other parameters may suffice.
            warn(
                f"The estimator {self.name!r} for fold {fold} cannot be computed yet: {error} It "
                "keeps its sums, so change its parameters, or its samples, and call finish."
            )
            return False
        return True


class HeldOutScore:
    """The score of an estimator on the rows of one fold, which arrive one part after the other."""

    def __init__(self, estimator: Any, is_computed: bool):
        self._estimator, self._is_computed = estimator, is_computed
        self._parts: list[tuple[NDArray, NDArray, NDArray]] = []

    def add(self, X: NDArray, y: NDArray, weight: NDArray | None) -> None:
        """Predict some rows, and keep the predictions."""
        if not self._is_computed:
            return
        weight = np.ones(len(y)) if weight is None else weight
        self._parts.append((y, self._estimator.predict(X), weight))

    def value(self) -> float:
        """Return the accuracy or R², or NaN without predictions."""
        if not self._parts:
            return float("nan")
        y, predicted, weight = map(np.concatenate, zip(*self._parts, strict=True))
        metric = accuracy_score if is_classifier(self._estimator) else r2_score
        return float(metric(y, predicted, sample_weight=weight))
