"""The measurement of an edit and of its placebos in all folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from .._validation import noting
from ..extraction.edited_runs import EditedRuns
from ._labels_of_texts import LabeledTexts, LabelsByText, Split
from ._measuring import Measurement, read_rows
from ._outcome import Outcome
from ._placebos import Matching
from ._recipes import Recipe
from .result import SINGLE_DRAWS


@dataclass(frozen=True)
class Study:
    """The measurement of the effects of an edit and of its placebos in all folds.

    Parameters
    ----------
    runs : EditedRuns
    encoded : list of EncodedSentence
        All texts.
    outcomes : list of Outcome
    recipe : Recipe
    kinds : tuple of str
        The placebos.
    n_placebos : int
    seeds : dict of str to int
        The seed of each kind of placebo.
    edits : list of transformers
        The edit of each fold, once it is made.
    """

    runs: EditedRuns
    encoded: list[Any]
    outcomes: list[Outcome]
    recipe: Recipe
    kinds: tuple[str, ...]
    n_placebos: int
    seeds: Mapping[str, int]
    edits: list[Any] = field(default_factory=list)

    def run(
        self, labeled: LabeledTexts, splits: Sequence[Split], tasks: Sequence[LabelsByText]
    ) -> dict[str, NDArray[np.float64]]:
        """Measure all texts.

        Returns
        -------
        dict
            By the names "unedited", "edit" and those of the placebos, arrays of shape
            (n_outcomes, n_draws, n_texts). They are NaN for texts that are not tested.
        """
        read = read_rows(self.runs, self.encoded, states_only=self.recipe.is_fixed)
        shape = len(self.outcomes), 1, len(self.encoded)
        found = {name: np.full(shape, np.nan) for name in ("unedited", "edit")}
        for kind in self.kinds:
            n_draws = 1 if kind in SINGLE_DRAWS else self.n_placebos
            found[kind] = np.full((shape[0], n_draws, shape[2]), np.nan)
        starts = np.cumsum([0] + [text.n_rows for text in self.encoded])
        for fold, (train, test) in enumerate(splits):
            rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in train])
            X = None if read.rows is None else read.rows[rows]
            with noting(f"in fold {fold}"):
                drawn = self._edits(labeled, tasks, train, X, read.of(train), fold)
                self._measure([self.encoded[i] for i in test], drawn, found)
        return found

    def _edits(
        self,
        labeled: LabeledTexts,
        tasks: Sequence[LabelsByText],
        train: NDArray[np.intp],
        X: NDArray | None,
        states: NDArray,
        fold: int,
    ) -> dict[str, list[Any]]:
        """Make the edit of a fold and its placebos from the training texts."""
        texts, place = [self.encoded[i] for i in train], self.runs.place.name
        groups = labeled.groups_of(texts)

        def make(labels: LabelsByText | None) -> Any:
            y = None if labels is None else np.concatenate(labeled.rows_of(labels, texts))
            return self.recipe.make(X, y, place, groups)

        edit = make(labeled.labels)
        self.edits.append(edit)
        drawn = {"edit": [edit]}
        if not len(states) and set(self.kinds) - {"control_task"}:
            raise ValueError(
                f"{self.runs.rule_name} does not select any position of the {len(train)} training "
                f"texts of fold {fold}, so placebos cannot be matched to the edit. Use fewer folds "
                "or texts in which it selects positions."
            )
        matching = Matching(edit, states)
        for kind in self.kinds:
            with _noting(kind):
                if kind == "control_task":
                    drawn[kind] = [make(labels) for labels in tasks]
                else:
                    random = RandomState([self.seeds[kind], fold])
                    drawn[kind] = list(matching.draw(kind, self.n_placebos, random))
        return drawn

    def _measure(
        self,
        texts: list[Any],
        drawn: Mapping[str, Sequence[Any]],
        found: dict[str, NDArray[np.float64]],
    ) -> None:
        """Measure the test texts of a fold."""
        measurement = Measurement(self.runs, self.outcomes)
        for batch in self.runs.batches(texts):
            ids = [text.sentence_id for text in batch]
            unedited, before = measurement.unedited(batch)
            found["unedited"][:, 0, ids] = before
            for kind, edits in drawn.items():
                with _noting(kind):
                    for draw, edit in enumerate(edits):
                        found[kind][:, draw, ids] = measurement.effects(edit, unedited, before)

    def damage(self, texts: Sequence[Any]) -> dict[str, NDArray[np.float64]]:
        """Return the effects on unrelated texts by outcome, averaged over the folds."""
        outcomes = [outcome for outcome in self.outcomes if not outcome.of_texts]
        measurement = Measurement(self.runs, outcomes)
        total = np.zeros((len(outcomes), len(texts)))
        for batch in self.runs.batches(list(texts)):
            ids = [text.sentence_id for text in batch]
            unedited, before = measurement.unedited(batch)
            for edit in self.edits:
                total[:, ids] += measurement.effects(edit, unedited, before) / len(self.edits)
        return dict(zip([outcome.name for outcome in outcomes], total, strict=True))


def _noting(kind: str) -> AbstractContextManager[None]:
    """Return a context that adds to errors for which placebo they occurred."""
    return nullcontext() if kind == "edit" else noting(f"for the placebo {kind!r}")
