"""Permutation test of the hypothesis that predictions are independent of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from .._bootstrap import as_seed
from .._optional import import_optional
from .._wording import count
from ._comparable import Comparable, check_ranked, make_comparable
from ._provenance import installed_versions, name_versions
from .held_out import HeldOutPredictions

# Number of labels, of all permutations, that are in memory at a time.
_AT_ONCE = 2**20


@dataclass(frozen=True, eq=False, repr=False)
class PermutationTest:
    """Permutation test of each layer, as in :meth:`LayerwiseScores.permutation_test`.

    Parameters
    ----------
    layers : tuple of n_layers int or str
    scores : ndarray of shape (n_layers,)
        Mean scores over the folds.
    permuted_scores : ndarray of shape (n_permutations, n_layers)
        Scores on the permuted labels.
    metric : str
        Name of the metric.
    n_samples, n_groups : int
        Number of samples and of groups. Without groups, both are the same.
    share_exchanged : float
        Share of the samples in groups that can be exchanged with another group.
    random_state : int
        Int that draws the same permutations.
    is_grouped : bool
        Whether the labels of groups were permuted, rather than those of samples.
    versions : dict of str to str
        Versions of Python and of the packages.
    """

    layers: tuple[Any, ...]
    scores: NDArray[np.float64]
    permuted_scores: NDArray[np.float64]
    metric: str
    n_samples: int
    n_groups: int
    share_exchanged: float
    random_state: int
    is_grouped: bool
    versions: dict[str, str]

    @property
    def p_values(self) -> NDArray[np.float64]:
        """Share of the scores, including the observed one, that are as high, (n_layers,)."""
        at_least = (self.permuted_scores >= self.scores - 1e-12).sum(axis=0)
        return (1 + at_least) / (1 + len(self.permuted_scores))

    @property
    def p_adjusted(self) -> NDArray[np.float64]:
        """p-values for the largest of all standardized scores, (n_layers,).

        They are valid for a layer that was chosen because of its score.
        """
        center = self.permuted_scores.mean(axis=0)
        spread = self.permuted_scores.std(axis=0)
        spread = np.where(spread > 0, spread, np.inf)
        largest = ((self.permuted_scores - center) / spread).max(axis=1)
        observed = (self.scores - center) / spread
        at_least = (largest[:, np.newaxis] >= observed - 1e-12).sum(axis=0)
        return (1 + at_least) / (1 + len(largest))

    def __repr__(self) -> str:
        best = int(self.scores.argmax())
        unit = f"{count(self.n_groups, 'group')}, " if self.is_grouped else ""
        return (
            f"PermutationTest({self.metric} of layer {self.layers[best]} "
            f"{self.scores[best]:.3f}, of permuted labels "
            f"{self.permuted_scores[:, best].mean():.3f}, adjusted p = "
            f"{self.p_adjusted[best]:.2g}; {unit}{count(len(self.permuted_scores), 'permutation')})"
        )

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(float_format="{:.3g}".format)

    def to_frame(self) -> Any:
        """Return one row per layer.

        Returns
        -------
        pandas.DataFrame
            The columns are "score", "permuted", the mean score on permuted labels, "p_value",
            "p_adjusted", "n_samples" and "n_groups".
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        columns = {
            "score": self.scores,
            "permuted": self.permuted_scores.mean(axis=0),
            "p_value": self.p_values,
            "p_adjusted": self.p_adjusted,
            "n_samples": self.n_samples,
            "n_groups": self.n_groups,
        }
        return pandas.DataFrame(columns, index=pandas.Index(self.layers, name="layer"))

    def methods(self, *, sample: str = "sample", group: str = "group") -> str:
        """Return sentences that describe the test in a paper.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "word" and "sentence".

        Returns
        -------
        str
        """
        unit = f"{group}s of equal size" if self.is_grouped else f"{sample}s"
        rows = ", ".join(
            f"layer {layer}: {score:.3f} (p = {p_value:.2g})"
            for layer, score, p_value in zip(self.layers, self.scores, self.p_adjusted, strict=True)
        )
        return (
            f"{self.metric.capitalize()} on held-out {sample}s, with p-values of a permutation "
            f"test: {rows}. The labels were exchanged between {unit} within each fold "
            f"({self.share_exchanged:.0%} of the {sample}s), {len(self.permuted_scores):,} "
            f"permutations, adjusted for all layers by the maximum statistic, "
            f"random_state={self.random_state}. {name_versions(self.versions)}."
        )


