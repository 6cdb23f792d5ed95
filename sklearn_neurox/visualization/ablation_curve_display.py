"""Display of the scores of subsets of a ranking of neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from .._rare_labels import of_defined_folds
from ..evaluation import AblationCurve, ablation_curve
from ._axes import plot_folds, spread_of
from ._display import ResultDisplay
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Each kind of neurons has a fixed style, even if the curve lacks the others.
_INDEX = {"top": 0, "random": 1, "bottom": 2}
_OTHERS = {
    "": "",
    "zero": " (others set to 0)",
    "mean": " (others set to their means)",
    "resample": " (others resampled)",
    "remove": " (probe trained only on them)",
}


class AblationCurveDisplay(ResultDisplay[AblationCurve]):
    """Plot of the scores with only the top, random or bottom neurons of a ranking.

    Points are means over the folds, and bars extend one standard deviation to each side.

    Parameters
    ----------
    result : AblationCurve
        From :func:`ablation_curve`.

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
    >>> from sklearn_neurox import AblationCurveDisplay, WeightMassSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> display = AblationCurveDisplay.from_estimator(
    ...     RidgeClassifier(), X, y, ranking=WeightMassSelector(RidgeClassifier()))
    >>> display.ax_.get_xlabel()
    'Neurons kept (of 64)'
    """

    _compute = staticmethod(ablation_curve)
    _kind = AblationCurve
    _finite = ("n_neurons",)
    _by_fold = ("scores", "full_scores")

    def plot(
        self,
        *,
        ax: Axes | None = None,
        errorbar_kw: Style | None = None,
        level_kw: Style | None = None,
    ) -> Self:
        """Plot the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar` for the curves.
        level_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.axhline` for the score with all neurons.

        Returns
        -------
        self : AblationCurveDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, errorbar_kw=errorbar_kw, level_kw=level_kw)
        result = self.result
        order = np.argsort(result.n_neurons, kind="stable")
        n_neurons = result.n_neurons[order]
        for keep, scores in result.scores.items():
            label = f"{keep.capitalize()} neurons"
            plot_folds(ax, n_neurons, scores[order], label, _INDEX[keep], errorbar_kw)
        level = {"color": "0.4", "linestyle": ":", "label": "All neurons"}
        ax.axhline(
            of_defined_folds(result.full_scores).mean(), **override(level, level_kw, "lines.Line2D")
        )
        ax.set(
            xscale="log",
            xlabel=f"Neurons kept (of {result.n_available:,})",
            ylabel=f"{literal(result.metric.capitalize())} ({spread_of(len(result.full_scores))})",
            title=f"How many neurons are enough?{_OTHERS[result.mode]}",
        )
        ax.set_xticks(n_neurons, [f"{n:,}" for n in n_neurons], rotation=45)
        ax.minorticks_off()
        ax.legend()
        return self
