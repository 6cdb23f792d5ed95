"""Folds of the cross-validated functions, and their warnings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator

from .._results import make_splits
from .._warnings import UnseenLabelsWarning, silenced, warn
from .scorers import Scorer, Scoring, check_scorer, last_step

Split: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]

# For validate_params.
RUN_CONSTRAINTS: dict[str, list[Any]] = {
    "groups": ["array-like", None],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
}
CV_CONSTRAINTS = RUN_CONSTRAINTS | {"cv": ["cv_object"]}
_N_SHOWN = 5  # labels in a warning


def make_folds(
    estimator: Any, X: Any, y: NDArray, *, cv: Any, groups: NDArray | None, scoring: Scoring
) -> tuple[list[Split], Scorer]:
    """Return the folds and the scorer, and warn about labels that are missing in training."""
    scorer = check_scorer(estimator, scoring)
    splits = make_splits(X, y, cv=cv, classifier=is_classifier(estimator), groups=groups)
    _warn_about_unseen_labels(estimator, y, splits)
    return splits, scorer


def _warn_about_unseen_labels(estimator: Any, y: NDArray, splits: list[Split]) -> None:
    if not is_classifier(estimator):
        return
    unseen = [np.setdiff1d(y[test], y[train]).tolist() for train, test in splits]
    labels = sorted({label for some in unseen for label in some}, key=str)
    if labels:
        each = zip(splits, unseen, strict=True)
        n_samples = sum(np.isin(y[test], some).sum() for (_, test), some in each)
        shown = ", ".join(map(repr, labels[:_N_SHOWN])) + ", ..." * (len(labels) > _N_SHOWN)
        warn(
            f"In {sum(map(bool, unseen))} of {len(splits)} folds, test samples ({n_samples} in "
            f"total) have labels that were not seen during training: {shown}. They are scored as "
            "errors. Remove rare labels to avoid this.",
            UnseenLabelsWarning,
        )


@contextmanager
def ignore_unseen_labels() -> Iterator[None]:
    """Silence the warnings of single folds, because :func:`make_folds` warns about all folds."""
    with silenced(UnseenLabelsWarning):
        yield


def check_not_frozen(estimator: Any, *, by: str) -> None:
    """Raise a ValueError if an estimator that will be trained is frozen."""
    if isinstance(last_step(estimator), FrozenEstimator):
        raise ValueError(f"{by} trains the estimator, so estimator cannot be a FrozenEstimator.")
