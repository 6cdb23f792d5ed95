"""Display of the effect of an edit, compared with its placebos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..effects import CausalEffect
from ._axes import BLUE, ORANGE
from ._display import BareResultDisplay, results_by_name
from ._drawn_text import literal
from ._style import Style, override
from ._values import check_finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLACEBOS = {
    "norm": "Random, same displacement",
    "covariance": "Drawn from the covariance",
    "control_task": "Made from random labels",
    "largest": "Largest variance",
}
_SPREAD = 0.6  # height of the draws of a placebo, in rows


class CausalEffectDisplay(BareResultDisplay[CausalEffect | Mapping[str, CausalEffect]]):
    """Plot of the effect of an edit with its interval, and the effects of its placebos.

    Each row of points shows the draws of a placebo, and the line through them is at the effect of
    the edit. If few draws are beyond the line, the placebo rarely has such an effect.

    Parameters
    ----------
    result : CausalEffect, or dict of str to CausalEffect
        Result of :func:`causal_effect`, or a dict of results by name of the edit.
    metric : str, default=None
        Metric to draw. If None, the first metric of the results.

    Raises
    ------
    TypeError
        If a result is not a CausalEffect.
    ValueError
        If there are no results, or a result does not contain the metric.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import CausalEffect, CausalEffectDisplay
    >>> effects, draws = np.array([0.2, 0.3, 0.4]), np.array([[0.1, 0.2, 0.1], [0.3, 0.2, 0.5]])
    >>> result = CausalEffect.from_effects({"kl": effects}, {"norm": {"kl": draws}})
    >>> display = CausalEffectDisplay.from_result(result)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['Edit', 'Random, same displacement']
    """

    _kind = CausalEffect

    def __init__(
        self, result: CausalEffect | Mapping[str, CausalEffect], *, metric: str | None = None
    ) -> None:
        self.result = result
        self.metric = metric
        self._results: dict[str, CausalEffect] = results_by_name(result, CausalEffect)
        self._metric = metric or next(iter(next(iter(self._results.values())).means))
        for name, each in self._results.items():
            if self._metric not in each.means:
                of_result = f" of the result {name!r}" if name else ""
                raise ValueError(
                    f"metric must be among the metrics {list(each.means)}{of_result}, got "
                    f"{self._metric!r}."
                )
            check_finite(each.effects[self._metric], f"effects[{self._metric!r}]")
            for kind in each.placebo_effects:
                draws = each.placebo_effects[kind][self._metric]
                check_finite(draws, f"placebo_effects[{kind!r}][{self._metric!r}]")

    def _figsize(self) -> tuple[float, float]:
        n_rows = sum(1.4 + len(each.placebo_effects) for each in self._results.values())
        return 7.2, 1.1 + 0.42 * n_rows

    def plot(
        self,
        *,
        ax: Axes | None = None,
        errorbar_kw: Style | None = None,
        line_kw: Style | None = None,
        level_kw: Style | None = None,
        text_kw: Style | None = None,
    ) -> Self:
        """Plot the effect and its placebos.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar` for the edits.
        line_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot` for the draws of the placebos.
        level_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot` for the line at the effect.
        text_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.annotate` for the p-values.

        Returns
        -------
        self : CausalEffectDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(
            ax, errorbar_kw=errorbar_kw, line_kw=line_kw, level_kw=level_kw, text_kw=text_kw
        )
        row, ticks = 0.0, {}
        for name, result in self._results.items():
            mean = result.means[self._metric]
            last = row + len(result.placebo_effects)
            level = {"color": BLUE, "linestyle": "--", "linewidth": 1, "label": "_effect"}
            ax.plot(
                [mean.value, mean.value], [row, last + 0.4],
                **override(level, level_kw, "lines.Line2D"),
            )  # fmt: skip
            bars = None
            if mean.low is not None and mean.high is not None:
                bars = np.maximum(0, [[mean.value - mean.low], [mean.high - mean.value]])
            style = {"color": BLUE, "marker": "o", "capsize": 3, "linestyle": "none", "zorder": 3}
            ax.errorbar(mean.value, row, xerr=bars, **override(style, errorbar_kw, "lines.Line2D"))
            ticks[row] = name or "Edit"
            for offset, kind in enumerate(result.placebo_effects, start=1):
                self._draw_placebo(ax, result, kind, row + offset, line_kw, text_kw)
                ticks[row + offset] = _PLACEBOS.get(kind, kind)
            row = last + 1.4
        ax.axvline(0, color="0.75", linewidth=1, zorder=0)
        ax.set_yticks(list(ticks), [literal(label) for label in ticks.values()])
        ax.set_ylim(row - 0.8, -0.6)
        confidence = next(iter(self._results.values())).confidence_level
        ax.set(
            xlabel=f"Mean effect on {literal(self._metric)} ({confidence:.0%} confidence interval)",
            title="Does the edit have a larger effect than its placebos?",
        )
        return self

    def _draw_placebo(
        self,
        ax: Axes,
        result: CausalEffect,
        kind: str,
        row: float,
        line_kw: Style | None,
        text_kw: Style | None,
    ) -> None:
        """Draw the effects of a placebo, and its p-value at the right."""
        draws = result.draws(self._metric, kind)
        points: dict[str, Any] = {
            "color": ORANGE, "marker": "o", "markersize": 4, "alpha": 0.5, "linestyle": "none",
            "markeredgewidth": 0, "label": "_draws",
        }  # fmt: skip
        if len(draws) == 1:
            points |= {"marker": "D", "markersize": 6, "alpha": 1}
        ax.plot(draws, row + _spread(draws), **override(points, line_kw, "lines.Line2D"))
        p = result.p_value(self._metric, kind)
        if np.isfinite(p):
            text = {"va": "center", "fontsize": 9, "color": "0.3"}
            ax.annotate(
                f"p = {p:.3f}", (1.01, row), xycoords=("axes fraction", "data"),
                **override(text, text_kw, "text.Text"),
            )  # fmt: skip


def _spread(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vertical offsets of points, so that close points do not cover each other."""
    if len(draws) == 1:
        return np.zeros(1)
    ranks = np.argsort(np.argsort(draws, kind="stable")).astype(np.float64)
    steps = (ranks * 0.618034) % 1  # neighbors in order are far apart
    return np.asarray(_SPREAD * (steps - 0.5))
