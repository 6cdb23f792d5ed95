"""Display of the number of clusters at each distance threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._optional import import_optional
from ..activations import TokenActivations
from ..neurons import CorrelationClustering, IndependentNeuronSelector
from ._axes import LINES, distance_label
from ._display import Display
from ._drawn_text import literal
from ._style import Style, override
from ._tokens import check_tokens
from ._values import check_finite, check_has_tree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ALL_LAYERS = "all layers"


class RedundancyDisplay(Display):
    """Plot of the number of clusters of neurons as a function of the distance threshold.

    Parameters
    ----------
    heights : mapping of str to ndarray of shape (n_neurons - 1,)
        Distances at which clusters are merged, by name of the group of neurons.
    absolute : bool, default=True
        Whether the distance is ``1 - |correlation|`` or ``1 - correlation``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import CorrelationClustering, RedundancyDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> clustering = CorrelationClustering(random_state=0).fit(X)
    >>> display = RedundancyDisplay.from_estimator(clustering, name="pixels")
    >>> display.ax_.get_title()
    'How redundant are the neurons?'
    """

    def __init__(self, heights: Mapping[str, NDArray], *, absolute: bool = True) -> None:
        for name, each in heights.items():
            check_finite(each, f"heights[{name!r}]")
        self.heights, self.absolute = heights, absolute

    @classmethod
    def from_estimator(
        cls,
        clustering: CorrelationClustering | IndependentNeuronSelector,
        *,
        name: str = "neurons",
        ax: Axes | None = None,
        line_kw: Style | None = None,
    ) -> Self:
        """Plot a fitted clustering.

        Parameters
        ----------
        clustering : CorrelationClustering or IndependentNeuronSelector
            A fitted clustering or selector.
        name : str, default="neurons"
            Name of its neurons, for the legend.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        line_kw : dict, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : RedundancyDisplay
            Object that stores the plotted values and the axes.
        """
        check_is_fitted(clustering)
        check_has_tree(clustering)
        fitted: Any = getattr(clustering, "clustering_", clustering)
        heights = {name: fitted.linkage_matrix_[:, 2]}
        return cls(heights, absolute=clustering.absolute).plot(ax=ax, line_kw=line_kw)

    @classmethod
    def from_activations(
        cls,
        tokens: TokenActivations,
        *,
        all_layers: bool = True,
        ax: Axes | None = None,
        line_kw: Style | None = None,
        **kwargs: Any,
    ) -> Self:
        """Cluster the neurons of each layer, and of all layers together, and plot the clusters.

        Parameters
        ----------
        tokens : TokenActivations
        all_layers : bool, default=True
            Whether to cluster the neurons of all layers together as well.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        line_kw : dict, default=None
            As in :meth:`plot`.
        **kwargs : dict
            Parameters of :class:`CorrelationClustering`.

        Returns
        -------
        display : RedundancyDisplay
            Object that stores the plotted values and the axes.
        """
        check_tokens(tokens)
        cls._check_style({"line_kw": line_kw})
        columns = {f"layer {layer}": tokens.neurons.columns(layer) for layer in tokens.layers}
        parts = {name: tokens.X[:, each] for name, each in columns.items()}
        if all_layers and len(parts) > 1:
            parts[_ALL_LAYERS] = tokens.X
        clustering = CorrelationClustering(**kwargs)
        heights = {name: clustering.fit(X).linkage_matrix_[:, 2] for name, X in parts.items()}
        return cls(heights, absolute=clustering.absolute).plot(ax=ax, line_kw=line_kw)

    def plot(self, *, ax: Axes | None = None, line_kw: Style | None = None) -> Self:
        """Plot the number of clusters.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        line_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.plot`.

        Returns
        -------
        self : RedundancyDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, line_kw=line_kw)
        colormap = import_optional("matplotlib", extra="plot", purpose="Plotting").colormaps
        thresholds = np.linspace(0, 1 if self.absolute else 2, 201)
        n_layers = len(self.heights.keys() - {_ALL_LAYERS})
        for index, (name, heights) in enumerate(self.heights.items()):
            clusters = 1 + (heights > thresholds[:, np.newaxis]).sum(axis=1)
            style: dict[str, Any] = {"color": "black", "linewidth": 3}
            if name != _ALL_LAYERS:
                color = colormap["cividis"](0.9 * index / max(1, n_layers - 1))
                style = {"color": color, "linestyle": LINES[index % len(LINES)]}
            style["label"] = literal(name)
            share = clusters / (len(heights) + 1)
            ax.plot(thresholds, share, **override(style, line_kw, "lines.Line2D"))
        ax.set(
            xlabel=f"Distance threshold {distance_label(self.absolute)}",
            ylabel="Number of clusters / number of neurons",
            title="How redundant are the neurons?",
            ylim=(0, 1.05),
        )
        ax.legend(fontsize="small")
        return self
