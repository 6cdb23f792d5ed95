"""Display of the scores of a probe on each layer."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .._rare_labels import of_defined_folds
from ..evaluation import LayerwiseScores, layerwise_scores
from ._axes import plot_control_band, plot_folds, set_xticks, spread_of
from ._display import ResultDisplay
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEVELS: tuple[dict[str, Any], ...] = (
    {"color": "0.4", "linestyle": ":"},
    {"color": "black", "linestyle": (0, (5, 1))},
    {"color": "0.6", "linestyle": (0, (3, 1, 1, 1, 1, 1))},
)


class LayerwiseScoresDisplay(ResultDisplay[LayerwiseScores]):
    """Plot of the scores of a probe on each layer, with its controls and the baseline.

    Points are means over the folds, and bars extend one standard deviation to each side. With
    several control tasks, a band shows the standard deviation of their means.

    Parameters
    ----------
    result : LayerwiseScores
        From :func:`layerwise_scores`.

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
    >>> from sklearn_neurox import LayerwiseScoresDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = LayerwiseScoresDisplay.from_estimator(RidgeClassifier(), X, y, n_layers=8)
    >>> display.ax_.get_xlabel()
    'Layer'
    """

    _compute = staticmethod(layerwise_scores)
    _kind = LayerwiseScores
    _by_fold = ("scores", "control_scores", "baseline_scores", "other_scores")

    def plot(
        self,
        *,
        ax: Axes | None = None,
        errorbar_kw: Style | None = None,
        level_kw: Style | None = None,
        band_kw: Style | None = None,
    ) -> Self:
        """Plot the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar` for the curves.
        level_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.axhline` for the baseline and the other
            scores that do not depend on the layer.
        band_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.fill_between` for the spread over several
            control tasks.

        Returns
        -------
        self : LayerwiseScoresDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, errorbar_kw=errorbar_kw, level_kw=level_kw, band_kw=band_kw)
        result = self.result
        layers = result.layers or ()
        curves = [("Task", result.scores)]
        if result.control_scores is not None:
            is_named = result.control_name != "control task"
            name = result.control_name if is_named else "Control task"
            curves.append((name, result.control_scores))
        levels = [("Baseline, no activations", result.baseline_scores)]
        for name, scores in result.other_scores.items():
            (curves if scores.ndim == 2 else levels).append((name, scores))
        positions = np.arange(len(result.scores))
        for index, (name, scores) in enumerate(curves):
            plot_folds(ax, positions, scores, name, index, errorbar_kw)
        plot_control_band(ax, positions, result.control_task_scores, 1, band_kw)
        for (name, scores), line in zip(levels, cycle(_LEVELS)):
            style = override({"label": literal(name), **line}, level_kw, "lines.Line2D")
            ax.axhline(of_defined_folds(scores).mean(), **style)
        ax.set(
            xlabel="Layer",
            ylabel=f"{literal(result.metric.capitalize())} ({spread_of(result.scores.shape[1])})",
            title=f"Probe scores by layer{' (0: embeddings)' if 0 in layers else ''}",
        )
        set_xticks(ax, layers or range(len(positions)))
        ax.legend()
        return self
