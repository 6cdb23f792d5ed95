"""Pictures of clusters of neurons."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from .._optional import import_optional
from ..activations import TokenActivations
from ..neurons import CorrelationClustering
from ._axes import LINES, plain
from ._display import Display

_DISTANCE = {True: "|correlation|", False: "correlation"}


class RedundancyDisplay(Display):
    """Number of clusters of neurons over the distance at which they are cut.

    Parameters
    ----------
    heights : mapping of str to ndarray of shape (n_neurons - 1,)
        Names of groups of neurons, and the distances at which their clusters merge.
    absolute : bool, default=True
        Whether the distance is ``1 - |correlation|``, or ``1 - correlation``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

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

    def __init__(self, heights: Mapping[str, NDArray], *, absolute: bool = True):
        self.heights, self.absolute = heights, absolute

    @classmethod
    def from_estimator(
        cls, clustering: CorrelationClustering, *, name: str = "neurons", ax=None
    ) -> RedundancyDisplay:
        """Plot a fitted clustering.

        Parameters
        ----------
        clustering : CorrelationClustering
            Fitted.
        name : str, default="neurons"
            Of its neurons.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        RedundancyDisplay
        """
        check_is_fitted(clustering)
        heights = {name: clustering.linkage_matrix_[:, 2]}
        return cls(heights, absolute=clustering.absolute).plot(ax=ax)

    @classmethod
    def from_activations(
        cls, tokens: TokenActivations, *, all_layers: bool = True, ax=None, **kwargs
    ) -> RedundancyDisplay:
        """Cluster the neurons of each layer, and of all together, and plot.

        Parameters
        ----------
        tokens : TokenActivations
        all_layers : bool, default=True
            Cluster the neurons of all layers together as well.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.
        **kwargs : dict
            Parameters of :class:`CorrelationClustering`.

        Returns
        -------
        RedundancyDisplay
        """
        parts = {f"layer {layer}": tokens.layer(layer) for layer in tokens.layers}
        if all_layers and tokens.n_layers > 1:
            parts["all layers"] = tokens.X
        clustering = CorrelationClustering(**kwargs)
        heights = {name: clustering.fit(X).linkage_matrix_[:, 2] for name, X in parts.items()}
        return cls(heights, absolute=clustering.absolute).plot(ax=ax)

    def _draw(self, ax) -> None:
        colormap = import_optional("matplotlib", extra="plot", purpose="Plotting").colormaps
        thresholds = np.linspace(0, 1 if self.absolute else 2, 201)
        layers = [name for name in self.heights if name != "all layers"]
        for place, (name, heights) in enumerate(self.heights.items()):
            clusters = 1 + (heights > thresholds[:, np.newaxis]).sum(axis=1)
            style: dict[str, Any] = {"color": "black", "lw": 3}
            if name in layers:
                shade = 0.9 * place / max(1, len(layers) - 1)
                style = {"color": colormap["cividis"](shade), "ls": LINES[place % len(LINES)]}
            ax.plot(thresholds, clusters / (len(heights) + 1), label=plain(name), **style)
        ax.set(
            xlabel=f"Distance threshold (1 − {_DISTANCE[self.absolute]})",
            ylabel="Clusters, as a share of the neurons",
            title="How redundant are the neurons?",
            ylim=(0, 1.05),
        )
        ax.legend(fontsize="small")


