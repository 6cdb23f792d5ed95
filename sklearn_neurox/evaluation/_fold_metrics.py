"""Metrics of held-out predictions, averaged over folds: of many resamples, or of many permutations.

Most metrics are functions of sums over the samples, so a resample of groups needs only the sums of
each group. The others, which depend on ranks, are computed from the weights of the samples.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import rankdata

from ._fold_metric import Curve, FoldMetric
from ._fold_ranks import RankedFoldMetric
from ._probability_losses import LOSSES, losses
from ._ranked_metrics import DEFAULT_FPR, RANKED_METRICS, mean_over_classes
from ._resampled_metrics import (
    RATE_METRICS,
    label_metric,
    many_of_moments,
    many_spearman,
    moment_features,
)

# Number of cells of the matrix (resamples x groups) that is in memory at a time.
_AT_ONCE = 2**20


class _OfSums(FoldMetric):
    """A metric that depends on sums over the samples: ``value(features(y, p).sum(axis=0))``."""

    @abstractmethod
    def features(self, y: NDArray, predicted: NDArray) -> NDArray | csr_array:
        """Return the terms of the sums of each sample, (n_samples, n_sums)."""

    @abstractmethod
    def value(self, sums: NDArray) -> NDArray:
        """Return the metric, NaN without samples, from sums of shape (n_resamples, n_sums)."""

    def prepare(self, curves: Sequence[Curve], groups: csr_array) -> list[Any]:
        return [groups @ self.features(*curve) for curve in curves]

    def of_weights(self, weights: NDArray, prepared: list[Any]) -> NDArray:
        if isinstance(prepared[0], np.ndarray):  # few sums: one product for all curves
            sums = np.split(weights @ np.hstack(prepared), len(prepared), axis=1)
        else:
            sums = [weights @ each for each in prepared]
        return np.column_stack([self.value(each) for each in sums])

    def of_permutations(self, y: NDArray, predicted: NDArray) -> NDArray:
        rows = np.repeat(np.arange(len(y)), y.shape[1])
        members = csr_array((np.ones(y.size), (rows, np.arange(y.size))), (len(y), y.size))
        return self.value(members @ self.features(y.ravel(), np.tile(predicted, len(y))))


@dataclass(frozen=True)
class _Mean(_OfSums):
    """The mean of ``score(y, p)``, or minus the root of minus this mean."""

    score: Callable[[NDArray, NDArray], NDArray]
    kind: str
    is_root: bool = False

    def features(self, y: NDArray, predicted: NDArray) -> NDArray:
        values = self.score(y, predicted).astype(float)
        return np.column_stack([values, np.ones_like(values)])

    def value(self, sums: NDArray) -> NDArray:
        with np.errstate(invalid="ignore"):  # 0 / 0 without samples
            return self._root(sums[:, 0] / sums[:, 1])

    def _root(self, mean: NDArray) -> NDArray:
        return -np.sqrt(-mean) if self.is_root else mean

    def of_permutations(self, y: NDArray, predicted: NDArray) -> NDArray:
        return self._root(self.score(y, predicted).mean(axis=1))


@dataclass(frozen=True)
class _LabelMetric(_OfSums):
    """A metric of the numbers of correct, true and predicted samples of each class."""

    name: str
    n_classes: int
    positive: int | None  # code of the positive class of F1 and of the rates
    kind: str = "labels"

    def features(self, y: NDArray, predicted: NDArray) -> csr_array:
        right, every = np.flatnonzero(y == predicted), np.arange(len(y))
        rows = np.concatenate([right, every, every])
        classes = [y[right], y + self.n_classes, predicted + 2 * self.n_classes]
        entries = (np.ones(len(rows)), (rows, np.concatenate(classes)))
        return csr_array(entries, shape=(len(y), 3 * self.n_classes))

    def value(self, sums: NDArray | csr_array) -> NDArray:
        dense = sums if isinstance(sums, np.ndarray) else sums.toarray()
        values = np.full(len(dense), np.nan)
        known = dense[:, self.n_classes : 2 * self.n_classes].any(axis=1)
        values[known] = self._value(*np.split(dense[known], 3, axis=1))
        return values

    def _value(self, correct: NDArray, true: NDArray, predicted: NDArray) -> NDArray:
        if self.name == "balanced_accuracy":
            recall = np.divide(correct, true, out=np.zeros(true.shape), where=true > 0)
            return recall.sum(axis=1) / (true > 0).sum(axis=1)
        if self.name in RATE_METRICS:
            rates = label_metric(self.name, correct, true, predicted)
            return mean_over_classes(rates) if self.positive is None else rates[:, self.positive]
        if self.name not in ("f1", "accuracy_and_f1"):
            return label_metric(self.name, correct, true, predicted)
        f1 = np.nan_to_num(label_metric("f1", correct, true, predicted)[:, self.positive])
        if self.name == "f1":
            return f1
        return (f1 + label_metric("accuracy", correct, true, predicted)) / 2


@dataclass(frozen=True)
class _Moments(_OfSums):
    """A metric of numbers that depends on their moments."""

    name: str
    kind: str = "numbers"

    def features(self, y: NDArray, predicted: NDArray) -> NDArray:
        return moment_features(y, predicted)

    def value(self, sums: NDArray) -> NDArray:
        values = np.full(len(sums), np.nan)
        known = sums[:, 0] > 0
        values[known] = many_of_moments(self.name, sums[known])
        return values


@dataclass(frozen=True)
class _Spearman(FoldMetric):
    """Spearman's correlation, from the weights of the samples."""

    kind: str = "numbers"

    def prepare(self, curves: Sequence[Curve], groups: csr_array) -> Any:
        return curves, groups.T.tocsr().indices

    def of_weights(self, weights: NDArray, prepared: Any) -> NDArray:
        curves, codes = prepared
        of_samples = weights[:, codes]
        values = np.column_stack([many_spearman(of_samples, *curve) for curve in curves])
        values[~of_samples.any(axis=1)] = np.nan
        return values

    def of_permutations(self, y: NDArray, predicted: NDArray) -> NDArray:
        t, p = rankdata(y, axis=1), rankdata(predicted)
        t, p = t - t.mean(axis=1, keepdims=True), p - p.mean()
        bottom = np.linalg.norm(t, axis=1) * np.linalg.norm(p)
        return np.divide(t @ p, bottom, out=np.zeros(len(t)), where=bottom > 0)


