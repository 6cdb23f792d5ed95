"""Display of description lengths."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Self

import numpy as np

from ..evaluation import Codelength, codelength
from ._axes import series_style
from ._display import NamedResultsDisplay
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class CodelengthDisplay(NamedResultsDisplay[Codelength]):
    """Plot of the bits per label in each block of one or several online codes.

    Parameters
    ----------
    result : Codelength, or dict of str to Codelength
        Result of :func:`codelength`, or a dict of results by name of the experiment.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_neurox import CodelengthDisplay
    >>> display = CodelengthDisplay.from_estimator(
    ...     GaussianNB(var_smoothing=0.1), *load_digits(return_X_y=True), random_state=0)
    >>> display.ax_.get_ylabel()
    'Bits per label in each block'
    """

    _compute = staticmethod(codelength)
    _kind = Codelength
    _finite = ("sizes", "block_bits")

    def plot(
        self, *, ax: Axes | None = None, line_kw: Style | None = None, level_kw: Style | None = None
    ) -> Self:
        """Plot the code lengths.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        line_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot` for the codes.
        level_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.axhline` for the uniform codes.

        Returns
        -------
        self : CodelengthDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, line_kw=line_kw, level_kw=level_kw)
        results = self._results
        for index, (name, result) in enumerate(results.items()):
            prefix = f"{literal(name)}: " if name else ""
            label = f"{prefix}compression {result.compression:.1f}"
            sent = result.sizes > 0
            ax.plot(
                result.sizes.cumsum()[sent],
                result.block_bits[sent] / result.sizes[sent],
                **override({"label": label, **series_style(index)}, line_kw, "lines.Line2D"),
            )
        sizes = sorted({result.n_classes for result in results.values()})
        for n_classes, linestyle in zip(sizes, cycle((":", "--", "-."))):
            label = f"Uniform code, {n_classes} classes"
            level = {"color": "0.4", "linestyle": linestyle, "label": label}
            ax.axhline(np.log2(n_classes), **override(level, level_kw, "lines.Line2D"))
        ax.set(
            xscale="log",
            xlabel="Labels transmitted",
            ylabel="Bits per label in each block",
            title="How quickly is the task learned?",
        )
        ax.set_ylim(bottom=0)
        ax.legend()
        return self
