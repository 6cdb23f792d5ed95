"""Scorers: conversion between names of metrics and callables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

import numpy as np
import sklearn.metrics
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer_names, make_scorer
from sklearn.pipeline import Pipeline

from .._labels import check_same_kind
from .._results import check_score, predictions_of
from .decision_metrics import ALIASES, SCORERS, DecisionScorer, decision_scorer
from .metrics import METRICS, check_options

Scorer: TypeAlias = Callable[[Any, Any, Any], float]
Scoring: TypeAlias = str | Callable[..., float] | None


def get_scorer(name: str, **options: Any) -> Any:
    """Return a scorer for ``cross_val_score``, ``GridSearchCV`` and similar tools.

    Parameters
    ----------
    name : str
        A metric of :func:`compute_score`, or any name in ``sklearn.metrics.get_scorer_names()``.
        "roc_auc", "average_precision", "recall_at_fpr" (see :func:`recall_at_fpr`),
        "neg_log_loss" and "neg_brier_score", or "log_loss" and "brier" for the same scorers, score
        classifiers of two or more classes. Those of ranks are averaged over the problems of one
        class versus all others. Folds may lack some of the classes.
    **options
        Options of the metric, as in :func:`compute_score`; `fpr` of "recall_at_fpr", and
        `pos_label` of the metrics of decision values and probabilities, which are then those of
        this class versus all others. The scorers of scikit-learn do not have options.

    Returns
    -------
    callable
        Callable with the arguments estimator, X and y. Greater values are better.

    Raises
    ------
    TypeError
        If `name` is not a string, or the metric does not have an option.
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_neurox import get_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> cross_val_score(Ridge(), X, y, scoring=get_scorer("spearman"), cv=3).round(2)
    array([0.59, 0.71, 0.71])
    >>> scorer = get_scorer("recall_at_fpr", fpr=0.05)
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}.")
    of_decisions = decision_scorer(name, options)
    if of_decisions is not None:
        return of_decisions
    if name in METRICS:
        check_options(name, options)
        return make_scorer(METRICS[name], **options)
    if name not in get_scorer_names():
        close = get_close_matches(name, [*METRICS, *SCORERS, *get_scorer_names()])
        meant = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(
            f"Unknown scorer {name!r}.{meant} The metrics of NeuroX are {', '.join(METRICS)}; "
            "sklearn.metrics.get_scorer_names() lists all others."
        )
    if options:
        raise TypeError(
            f"The scorer {name!r} of scikit-learn does not have options, got {', '.join(options)}."
        )
    return sklearn.metrics.get_scorer(name)


def check_scorer(estimator: Any, scoring: Any) -> Scorer:
    """Return the scorer that `scoring` specifies for an estimator."""
    if scoring is not None and not isinstance(scoring, str) and not callable(scoring):
        raise ValueError(
            f"scoring must be one metric, a name or a callable, got {type(scoring).__name__} "
            f"{scoring!r:.60}. Call the function once for each metric."
        )
    if not hasattr(estimator, "predict"):
        raise TypeError(
            f"estimator must be a classifier or a regressor, but {type(estimator).__name__} does "
            "not have the method predict."
        )
    if isinstance(scoring, str) and scoring not in set(get_scorer_names()) - set(SCORERS):
        scoring = get_scorer(scoring)  # a metric of the package, or an error that lists the names
    return _CheckedScorer(check_scoring(estimator, scoring))


@dataclass(frozen=True)
class _CheckedScorer:
    """A scorer whose results are checked, and whose errors name invalid predictions."""

    scorer: Callable[..., Any]

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        try:
            score = self.scorer(estimator, X, y)
        except (TypeError, ValueError):
            # scikit-learn blames y, or an array. Predictions are not computed again otherwise.
            if np.ndim(y) == 1:
                _check_predictions(estimator, X, y)
            raise
        return check_score(score)


def _check_predictions(estimator: Any, X: Any, y: NDArray) -> None:
    predictions = predictions_of(estimator, X, len(y))
    if is_classifier(estimator):
        check_same_kind(predictions, y, name="predict(X)")


def metric_name(estimator: Any, scoring: Scoring) -> str:
    """Return the name of the metric that `scoring` specifies for an estimator."""
    if scoring is None:
        scoring = getattr(last_step(estimator), "scoring", None)  # of a search
    if scoring is None:
        return "accuracy" if is_classifier(estimator) else "R²"
    if isinstance(scoring, DecisionScorer):
        return scoring.name
    return ALIASES.get(scoring, scoring) if isinstance(scoring, str) else "score"


def last_step(estimator: Any) -> Any:
    """Return the last step of a Pipeline, or any other estimator itself."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