class DendrogramDisplay(Display):
    """How neurons merge into clusters, as a tree; a dashed line shows where it is cut.

    Parameters
    ----------
    linkage_matrix : ndarray of shape (n_neurons - 1, 4)
        As of :class:`CorrelationClustering`.
    labels : ndarray of int of shape (n_neurons,)
        Cluster of each neuron.
    distance_threshold : float
        Where the tree is cut.
    names : array-like of str of shape (n_neurons,), default=None
        Of the neurons; None numbers them.
    absolute : bool, default=True
        Whether the distance is ``1 - |correlation|``, or ``1 - correlation``.
    max_neurons : int, default=40
        Of more neurons, those of the largest clusters are drawn, as many as fit.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import CorrelationClustering, DendrogramDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> clustering = CorrelationClustering(random_state=0).fit(X)
    >>> display = DendrogramDisplay.from_estimator(clustering, max_neurons=20)
    >>> display.ax_.get_title()
    'The largest of 38 clusters: 20 of 64 neurons'
    """

    def __init__(
        self,
        linkage_matrix: NDArray,
        labels: NDArray,
        distance_threshold: float,
        *,
        names: Any = None,
        absolute: bool = True,
        max_neurons: int = 40,
    ):
        check_scalar(max_neurons, "max_neurons", Integral, min_val=2)
        self.linkage_matrix, self.labels = linkage_matrix, labels
        self.distance_threshold = distance_threshold
        self.names, self.absolute, self.max_neurons = names, absolute, max_neurons

    @classmethod
    def from_estimator(
        cls, clustering: CorrelationClustering, *, names: Any = None, ax=None, **kwargs
    ) -> DendrogramDisplay:
        """Plot a fitted clustering.

        Parameters
        ----------
        clustering : CorrelationClustering or IndependentNeuronSelector
            Fitted.
        names : array-like of str of shape (n_neurons,), default=None
            Of the neurons; None takes those of the X that it was fitted on, or numbers.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.
        **kwargs : dict
            `max_neurons`.

        Returns
        -------
        DendrogramDisplay
        """
        check_is_fitted(clustering)
        fitted: Any = getattr(clustering, "clustering_", clustering)  # of a selector
        if names is None:
            names = getattr(clustering, "feature_names_in_", None)
        elif len(names) != len(fitted.labels_):
            raise ValueError(f"{len(names)} names were given for {len(fitted.labels_)} neurons.")
        return cls(
            fitted.linkage_matrix_,
            fitted.labels_,
            clustering.distance_threshold,
            names=names,
            absolute=clustering.absolute,
            **kwargs,
        ).plot(ax=ax)

    def _figsize(self) -> tuple[float, float]:
        return 6.4, 1.2 + 0.17 * len(self._drawn())

    def _drawn(self) -> NDArray[np.intp]:
        """Neurons of the largest clusters, as many clusters as fit."""
        sizes = np.bincount(self.labels)
        largest = np.argsort(-sizes, kind="stable")
        n_whole = max(1, int((sizes[largest].cumsum() <= self.max_neurons).sum()))
        return np.flatnonzero(np.isin(self.labels, largest[:n_whole]))[: self.max_neurons]

    def _draw(self, ax) -> None:
        neurons = self._drawn()
        names = neurons if self.names is None else np.asarray(self.names)[neurons]
        dendrogram(
            _restrict(self.linkage_matrix, neurons),
            orientation="right",
            labels=names.tolist(),
            color_threshold=0,  # one colour: the line tells clusters apart
            above_threshold_color="#0072B2",
            leaf_font_size=8,
            ax=ax,
        )
        label = f"Cut at {self.distance_threshold:g}"
        ax.axvline(self.distance_threshold, color="#D55E00", ls="--", label=label)
        ax.set_xlim(0, 1.05 * max(ax.get_xlim()[1], self.distance_threshold))
        ax.legend(loc="lower right")
        n_clusters = len(np.unique(self.labels))
        title = f"{n_clusters:,} clusters of {len(self.labels):,} neurons"
        if len(neurons) < len(self.labels):
            part = f"{len(neurons):,} of {len(self.labels):,} neurons"
            title = f"The largest of {n_clusters:,} clusters: {part}"
        ax.set(xlabel=f"Distance (1 − {_DISTANCE[self.absolute]})", ylabel="Neuron", title=title)


def _restrict(tree: NDArray, leaves: NDArray) -> NDArray:
    """Tree of some of the leaves: the same heights of merging, without the others."""
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
