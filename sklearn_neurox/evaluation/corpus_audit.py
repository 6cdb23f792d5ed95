"""Result of an audit of texts and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._bootstrap import Score
from .._html import element, escape, format_value, table
from .._optional import import_optional
from .._wording import count
from ._comparable import check_metric, make_comparable
from ._fold_metrics import Folds
from ._provenance import name_versions
from .comparison import format_score
from .held_out import HeldOutPredictions
from .layer_scores import LayerwiseScores, task_names

_WIDTH = 100  # characters of a text that are shown


class LeakExample(NamedTuple):
    """A test text, and the most similar training text of its fold."""

    test_row: int
    train_row: int
    similarity: float
    test_text: str
    train_text: str
    test_label: Any
    train_label: Any


class TokenLabel(NamedTuple):
    """A token, the label that is most frequent in texts with it, and its share in them."""

    token: str
    label: Any
    n_texts: int
    share: float
    share_of_all: float


@dataclass(frozen=True, eq=False, repr=False)
class CorpusAudit:
    """What makes a score on texts too high, as returned by :func:`audit_corpus`.

    Parameters
    ----------
    n_texts, n_distinct : int
        Number of texts, and of texts that differ in more than case, spaces and Unicode forms.
    threshold : float
        Similarity from which two texts are near duplicates.
    rows, folds : ndarray of int of shape (n_held_out,)
        Row and fold of each test text.
    similarity : ndarray of shape (n_held_out,)
        Similarity to the most similar training text of the fold: 1 for a copy, 0 if no near
        duplicate was found.
    sources : ndarray of int of shape (n_held_out,)
        Row of this training text, or -1.
    clusters : ndarray of int of shape (n_texts,)
        Texts that are connected by copies and near duplicates have the same number. Passed as
        `groups`, they keep copies out of the test sets.
    n_conflicts : int
        Number of texts with a copy that has another label.
    metric : str
        Name of the metric.
    scores : dict of str to Score
        Scores of the baselines "majority", "length", "single token" and "tf-idf".
    clean_scores : dict of str to Score
        Their scores on test texts without a copy or near duplicate in training; empty if there are
        fewer than five groups of them.
    tokens : tuple of TokenLabel
        Tokens that are most strongly associated with the labels; empty for numbers.
    examples : tuple of LeakExample
        Test texts with copies or near duplicates in training.
    confidence_level : float
        Confidence level of the intervals.
    n_groups : int
        Number of groups, or of texts if there are no groups.
    is_grouped : bool
        Whether groups were resampled, rather than texts.
    random_state : int
        Int that reproduces the audit.
    versions : dict of str to str
        Versions of Python and of the packages.
    """

    n_texts: int
    n_distinct: int
    threshold: float
    rows: NDArray[np.intp]
    folds: NDArray[np.intp]
    similarity: NDArray[np.float64]
    sources: NDArray[np.intp]
    clusters: NDArray[np.intp]
    n_conflicts: int
    metric: str
    scores: dict[str, Score]
    clean_scores: dict[str, Score]
    tokens: tuple[TokenLabel, ...]
    examples: tuple[LeakExample, ...]
    confidence_level: float
    n_groups: int
    is_grouped: bool
    random_state: int
    versions: Mapping[str, str]

    @property
    def copy_rate(self) -> float:
        """Share of the test texts that occur in the training set of their fold."""
        return float((self.similarity == 1).mean())

    @property
    def leak_rate(self) -> float:
        """Share of the test texts with a copy or a near duplicate in training."""
        return float((self.similarity > 0).mean())

    def __repr__(self) -> str:
        name, best = max(self.scores.items(), key=lambda item: item[1].value)
        return (
            f"CorpusAudit({count(self.n_texts, 'text')}, {self.n_distinct:,} distinct; in "
            f"training: {self.copy_rate:.1%} of the test texts, {self.leak_rate:.1%} with near "
            f"duplicates; {self.metric} without activations: {best} ({name}))"
        )

    def to_frame(self) -> Any:
        """Return one row per baseline: scores on all test texts, and on those that do not leak.

        Returns
        -------
        pandas.DataFrame
            The columns are "score", "low", "high", "clean", "clean_low", "clean_high", "n_texts",
            "n_clean" and "n_groups".
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        nothing = (None, None, None)
        clean = self.clean_scores
        rows = [(*score, *clean.get(name, nothing)) for name, score in self.scores.items()]
        columns = ["score", "low", "high", "clean", "clean_low", "clean_high"]
        index = pandas.Index(self.scores, name="baseline")
        frame = pandas.DataFrame(rows, index=index, columns=columns, dtype=float)
        n_clean = int((self.similarity == 0).sum())
        return frame.assign(n_texts=len(self.rows), n_clean=n_clean, n_groups=self.n_groups)

    def leaks(self) -> Any:
        """Return one row per test text with a copy or a near duplicate in training.

        Returns
        -------
        pandas.DataFrame
            The columns are "row", "fold", "train_row" and "similarity".
        """
        pandas = import_optional("pandas", extra="plot", purpose="leaks()")
        chosen = self.similarity > 0
        columns = {
            "row": self.rows,
            "fold": self.folds,
            "train_row": self.sources,
            "similarity": self.similarity,
        }
        return pandas.DataFrame({name: values[chosen] for name, values in columns.items()})

    def without_leaks(self, result: LayerwiseScores) -> LayerwiseScores:
        """Return the scores of the layers on the test texts that do not leak.

        The probes are not trained again.

        Parameters
        ----------
        result : LayerwiseScores
            Scores on the same samples, with the same folds.

        Returns
        -------
        LayerwiseScores
            Folds without such texts are left out.

        Raises
        ------
        ValueError
            If the samples or folds are others, all texts leak, or the metric has no name.
        """
        held_out = result.check_held_out()
        if not (
            np.array_equal(held_out.rows, self.rows) and np.array_equal(held_out.folds, self.folds)
        ):
            raise ValueError(
                "The audit and the scores must use the same samples and folds. Pass the same cv "
                "and groups to both."
            )
        clean = self.similarity == 0
        if not clean.any():
            raise ValueError("All test texts have a copy or a near duplicate in training.")
        kept = held_out.select(clean)
        others = {name: each.select(clean) for name, each in result.other_held_out.items()}
        metric = check_metric(result.metric)
        scores = {name: _fold_scores(metric, each) for name, each in others.items()}
        n_tasks = 0 if result.control_scores is None else 1
        if result.control_task_scores is not None:
            n_tasks = len(result.control_task_scores)
        of_tasks = [scores[name] for name in task_names(result.control_name, n_tasks)]
        return replace(
            result,
            scores=_fold_scores(metric, kept),
            baseline_scores=scores["baseline"][0],
            control_scores=np.mean(of_tasks, axis=0) if of_tasks else None,
            control_task_scores=np.array(of_tasks) if of_tasks else None,
            other_scores={
                name: scores[name] if np.ndim(old) == 2 else scores[name][0]
                for name, old in result.other_scores.items()
            },
            held_out=kept,
            other_held_out=others,
        )

    def methods(self, *, sample: str = "text", group: str = "group") -> str:
        """Return sentences that describe the audit in a paper.

        Parameters
        ----------
        sample, group : str
            What a text and a group are, such as "prompt" and "topic".

        Returns
        -------
        str
        """
        clean = {
            name: f" ({format_score(score)} without leaks)"
            for name, score in self.clean_scores.items()
        }
        baselines = ", ".join(
            f"{name} {format_score(score)}{clean.get(name, '')}"
            for name, score in self.scores.items()
        )
        groups = f" of {count(self.n_groups, group)}" if self.is_grouped else ""
        return (
            f"{self.copy_rate:.1%} of the test {sample}s occur in the training {sample}s of their "
            f"fold, up to case and spaces, and {self.leak_rate:.1%} have a near duplicate there "
            f"(Jaccard similarity of character 5-grams of at least {self.threshold:g}), among "
            f"{count(self.n_texts, sample)}{groups}. {self.metric.capitalize()} "
            f"({self.confidence_level:.0%} interval) without activations: {baselines}. "
            f"random_state={self.random_state}. {name_versions(self.versions)}."
        )

    def _repr_html_(self) -> str:
        frame_rows: list[tuple[Any, ...]] = [
            (name, str(score), str(self.clean_scores.get(name, "–")))
            for name, score in self.scores.items()
        ]
        parts = [
            _table(repr(self), ("baseline", self.metric, "without leaks"), frame_rows),
            _table("Tokens", TokenLabel._fields, self.tokens),
            _table(
                "Test texts with a copy or near duplicate in training",
                LeakExample._fields,
                [
                    each._replace(
                        test_text=each.test_text[:_WIDTH], train_text=each.train_text[:_WIDTH]
                    )
                    for each in self.examples
                ],
            ),
        ]
        return "".join(parts)


def _table(caption: str, head: tuple[str, ...], rows: Any) -> str:
    if not rows:
        return ""
    heads = [element("th", escape(name), scope="col") for name in head]
    body = [[element("td", escape(format_value(cell))) for cell in row] for row in rows]
    return table(heads, [body], caption=caption)


def _fold_scores(metric: str, held_out: HeldOutPredictions) -> NDArray[np.float64]:
    comparable = make_comparable(metric, [held_out])
    return Folds(comparable.folds, comparable.groups).scores(comparable.metric, comparable.curves)
