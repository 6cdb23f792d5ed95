"""Display of the scores of each class, or of the predictions of a regressor."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..evaluation import ProbeReport, probe_report
from ._axes import plot_matrix, series_style, space_below
from ._display import NamedResultsDisplay
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SCORES = ("f1", "recall", "precision")
_RELATIVE = ("r2", "pearson", "spearman")  # scores of regressors that do not depend on the scale
_MAX_AS_POINTS = 3  # reports that are drawn as points; more are drawn as a matrix


class ProbeReportDisplay(NamedResultsDisplay[ProbeReport]):
    """Plot of the scores of each class, ordered by decreasing frequency, for one or several probes.

    Up to three reports are drawn as points, with the confidence intervals of F1. More reports are
    drawn as a matrix. The reports of regressors are drawn as predictions by target, or as a matrix
    of their scores.

    Parameters
    ----------
    result : ProbeReport, or dict of str to ProbeReport
        Report from :func:`probe_report`, or a dict of reports by name of the experiment, such as
        the layer. All of them must be of classifiers, or all of regressors.
    score : {"f1", "recall", "precision"}, default=None
        Score of each class to draw, by default "f1". The recall is the accuracy on the samples of
        the class.

    Raises
    ------
    TypeError
        If a result is not a ProbeReport.
    ValueError
        If `score` is unknown or there are no classes, there are no reports, or reports have
        different classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Plots the ``confusion_matrix`` of a report.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import ProbeReportDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> probe = RidgeClassifier().fit(X[:1200], y[:1200])
    >>> display = ProbeReportDisplay.from_estimator(probe, X[1200:], y[1200:])
    >>> display.ax_.get_yticklabels()[0].get_text()
    '3 (62)'
    """

    _compute = staticmethod(probe_report)
    _kind = ProbeReport

    def __init__(
        self, result: ProbeReport | Mapping[str, ProbeReport], *, score: str | None = None
    ) -> None:
        super().__init__(result)
        if score is not None and score not in _SCORES:
            raise ValueError(f"score must be one of {_SCORES}, got {score!r}.")
        self._labels, self._support = _classes_of(list(self._results.values()))
        if score is not None and not self._labels:
            raise ValueError(f"score of the reports of regressors must be None, got {score!r}.")
        self.score = score or _SCORES[0]

    def _figsize(self) -> tuple[float, float]:
        if not self._labels:
            return 6.4, 4.8
        names = space_below(self._results) if len(self._results) > _MAX_AS_POINTS else 0
        return 6.4, 1.4 + 0.28 * len(self._labels) + names

    def plot(
        self,
        *,
        ax: Axes | None = None,
        errorbar_kw: Style | None = None,
        line_kw: Style | None = None,
        level_kw: Style | None = None,
        im_kw: Style | None = None,
        text_kw: Style | None = None,
    ) -> Self:
        """Plot the scores of the classes, or the predictions of regressors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar`, for points.
        line_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot` for the predictions of regressors.
        level_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.axline` for the line of predictions that
            equal the targets.
        im_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.imshow`, for a matrix.
        text_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.text` for the numbers in a matrix.

        Returns
        -------
        self : ProbeReportDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(
            ax, errorbar_kw=errorbar_kw, line_kw=line_kw, level_kw=level_kw, im_kw=im_kw,
            text_kw=text_kw,
        )  # fmt: skip
        if not self._labels:
            _draw_regressors(ax, self._results, line_kw, level_kw, im_kw, text_kw)
            return self
        order = np.argsort(-self._support, kind="stable")
        names, reports = list(self._results), self._results.values()
        # (n_reports, n_classes, 3): value, low, high
        values = np.array([_class_values(report, self.score) for report in reports])[:, order]
        rows = [self._row_label(place) for place in order]
        if len(names) <= _MAX_AS_POINTS:
            self._draw_points(ax, names, values, errorbar_kw)
            ax.set_yticks(range(len(rows)), [literal(row) for row in rows])
        else:
            label = self.score.capitalize()
            plot_matrix(ax, values[..., 0].T, rows, names, label, im_kw, text_kw)
        ax.set_ylabel("Class (support)" if self._has_one_support() else "Class")
        ax.set_title("Which classes does the probe get right?")
        return self

    def _has_one_support(self) -> bool:
        """Return whether all reports have the same number of samples of each class."""
        supports = {tuple(c.support for c in each.per_class) for each in self._results.values()}
        return len(supports) == 1

    def _row_label(self, place: int) -> str:
        support = self._support[place] // len(self._results)
        label = str(self._labels[place])
        return f"{label} ({support:,})" if self._has_one_support() else label

    def _draw_points(
        self, ax: Axes, names: Sequence[str], values: NDArray[np.float64], errorbar_kw: Style | None
    ) -> None:
        for index, (name, (value, low, high)) in enumerate(
            zip(names, np.moveaxis(values, 2, 1), strict=True)
        ):
            shift = 0.22 * (index - (len(names) - 1) / 2)
            bars = np.maximum(0, np.array([value - low, high - value]))
            style = {**series_style(index), "linestyle": "none", "capsize": 2}
            style["label"] = literal(name)
            ax.errorbar(
                value,
                np.arange(len(value)) + shift,
                xerr=None if np.isnan(bars).all() else bars,
                **override(style, errorbar_kw, "lines.Line2D"),
            )
        ax.set_xlabel(f"{self.score.capitalize()}{_intervals(self._results.values(), values)}")
        ax.set_ylim(values.shape[1] - 0.5, -0.5)
        ax.grid(axis="x", alpha=0.3)
        if len(names) > 1:
            ax.legend()


def _intervals(reports: Collection[ProbeReport], values: NDArray[np.float64]) -> str:
    """Return a description of the bars for the label of an axis, empty if there are no bars."""
    if np.isnan(values[..., 1:]).all():
        return ""
    levels = sorted({f"{report.confidence:.0%}" for report in reports})
    return f" ({' and '.join(levels)} confidence interval{'s' if len(levels) > 1 else ''})"


def _classes_of(reports: Sequence[ProbeReport]) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the labels that all reports share, none for regressors, and their total support."""
    labels, *others = [[each.label for each in report.per_class] for report in reports]
    for other in others:
        if bool(other) != bool(labels):
            raise ValueError(
                "All reports must be of classifiers, or all of regressors, got both kinds."
            )
        if other != labels:
            raise ValueError(f"All reports must have the same classes, got {labels} and {other}.")
    return labels, np.sum([[c.support for c in report.per_class] for report in reports], axis=0)


def _class_values(report: ProbeReport, name: str) -> NDArray[np.float64]:
    """Return the value, low and high of a score for each class, NaN if undefined."""
    values = []
    for each in report.per_class:
        score = getattr(each, name)
        if score is None:
            score = np.nan
        values.append((score, np.nan, np.nan) if isinstance(score, Real) else score)
    return np.array(values, dtype=np.float64)


def _draw_regressors(
    ax: Axes,
    reports: Mapping[str, ProbeReport],
    line_kw: Style | None,
    level_kw: Style | None,
    im_kw: Style | None,
    text_kw: Style | None,
) -> None:
    """Draw the predictions by target, or the scores of many reports as a matrix."""
    names, each = list(reports), list(reports.values())
    if len(names) > _MAX_AS_POINTS:
        metrics = [metric for metric in each[0].scores if metric in _RELATIVE]
        values = np.array([[report.scores[m].value for report in each] for m in metrics])
        plot_matrix(ax, values, metrics, names, "Score", im_kw, text_kw)
        ax.set(ylabel="Metric", title="How well does the probe predict the targets?")
        return
    level = {"color": "0.6", "linestyle": ":", "label": "_equal"}
    ax.axline((0, 0), slope=1, **override(level, level_kw, "lines.Line2D"))
    for index, (name, report) in enumerate(reports.items()):
        label = f"{literal(name)}: " * bool(name) + f"{report.metric} {report.score}"
        style = {**series_style(index), "linestyle": "none", "markersize": 4, "alpha": 0.6}
        points = override(style | {"label": label}, line_kw, "lines.Line2D")
        ax.plot(report.labels, report.predictions, **points)
    ax.set(xlabel="Target", ylabel="Prediction", title="How close are predictions to targets?")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
