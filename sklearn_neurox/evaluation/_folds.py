"""What the curves share: the folds, and the name of a score."""

from __future__ import annotations

from numbers import Integral

from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold, check_cv
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


def metric_name(estimator, scoring) -> str:
    """Name of the score: as asked for, or what estimators score by themselves."""
    if scoring is None:
        return "accuracy" if is_classifier(estimator) else "R²"
    return scoring if isinstance(scoring, str) else "score"
