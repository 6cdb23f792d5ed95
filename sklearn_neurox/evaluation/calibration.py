"""Calibration of predictions: what is observed, by what is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .._bootstrap import Resampling, Score
from .._html import element, escape, format_value, table
from .._optional import import_optional
from .._wording import count
from ._decision_scores import find_cells
from ._provenance import describe_bootstrap, name_versions
from .comparison import format_score

# With fewer groups, a bin has no interval.
_MIN_GROUPS = 5
STRATEGIES = ("uniform", "quantile")


class CalibrationBin(NamedTuple):
    """Samples with similar predictions: from `low` to `high`.

    `predicted` is the mean prediction, and `observed` the mean of the targets, with its interval.
    """

    low: float
    high: float
    predicted: float
    observed: Score
    n: int
    n_groups: int


@dataclass(frozen=True, eq=False, repr=False)
class CalibrationCurve:
    """Observed frequencies by predicted probability, or observed means by predicted number.

    A classifier is calibrated if, of the samples with a predicted probability of 0.3, 30 % are of
    the class. See the method ``calibration_curve`` of :class:`ProbeReport`.

    Parameters
    ----------
    bins : tuple of CalibrationBin
        Bins that contain samples, ordered by their predictions. Those with samples of fewer than
        five groups have no interval.
    label : label or None
        The class whose probability is predicted; None for a regressor.
    confidence : float
        Confidence level of the intervals.
    n_samples, n_groups : int
        Number of samples and of groups. Without groups, both are the same.
    is_grouped : bool
        Whether groups were resampled, rather than samples.
    n_bootstraps, random_state : int
        Number of resamples, and the int that draws the same ones.
    versions : dict of str to str
        Versions of Python and of the packages.
    """

    bins: tuple[CalibrationBin, ...]
    label: Any
    confidence: float
    n_samples: int
    n_groups: int
    is_grouped: bool
    n_bootstraps: int
    random_state: int
    versions: Mapping[str, str]

    def __repr__(self) -> str:
        about = "" if self.label is None else f" of {self.label!r}"
        return (
            f"CalibrationCurve({count(len(self.bins), 'bin')}{about}, mean absolute error "
            f"{self.mean_error:.3f}, {count(self.n_samples, 'sample')})"
        )

    @property
    def mean_error(self) -> float:
        """Mean absolute difference between what is predicted and observed in a bin.

        Bins are weighted by their number of samples. For probabilities, this is the expected
        calibration error. It depends on the bins, and is above 0 for a calibrated probe as well.
        """
        errors = [abs(each.predicted - each.observed.value) for each in self.bins]
        return float(np.average(errors, weights=[each.n for each in self.bins]))

    def to_frame(self) -> Any:
        """Return one row per bin.

        Returns
        -------
        pandas.DataFrame
            The columns are "predicted", "estimate", which is what is observed, its interval,
            "lower" and "upper", "n" and "n_groups". The index is the lower bound of the bin.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        rows = [(each.predicted, *each.observed, each.n, each.n_groups) for each in self.bins]
        columns = ["predicted", "estimate", "lower", "upper", "n", "n_groups"]
        index = pandas.Index([each.low for each in self.bins], name="from")
        frame = pandas.DataFrame(rows, columns=columns, index=index)
        return frame.astype({"lower": float, "upper": float})

    def methods(self, *, sample: str = "sample", group: str = "group") -> str:
        """Return sentences that describe the curve in a paper.

        Parameters
        ----------
        sample, group : str
            What a sample and a group are, such as "word" and "sentence".

        Returns
        -------
        str
        """
        what = "mean target" if self.label is None else f"frequency of {self.label!r}"
        bins = ", ".join(
            f"{format_score(Score(each.predicted, None, None))}: {format_score(each.observed)}"
            for each in self.bins
        )
        unit = group if self.is_grouped else sample
        sizes = [count(self.n_groups, group)] * self.is_grouped + [count(self.n_samples, sample)]
        bootstrap = describe_bootstrap(
            unit, self.n_bootstraps, self.random_state, intervals="percentile intervals"
        )
        return (
            f"Observed {what} ({self.confidence:.0%} interval) by mean prediction: {bins}; "
            f"{', '.join(sizes)}. {bootstrap} {name_versions(self.versions)}."
        )

    def _repr_html_(self) -> str:
        heads = [
            element("th", name, scope="col")
            for name in ("from", "to", "predicted", "observed", "n", "n_groups")
        ]
        rows = [[element("td", escape(format_value(cell))) for cell in each] for each in self.bins]
        return table(heads, [rows], caption=escape(repr(self)))


def find_bins(
    predicted: NDArray[np.float64], n_bins: int, strategy: str, limits: tuple[float, float]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the bin of each prediction and the n_bins + 1 edges, as scikit-learn does.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples,)
    n_bins : int
    strategy : {"uniform", "quantile"}
    limits : tuple of two floats
        First and last edge of bins of equal width.
    """
    if strategy == "uniform":
        edges = np.linspace(*limits, n_bins + 1)
    else:
        edges = np.percentile(predicted, np.linspace(0, 1, n_bins + 1) * 100)
    return np.searchsorted(edges[1:-1], predicted), edges


def score_bins(
    bins: NDArray[np.intp],
    edges: NDArray[np.float64],
    predicted: NDArray[np.float64],
    observed: NDArray[np.float64],
    sentences: NDArray | None,
    resampling: Resampling,
) -> tuple[CalibrationBin, ...]:
    """Return the bins that contain samples, with the intervals of what is observed in them."""
    n_bins = len(edges) - 1
    cells, rows = find_cells([bins, observed])
    places = np.arange(len(rows))
    entries = np.concatenate([observed[rows], np.ones(len(rows))])
    columns = np.concatenate([bins[rows], bins[rows] + n_bins])
    features = csr_array((entries, (np.tile(places, 2), columns)), shape=(len(rows), 2 * n_bins))

    def statistics(weights: NDArray, counts: csr_array) -> NDArray:
        total, n = np.split(weights @ (counts @ features), 2, axis=1)
        return np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)

    drawn = resampling.draw(cells, sentences, statistics)
    found = []
    for i in np.unique(bins).tolist():
        inside = bins == i
        n = int(inside.sum())
        n_groups = n if sentences is None else len(np.unique(sentences[inside]))
        of_bin = None if drawn is None or n_groups < _MIN_GROUPS else drawn[:, i]
        found.append(
            CalibrationBin(
                float(edges[i]),
                float(edges[i + 1]),
                float(predicted[inside].mean()),
                resampling.score(observed[inside].mean(), of_bin),
                n,
                n_groups,
            )
        )
    return tuple(found)
