"""Result of probes that are trained on one data set and scored on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from .._bootstrap import Score
from .._html import element, escape, format_value, table
from .._optional import import_optional
from .._rare_labels import describe_rare_labels
from ._make_comparison import make_comparison
from ._provenance import Provenance, describe_bootstrap, name_versions
from .comparison import ScoreComparison, format_score
from .held_out import HeldOutPredictions

ALL_OTHERS = "all others"
_N_SHOWN = 5  # labels, and pairs of data sets, in a message


@dataclass(frozen=True, eq=False, repr=False)
class TransferScores:
    """Scores of probes on other data sets, as returned by :func:`transfer_scores`.

    Parameters
    ----------
    names : tuple of n_sets str
        Names of the data sets.
    sources : tuple of n_sources str
        Training sets: the names, followed by "all others" if ``leave_one_out=True``.
    scores : dict of (str, str) to Score
        Score of each training set on each data set. On the data set itself, it is cross-validated.
    held_out : dict of str to HeldOutPredictions
        Predictions on the samples of each data set, one row for each training set.
    metric : str
        Name of the metric.
    cosine : ndarray of shape (n_sets, n_sets) or None
        Cosine of the weights of two linear probes for X as it is, averaged over the classes.
    mahalanobis_cosine : ndarray of shape (n_sets, n_sets) or None
        Correlation of the outputs of two linear probes on the samples of both data sets.
    group_overlap : ndarray of shape (n_sets, n_sets) or None
        Share of the samples of a data set (column) whose group occurs in the training set (row).
    text_overlap : ndarray of shape (n_sets, n_sets) or None
        Share of the samples of a data set (column) whose text has a copy or a near duplicate in
        the training set (row).
    confidence_level : float
        Confidence level of the intervals.
    n_bootstraps, random_state : int
        Number of resamples, and the int that draws the same ones.
    provenance : Provenance
        The estimator, the argument `cv`, and the versions of the packages.
    rare_labels : dict of str to dict of label to list of int
        Labels of a data set that are missing in the training samples of its folds, and these folds.
        Data sets without such labels are left out.
    unseen_labels : dict of (str, str) to list of label
        Labels that the second data set has and the first one does not. Pairs without such labels
        are left out.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    scores: dict[tuple[str, str], Score]
    held_out: dict[str, HeldOutPredictions]
    metric: str
    cosine: NDArray[np.float64] | None
    mahalanobis_cosine: NDArray[np.float64] | None
    group_overlap: NDArray[np.float64] | None
    text_overlap: NDArray[np.float64] | None
    confidence_level: float
    n_bootstraps: int
    random_state: int
    provenance: Provenance
    rare_labels: Mapping[str, Mapping[Any, list[int]]] = field(default_factory=dict)
    unseen_labels: Mapping[tuple[str, str], list[Any]] = field(default_factory=dict)

    @property
    def values(self) -> NDArray[np.float64]:
        """Scores of the training sets (rows) on the data sets (columns), (n_sources, n_sets)."""
        return np.array(
            [[self.scores[source, name].value for name in self.names] for source in self.sources]
        )

    def __repr__(self) -> str:
        n_sets = len(self.names)
        within = np.diag(self.values).mean()
        others = self.values[:n_sets][~np.eye(n_sets, dtype=bool)].mean()
        left_out = ""
        if ALL_OTHERS in self.sources:
            left_out = f", from all others {self.values[n_sets].mean():.3f}"
        return (
            f"TransferScores({n_sets} data sets, mean {self.metric}: within {within:.3f}, from "
            f"another {others:.3f}{left_out})"
        )

    def to_frame(self) -> Any:
        """Return one row per training set and data set.

        Returns
        -------
        pandas.DataFrame
            The columns are "score", "low", "high", "n_samples", "n_groups", and those of "cosine",
            "mahalanobis_cosine", "group_overlap" and "text_overlap" that were computed.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        pairs = list(self.scores)
        index = pandas.MultiIndex.from_tuples(pairs, names=["train", "test"])
        rows = [self.scores[pair] for pair in pairs]
        frame = pandas.DataFrame(rows, index=index, columns=["score", "low", "high"], dtype=float)
        frame["n_samples"] = [self.held_out[name].n_samples for _, name in pairs]
        frame["n_groups"] = [self.held_out[name].n_groups for _, name in pairs]
        for column, matrix in self._matrices().items():
            frame[column] = [self._cell(matrix, *pair) for pair in pairs]
        return frame

    def _matrices(self) -> dict[str, NDArray[np.float64]]:
        fields = ("cosine", "mahalanobis_cosine", "group_overlap", "text_overlap")
        return {name: getattr(self, name) for name in fields if getattr(self, name) is not None}

    def _cell(self, matrix: NDArray[np.float64], source: str, name: str) -> float:
        if source not in self.names:
            return np.nan
        return float(matrix[self.names.index(source), self.names.index(name)])

    def compare(
        self,
        name: str,
        *,
        n_bootstraps: int = 10_000,
        confidence_level: float = 0.95,
        random_state: int | RandomState | None = None,
    ) -> ScoreComparison:
        """Compare the training sets on the samples of one data set.

        Parameters
        ----------
        name : str
            Name of a data set. Its cross-validated score is compared with that of each other
            training set.
        n_bootstraps, confidence_level, random_state
            As in :func:`compare_scores`.

        Returns
        -------
        ScoreComparison

        Raises
        ------
        ValueError
            If there is no such data set.
        """
        if name not in self.names:
            raise ValueError(f"name must be one of {', '.join(self.names)}, got {name!r}.")
        place = self.sources.index(name)
        return make_comparison(
            self.sources,
            [self.held_out[name]],
            metric=self.metric,
            pairs=[(place, i) for i in range(len(self.sources)) if i != place],
            n_bootstraps=n_bootstraps,
            confidence_level=confidence_level,
            random_state=random_state,
        )

    def methods(self, *, sample: str = "sample", group: str = "group") -> str:
        """Return sentences that describe the scores in a paper, and what reproduces them.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "prompt" and "topic".

        Returns
        -------
        str
        """
        scores = "; ".join(
            f"{source} → {name} {format_score(score)}"
            for (source, name), score in self.scores.items()
        )
        grouped = any(each.groups is not None for each in self.held_out.values())
        unit = group if grouped else sample
        overlaps = [
            f"up to {np.nanmax(matrix):.1%} of the {sample}s of a data set have {what} of another"
            for matrix, what in (
                (self.text_overlap, "a copy or near duplicate among the texts"),
                (self.group_overlap, f"a {group}"),
            )
            if matrix is not None
        ]
        overlap = f" Overlap: {', '.join(overlaps)}." if overlaps else ""
        versions = name_versions(self.provenance.versions)
        return (
            f"{self.metric.capitalize()} ({self.confidence_level:.0%} interval), trained on one "
            f"data set and tested on another, and cross-validated within a data set: {scores}."
            f"{overlap}{self._about_labels()} "
            f"{describe_bootstrap(unit, self.n_bootstraps, self.random_state)} {versions}. "
            f"Estimator: {self.provenance.estimator}; cv={self.provenance.cv}."
        )

    def _about_labels(self) -> str:
        """Return sentences about the labels that are scored as errors, each after a space."""
        text = ""
        for name, found in self.rare_labels.items():
            text += f" In {name!r}:{describe_rare_labels(found)}"
        if self.unseen_labels:
            text += (
                f" Labels that are missing in the training set, "
                f"{name_unseen_labels(self.unseen_labels)}, are scored as errors."
            )
        return text

    def _repr_html_(self) -> str:
        heads = [element("th", escape(name), scope="col") for name in ("train", *self.names)]
        rows = [
            [
                element("th", escape(source), scope="row"),
                *(element("td", escape(str(self.scores[source, name]))) for name in self.names),
            ]
            for source in self.sources
        ]
        parts = [table(heads, [rows], caption=repr(self))]
        heads[1:] = [element("th", escape(name), scope="col") for name in self.names]
        for name, matrix in self._matrices().items():
            body = [
                [
                    element("th", escape(source), scope="row"),
                    *(element("td", escape(format_value(float(value)))) for value in row),
                ]
                for source, row in zip(self.names, matrix, strict=True)
            ]
            parts.append(table(heads, [body], caption=name))
        return "".join(parts)


def name_unseen_labels(unseen: Mapping[tuple[str, str], Sequence[Any]]) -> str:
    """Return the first labels, such as "'X' of 'books' (missing in 'films')"."""
    shown = [
        f"{', '.join(map(repr, labels[:_N_SHOWN]))}{', ...' * (len(labels) > _N_SHOWN)} of "
        f"{name!r} (missing in {source!r})"
        for (source, name), labels in list(unseen.items())[:_N_SHOWN]
    ]
    return "; ".join(shown) + "; ..." * (len(unseen) > _N_SHOWN)


def check_is_mapping(datasets: Any) -> Mapping[str, Any]:
    """Raise a TypeError or a ValueError if data sets are not listed by name."""
    if not isinstance(datasets, Mapping):
        raise TypeError(
            f"datasets must be a dict of names to (X, y) or (X, y, groups), got "
            f"{type(datasets).__name__}."
        )
    names = list(datasets)
    if len(names) < 2:
        raise ValueError(f"Transfer requires at least 2 data sets, got {len(names)}.")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"The names of data sets must be strings, got {name!r}.")
        if name == ALL_OTHERS:
            raise ValueError(
                f"{ALL_OTHERS!r} is a training set of the results. Choose another name."
            )
    return datasets
