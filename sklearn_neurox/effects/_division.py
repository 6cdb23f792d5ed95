"""The measurement of many edits on many batches of texts, divided between processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._parallel import n_parts, run_parallel
from .._validation import noting
from .._warnings import issued_once
from ..extraction.edited_runs import EditedRuns
from ._measuring import Measurement
from ._outcome import Outcome

# Outcomes without an edit, (n_outcomes, n_texts), and the effects of edits, (n_edits, n_outcomes,
# n_texts).
Measured: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Work:
    """A batch of texts, and the edits whose effects on it are measured.

    Parameters
    ----------
    texts : list of EncodedSentence
    edits : sequence of transformers
    notes : sequence of tuple of str
        What errors say about each edit, such as "in fold 0".
    """

    texts: list[Any]
    edits: Sequence[Any]
    notes: Sequence[tuple[str, ...]]


def measure(
    open_runs: Callable[[], EditedRuns],
    outcomes: Sequence[Outcome],
    work: Sequence[Work],
    *,
    n_jobs: int | None,
) -> list[Measured]:
    """Measure the effects of edits on batches.

    Each job is a part of the work of about the same size. It runs each of its batches once without
    an edit, and once with each edit, so the results do not depend on the division.

    Parameters
    ----------
    open_runs : callable
        Returns new runs.
    outcomes : list of Outcome
    work : sequence of Work
    n_jobs : int or None
        Number of jobs to run in parallel, as in :func:`run_parallel`.

    Returns
    -------
    list of tuple of (ndarray, ndarray)
        For each work, the outcomes without an edit, of shape (n_outcomes, n_texts), and the effects
        of the edits, of shape (n_edits, n_outcomes, n_texts).
    """
    parts = divide(work, n_parts(n_jobs))
    jobs = [(open_runs, outcomes, [each for _, each in part]) for part in parts]
    numbers = [number for part in parts for number, _ in part]
    with issued_once():
        pieces = list(chain.from_iterable(run_parallel(_measure, jobs, n_jobs=n_jobs)))
    found: list[Measured] = []
    for _, same in groupby(zip(numbers, pieces, strict=True), key=itemgetter(0)):
        before, effects = zip(*(piece for _, piece in same), strict=True)
        found.append((before[0], np.concatenate(effects)))
    return found


def divide(work: Sequence[Work], n_parts: int) -> list[list[tuple[int, Work]]]:
    """Divide the edits of all work, in their order, into parts that take about the same time.

    Returns
    -------
    list of at most n_parts lists of tuple
        Parts of the work, each with the index of the whole.
    """
    sizes = [sum(text.n_subwords for text in each.texts) for each in work]
    n_edits = [len(each.edits) for each in work]
    ends = np.cumsum(np.repeat(sizes, n_edits))
    part_of = (ends - np.repeat(sizes, n_edits) / 2) * n_parts // ends[-1]
    parts: list[list[tuple[int, Work]]] = [[] for _ in range(n_parts)]
    for number, (each, own) in enumerate(
        zip(work, np.split(part_of, np.cumsum(n_edits)[:-1]), strict=True)
    ):
        for part in np.unique(own):
            first, last = np.flatnonzero(own == part)[[0, -1]]
            some = slice(first, last + 1)
            shared = replace(each, edits=each.edits[some], notes=each.notes[some])
            parts[int(part)].append((number, shared))
    return [part for part in parts if part]


def _measure(
    open_runs: Callable[[], EditedRuns], outcomes: Sequence[Outcome], work: Sequence[Work]
) -> list[Measured]:
    """Measure a part of the work."""
    found = []
    with open_runs() as runs:
        measurement = Measurement(runs, outcomes)
        for each in work:
            unedited, before = measurement.unedited(each.texts)
            effects = np.empty((len(each.edits), *before.shape))
            for row, edit, notes in zip(effects, each.edits, each.notes, strict=True):
                with noting(*notes):
                    row[:] = measurement.effects(edit, unedited, before)
            found.append((before, effects))
    return found
