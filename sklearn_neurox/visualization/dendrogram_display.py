"""Display of clusters of neurons as a dendrogram."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from ..neurons import CorrelationClustering, IndependentNeuronSelector
from ._axes import BLUE, ORANGE, distance_label
from ._display import Display
from ._drawn_text import literal
from ._style import ARTISTS, Style, override
from ._values import check_finite, check_has_tree

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class DendrogramDisplay(Display):
    """Dendrogram of the neurons, with the distance at which it is cut into clusters.

    Parameters
    ----------
    linkage_matrix : ndarray of shape (n_neurons - 1, 4)
        As in :class:`CorrelationClustering`.
    labels : ndarray of int of shape (n_neurons,)
        Cluster of each neuron.
    distance_threshold : float
        Distance at which the dendrogram is cut.
    names : array-like of str of shape (n_neurons,), default=None
        Names of the neurons. If None, use numbers.
    absolute : bool, default=True
        Whether the distance is ``1 - |correlation|`` or ``1 - correlation``.
    max_neurons : int, default=40
        Maximum number of neurons to draw. If there are more, draw only the largest clusters that
        fit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import CorrelationClustering, DendrogramDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> clustering = CorrelationClustering(random_state=0).fit(X)
    >>> display = DendrogramDisplay.from_estimator(clustering, max_neurons=20)
    >>> display.ax_.get_title()
    'The largest of 38 clusters (20 of 64 neurons)'
    """

    _artists = {**ARTISTS, "line_kw": "collections.LineCollection"}

    def __init__(
        self,
        linkage_matrix: NDArray[np.float64],
        labels: NDArray[np.intp],
        distance_threshold: float,
        *,
        names: Sequence[str] | NDArray | None = None,
        absolute: bool = True,
        max_neurons: int = 40,
    ) -> None:
        check_scalar(max_neurons, "max_neurons", Integral, min_val=2)
        check_finite(linkage_matrix, "linkage_matrix")
        check_finite(distance_threshold, "distance_threshold")
        if names is not None and len(names) != len(labels):
            raise ValueError(
                f"names must contain one name for each of the {len(labels)} neurons, got "
                f"{len(names)}."
            )
        self.linkage_matrix, self.labels = linkage_matrix, labels
        self.distance_threshold = distance_threshold
        self.names, self.absolute, self.max_neurons = names, absolute, max_neurons

    @classmethod
    def from_estimator(
        cls,
        clustering: CorrelationClustering | IndependentNeuronSelector,
        *,
        names: Sequence[str] | NDArray | None = None,
        max_neurons: int = 40,
        ax: Axes | None = None,
        line_kw: Style | None = None,
        cut_kw: Style | None = None,
    ) -> Self:
        """Plot a fitted clustering.

        Parameters
        ----------
        clustering : CorrelationClustering or IndependentNeuronSelector
            A fitted clustering or selector.
        names : array-like of str of shape (n_neurons,), default=None
            Names of the neurons. If None, use the column names seen during ``fit``, or numbers.
        max_neurons : int, default=40
            Maximum number of neurons to draw.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        line_kw, cut_kw : dict, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : DendrogramDisplay
            Object that stores the plotted values and the axes.
        """
        check_is_fitted(clustering)
        check_has_tree(clustering)
        fitted: Any = getattr(clustering, "clustering_", clustering)
        if names is None:
            names = getattr(clustering, "feature_names_in_", None)
        display = cls(
            fitted.linkage_matrix_,
            fitted.labels_,
            clustering.distance_threshold,
            names=names,
            absolute=clustering.absolute,
            max_neurons=max_neurons,
        )
        return display.plot(ax=ax, line_kw=line_kw, cut_kw=cut_kw)

    def _figsize(self) -> tuple[float, float]:
        return 6.4, 1.2 + 0.17 * len(self._drawn())

    def _drawn(self) -> NDArray[np.intp]:
        """Return the neurons of the largest clusters that fit."""
        sizes = np.bincount(self.labels)
        largest = np.argsort(-sizes, kind="stable")
        n_whole = max(1, int((sizes[largest].cumsum() <= self.max_neurons).sum()))
        return np.flatnonzero(np.isin(self.labels, largest[:n_whole]))[: self.max_neurons]

    def plot(
        self, *, ax: Axes | None = None, line_kw: Style | None = None, cut_kw: Style | None = None
    ) -> Self:
        """Plot the tree.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        line_kw : dict, default=None
            Keyword arguments passed to `set` of matplotlib's `LineCollection`, for the tree.
        cut_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.axvline`, for the distance threshold.

        Returns
        -------
        self : DendrogramDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, line_kw=line_kw, cut_kw=cut_kw)
        neurons = self._drawn()
        # An array of strings would lose null characters at their ends.
        names = range(len(self.labels)) if self.names is None else list(self.names)
        before = len(ax.collections)
        dendrogram(
            _restrict(self.linkage_matrix, neurons),
            orientation="right",
            labels=[literal(names[neuron]) for neuron in neurons],
            color_threshold=0,  # a single color, because the cut separates the clusters
            above_threshold_color=BLUE,
            leaf_font_size=8,
            ax=ax,
        )
        for tree in ax.collections[before:]:
            tree.set(**override({}, line_kw, "collections.LineCollection"))
        cut = {"color": ORANGE, "linestyle": "--", "label": f"Cut at {self.distance_threshold:g}"}
        ax.axvline(self.distance_threshold, **override(cut, cut_kw, "lines.Line2D"))
        ax.set_xlim(0, 1.05 * max(ax.get_xlim()[1], self.distance_threshold))
        ax.legend(loc="lower right")
        n_clusters = len(np.unique(self.labels))
        title = f"{n_clusters:,} clusters of {len(self.labels):,} neurons"
        if len(neurons) < len(self.labels):
            part = f"{len(neurons):,} of {len(self.labels):,} neurons"
            title = f"The largest of {n_clusters:,} clusters ({part})"
        ax.set(xlabel=f"Distance {distance_label(self.absolute)}", ylabel="Neuron", title=title)
        return self


def _restrict(tree: NDArray[np.float64], leaves: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the tree of some leaves, which are merged at the same heights as in the full tree."""
    n = len(tree) + 1
    place: dict[int, int] = {int(leaf): i for i, leaf in enumerate(leaves)}
    size = dict.fromkeys(range(len(leaves)), 1)
    merges: list[tuple[float, ...]] = []
    for step, (one, other, height, _) in enumerate(tree):
        parts = [place[int(node)] for node in (one, other) if int(node) in place]
        if len(parts) == 2:
            new = len(leaves) + len(merges)
            size[new] = size[parts[0]] + size[parts[1]]
            merges.append((*parts, height, size[new]))
            parts = [new]
        if parts:
            place[n + step] = parts[0]
    return np.array(merges)
