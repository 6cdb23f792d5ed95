"""Display of what is observed by what is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from ..evaluation import CalibrationCurve, probe_report
from ._axes import series_style
from ._display import NamedResultsDisplay
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _compute_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    label: Any = None,
    n_bins: int = 10,
    strategy: Literal["uniform", "quantile"] = "uniform",
    **options: Any,
) -> CalibrationCurve:
    report = probe_report(estimator, X, y, **options)
    return report.calibration_curve(label, n_bins=n_bins, strategy=strategy)


class CalibrationCurveDisplay(NamedResultsDisplay[CalibrationCurve]):
    """Plot of what is observed against what is predicted, for one or several probes.

    Points are bins of samples, and bars are intervals over sentences. The points of calibrated
    predictions lie on the diagonal.

    Parameters
    ----------
    result : CalibrationCurve, or dict of str to CalibrationCurve
        From the method ``calibration_curve`` of :class:`ProbeReport`, or a dict of curves by name.

    Raises
    ------
    TypeError
        If a result is not a CalibrationCurve.
    ValueError
        If there are no results, or curves of probabilities and of numbers are mixed.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : Plots a curve without intervals.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_neurox import CalibrationCurveDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> probe = GaussianNB().fit(X[:300], y[:300])
    >>> display = CalibrationCurveDisplay.from_estimator(
    ...     probe, X[300:], y[300:], n_bins=4, random_state=0)
    >>> display.ax_.get_xlabel()
    'Predicted probability (mean of the bin)'
    """

    _compute = staticmethod(_compute_curve)
    _kind = CalibrationCurve

    def __init__(self, result: CalibrationCurve | Mapping[str, CalibrationCurve]) -> None:
        super().__init__(result)
        if len({curve.label is None for curve in self._results.values()}) > 1:
            raise ValueError("Curves of probabilities and of numbers cannot be drawn together.")

    def _figsize(self) -> tuple[float, float]:
        return 5.6, 4.8

    def plot(
        self,
        *,
        ax: Axes | None = None,
        errorbar_kw: Style | None = None,
        level_kw: Style | None = None,
    ) -> Self:
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar` for the points.
        level_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot` for the diagonal.

        Returns
        -------
        self : CalibrationCurveDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, errorbar_kw=errorbar_kw, level_kw=level_kw)
        curves = list(self._results.values())
        ends = [(each.predicted, each.observed.value) for curve in curves for each in curve.bins]
        is_number = curves[0].label is None
        limits = [np.min(ends), np.max(ends)] if is_number else [0, 1]
        diagonal = {"color": "0.6", "linestyle": ":", "linewidth": 1, "label": "Calibrated"}
        ax.plot(limits, limits, **override(diagonal, level_kw, "lines.Line2D"))
        for index, (name, curve) in enumerate(self._results.items()):
            self._draw(ax, name, curve, index, errorbar_kw)
        what = "number" if is_number else "probability"
        labels = " and ".join(sorted({literal(curve.label) for curve in curves}))
        observed = "Mean target" if is_number else f"Frequency of {labels}"
        levels = sorted({f"{curve.confidence:.0%}" for curve in curves})
        ax.set(
            xlabel=f"Predicted {what} (mean of the bin)",
            ylabel=f"{observed} with {' and '.join(levels)} intervals",
            title="Are the predictions calibrated?",
        )
        ax.legend(fontsize="small")
        return self

    def _draw(
        self, ax: Axes, name: str, curve: CalibrationCurve, index: int, user: Style | None
    ) -> None:
        # (n_bins, 4): prediction, value, low, high
        values = np.array(
            [
                (each.predicted, *(np.nan if part is None else part for part in each.observed))
                for each in curve.bins
            ],
            dtype=np.float64,
        )
        predicted, value, low, high = values.T
        bars = np.nan_to_num(np.maximum([value - low, high - value], 0))
        about = f"mean absolute error {curve.mean_error:.3f}"
        label = f"{literal(name)}: {about}" if name else about
        style = {**series_style(index), "capsize": 2, "markersize": 4, "label": label}
        ax.errorbar(predicted, value, bars, **override(style, user, "lines.Line2D"))
