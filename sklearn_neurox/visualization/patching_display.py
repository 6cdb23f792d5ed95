"""Display of interchange effects by layer and position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from ..effects import PatchingMap
from ._axes import plot_matrix, space_below
from ._display import BareResultDisplay
from ._drawn_text import literal
from ._style import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class PatchingDisplay(BareResultDisplay[PatchingMap]):
    """Heat map of the effects of interchanging each layer and position.

    Layers are rows, from the lowest at the bottom, and positions are columns. The color is the mean
    effect over the texts, and white is no effect.

    Parameters
    ----------
    result : PatchingMap
        From :func:`patching_map`.
    metric : str, default=None
        Metric to draw. If None, the first one.
    share : bool, default=False
        Whether to draw effects as shares of the difference between sources and texts.

    Raises
    ------
    TypeError
        If `result` is not a PatchingMap.
    ValueError
        If the result does not contain the metric, or there are no shares.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import PatchingDisplay, PatchingMap
    >>> result = PatchingMap(
    ...     layers=(0, 1), positions=(0, 1), tokens=("the", "cat/dog"),
    ...     effects={"output": np.array([[[0.0], [0.3]], [[0.1], [0.2]]])},
    ...     joint_effects={"output": np.array([[0.3], [0.3]])},
    ...     source_effects={"output": np.array([0.3])}, unedited={"output": np.array([0.0])})
    >>> display = PatchingDisplay.from_result(result)
    >>> display.ax_.get_ylabel()
    'Layer'
    """

    _kind = PatchingMap
    _finite = ("effects",)

    def __init__(
        self, result: PatchingMap, *, metric: str | None = None, share: bool = False
    ) -> None:
        super().__init__(result)
        self.metric, self.share = metric, share
        self._values: NDArray = result.share(metric) if share else result.mean(metric)

    def _figsize(self) -> tuple[float, float]:
        names = self.result.position_names
        width = 2.5 + 0.55 * min(len(names), 40)
        return width, 1.5 + 0.3 * min(len(self.result.layers), 40) + space_below(names)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        im_kw: Style | None = None,
        text_kw: Style | None = None,
    ) -> Self:
        """Plot the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        im_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.imshow`.
        text_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.text` for the numbers, which are written
            if there are at most 150 cells.

        Returns
        -------
        self : PatchingDisplay
            Object that stores the plotted values and the axes.
        """
        result, values = self.result, self._values
        ax = self._use_axes(ax, im_kw=im_kw, text_kw=text_kw)
        name = literal(self.metric or next(iter(result.effects)))
        label = f"Share of the effect on {name}" if self.share else f"Effect on {name}"
        limit = float(np.abs(values).max()) or 1.0
        rows, columns = list(result.layers), result.position_names
        plot_matrix(ax, values, rows, columns, label, im_kw, text_kw, limit=limit)
        ax.invert_yaxis()  # the lowest layer is at the bottom
        unit = "" if result.unit == "neuron" else f" ({literal(result.unit)})"
        ax.set(xlabel="Position", ylabel="Layer", title=f"Effect of interchanges{unit}")
        return self