def permute_labels(
    layers: Sequence[Any],
    held_out: HeldOutPredictions,
    metric: str,
    *,
    n_permutations: int,
    random_state: int | RandomState | None,
) -> PermutationTest:
    """Score held-out predictions of each layer on permuted labels."""
    check_ranked(metric, by="A permutation test")
    comparable = make_comparable(metric, [held_out])
    seed = as_seed(random_state)
    random = np.random.RandomState(seed)
    totals = np.zeros((n_permutations, len(layers)))
    observed = np.zeros(len(layers))
    n_exchanged = n_defined = 0
    for fold in range(held_out.n_folds):
        rows = np.flatnonzero(comparable.folds == fold)
        exchange = _Exchange(comparable.curves[0].y[rows], comparable.groups[rows])
        n_exchanged += exchange.n_samples
        scores = _permuted_scores(comparable, rows, exchange, int(n_permutations), random)
        if np.isnan(scores).all():  # a metric of ranks, and a single label
            continue
        n_defined += 1
        totals += scores[1:]
        observed += scores[0]
    if not n_defined:
        raise ValueError(f"The metric {metric!r} is undefined in all folds.")
    share = n_exchanged / len(held_out.y)
    if share < 0.5:
        raise ValueError(
            f"Only {share:.0%} of the samples are in groups that can be exchanged with another "
            "group of the same size in the same fold. Use fewer folds, larger data, or compare "
            "with the baseline instead: compare(against='baseline')."
        )
    return PermutationTest(
        tuple(layers),
        observed / n_defined,
        totals / n_defined,
        metric,
        held_out.n_samples,
        held_out.n_groups,
        share,
        seed,
        held_out.groups is not None,
        installed_versions(),
    )


class _Exchange:
    """Exchange of the labels of whole groups in one fold.

    Parameters
    ----------
    y : ndarray of int or float of shape (n_samples,)
    groups : ndarray of int of shape (n_samples,)
    """

    def __init__(self, y: NDArray, groups: NDArray[np.intp]) -> None:
        self.y = y
        order = np.argsort(groups, kind="stable")
        members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
        self.blocks: list[NDArray[np.intp]] = []  # the rows of a block are groups of one size
        self.codes: NDArray[np.intp] | None = None
        if all((y[rows] == y[rows[0]]).all() for rows in members):
            self.codes = np.unique(groups, return_inverse=True)[1]
            self.labels = np.array([y[rows[0]] for rows in members])
            self.n_samples = len(y) if len(members) > 1 else 0
            return
        by_size: dict[int, list[NDArray]] = {}
        for rows in members:
            by_size.setdefault(len(rows), []).append(rows)
        self.blocks = [np.array(some) for some in by_size.values() if len(some) > 1]
        self.n_samples = sum(block.size for block in self.blocks)

    def draw(self, random: np.random.RandomState, size: int) -> NDArray:
        """Return permuted labels, (size, n_samples)."""
        if self.codes is not None:
            return self.labels[_permutations(random, size, len(self.labels))][:, self.codes]
        labels = np.tile(self.y, (size, 1))
        for block in self.blocks:
            drawn = self.y[block][_permutations(random, size, len(block))]
            labels[:, block.ravel()] = drawn.reshape(size, -1)
        return labels


def _permutations(random: np.random.RandomState, size: int, n: int) -> NDArray[np.intp]:
    return random.random_sample((size, n)).argsort(axis=1)


def _permuted_scores(
    comparable: Comparable,
    rows: NDArray[np.intp],
    exchange: _Exchange,
    n_permutations: int,
    random: np.random.RandomState,
) -> NDArray[np.float64]:
    """Return the scores of one fold, and below them those on permuted labels."""
    step = max(1, _AT_ONCE // len(rows))
    predicted = [curve.predicted[rows] for curve in comparable.curves]
    parts = []
    for start in range(-1, n_permutations, step):  # the first are the labels themselves
        labels = exchange.draw(random, min(step, n_permutations - start))
        if start < 0:
            labels[0] = exchange.y
        parts.append(
            np.column_stack([comparable.metric.of_permutations(labels, each) for each in predicted])
        )
    return np.concatenate(parts)
