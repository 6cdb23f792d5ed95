"""Comparisons of scores on the same samples, with intervals and p-values over groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._bootstrap import Score
from .._html import element, escape, format_value, table
from .._optional import import_optional
from .._wording import count
from ._provenance import name_versions


class PairDifference(NamedTuple):
    """Difference of two scores: `first` minus `second`, with its interval and p-values."""

    first: Any
    second: Any
    difference: Score
    p_value: float
    p_adjusted: float


@dataclass(frozen=True, eq=False, repr=False)
class ScoreComparison:
    """Comparison of scores on the same samples, as returned by :func:`compare_scores`.

    All scores are computed in the same resamples of the groups, so that the differences are paired.

    Parameters
    ----------
    names : tuple of n_models int or str
        Names of what is compared, such as layers.
    scores : tuple of Score
        Score of each, with its interval.
    pairs : tuple of PairDifference
        Differences, with intervals, and with p-values before and after the correction.
    best_p_values : ndarray of shape (n_models,)
        p-value of the hypothesis that none of the others has a higher score, which takes into
        account that the highest score is chosen on the same samples. NaN for the metrics
        "false_positive_rate", "bias" and "slope", whose highest value is not the best one.
    metric : str
        Name of the metric.
    confidence_level : float
        Confidence level of all intervals.
    correction : str
        How the p-values are adjusted: "Holm", or "maximum statistic" if all are compared with the
        highest score.
    n_samples, n_groups : int
        Number of samples and of groups. Without groups, both are the same.
    n_bootstraps, random_state : int
        Number of resamples, and the int that draws the same ones.
    is_grouped : bool
        Whether groups were resampled, rather than samples.
    n_folds : int
        Number of folds, 1 without cross-validation.
    versions : dict of str to str
        Versions of Python and of the packages.
    """

    names: tuple[Any, ...]
    scores: tuple[Score, ...]
    pairs: tuple[PairDifference, ...]
    best_p_values: NDArray[np.float64]
    metric: str
    confidence_level: float
    correction: str
    n_samples: int
    n_groups: int
    n_bootstraps: int
    random_state: int
    is_grouped: bool
    n_folds: int
    versions: dict[str, str]

    def __repr__(self) -> str:
        unit = f", {count(self.n_groups, 'group')}" if self.is_grouped else ""
        if len(self.pairs) == 1:
            (pair,) = self.pairs
            return (
                f"ScoreComparison({self.metric} {pair.first} - {pair.second} = {pair.difference}, "
                f"p = {pair.p_value:.2g}, {count(self.n_samples, 'sample')}{unit})"
            )
        n_different = sum(pair.p_adjusted < 1 - self.confidence_level for pair in self.pairs)
        best = ", ".join(map(str, self.best))
        about = f", not significantly worse than the best: {best}" if self.ranks_all else ""
        return (
            f"ScoreComparison({self.metric}, {n_different} of "
            f"{count(len(self.pairs), 'difference')} significant{about}; "
            f"{count(self.n_samples, 'sample')}{unit})"
        )

    @property
    def best(self) -> tuple[Any, ...]:
        """The names that are not significantly worse than the best.

        At the confidence level, they contain the one whose expected score is the highest.
        """
        level = 1 - self.confidence_level
        pairs = zip(self.names, self.best_p_values, strict=True)
        return tuple(name for name, p_value in pairs if p_value >= level)

    def to_frame(self) -> Any:
        """Return one row per difference.

        Returns
        -------
        pandas.DataFrame
            The columns are "difference", "low", "high", "p_value", "p_adjusted", "n_samples" and
            "n_groups". The index consists of both names.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        index = pandas.MultiIndex.from_tuples(
            [(pair.first, pair.second) for pair in self.pairs], names=["first", "second"]
        )
        rows = [(*pair.difference, pair.p_value, pair.p_adjusted) for pair in self.pairs]
        columns = ["difference", "low", "high", "p_value", "p_adjusted"]
        frame = pandas.DataFrame(rows, index=index, columns=columns)
        return frame.assign(n_samples=self.n_samples, n_groups=self.n_groups)

    def summary(self) -> Any:
        """Return one row per score.

        Returns
        -------
        pandas.DataFrame
            The columns are "score", "low", "high", "p_best", the p-value of the hypothesis that
            none of the others has a higher score, "n_samples" and "n_groups".
        """
        pandas = import_optional("pandas", extra="plot", purpose="summary()")
        index = pandas.Index(self.names, name="name", tupleize_cols=False)
        frame = pandas.DataFrame(list(self.scores), index=index, columns=["score", "low", "high"])
        sizes = {"n_samples": self.n_samples, "n_groups": self.n_groups}
        return frame.assign(p_best=self.best_p_values, **sizes)

    def methods(self, *, sample: str = "sample", group: str = "group") -> str:
        """Return sentences that describe the comparison in a paper.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "word" and "sentence".

        Returns
        -------
        str

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_neurox import compare_scores
        >>> right = np.random.RandomState(0).uniform(size=(2, 500)) < [[0.9], [0.8]]
        >>> comparison = compare_scores(*right.astype(float), names=("probe", "table"))
        >>> print(comparison.methods(sample="prompt"))
        Mean (95% interval): probe .886 [...], table .790 [...]; 500 prompts. Difference ...
        """
        unit = group if self.is_grouped else sample
        level = f"{self.confidence_level:.0%}"
        split = f"{self.n_folds}-fold" if self.n_folds > 1 else ""
        split += f" by {group}" if split and self.is_grouped else ""
        sizes = [count(self.n_groups, group)] * self.is_grouped + [count(self.n_samples, sample)]
        data = ", ".join([split] * bool(split) + sizes)
        shown = self.best if self.ranks_all else self.names
        scores = ", ".join(
            f"{self._name(name)} {format_score(score)}"
            for name, score in zip(self.names, self.scores, strict=True)
            if name in shown
        )
        text = f"{self.metric.capitalize()} ({level} interval): {scores}; {data}. "
        if self.ranks_all:
            text += (
                f"These are not significantly worse than the best of {len(self.names)} (maximum "
                f"statistic, {level}). "
            )
        if len(self.pairs) == 1:
            (pair,) = self.pairs
            text += f"Difference {format_score(pair.difference)}, p = {pair.p_value:.2g}. "
        elif self.correction == "Holm":
            text += f"p-values are adjusted for {len(self.pairs)} comparisons (Holm). "
        return text + (
            f"Paired bootstrap over {unit}s, {self.n_bootstraps:,} resamples, expanded percentile "
            f"intervals, random_state={self.random_state}. {name_versions(self.versions)}."
        )

    @property
    def ranks_all(self) -> bool:
        """Whether all scores were compared with each other, or with the highest one."""
        n_models = len(self.names)
        is_every_pair = len(self.pairs) == n_models * (n_models - 1) // 2 > 1
        is_ranked = not np.isnan(self.best_p_values).any()
        return is_ranked and (is_every_pair or self.correction != "Holm")

    def _name(self, name: Any) -> str:
        return f"layer {name}" if isinstance(name, Integral) else str(name)

    def _repr_html_(self) -> str:
        def rows(values: Sequence[Sequence[Any]], n_heads: int) -> list[list[str]]:
            return [
                [
                    element("th" if i < n_heads else "td", escape(format_value(value)))
                    for i, value in enumerate(each)
                ]
                for each in values
            ]

        heads = [
            element("th", name, scope="col") for name in ("", "score", "low", "high", "p_best")
        ]
        each = zip(self.names, self.scores, self.best_p_values, strict=True)
        scores = rows([(str(name), *score, float(p)) for name, score, p in each], 1)
        columns = ("first", "second", "difference", "low", "high", "p_value", "p_adjusted")
        pairs = rows(
            [
                (str(p.first), str(p.second), *p.difference, p.p_value, p.p_adjusted)
                for p in self.pairs
            ],
            2,
        )
        return table(heads, [scores], caption=repr(self)) + table(
            [element("th", name, scope="col") for name in columns],
            [pairs],
            caption=f"Differences, p-values adjusted by: {self.correction}",
        )


def format_score(score: Score) -> str:
    """Return a score with its interval as papers print them: ".943 [.931, .954]".

    Scores below .01, such as false positive rates, have four decimals.
    """
    decimals = 4 if 0 < abs(score.value) < 0.01 else 3
    values = [f"{value:.{decimals}f}".replace("0.", ".", 1) for value in score if value is not None]
    return values[0] + (f" [{', '.join(values[1:])}]" if values[1:] else "")
