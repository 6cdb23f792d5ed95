"""Metrics of many resamples at once, from the counts of labels or of pairs of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

# Relative to its terms, a smaller sum of squares is considered a rounding error.
_ROUNDING = 1e-12
# Rates of the predicted labels of one class.
RATE_METRICS = ("recall", "precision", "false_positive_rate")
# Errors of numbers: of their size, of their mean, and of their scale.
ERROR_METRICS = ("rmse", "mae", "bias", "slope")


def label_metric(metric: str, correct: NDArray, true: NDArray, predicted: NDArray) -> NDArray:
    """Compute a metric of many resamples from their counts per class, (n_resamples, n_classes).

    The counts are those of the samples of each class that are `correct`, `true` and `predicted`.
    "f1" and the rates are those of each class. They are NaN if undefined: "f1" if the class is
    neither in the labels nor in the predictions, and a rate if there are no samples to divide by,
    except that the precision of a class that is never predicted is 0.
    """
    n = true.sum(axis=1)
    if metric == "accuracy":
        return correct.sum(axis=1) / n
    if metric == "matthews_corrcoef":  # Gorodkin's formula requires only the margins
        covariance = correct.sum(axis=1) * n - (true * predicted).sum(axis=1)
        variances = [n**2 - (counts**2).sum(axis=1) for counts in (true, predicted)]
        return _ratio(covariance, np.sqrt(variances[0] * variances[1]), 0.0)
    if metric == "recall":
        return _ratio(correct, true, np.nan)
    if metric == "precision":
        return np.where((predicted == 0) & (true > 0), 0.0, _ratio(correct, predicted, np.nan))
    if metric == "false_positive_rate":
        return _ratio(predicted - correct, n[:, np.newaxis] - true, np.nan)
    by_class = _ratio(2 * correct, true + predicted, np.nan)
    if metric == "f1_macro":
        return np.nanmean(by_class, axis=1)
    if metric == "f1_weighted":
        return (np.nan_to_num(by_class) * true).sum(axis=1) / n
    return by_class


def number_metrics(
    metrics: Sequence[str], t: NDArray[np.float64], p: NDArray[np.float64]
) -> Callable[..., NDArray]:
    """Return a function that computes metrics of resamples whose cells are pairs (t, p)."""
    features = moment_features(t, p)
    t, p = t - t.mean(), p - p.mean()

    def statistics(weights: NDArray, counts: NDArray) -> NDArray:
        moments = weights @ (counts @ features)
        columns = [
            many_spearman(weights @ counts, t, p)
            if metric == "spearman"
            else many_of_moments(metric, moments)
            for metric in metrics
        ]
        return np.column_stack(columns)

    return statistics


def moment_features(t: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the terms of each sample whose sums :func:`many_of_moments` reads."""
    errors = p - t
    t, p = t - t.mean(), p - p.mean()  # centered, because sums of squares are then more accurate
    of_errors = [errors**2, errors, np.abs(errors)]
    return np.column_stack([np.ones_like(t), t, p, t * t, p * p, t * p, *of_errors])


def many_of_moments(metric: str, moments: NDArray) -> NDArray:
    """Compute "pearson", "r2" or a metric of ERROR_METRICS of many resamples.

    The columns of `moments` are the sums of 1, t, p, tt, pp, tp for targets t and predictions p,
    and of the squared errors, the errors p - t, and their absolute values.
    """
    n, t, p, tt, pp, tp, errors, difference, absolute = moments.T
    if metric in ("rmse", "mae", "bias"):
        means = {"rmse": np.sqrt(errors / n), "mae": absolute / n, "bias": difference / n}
        return means[metric]
    variance_t, variance_p = _centered_squares(tt, t, n), _centered_squares(pp, p, n)
    if metric == "pearson":
        bottom = np.sqrt(variance_t * variance_p)
        return np.clip(_ratio(tp - t * p / n, bottom, 0.0), -1, 1)
    if metric == "slope":  # of a regression of the targets on the predictions
        return _ratio(tp - t * p / n, variance_p, 0.0)
    # 1 - R2 of constant targets, as in sklearn.metrics.r2_score.
    of_constant = np.where(errors == 0, 0.0, 1.0)
    return 1 - np.divide(errors, variance_t, out=of_constant, where=variance_t > 0)


def many_spearman(weights: NDArray, y_true: NDArray, y_pred: NDArray) -> NDArray:
    """Compute Spearman's correlation of many resamples.

    Parameters
    ----------
    weights : ndarray of shape (n_resamples, n_pairs)
        How often each pair of a target and a prediction occurs in the resample.
    y_true, y_pred : ndarray of shape (n_pairs,)
        The pairs.

    Returns
    -------
    ndarray of shape (n_resamples,)
    """
    one, other = _centered_ranks(weights, y_true), _centered_ranks(weights, y_pred)
    bottom = np.einsum("ij,ij,ij->i", weights, one, one)
    bottom *= np.einsum("ij,ij,ij->i", weights, other, other)
    return _ratio(np.einsum("ij,ij,ij->i", weights, one, other), np.sqrt(bottom), 0.0)


def _centered_ranks(weights: NDArray, values: NDArray) -> NDArray:
    """Return mean ranks in each resample minus their mean, half the number of samples."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    order = np.argsort(codes, kind="stable")
    copies = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.cumsum(copies, axis=1) - copies / 2
    ranks -= copies.sum(axis=1, keepdims=True) / 2
    return ranks[:, codes]


def _centered_squares(squares: NDArray, total: NDArray, n: NDArray) -> NDArray:
    variance = squares - total**2 / n
    return np.where(variance > _ROUNDING * squares, variance, 0)


def _ratio(top: NDArray, bottom: NDArray, otherwise: float) -> NDArray:
    return np.divide(top, bottom, out=np.full(np.shape(bottom), otherwise), where=bottom > 0)