def _negative_loss(loss: str, y: NDArray, probabilities: NDArray) -> NDArray:
    return -losses(loss, y, probabilities)


_LABEL_METRICS = (
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "f1_weighted",
    "matthews_corrcoef",
    "accuracy_and_f1",
    *RATE_METRICS,
)
_METRICS: dict[str, FoldMetric] = {
    "accuracy": _Mean(np.equal, "labels"),
    "f1_micro": _Mean(np.equal, "labels"),
    "neg_mean_squared_error": _Mean(lambda y, p: -((y - p) ** 2), "numbers"),
    "neg_root_mean_squared_error": _Mean(lambda y, p: -((y - p) ** 2), "numbers", is_root=True),
    "neg_mean_absolute_error": _Mean(lambda y, p: -np.abs(y - p), "numbers"),
    "mean": _Mean(lambda y, p: p + 0 * y, "numbers"),
    "r2": _Moments("r2"),
    "pearson": _Moments("pearson"),
    "bias": _Moments("bias"),
    "slope": _Moments("slope"),
    "spearman": _Spearman(),
    **{
        scorer: _Mean(partial(_negative_loss, loss), "probabilities")
        for loss, scorer in LOSSES.items()
    },
}
# The metrics that can be compared, and what they compare.
KINDS = {
    **dict.fromkeys(_LABEL_METRICS, "labels"),
    **{name: metric.kind for name, metric in _METRICS.items()},
    **dict.fromkeys(RANKED_METRICS, RankedFoldMetric.kind),
}


# Metrics whose highest value is not the best one.
UNRANKED = ("false_positive_rate", "bias", "slope")


def fold_metric(
    name: str, n_classes: int = 0, positive: int | None = None, fpr: float = DEFAULT_FPR
) -> FoldMetric:
    """Return a metric of KINDS.

    `positive` is the code of the positive class of F1 and of the rates, and `fpr` the largest false
    positive rate of "recall_at_fpr".
    """
    if name in _LABEL_METRICS:
        return _LabelMetric(name, n_classes, positive)
    return RankedFoldMetric(name, fpr) if name in RANKED_METRICS else _METRICS[name]


class Folds:
    """Held-out samples by fold, and the groups that are resampled.

    Parameters
    ----------
    folds : ndarray of int of shape (n_held_out,)
        Fold of each held-out sample.
    groups : ndarray of int of shape (n_held_out,)
        Code of the group of each held-out sample, from 0.
    """

    def __init__(self, folds: NDArray[np.intp], groups: NDArray[np.intp]) -> None:
        self.n_groups = int(groups.max()) + 1
        order = np.argsort(folds, kind="stable")
        ends = np.flatnonzero(np.diff(folds[order])) + 1
        self.rows = np.split(order, ends)
        self.groups, self.members = [], []
        for rows in self.rows:
            found, codes = np.unique(groups[rows], return_inverse=True)
            entries = (np.ones(len(rows)), (codes, np.arange(len(rows))))
            self.groups.append(found)
            self.members.append(csr_array(entries, shape=(len(found), len(rows))))

    def scores(self, metric: FoldMetric, curves: Sequence[Curve]) -> NDArray[np.float64]:
        """Return the metric on each fold, (n_curves, n_folds)."""
        each = [
            metric.of_weights(
                np.ones((1, members.shape[0])), metric.prepare(_take(curves, rows), members)
            )[0]
            for rows, members in zip(self.rows, self.members, strict=True)
        ]
        return np.array(each).T

    def resampled(
        self, metric: FoldMetric, curves: Sequence[Curve], draw: Callable[[int], NDArray], n: int
    ) -> NDArray[np.float64]:
        """Return the mean over the folds of the metric in each of `n` resamples, (n, n_curves).

        ``draw(size)`` returns how often each group occurs in `size` resamples. A fold whose groups
        are drawn more often than expected counts more, and one in which the metric is undefined
        does not count.
        """
        prepared = [
            metric.prepare(_take(curves, rows), members)
            for rows, members in zip(self.rows, self.members, strict=True)
        ]
        largest = max(self.n_groups, *(len(rows) for rows in self.rows))
        step = max(1, _AT_ONCE // largest)
        parts = []
        for start in range(0, n, step):
            weights = draw(min(step, n - start))
            total, shares = np.zeros((2, len(weights), len(curves)))
            for groups, each in zip(self.groups, prepared, strict=True):
                of_fold = weights if len(groups) == self.n_groups else weights[:, groups]
                values = metric.of_weights(of_fold, each)
                share = of_fold.mean(axis=1, keepdims=True) * np.isfinite(values)
                total += share * np.nan_to_num(values)
                shares += share
            undefined = np.full(total.shape, np.nan)
            parts.append(np.divide(total, shares, out=undefined, where=shares > 0))
        return np.concatenate(parts)


def _take(curves: Sequence[Curve], rows: NDArray[np.intp]) -> list[Curve]:
    return [Curve(curve.y[rows], curve.predicted[rows]) for curve in curves]
