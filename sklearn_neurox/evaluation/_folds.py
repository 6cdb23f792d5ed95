"""Folds of the cross-validated functions, and their warnings."""

from __future__ import annotations

from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator

from .._labels import encode_labels
from .._rare_labels import warn_about_rare_labels
from .._results import make_splits
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


def make_folds(
    estimator: Any, X: Any, y: NDArray, *, cv: Any, groups: NDArray | None, scoring: Scoring
) -> tuple[list[Split], Scorer, dict[Any, list[int]]]:
    """Return the folds, the scorer, and the labels that are missing in the training of folds.

    There is one warning about these labels.
    """
    scorer = check_scorer(estimator, scoring)
    if is_classifier(estimator):
        encode_labels(y, by=type(estimator).__name__)  # raises an error for a single label
    splits = make_splits(X, y, cv=cv, classifier=is_classifier(estimator), groups=groups)
    rare = warn_about_rare_labels(y, splits) if is_classifier(estimator) else {}
    return splits, scorer, rare


def check_not_frozen(estimator: Any, *, by: str) -> None:
    """Raise a ValueError if an estimator that will be trained is frozen."""
    if isinstance(last_step(estimator), FrozenEstimator):
        raise ValueError(f"{by} trains the estimator, so estimator cannot be a FrozenEstimator.")
