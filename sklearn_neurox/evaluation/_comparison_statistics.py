"""Statistics of comparisons: intervals, p-values, and corrections for several comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._bootstrap import (
    Score,
    draw_weights,
    expanded_deviations,
    expanded_interval,
    expanded_p_value,
)
from .._rare_labels import of_defined_folds
from ._fold_metrics import Curve, FoldMetric, Folds

# Fewer groups do not support an interval.
MIN_GROUPS = 5
# Share of the scores to which equal scores may differ, depending on the order of sums.
_ROUNDING = 32 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class ResampledScores:
    """Scores of several models in the same resamples of groups.

    Parameters
    ----------
    scores : ndarray of shape (n_models,)
    drawn : ndarray of shape (n_bootstraps, n_models)
        Scores in each resample.
    n_groups : int
    confidence : float
    """

    scores: NDArray[np.float64]
    drawn: NDArray[np.float64]
    n_groups: int
    confidence: float

    def score(self, model: int) -> Score:
        """Return the score of a model with its interval."""
        return self._with_interval(self.scores[model], self.drawn[:, model])

    def difference(self, one: int, other: int) -> tuple[Score, float]:
        """Return the difference of two scores with its interval, and its two-sided p-value."""
        drawn = self.drawn[:, one] - self.drawn[:, other]
        drawn = drawn[np.isfinite(drawn)]
        value = self.scores[one] - self.scores[other]
        tails = np.array([(drawn <= 0).sum(), (drawn >= 0).sum()])
        share = min((1 + tails.min()) / (1 + len(drawn)), 0.5)
        p_value = 2 * float(expanded_p_value(share, self.n_groups))
        return self._with_interval(value, drawn), min(p_value, 1.0)

    def _with_interval(self, value: float, drawn: NDArray) -> Score:
        if not np.isfinite(drawn).any():
            return Score(float(value), None, None)
        return Score(float(value), *expanded_interval(drawn, self.confidence, self.n_groups))

    def best_p_values(self) -> NDArray[np.float64]:
        """Return the p-value of the hypothesis that a model is the best, for each model.

        The statistic of model i is the largest standardized difference to another model, and its
        distribution is that of the largest centered difference, because the best of the others is
        chosen on the same samples. The models whose p-value is above a level contain the best one
        with at least one minus this probability.
        """
        n_models = len(self.scores)
        centered = self.drawn - self.scores
        p_values = np.ones(n_models)
        for i in range(n_models):
            others = np.arange(n_models) != i
            if not others.any():
                continue
            drawn = centered[:, others] - centered[:, [i]]
            error = np.nanstd(drawn, axis=0)
            # Models with the same predictions differ only by rounding in all resamples.
            error[error <= _ROUNDING * np.nanmax(np.abs(self.scores))] = np.inf
            largest = ((self.scores[others] - self.scores[i]) / error).max()
            maxima = expanded_deviations(np.nanmax(drawn / error, axis=1), self.n_groups)
            p_values[i] = (1 + (maxima >= largest).sum()) / (1 + len(drawn))
        return p_values


def resample(
    metric: FoldMetric,
    curves: Sequence[Curve],
    folds: NDArray[np.intp],
    groups: NDArray[np.intp],
    *,
    n_bootstraps: int,
    confidence: float,
    seed: int,
) -> ResampledScores:
    """Compute the mean over the folds of a metric, also in resamples of the groups.

    Folds in which it is undefined for all models do not count.

    Parameters
    ----------
    metric : FoldMetric
    curves : sequence of Curve
        Held-out samples of each model, in the same order.
    folds, groups : ndarray of int of shape (n_held_out,)
        Codes from 0.
    n_bootstraps, confidence, seed
        Parameters of the bootstrap.
    """
    by_fold = Folds(folds, groups)
    random = np.random.RandomState(seed)
    copies = np.ones(by_fold.n_groups, dtype=np.intp)
    return ResampledScores(
        of_defined_folds(by_fold.scores(metric, curves)).mean(axis=1),
        by_fold.resampled(
            metric, curves, lambda size: draw_weights(random, copies, size), n_bootstraps
        ),
        by_fold.n_groups,
        confidence,
    )


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values that are adjusted for several comparisons (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return adjusted
