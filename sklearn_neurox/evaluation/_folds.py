"""What the curves share: the folds, the scorer, and the name of a score."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import GroupKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable

from .._warnings import UnseenLabelsWarning, warn
from .metrics import get_scorer


def split_folds(estimator, X, y, cv, groups):
    """Folds as a list, by groups where there are any."""
    if groups is not None and (cv is None or isinstance(cv, Integral)):
        cv = GroupKFold(5 if cv is None else cv)
    X, y, groups = indexable(X, y, groups)
    splits = list(check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y, groups))
    if not splits:
        raise ValueError(f"cv={cv!r} gives no folds.")
    return splits


def check_scorer(estimator, scoring) -> Any:
    """Scorer of one number."""
    if scoring is not None and not isinstance(scoring, str) and not callable(scoring):
        raise ValueError(
            f"scoring must be one score, a name or a callable, got {type(scoring).__name__} "
            f"{scoring!r:.60}. Call once for each score."
        )
    if not hasattr(estimator, "predict"):
        raise TypeError(
            f"estimator must predict, a classifier or regressor; {type(estimator).__name__} does "
            "not."
        )
    if isinstance(scoring, str) and scoring not in get_scorer_names():
        scoring = get_scorer(scoring)  # one of NeuroX's, or an error that tells the names
    return check_scoring(estimator, scoring)


def warn_of_unseen_labels(estimator, y, splits) -> None:
    """Warn once of labels in test words that training has not."""
    if not is_classifier(estimator):
        return
    unseen = [np.setdiff1d(y[test], y[train]).tolist() for train, test in splits]
    labels = sorted({label for some in unseen for label in some}, key=str)
    if labels:
        each = zip(splits, unseen, strict=True)
        n_words = sum(np.isin(y[test], some).sum() for (_, test), some in each)
        warn(
            f"On {sum(map(bool, unseen))} of {len(splits)} folds, {n_words} test words in all have "
            f"labels that training has not: {', '.join(map(repr, labels[:5]))}"
            f"{', ...' * (len(labels) > 5)}. They count as wrong; leave rare labels out, if "
            "that is not what you mean.",
            UnseenLabelsWarning,
        )


@contextmanager
def quiet_about_unseen_labels() -> Iterator[None]:
    """Leave out what the classifiers say of single folds: it was said of all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnseenLabelsWarning)
        yield


def metric_name(estimator, scoring) -> str:
    """Name of the score: as asked for, or what the estimator scores by itself."""
    if scoring is None:
        scoring = getattr(_last_step(estimator), "scoring", None)  # of a search
    if scoring is None:
        return "accuracy" if is_classifier(estimator) else "R²"
    return scoring if isinstance(scoring, str) else "score"


def refuse_frozen(estimator, *, by: str) -> None:
    """Refuse an estimator that does not learn where it must."""
    if isinstance(_last_step(estimator), FrozenEstimator):
        raise ValueError(
            f"{by} trains on labels and folds of its own, and a FrozenEstimator learns nothing."
        )


def _last_step(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
