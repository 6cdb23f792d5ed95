"""Display of scores on the same samples, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..evaluation import ScoreComparison
from ._axes import series_style, set_xticks
from ._display import BareResultDisplay
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ScoreComparisonDisplay(BareResultDisplay[ScoreComparison]):
    """Plot of scores on the same samples, with bootstrap intervals.

    If all scores were compared with each other, or with the highest one, those that are not
    significantly worse than the best are a separate series.

    Parameters
    ----------
    result : ScoreComparison
        From :func:`compare_scores`, or the method ``compare`` of :class:`LayerwiseScores`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import ScoreComparisonDisplay, layerwise_scores
    >>> X, y = load_digits(return_X_y=True)  # 8 rows of 8 pixels, used as layers
    >>> result = layerwise_scores(RidgeClassifier(), X, y, n_layers=8)
    >>> display = ScoreComparisonDisplay.from_result(result.compare(random_state=0))
    >>> display.ax_.get_xlabel()
    'Layer'
    """

    _kind = ScoreComparison

    def plot(self, *, ax: Axes | None = None, errorbar_kw: Style | None = None) -> Self:
        """Plot the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar`.

        Returns
        -------
        self : ScoreComparisonDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, errorbar_kw=errorbar_kw)
        result = self.result
        is_best = np.isin(np.arange(len(result.names)), [*map(result.names.index, result.best)])
        series = {"": np.ones(len(is_best), dtype=bool)}
        if result.ranks_all:
            label = "Not significantly worse than the best"
            series = {label: is_best, "Significantly worse": ~is_best}
        for index, (label, chosen) in enumerate(series.items()):
            self._draw(ax, np.flatnonzero(chosen), label, index, errorbar_kw)
        is_layers = all(isinstance(name, int) for name in result.names)
        unit = "groups" if result.is_grouped else "samples"
        ax.set(
            xlabel="Layer" if is_layers else "",
            ylabel=f"{literal(result.metric.capitalize())} with {result.confidence_level:.0%} "
            "intervals",
            title=f"Scores in the same resamples of {result.n_groups:,} {unit}",
        )
        set_xticks(ax, result.names)
        if result.ranks_all:
            ax.legend()
        return self

    def _draw(self, ax: Any, places: Any, label: str, index: int, user: Style | None) -> None:
        if not len(places):
            return
        scores = [self.result.scores[place] for place in places]
        values = np.array([score.value for score in scores])
        low, high = np.array(
            [
                (score.value, score.value) if score.low is None else (score.low, score.high)
                for score in scores
            ]
        ).T
        style = {**series_style(index), "linestyle": "none", "capsize": 3, "label": label}
        bars = [np.maximum(values - low, 0), np.maximum(high - values, 0)]
        ax.errorbar(places, values, bars, **override(style, user, "lines.Line2D"))
