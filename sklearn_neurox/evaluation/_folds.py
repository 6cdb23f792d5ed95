"""What the curves share: the folds, the scorer, and the name of a score."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import check_scoring
from sklearn.model_selection import GroupKFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable


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
    return check_scoring(estimator, scoring)


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
