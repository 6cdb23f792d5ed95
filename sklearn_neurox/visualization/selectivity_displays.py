"""Displays of selectivity: the score on a task compared with the score on its control task."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Self

import numpy as np

from .._rare_labels import of_defined_folds
from ..evaluation import Selectivity, SelectivityCurve, selectivity_curve, selectivity_score
from ._axes import plot_control_band, plot_folds, series_style, set_xticks, spread_of
from ._display import NamedResultsDisplay, ResultDisplay
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SelectivityDisplay(NamedResultsDisplay[Selectivity]):
    """Plot of the scores on the task and the control task, for one or several experiments.

    Points are means over the folds. The number above the line between them is the selectivity. With
    several control tasks, a bar extends one standard deviation of their means to each side.

    Parameters
    ----------
    result : Selectivity, or dict of str to Selectivity
        Result of :func:`selectivity_score`, or a dict of results by name of the experiment.

    Raises
    ------
    TypeError
        If a result is not a Selectivity.
    ValueError
        If there are no results, or they have different metrics.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import Selectivity, SelectivityDisplay
    >>> table = Selectivity(np.array([0.8]), np.array([0.8]), np.array([0.2]), "accuracy")
    >>> probe = Selectivity(np.array([0.9]), np.array([0.5]), np.array([0.2]), "accuracy")
    >>> display = SelectivityDisplay.from_result({"words alone": table, "probe": probe})
    >>> [text.get_text() for text in display.ax_.texts]
    ['+0.00', '+0.40']
    """

    _compute = staticmethod(selectivity_score)
    _kind = Selectivity
    _by_fold = ("task", "control")

    def __init__(self, result: Selectivity | Mapping[str, Selectivity]) -> None:
        super().__init__(result)
        metrics = sorted({each.metric for each in self._results.values()})
        if len(metrics) > 1:
            raise ValueError(f"All results must have the same metric, got {' and '.join(metrics)}.")

    def _figsize(self) -> tuple[float, float]:
        return 6.4, 1.9 + 0.4 * len(self._results)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        line_kw: Style | None = None,
        errorbar_kw: Style | None = None,
        hlines_kw: Style | None = None,
        text_kw: Style | None = None,
    ) -> Self:
        """Plot the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        line_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot` for the points.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar` for the spread over several
            control tasks.
        hlines_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.hlines` for the lines between them.
        text_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.annotate` for the numbers.

        Returns
        -------
        self : SelectivityDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(
            ax, line_kw=line_kw, errorbar_kw=errorbar_kw, hlines_kw=hlines_kw, text_kw=text_kw
        )
        results = self._results
        rows = np.arange(len(results))
        task, control = np.array(
            [
                [of_defined_folds(scores, each.task).mean() for scores in (each.task, each.control)]
                for each in results.values()
            ]
        ).T
        spread = np.array([float(each.control_std) for each in results.values()])
        if not np.isnan(spread).all():
            bars = {"color": series_style(1)["color"], "linestyle": "none", "capsize": 4}
            ax.errorbar(control, rows, xerr=spread, **override(bars, errorbar_kw, "lines.Line2D"))
        segments = {"color": "0.6", "linewidth": 3, "zorder": 1}
        ax.hlines(
            rows, control, task, **override(segments, hlines_kw, "collections.LineCollection")
        )
        for index, (label, values) in enumerate({"Task": task, "Control task": control}.items()):
            points = {**series_style(index), "linestyle": "none", "markersize": 8, "label": label}
            ax.plot(values, rows, **override(points, line_kw, "lines.Line2D"))
        numbers = {"textcoords": "offset points", "ha": "center", "fontsize": 9}
        for row, (one, other) in enumerate(zip(task, control, strict=True)):
            ax.annotate(
                _signed(one - other),
                ((one + other) / 2, row),
                **override({"xytext": (0, 7), **numbers}, text_kw, "text.Text"),
            )
        metric = next(iter(results.values())).metric
        ax.set(
            xlabel=f"{literal(metric.capitalize())} (mean over the folds)",
            title="Selectivity: task score minus control score",
            ylim=(len(results) + 0.2, -0.6),  # leaves space for the legend
        )
        ax.set_yticks(rows, [literal(name) for name in results])
        ax.legend(loc="lower center", ncols=2, fontsize="small")
        return self


class SelectivityCurveDisplay(ResultDisplay[SelectivityCurve]):
    """Plot of the scores on both tasks, and their difference, as a function of a parameter.

    Points are means over the folds, and bars extend one standard deviation to each side. With
    several control tasks, a band shows the standard deviation of their means. The values of the
    parameter are equally spaced.

    Parameters
    ----------
    result : SelectivityCurve
        From :func:`selectivity_curve`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_neurox import SelectivityCurveDisplay
    >>> ids = np.random.RandomState(0).randint(40, size=600)  # integers stand for words
    >>> display = SelectivityCurveDisplay.from_estimator(
    ...     DecisionTreeClassifier(random_state=0), ids[:, None] / 40, ids >= 20, words=ids,
    ...     param_name="max_depth", param_range=[1, 5, 20], random_state=0)
    >>> display.ax_.get_xlabel()
    'max_depth'
    """

    _compute = staticmethod(selectivity_curve)
    _kind = SelectivityCurve
    _by_fold = ("task", "control")

    def plot(
        self,
        *,
        ax: Axes | None = None,
        errorbar_kw: Style | None = None,
        band_kw: Style | None = None,
    ) -> Self:
        """Plot the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar`.
        band_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.fill_between` for the spread over several
            control tasks.

        Returns
        -------
        self : SelectivityCurveDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, errorbar_kw=errorbar_kw, band_kw=band_kw)
        result = self.result
        curves = {
            "Task": result.task,
            "Control task": result.control,
            "Selectivity": result.selectivity,
        }
        positions = np.arange(len(result.param_range))
        for index, (label, scores) in enumerate(curves.items()):
            plot_folds(ax, positions, scores, label, index, errorbar_kw)
        plot_control_band(ax, positions, result.control_scores, 1, band_kw)
        set_xticks(ax, [_short(value) for value in result.param_range])
        ax.set(
            xlabel=literal(result.param_name.rpartition("__")[2]),  # without the step of a Pipeline
            ylabel=f"{literal(result.metric.capitalize())} ({spread_of(result.task.shape[1])})",
            title="Which probe learns the task without memorizing words?",
        )
        ax.legend()
        return self


def _signed(value: float) -> str:
    rounded = round(value, 2) + 0.0  # turns -0.0 into 0.0
    return f"{rounded:+.2f}".replace("-", "\N{MINUS SIGN}")


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, Real) and not isinstance(value, bool) else str(value)
