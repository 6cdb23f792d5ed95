"""The measurement of interchanges at many layers, divided between processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._parallel import n_parts, run_parallel
from .._warnings import issued_once
from ..activations.columns import Neurons
from ..extraction.edited_runs import EditedRuns
from ..extraction.loaded import LoadedModel
from ..extraction.text_runs import TextRun
from ._interchange import SourceStates, source_inputs
from ._measuring import Measurement
from ._outcome import Outcome


class LayerEffects(NamedTuple):
    """Outcomes of interchanges at a layer.

    Parameters
    ----------
    effects : ndarray of shape (n_outcomes, n_positions, n_texts)
        Of a single position.
    joint : ndarray of shape (n_outcomes, n_texts)
        Of all positions at once.
    unedited : ndarray of shape (n_outcomes, n_texts)
        Outcomes on the texts.
    source : ndarray of shape (n_outcomes, n_texts) or None
        Outcomes on the sources minus those on the texts. It is None if lengths differ.
    """

    effects: NDArray[np.float64]
    joint: NDArray[np.float64]
    unedited: NDArray[np.float64]
    source: NDArray[np.float64] | None


@dataclass(frozen=True)
class Sweep:
    """What is interchanged at each layer.

    Parameters
    ----------
    loaded : LoadedModel
    texts, sources : list of EncodedSentence
    pairs : list of ndarray of shape (n_positions, 2)
        The interchanged positions of each text and of its source.
    outcomes : list of Outcome
    """

    loaded: LoadedModel
    texts: list[Any]
    sources: list[Any]
    pairs: Sequence[NDArray[np.intp]]
    outcomes: list[Outcome]

    def measure(self, places: Sequence[int | Neurons], n_jobs: int | None) -> list[LayerEffects]:
        """Measure the interchanges at some layers.

        The sources are measured at the first layer only, because they do not depend on it.
        """
        # Lower layers take longer, because more blocks are above them, so all jobs get some.
        n = min(n_parts(n_jobs), len(places))
        numbered = list(enumerate(places))
        jobs = [(self, numbered[part::n]) for part in range(n)]
        with issued_once():
            parts = list(run_parallel(_measure, jobs, n_jobs=n_jobs))
        return [parts[number % n][number // n] for number in range(len(places))]

    def at(self, place: int | Neurons, *, sources: bool) -> LayerEffects:
        """Measure the interchanges at a layer, and the sources if required."""
        shape = len(self.outcomes), len(self.pairs[0]), len(self.texts)
        effects, joint = np.zeros(shape), np.zeros(shape[::2])
        unedited, source = np.zeros(shape[::2]), np.zeros(shape[::2]) if sources else None
        with EditedRuns(self.loaded, layer=place) as runs:
            measurement = Measurement(runs, self.outcomes)
            for batch in runs.batches(self.texts):
                ids = [text.sentence_id for text in batch]
                states = SourceStates(runs, batch, self.sources, self.pairs)
                run, before = measurement.unedited(batch)
                unedited[:, ids] = before
                if source is not None:
                    found = self._source(runs, measurement, run, before)
                    if found is None:
                        source = None
                    else:
                        source[:, ids] = found
                joint[:, ids] = measurement.effects(states.at(), run, before)
                for column in range(shape[1]):
                    edit = states.at([np.array([column])] * len(batch))
                    effects[:, column, ids] = measurement.effects(edit, run, before)
        return LayerEffects(effects, joint, unedited, source)

    def _source(
        self, runs: EditedRuns, measurement: Measurement, run: TextRun, before: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        inputs = source_inputs(run, self.sources)
        return None if inputs is None else measurement.differences(runs.again(inputs), run, before)


def _measure(sweep: Sweep, places: Sequence[tuple[int, int | Neurons]]) -> list[LayerEffects]:
    return [sweep.at(place, sources=number == 0) for number, place in places]
