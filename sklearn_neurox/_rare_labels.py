"""Labels that are too rare for a fold: a warning names them, and nothing is refused.

Samples of labels that are missing in training are errors. A fold in which a metric is undefined,
because it tests a single label, does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import UndefinedMetricWarning

from ._validation import n_samples_of
from ._warnings import UnseenLabelsWarning, silenced, warn
from ._wording import count

_N_SHOWN = 5  # labels in a warning


def rare_labels(
    y: NDArray, splits: Sequence[tuple[NDArray, NDArray]], sample_weight: NDArray | None = None
) -> dict[Any, list[int]]:
    """Return the labels that a fold tests without training samples, and these folds.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    splits : sequence of (train, test), ndarrays of int
    sample_weight : ndarray of shape (n_samples,), default=None
        A weight of 0 is equivalent to removing the training sample.

    Returns
    -------
    dict of label to list of int
        Sorted by label.
    """
    found: dict[Any, list[int]] = {}
    for fold, (train, test) in enumerate(splits):
        rows = train if sample_weight is None else train[sample_weight[train] > 0]
        for label in np.setdiff1d(y[test], y[rows]).tolist():
            found.setdefault(label, []).append(fold)
    return {label: found[label] for label in sorted(found)}


def warn_about_rare_labels(
    y: NDArray, splits: Sequence[tuple[NDArray, NDArray]], sample_weight: NDArray | None = None
) -> dict[Any, list[int]]:
    """Warn about the labels of :func:`rare_labels`, and return them. Parameters are the same."""
    found = rare_labels(y, splits, sample_weight)
    if not found:
        return found
    folds = sorted({fold for some in found.values() for fold in some})
    n_samples = sum(
        int((y[splits[fold][1]] == label).sum()) for label, some in found.items() for fold in some
    )
    warn(
        f"In {len(folds)} of {count(len(splits), 'fold')}, test samples ({n_samples} in total) "
        f"have labels that were not seen during training: {name_rare_labels(found)}. They are "
        "scored as errors. Remove rare labels to avoid this.",
        UnseenLabelsWarning,
    )
    return found


def name_rare_labels(found: Mapping[Any, Sequence[int]]) -> str:
    """Return the first labels and their folds, such as "'X' (fold 0), 'SYM' (folds 1, 3)"."""
    shown = [f"{label!r} ({_name_folds(some)})" for label, some in list(found.items())[:_N_SHOWN]]
    return ", ".join(shown) + ", ..." * (len(found) > _N_SHOWN)


def describe_rare_labels(found: Mapping[Any, Sequence[int]]) -> str:
    """Return a sentence for the description of a result, after a space, or "" without labels."""
    if not found:
        return ""
    return (
        f" Labels that are missing in the training set of a fold, {name_rare_labels(found)}, are "
        "scored as errors."
    )


def _name_folds(folds: Iterable[int]) -> str:
    names = list(map(str, folds))
    return f"fold{'s' * (len(names) > 1)} {', '.join(names)}"


def warn_about_unseen_labels(y: NDArray, classes: NDArray) -> NDArray:
    """Warn about labels that are not classes of a fitted classifier, and return them."""
    unseen = np.setdiff1d(y, classes)
    if len(unseen):
        n_samples = int(np.isin(y, unseen).sum())
        shown = ", ".join(map(repr, unseen[:_N_SHOWN].tolist()))
        warn(
            f"{n_samples} of {len(y)} samples have labels that were not seen during training: "
            f"{shown}{', ...' * (len(unseen) > _N_SHOWN)}. They are scored as errors. Remove rare "
            "labels, or make sure that the training samples contain them.",
            UnseenLabelsWarning,
        )
    return unseen


class SingleLabelClassifier(ClassifierMixin, BaseEstimator):
    """Classifier for training samples with a single label, which it predicts for all samples.

    Most classifiers require two labels. If all samples of another label are in the test set of a
    fold, they are scored as errors, as those of any other label that is too rare.
    """

    def fit(self, X: Any, y: NDArray) -> Self:
        """Remember the label."""
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the same value for all samples."""
        return np.zeros(n_samples_of(X))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return 1 for the label, (n_samples, 1)."""
        return np.ones((n_samples_of(X), 1))

    def predict(self, X: Any) -> NDArray:
        """Predict the label."""
        return np.repeat(self.classes_, n_samples_of(X))


@contextmanager
def ignore_rare_labels() -> Iterator[None]:
    """Silence the warnings of single folds, because one warning covers all folds."""
    with silenced(UnseenLabelsWarning), silenced(UndefinedMetricWarning):
        yield


def of_defined_folds(scores: NDArray, like: NDArray | None = None) -> NDArray:
    """Return the scores of the folds in which some score is defined.

    Parameters
    ----------
    scores : ndarray of shape (..., n_folds)
    like : ndarray of shape (..., n_folds), default=None
        The scores that must be defined. If None, `scores`.

    Returns
    -------
    ndarray of shape (..., n_defined)
        All scores if they are undefined in all folds.
    """
    undefined = _undefined_folds(scores if like is None else like)
    return scores if undefined.all() else scores[..., ~undefined]


def warn_about_undefined_folds(
    scores: NDArray, y: NDArray, splits: Sequence[tuple[NDArray, NDArray]], metric: str
) -> None:
    """Warn about the folds in which all scores, (..., n_folds), are NaN."""
    folds = np.flatnonzero(_undefined_folds(scores)).tolist()
    if not folds:
        return
    by_label: dict[Any, list[int]] = {}
    for fold in folds:
        labels = np.unique(y[splits[fold][1]]).tolist()
        if len(labels) == 1:
            by_label.setdefault(labels[0], []).append(fold)
    single = f" All test samples have one label: {name_rare_labels(by_label)}." if by_label else ""
    rest = "They are not part of mean scores" if len(folds) < len(splits) else "No scores are left"
    warn(
        f"The metric {metric!r} is undefined in {len(folds)} of {count(len(splits), 'fold')}: "
        f"{_name_folds(folds)}.{single} {rest}.",
        UndefinedMetricWarning,
    )


def _undefined_folds(scores: NDArray) -> NDArray[np.bool_]:
    return np.isnan(scores).reshape(-1, scores.shape[-1]).all(axis=0)
