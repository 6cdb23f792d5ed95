"""The measurement of an edit and of its placebos in all folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from .._parallel import n_parts, run_parallel
from .._row_copies import copy_rows
from .._validation import noting
from .._warnings import issued_once
from ..extraction.edited_runs import EditedRuns
from ._division import Work, measure
from ._labels_of_texts import LabeledTexts, Split
from ._measuring import ReadRows
from ._outcome import Outcome
from ._placebos import Matching
from ._recipes import Recipe
from .result import SINGLE_DRAWS


@dataclass(frozen=True)
class Study:
    """The measurement of the effects of an edit and of its placebos in all folds.

    Parameters
    ----------
    open_runs : callable
        Returns new runs, as for ``measure``.
    runs : EditedRuns
        Runs that are closed, which divide texts into batches.
    encoded : list of EncodedSentence
        All texts.
    read : ReadRows
    outcomes : list of Outcome
    recipe : Recipe
    kinds : tuple of str
        The placebos.
    n_placebos : int
    seeds : dict of str to int
        The seed of each kind of placebo.
    n_jobs : int or None
    edits : list of transformers
        The edit of each fold, once it is made.
    """

    open_runs: Callable[[], EditedRuns]
    runs: EditedRuns
    encoded: list[Any]
    read: ReadRows
    outcomes: list[Outcome]
    recipe: Recipe
    kinds: tuple[str, ...]
    n_placebos: int
    seeds: Mapping[str, int]
    n_jobs: int | None
    edits: list[Any] = field(default_factory=list)

    def run(
        self, labeled: LabeledTexts, splits: Sequence[Split], tasks: Sequence[NDArray]
    ) -> dict[str, NDArray[np.float64]]:
        """Measure all texts.

        Returns
        -------
        dict
            By the names "unedited", "edit" and those of the placebos, arrays of shape
            (n_outcomes, n_draws, n_texts). They are NaN for texts that are not tested.
        """
        shape = len(self.outcomes), 1, len(self.encoded)
        found = {name: np.full(shape, np.nan) for name in ("unedited", "edit")}
        for kind in self.kinds:
            n_draws = 1 if kind in SINGLE_DRAWS else self.n_placebos
            found[kind] = np.full((shape[0], n_draws, shape[2]), np.nan)
        folds = list(enumerate(splits))
        # Without other workers, each fold is measured before the edits of the next one take memory.
        rounds = [folds] if n_parts(self.n_jobs) > 1 else [[each] for each in folds]
        for some in rounds:
            made = self._make(labeled, tasks, some)
            work, names = [], []
            for (fold, (train, test)), edits in zip(some, made, strict=True):
                drawn = self._draw(edits, train, fold)
                for batch in self.runs.batches([self.encoded[i] for i in test]):
                    notes = [_notes(kind, fold) for kind, _, _ in drawn]
                    work.append(Work(batch, [edit for *_, edit in drawn], notes))
                    names.append([(kind, draw) for kind, draw, _ in drawn])
            measured = measure(self.open_runs, self.outcomes, work, n_jobs=self.n_jobs)
            for each, own, (before, effects) in zip(work, names, measured, strict=True):
                ids = [text.sentence_id for text in each.texts]
                found["unedited"][:, 0, ids] = before
                for (kind, draw), effect in zip(own, effects, strict=True):
                    found[kind][:, draw, ids] = effect
        return found

    def _make(
        self,
        labeled: LabeledTexts,
        tasks: Sequence[NDArray],
        folds: Sequence[tuple[int, Split]],
    ) -> list[list[Any]]:
        """Make the edit of each fold and those of its control tasks from the training texts."""
        kinds = ["edit", *("control_task" for _ in tasks)]
        starts = np.cumsum([0] + [text.n_rows for text in self.encoded])
        labels = None if labeled.labels is None else np.concatenate(labeled.labels)
        jobs = []
        for fold, (train, _) in folds:
            texts = [self.encoded[i] for i in train]
            rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in train])
            X = None if self.read.rows is None else copy_rows(self.read.rows, rows)
            groups, place = labeled.groups_of(texts), self.runs.place.name
            places = None if labels is None else labeled.places_of(texts)
            for kind, y in zip(kinds, (labels, *tasks), strict=True):
                data = _Training(X, y, places, groups)
                jobs.append((self.recipe, data, place, _notes(kind, fold)))
        with issued_once():
            made = list(run_parallel(_make, jobs, n_jobs=self.n_jobs))
        by_fold = [made[i : i + len(kinds)] for i in range(0, len(made), len(kinds))]
        self.edits.extend(edit for edit, *_ in by_fold)
        return by_fold

    def _draw(
        self, made: Sequence[Any], train: NDArray[np.intp], fold: int
    ) -> list[tuple[str, int, Any]]:
        """Return the kind and the number of each edit of a fold, and the edit."""
        edit, *controls = made
        states = self.read.of(train)
        if not len(states) and set(self.kinds) - {"control_task"}:
            raise ValueError(
                f"{self.runs.rule_name} does not select any position of the {len(train)} training "
                f"texts of fold {fold}, so placebos cannot be matched to the edit. Use fewer folds "
                "or texts in which it selects positions."
            )
        matching = Matching(edit, states)
        drawn = [("edit", 0, edit)]
        for kind in self.kinds:
            edits = controls
            if kind != "control_task":
                random = RandomState([self.seeds[kind], fold])
                with noting(*_notes(kind, fold)):
                    edits = list(matching.draw(kind, self.n_placebos, random))
            drawn += [(kind, draw, each) for draw, each in enumerate(edits)]
        return drawn

    def damage(self, texts: Sequence[Any]) -> dict[str, NDArray[np.float64]]:
        """Return the effects on unrelated texts by outcome, averaged over the folds."""
        outcomes = [outcome for outcome in self.outcomes if not outcome.of_texts]
        total = np.zeros((len(outcomes), len(texts)))
        notes = [()] * len(self.edits)
        work = [Work(batch, self.edits, notes) for batch in self.runs.batches(list(texts))]
        measured = measure(self.open_runs, outcomes, work, n_jobs=self.n_jobs)
        for each, (_, effects) in zip(work, measured, strict=True):
            ids = [text.sentence_id for text in each.texts]
            for effect in effects:
                total[:, ids] += effect / len(self.edits)
        return dict(zip([outcome.name for outcome in outcomes], total, strict=True))


class _Training(NamedTuple):
    """The rows of the training texts of a fold, the labels of all texts, and where theirs are."""

    X: NDArray | None
    labels: NDArray | None
    places: NDArray[np.intp] | None
    groups: NDArray | None


def _make(recipe: Recipe, data: _Training, place: Any, notes: Sequence[str]) -> Any:
    with noting(*notes):
        y = None if data.labels is None else data.labels[data.places]
        return recipe.make(data.X, y, place, data.groups)


def _notes(kind: str, fold: int) -> tuple[str, ...]:
    """Return what errors say about the edit for which they occurred."""
    of_fold = f"in fold {fold}"
    return (of_fold,) if kind == "edit" else (f"for the placebo {kind!r}", of_fold)
