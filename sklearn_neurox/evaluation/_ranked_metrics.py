"""Metrics of decision values, in many resamples at once.

The samples are sorted once. In each resample, the number of samples above a threshold is a
cumulative sum of the weights of the samples, so that no resample is sorted again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RANKED_METRICS = ("roc_auc", "average_precision", "recall_at_fpr")
DEFAULT_FPR = 0.01
# Cumulative sums of fractional weights are rounded.
_ROUNDING = 1e-12


class Ranked:
    """Samples of two classes in decreasing order of their decision values.

    Parameters
    ----------
    positive : ndarray of bool of shape (n_samples,)
    decisions : ndarray of shape (n_samples,)
        Larger for samples that are more likely to be positive. They may be infinite.
    places : ndarray of int of shape (n_samples,) or None
        Place of the weight of each sample, such as the code of its group. If None, each sample has
        its own weight.
    """

    def __init__(
        self,
        positive: NDArray[np.bool_],
        decisions: NDArray,
        places: NDArray[np.intp] | None = None,
    ) -> None:
        order = np.argsort(-decisions, kind="stable")
        if places is not None:
            self._places: NDArray[np.intp] | None = places[order]
        else:
            is_sorted = bool((order[1:] > order[:-1]).all())
            self._places = None if is_sorted else order
        self._positive = positive[order][:, np.newaxis]
        ranked = decisions[order]
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        self._starts = None if len(starts) == len(ranked) else starts
        self._order = order

    def sums(self, weights: NDArray) -> tuple[NDArray, NDArray]:
        """Return the weights of both classes by decision value, in decreasing order.

        Parameters
        ----------
        weights : ndarray of shape (n_places, n_resamples)

        Returns
        -------
        positive, negative : ndarrays of shape (n_values, n_resamples)
            Samples with the same decision value are added up.
        """
        ranked = weights if self._places is None else weights[self._places]
        positive = ranked * self._positive
        return self._by_value(positive), self._by_value(ranked - positive)

    def sums_of_labels(self, positive: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
        """Return :meth:`sums` for other labels, (n_labelings, n_samples), without weights."""
        ranked = positive.T[self._order].astype(float)
        return self._by_value(ranked), self._by_value(1 - ranked)

    def _by_value(self, ranked: NDArray) -> NDArray:
        return ranked if self._starts is None else np.add.reduceat(ranked, self._starts)


def ranked_metric(
    name: str, positive: NDArray, negative: NDArray, fpr: float = DEFAULT_FPR
) -> NDArray[np.float64]:
    """Compute a metric of RANKED_METRICS in many resamples.

    Parameters
    ----------
    name : str
    positive, negative : ndarrays of shape (n_values, n_resamples)
        From :meth:`Ranked.sums`.
    fpr : float
        Largest false positive rate of "recall_at_fpr".

    Returns
    -------
    ndarray of shape (n_resamples,)
        NaN in resamples in which the metric is undefined.
    """
    n_positive, n_negative = positive.sum(axis=0), negative.sum(axis=0)
    if name == "roc_auc":  # ties count half
        above = np.cumsum(positive, axis=0)
        above -= positive / 2
        top, bottom = np.einsum("ij,ij->j", above, negative), n_positive * n_negative
    elif name == "average_precision":
        above, every = np.cumsum(positive, axis=0), np.cumsum(positive + negative, axis=0)
        precision = np.divide(above, every, out=np.zeros_like(above), where=every > 0)
        top, bottom = np.einsum("ij,ij->j", precision, positive), n_positive
    else:
        limit = (fpr + _ROUNDING) * n_negative
        top = np.where(np.cumsum(negative, axis=0) <= limit, positive, 0).sum(axis=0)
        bottom = np.where(n_negative > 0, n_positive, 0)
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)


def mean_over_classes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the columns in which a metric is defined, (n_resamples, n_classes)."""
    defined = np.isfinite(values)
    n_defined = defined.sum(axis=1)
    total = np.where(defined, values, 0).sum(axis=1)
    return np.divide(total, n_defined, out=np.full(len(total), np.nan), where=n_defined > 0)


def problems_of(
    codes: NDArray[np.intp], decisions: NDArray, positive: int | None
) -> list[tuple[NDArray[np.bool_], NDArray]]:
    """Return the problems of two classes whose metrics are averaged.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Class of each sample.
    decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)
        For two classes, the decision values of the second one.
    positive : int or None
        The positive class. If None, the second of two classes, or each of more classes.

    Returns
    -------
    list of (positive, decisions)
    """
    if decisions.ndim == 1:
        positive = 1 if positive is None else positive
        return [(codes == positive, decisions if positive == 1 else -decisions)]
    chosen = range(decisions.shape[1]) if positive is None else [positive]
    return [(codes == i, decisions[:, i]) for i in chosen]


def rank_score(
    name: str,
    codes: NDArray[np.intp],
    decisions: NDArray,
    *,
    positive: int | None = None,
    fpr: float = DEFAULT_FPR,
    sample_weight: NDArray | None = None,
) -> float:
    """Return a metric of RANKED_METRICS of one sample of labels, averaged over the classes.

    Classes for which it is undefined, because they do not occur, are not averaged. The result is
    NaN if it is undefined for all classes. See :func:`problems_of` for the parameters.
    """
    weights = np.ones(len(codes)) if sample_weight is None else sample_weight
    values = [
        ranked_metric(name, *Ranked(*problem).sums(weights[:, np.newaxis]), fpr)
        for problem in problems_of(codes, decisions, positive)
    ]
    return float(mean_over_classes(np.array(values).T)[0])
