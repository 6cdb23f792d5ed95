"""Measuring the outcomes of edits on texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._row_copies import empty_rows
from ..extraction.edited_runs import EditedRuns
from ..extraction.text_runs import TextRun
from ._outcome import Outcome

_MAX_STATES = 20_000  # that are kept for placebos


@dataclass(frozen=True)
class ReadRows:
    """The rows and states of texts at the place of the edit.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_neurons) or None
        In the order of the texts, or None if they are not required. Many rows are a memory map of a
        temporary file.
    states : ndarray of shape (n_states, n_neurons)
        States at edited positions, or evenly spaced ones of them if there are many.
    owners : ndarray of int of shape (n_states,)
        The text of each state.
    """

    rows: NDArray | None
    states: NDArray
    owners: NDArray[np.intp]

    def of(self, texts: NDArray[np.intp]) -> NDArray:
        """Return the states of some texts."""
        return self.states[np.isin(self.owners, texts)]


def read_rows(runs: EditedRuns, encoded: Sequence[Any], *, states_only: bool) -> ReadRows:
    """Run the network on all texts up to the place of the edit.

    Parameters
    ----------
    runs : EditedRuns
    encoded : sequence of EncodedSentence
    states_only : bool
        Whether the rows are not required.

    Raises
    ------
    ValueError
        If a state is NaN or infinite, or no position is edited.
    """
    starts = np.cumsum([0] + [text.n_rows for text in encoded])
    step = -(-sum(text.n_subwords for text in encoded) // _MAX_STATES)
    rows: NDArray | None = None
    states, owners = [], []
    n_seen = 0
    for batch in runs.batches(list(encoded)):
        run = runs.read_states(batch)
        if not states_only:
            found = runs.rows(run).cpu().numpy()
            if rows is None:
                rows = empty_rows(found.dtype, (starts[-1], found.shape[1]))
            places = [np.arange(starts[t.sentence_id], starts[t.sentence_id + 1]) for t in batch]
            rows[np.concatenate(places)] = found
        at = runs.edited_positions.nonzero()
        kept = at[(torch.arange(len(at)) + n_seen) % step == 0]
        n_seen += len(at)
        states.append(runs.states[kept[:, 0], kept[:, 1]].float().cpu().numpy())
        owners.append(np.array([text.sentence_id for text in batch])[kept[:, 0].cpu()])
        _check_finite(states[-1], owners[-1], runs.place.name)
    if not n_seen:
        raise ValueError("where does not select any position of any text.")
    return ReadRows(rows, np.concatenate(states), np.concatenate(owners))


def _check_finite(states: NDArray, owners: NDArray[np.intp], place: str) -> None:
    finite = np.isfinite(states).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"Text {owners[finite.argmin()]} has states at {place} that are NaN or infinite."
        )


class Measurement:
    """The outcomes of the texts of a batch, without an edit and with many.

    Parameters
    ----------
    runs : EditedRuns
    outcomes : list of Outcome
    """

    def __init__(self, runs: EditedRuns, outcomes: Sequence[Outcome]):
        self._runs, self._outcomes = runs, outcomes

    def check(self, encoded: Sequence[Any], edit: Any = None) -> None:
        """Check that the outcomes can be measured, and that an edit can be applied."""
        text = min(encoded, key=lambda each: each.n_subwords)
        run = self._runs.start([text])
        for outcome in self._outcomes:
            outcome.check(run, self._runs.again)
        if edit is not None:
            self._runs.run(edit)

    def unedited(self, batch: list[Any]) -> tuple[TextRun, NDArray[np.float64]]:
        """Run a batch without an edit, and return the run and its outcomes."""
        run = self._runs.start(batch)
        return run, self._measure(run, run)

    def effects(
        self, edit: Any, unedited: TextRun, before: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Run the last batch with an edit, and return the differences of the outcomes.

        Returns
        -------
        ndarray of shape (n_outcomes, n_texts)
        """
        return self.differences(self._runs.run(edit), unedited, before)

    def differences(
        self, run: TextRun, unedited: TextRun, before: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the differences of the outcomes of another run of the last batch.

        Returns
        -------
        ndarray of shape (n_outcomes, n_texts)
        """
        return self._measure(run, unedited) - before

    def _measure(self, run: TextRun, unedited: TextRun) -> NDArray[np.float64]:
        found = np.empty((len(self._outcomes), len(run.texts)))
        for row, outcome in zip(found, self._outcomes, strict=True):
            row[:] = outcome.measure(run, unedited).double().cpu().numpy()
            if not np.isfinite(row).all():
                text = run.texts[int(np.isfinite(row).argmin())].sentence_id
                raise ValueError(f"The metric {outcome.name!r} of text {text} is NaN or infinite.")
        return found
