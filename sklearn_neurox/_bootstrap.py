"""Bootstrap over sentences. Whole sentences are drawn, because their words are not independent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, eye_array
from scipy.stats import norm
from scipy.stats import t as student_t
from sklearn.utils import check_random_state

# Number of cells of the matrix (resamples x sentences) that is in memory at a time.
_AT_ONCE = 2**20
# Sentences are sorted as rows of a matrix if padding makes it at most this many times as large.
_LARGEST_PADDING = 8


class Score(NamedTuple):
    """A score and its bootstrap interval.

    `low` and `high` are None if there is a single sentence, if the score is undefined in all
    resamples, and for a class that occurs in fewer than five sentences.
    """

    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        interval = "" if self.low is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{interval}"


@dataclass(frozen=True)
class Resampling:
    """Bootstrap over sentences."""

    n_bootstraps: int
    confidence: float
    seed: int

    def draw(
        self, cells: NDArray, sentences: NDArray | None, statistics: Callable[..., NDArray]
    ) -> NDArray | None:
        """Draw whole sentences with replacement, and compute statistics of each resample.

        Parameters
        ----------
        cells : ndarray of int of shape (n_samples,)
            The pair of label and prediction of each sample.
        sentences : ndarray of shape (n_samples,) or None
            The sentence of each sample. If None, each sample is a sentence.
        statistics : callable
            ``statistics(weights, counts)`` receives how often each kind of sentence was drawn,
            (n_resamples, n_kinds), and how often each cell occurs in it, (n_kinds, n_cells). It
            returns an array of shape (n_resamples, n_statistics).

        Returns
        -------
        ndarray of shape (n_bootstraps, n_statistics), or None if there is a single sentence
        """
        copies, counts = kinds_of_sentences(cells, sentences)
        if copies.sum() < 2:
            return None
        random = np.random.RandomState(self.seed)
        step = max(1, _AT_ONCE // max(counts.shape))
        parts = []
        for start in range(0, self.n_bootstraps, step):
            size = min(step, self.n_bootstraps - start)
            parts.append(statistics(draw_weights(random, copies, size), counts))
        return np.concatenate(parts)

    def score(self, value: float, drawn: NDArray | None) -> Score:
        """Add the interval to a score, ignoring resamples in which it is undefined."""
        if drawn is None or np.isnan(drawn).all():
            return Score(float(value), None, None)
        tail = (1 - self.confidence) / 2
        low, high = np.nanquantile(drawn, [tail, 1 - tail])
        return Score(float(value), float(low), float(high))


def kinds_of_sentences(
    cells: NDArray, sentences: NDArray | None
) -> tuple[NDArray[np.intp], csr_array]:
    """Return the number of sentences of each kind, and how often each cell occurs in a kind.

    Sentences with the same cells are interchangeable, so fewer numbers must be drawn. Kinds are
    sorted by their content, so draws do not depend on the order of the samples.
    """
    if not np.bincount(cells).all():
        cells = np.unique(cells, return_inverse=True)[1]
    n_cells = int(cells.max()) + 1
    if sentences is None:
        return np.bincount(cells), csr_array(eye_array(n_cells, format="csr"))
    codes = np.unique(sentences, return_inverse=True)[1]
    order = np.lexsort([cells, codes])
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    ranked = cells[order]
    lengths = np.diff(starts, append=len(ranked))
    if len(starts) * int(lengths.max()) <= _LARGEST_PADDING * len(ranked):
        columns, sizes, copies = _distinct_sentences(ranked, starts, lengths)
    else:  # a few sentences are much longer than the others
        grouped = np.split(ranked, starts[1:])
        found = Counter(tuple(sentence.tolist()) for sentence in grouped)
        kinds = sorted(found)
        columns, sizes = np.concatenate(kinds), np.array([len(kind) for kind in kinds])
        copies = np.array([found[kind] for kind in kinds])
    rows = np.repeat(np.arange(len(sizes)), sizes)
    entries = (np.ones(len(rows)), (rows, columns))
    return copies, csr_array(entries, shape=(len(sizes), n_cells))


def _distinct_sentences(
    cells: NDArray[np.intp], starts: NDArray[np.intp], lengths: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the different sentences, sorted and concatenated.

    Returns
    -------
    cells : ndarray of int
    lengths : ndarray of int of shape (n_kinds,)
    copies : ndarray of int of shape (n_kinds,)
        How often each of the sentences occurs.
    """
    padded = np.full((len(starts), lengths.max()), -1)  # shorter sentences are sorted first
    rows = np.repeat(np.arange(len(starts)), lengths)
    padded[rows, np.arange(len(cells)) - starts[rows]] = cells
    order = np.lexsort(padded.T[::-1])
    padded = padded[order]
    is_first = np.concatenate([[True], (padded[1:] != padded[:-1]).any(axis=1)])
    copies = np.diff(np.flatnonzero(is_first), append=len(starts))
    distinct = padded[is_first]
    return distinct[distinct >= 0], lengths[order][is_first], copies


def draw_weights(
    random: np.random.RandomState, copies: NDArray[np.intp], size: int
) -> NDArray[np.float64]:
    """Draw how often each kind occurs in a resample of all sentences, (size, n_kinds)."""
    total = copies.sum()
    if len(copies) * 8 < total:
        return random.multinomial(total, copies / total, size=size).astype(float)
    # The same distribution, but faster for many kinds.
    kinds = np.repeat(np.arange(len(copies)), copies)
    draws = kinds[random.randint(total, size=(size, total))]
    draws += len(copies) * np.arange(size)[:, np.newaxis]
    counts = np.bincount(draws.ravel(), minlength=size * len(copies))
    return counts.reshape(size, len(copies)).astype(float)


def as_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return an int that draws the same resamples: the int that was passed, or a new one."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def expanded_interval(drawn: NDArray, confidence: float, n_groups: int) -> tuple[float, float]:
    """Return the expanded percentile interval of resampled statistics (Hesterberg 2015).

    A percentile interval is too narrow for few groups. The tails are chosen such that, for a mean,
    the interval is as wide as that of a t-test over the groups. Resamples in which the statistic is
    undefined are ignored.
    """
    spread = np.sqrt(n_groups / (n_groups - 1))
    tail = norm.cdf(spread * student_t.ppf((1 - confidence) / 2, n_groups - 1))
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def expanded_p_value(share: ArrayLike, n_groups: int) -> NDArray[np.float64]:
    """Convert the share of the resamples in one tail to the p-value of a one-sided test.

    It is below the level if and only if the bound of :func:`expanded_interval` is.
    """
    spread = np.sqrt(n_groups / (n_groups - 1))
    return student_t.cdf(norm.ppf(share) / spread, n_groups - 1)


def expanded_deviations(deviations: NDArray, n_groups: int) -> NDArray[np.float64]:
    """Expand standardized deviations of resampled statistics, as :func:`expanded_interval` does."""
    spread = np.sqrt(n_groups / (n_groups - 1))
    size = student_t.isf(norm.sf(np.abs(deviations)), n_groups - 1)
    return spread * np.sign(deviations) * size  # exactly 0 at 0, and symmetric
