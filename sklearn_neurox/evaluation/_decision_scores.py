"""Scores of the decision values and probabilities of a classifier, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .._bootstrap import Resampling, Score
from ._probability_losses import LOSSES, losses
from ._ranked_metrics import (
    RANKED_METRICS,
    Ranked,
    mean_over_classes,
    problems_of,
    rank_score,
    ranked_metric,
)
from .decision_metrics import as_problem

DECISION_METRICS = (*RANKED_METRICS, *LOSSES)


class Decisions(NamedTuple):
    """Decision values and probabilities of samples, and which class is the positive one.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Class of each sample.
    decisions : ndarray of shape (n_samples,) or (n_samples, n_classes), or None
        None if no metric compares ranks.
    probabilities : ndarray of shape (n_samples, n_classes) or None
    positive : int or None
        The positive class. If None, the second of two classes, or each of more classes.
    fpr : float
        Largest false positive rate of "recall_at_fpr".
    """

    codes: NDArray[np.intp]
    decisions: NDArray[np.float64] | None
    probabilities: NDArray[np.float64] | None
    positive: int | None
    fpr: float

    def take(self, rows: NDArray[np.intp]) -> Decisions:
        """Return some of the samples."""
        decisions, probabilities = (
            None if each is None else each[rows] for each in (self.decisions, self.probabilities)
        )
        return self._replace(
            codes=self.codes[rows], decisions=decisions, probabilities=probabilities
        )

    def losses(self, name: str) -> NDArray[np.float64]:
        """Return the loss of each sample."""
        assert self.probabilities is not None
        return losses(name, *as_problem(self.codes, self.probabilities, self.positive))

    def value(self, name: str) -> float:
        """Return a metric of DECISION_METRICS, NaN if it is undefined."""
        if name in LOSSES:
            return float(self.losses(name).mean())
        assert self.decisions is not None
        options: dict[str, Any] = {"positive": self.positive, "fpr": self.fpr}
        return rank_score(name, self.codes, self.decisions, **options)


def score_decisions(
    names: Sequence[str], given: Decisions, sentences: NDArray | None, resampling: Resampling
) -> dict[str, Score]:
    """Compute metrics of DECISION_METRICS with intervals.

    Raises
    ------
    ValueError
        If one of them is undefined, because the samples are of a single class.
    """
    drawn = _resampled(names, given, sentences, resampling)
    scores = {}
    for column, name in enumerate(names):
        value = given.value(name)
        if np.isnan(value):
            raise ValueError(undefined(name, len(given.codes)))
        scores[name] = resampling.score(value, None if drawn is None else drawn[:, column])
    return scores


def undefined(name: str, n_samples: int) -> str:
    """Return the message of an error about samples of a single class."""
    return (
        f"{name!r} requires samples of the positive class and of other classes, but all "
        f"{n_samples} samples are of one kind."
    )


def _resampled(
    names: Sequence[str], given: Decisions, sentences: NDArray | None, resampling: Resampling
) -> NDArray[np.float64] | None:
    """Return the metrics of each resample, (n_bootstraps, n_metrics)."""
    ranked_names = [name for name in names if name in RANKED_METRICS]
    of_loss = {name: given.losses(name) for name in names if name in LOSSES}
    columns: list[NDArray] = list(of_loss.values())
    if ranked_names:
        assert given.decisions is not None
        # In the order of the first problem, whose samples are then sorted already.
        problems = problems_of(given.codes, given.decisions, given.positive)
        columns = [-decisions for _, decisions in problems] + columns
    cells, rows = find_cells([*columns, given.codes])
    values = {name: each[rows] for name, each in of_loss.items()}
    ranked = (
        [Ranked(positive[rows], decisions[rows]) for positive, decisions in problems]
        if ranked_names
        else []
    )

    def statistics(weights: NDArray, counts: csr_array) -> NDArray:
        of_cells = counts.T @ np.ascontiguousarray(weights.T)
        sums = [each.sums(of_cells) for each in ranked]
        results = []
        for name in names:
            if name in LOSSES:
                results.append(values[name] @ of_cells / of_cells.sum(axis=0))
            else:
                each = [ranked_metric(name, *pair, given.fpr) for pair in sums]
                results.append(mean_over_classes(np.array(each).T))
        return np.column_stack(results)

    return resampling.draw(cells, sentences, statistics)


def find_cells(columns: Sequence[NDArray]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the cell of each sample, and a sample of each cell.

    Samples with the same values in all columns are in one cell. The cells are sorted by the
    columns, of which the first one is the primary key.
    """
    order = np.lexsort(columns[::-1])
    differ = np.zeros(max(len(order) - 1, 0), dtype=bool)
    for each in columns:
        ranked = each[order]
        differ |= ranked[1:] != ranked[:-1]
    is_first = np.concatenate([[True], differ])
    cells = np.empty(len(order), dtype=np.intp)
    cells[order] = np.cumsum(is_first) - 1
    return cells, order[is_first]
