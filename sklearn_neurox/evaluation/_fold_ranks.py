"""Metrics of the ranks of held-out decision values, of many resamples, or of many permutations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ._fold_metric import Curve, FoldMetric
from ._ranked_metrics import DEFAULT_FPR, Ranked, mean_over_classes, problems_of, ranked_metric

# Up to this number of pairs of groups for each sample, counts of pairs are faster than ranks.
_PAIRS_PER_SAMPLE = 32
# Number of cells of the matrix (samples x groups) that counts pairs, which is in memory.
_LARGEST_MATRIX = 2**25


@dataclass(frozen=True)
class RankedFoldMetric(FoldMetric):
    """A metric of RANKED_METRICS, averaged over the classes in which it is defined.

    Parameters
    ----------
    name : str
    fpr : float
        Largest false positive rate of "recall_at_fpr".
    """

    name: str
    fpr: float = DEFAULT_FPR
    kind: str = "decisions"

    def prepare(self, curves: Sequence[Curve], groups: csr_array) -> list[Any]:
        places = groups.T.tocsr().indices
        n_groups, n = groups.shape
        counts_pairs = (
            self.name == "roc_auc"
            and n_groups**2 <= _PAIRS_PER_SAMPLE * n
            and n_groups * n <= _LARGEST_MATRIX
        )
        prepared = []
        for curve in curves:
            problems = problems_of(curve.y, curve.predicted, None)
            prepared.append(
                [_pairs_metric(*problem, groups) for problem in problems]
                if counts_pairs
                else [self._metric(Ranked(*problem, places)) for problem in problems]
            )
        return prepared

    def _metric(self, ranked: Ranked) -> Callable[[NDArray], NDArray]:
        def of_weights(weights: NDArray) -> NDArray:
            # Weights of a group are contiguous, so that they are copied together.
            return ranked_metric(self.name, *ranked.sums(np.ascontiguousarray(weights.T)), self.fpr)

        return of_weights

    def of_weights(self, weights: NDArray, prepared: list[Any]) -> NDArray:
        each = [[metric(weights) for metric in metrics] for metrics in prepared]
        return np.column_stack([mean_over_classes(np.array(values).T) for values in each])

    def of_permutations(self, y: NDArray, predicted: NDArray) -> NDArray:
        n_classes = 1 if predicted.ndim == 1 else predicted.shape[1]
        values = []
        for i in range(n_classes):
            decisions = predicted if predicted.ndim == 1 else predicted[:, i]
            positive = y == (1 if predicted.ndim == 1 else i)
            sums = Ranked(positive[0], decisions).sums_of_labels(positive)
            values.append(ranked_metric(self.name, *sums, self.fpr))
        return mean_over_classes(np.array(values).T)


def _pairs_metric(
    positive: NDArray[np.bool_], decisions: NDArray, groups: csr_array
) -> Callable[[NDArray], NDArray]:
    """Return the area under the ROC curve: the share of pairs of both classes in correct order.

    The number of such pairs is a quadratic form of how often the groups occur.
    """
    order = np.argsort(decisions, kind="stable")
    ranked = decisions[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    n = len(order)
    n_positive, n_negative = groups @ positive.astype(float), groups @ (~positive).astype(float)
    of_value = np.repeat(np.arange(len(starts)), np.diff(starts, append=n))
    by_value = csr_array((np.ones(n), (of_value, order)), shape=(len(starts), n))
    down = (by_value @ (groups.multiply(~positive)).T).toarray()
    below = np.cumsum(down, axis=0) - down / 2  # ties count half
    pairs = (by_value @ groups.multiply(positive).T).T @ below

    def of_weights(weights: NDArray) -> NDArray:
        n_pairs = (weights @ n_positive) * (weights @ n_negative)
        correct = np.einsum("ij,ij->i", weights @ pairs, weights)
        undefined = np.full(len(n_pairs), np.nan)  # a single class
        return np.divide(correct, n_pairs, out=undefined, where=n_pairs > 0)

    return of_weights
