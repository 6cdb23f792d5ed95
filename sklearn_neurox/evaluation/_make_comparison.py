"""Computation of comparisons from held-out predictions."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.random import RandomState
from sklearn.utils._param_validation import Interval

from .._bootstrap import as_seed
from .._warnings import warn
from .._wording import count
from ._comparable import check_ranked, make_comparable
from ._comparison_statistics import ResampledScores, holm, resample
from ._fold_metrics import UNRANKED
from ._provenance import installed_versions
from .comparison import PairDifference, ScoreComparison
from .held_out import HeldOutPredictions

BOOTSTRAP_CONSTRAINTS: dict[str, list[Any]] = {
    "n_bootstraps": [Interval(Integral, 1, None, closed="left")],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "random_state": ["random_state"],
}


def make_comparison(
    names: Sequence[Any],
    held_out: Sequence[HeldOutPredictions],
    *,
    metric: str,
    pairs: Sequence[tuple[int, int]] | None,
    n_bootstraps: int,
    confidence_level: float,
    random_state: int | RandomState | None,
    expected: Sequence[float] | None = None,
) -> ScoreComparison:
    """Compare models on the same held-out samples.

    Parameters
    ----------
    names : sequence of n_models names
    held_out : sequence of HeldOutPredictions
        The rows of their predictions are the models.
    metric : str
        From :func:`check_metric`.
    pairs : sequence of (int, int) or None
        The models to compare. If None, compare the highest score with all others.
    n_bootstraps, confidence_level, random_state
        As in :func:`compare_scores`.
    expected : sequence of float or None
        Scores that those of the models must equal.
    """
    if pairs is None:
        check_ranked(metric, by="The comparison with the best score")
    seed = as_seed(random_state)
    found = resample_scores(metric, held_out, n_bootstraps, confidence_level, seed)
    _check_scores(found, expected, metric)
    is_ranked = metric not in UNRANKED
    best_p_values = found.best_p_values() if is_ranked else np.full(len(names), np.nan)
    if pairs is None:
        best = int(found.scores.argmax())
        chosen = [(best, i) for i in range(len(names)) if i != best]
    else:
        chosen = list(pairs)
    differences = [found.difference(*pair) for pair in chosen]
    p_values = np.array([p_value for _, p_value in differences])
    # The best is chosen on the same samples, which the p-values of its differences do not consider.
    adjusted = best_p_values[[i for _, i in chosen]] if pairs is None else holm(p_values)
    if pairs is not None:
        _check_resolution(len(chosen), found, confidence_level)
    first = held_out[0]
    return ScoreComparison(
        names=tuple(names),
        scores=tuple(found.score(i) for i in range(len(names))),
        pairs=tuple(
            PairDifference(names[i], names[j], difference, float(p_value), float(p_adjusted))
            for (i, j), (difference, p_value), p_adjusted in zip(
                chosen, differences, adjusted, strict=True
            )
        ),
        best_p_values=best_p_values,
        metric=metric,
        confidence_level=float(confidence_level),
        correction="Holm" if pairs is not None else "maximum statistic",
        n_samples=first.n_samples,
        n_groups=found.n_groups,
        n_bootstraps=int(n_bootstraps),
        random_state=seed,
        is_grouped=first.groups is not None,
        n_folds=first.n_folds,
        versions=installed_versions(),
    )


def resample_scores(
    metric: str,
    held_out: Sequence[HeldOutPredictions],
    n_bootstraps: int,
    confidence_level: float,
    seed: int,
) -> ResampledScores:
    """Compute the scores of models on the same held-out samples in resamples of the groups."""
    comparable = make_comparable(metric, held_out)
    return resample(
        comparable.metric,
        comparable.curves,
        comparable.folds,
        comparable.groups,
        n_bootstraps=int(n_bootstraps),
        confidence=float(confidence_level),
        seed=seed,
    )


def _check_scores(found: ResampledScores, expected: Sequence[float] | None, metric: str) -> None:
    undefined = np.flatnonzero(~np.isfinite(found.scores))
    if len(undefined):
        raise ValueError(
            f"The {metric} of model {undefined[0]} is undefined in at least one fold. Use fewer "
            "folds, or another metric."
        )
    if expected is not None and not np.allclose(found.scores, expected, rtol=0, atol=1e-6):
        place = int(np.abs(found.scores - np.asarray(expected)).argmax())
        raise ValueError(
            f"The {metric} of the held-out predictions, {found.scores[place]:.6g}, is not the "
            f"score, {expected[place]:.6g}. Pass metric to compare another score than that of the "
            "estimator."
        )


def _check_resolution(n_pairs: int, found: ResampledScores, confidence_level: float) -> None:
    n_bootstraps = len(found.drawn)
    smallest = 2 * n_pairs / (1 + n_bootstraps)
    if smallest > 1 - confidence_level:
        warn(
            f"With {count(n_bootstraps, 'resample')} and {count(n_pairs, 'comparison')}, no "
            f"adjusted p-value can be below about {smallest:.2g}. Increase n_bootstraps, or "
            "compare fewer pairs, for example with against='best'."
        )
