"""Pictures of rankings, redundancy and penalties with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .._optional import import_optional
from ..activations import TokenActivations
from ..neurons import CorrelationClustering, ranking_overlap
from .displays import make_axes

_LINES = ("-", "--", "-.", ":")
_MARKERS = "osD^vPX*"


class RankingOverlapDisplay:
    """How far the first neurons of rankings agree, as a matrix.

    Parameters
    ----------
    overlap : ndarray of shape (n_rankings, n_rankings)
        From :func:`ranking_overlap`.
    names : sequence of str
        Of the rankings.
    k : int
        Neurons compared.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

    Examples
    --------
    >>> from sklearn_neurox import RankingOverlapDisplay
    >>> rankings = {"weights": [0, 1, 2, 3], "means": [1, 0, 2, 3], "chance": [3, 2, 1, 0]}
    >>> display = RankingOverlapDisplay.from_rankings(rankings, k=2)
    >>> display.overlap[0]
    array([1., 1., 0.])
    """

    def __init__(self, overlap: NDArray, names: Sequence[str], k: int):
        self.overlap, self.names, self.k = overlap, names, k

    @classmethod
    def from_rankings(
        cls, rankings: Mapping[str, ArrayLike], *, k: int, ax=None
    ) -> RankingOverlapDisplay:
        """Compare rankings, and plot.

        Parameters
        ----------
        rankings : mapping of str to array-like of int
            Names, and neurons with the most important first.
        k : int
            Neurons to compare.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        RankingOverlapDisplay
        """
        overlap = ranking_overlap(list(rankings.values()), k=k)
        return cls(overlap, list(rankings), k).plot(ax=ax)

    @classmethod
    def from_estimator(cls, voting, *, k: int, ax=None) -> RankingOverlapDisplay:
        """Compare the selectors of a fitted :class:`VotingSelector` and their vote.

        Parameters
        ----------
        voting : VotingSelector
            Fitted.
        k : int
            Neurons to compare.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        RankingOverlapDisplay
        """
        check_is_fitted(voting, "named_selectors_")
        rankings = {name: s.ranking_ for name, s in voting.named_selectors_.items()}
        return cls.from_rankings({**rankings, "vote": voting.ranking_}, k=k, ax=ax)

    def plot(self, *, ax=None) -> RankingOverlapDisplay:
        """Plot the matrix, with its numbers.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        RankingOverlapDisplay
        """
        size = 2.5 + 0.5 * len(self.names)
        self.ax_ = make_axes(ax, figsize=(size + 0.8, size))
        self.figure_ = self.ax_.figure
        image = self.ax_.imshow(self.overlap, cmap="cividis", vmin=0, vmax=1)
        for (i, j), value in np.ndenumerate(self.overlap):
            color = "white" if value < 0.6 else "black"
            self.ax_.text(j, i, f"{value:.2f}", ha="center", va="center", color=color, fontsize=9)
        ticks = range(len(self.names))
        self.ax_.set_xticks(ticks, self.names, rotation=40, ha="right")
        self.ax_.set_yticks(ticks, self.names)
        self.ax_.set_title(f"Overlap of the first {self.k:,} neurons")
        self.figure_.colorbar(image, ax=self.ax_, label="Intersection over union")
        return self


class RedundancyDisplay:
    """Number of clusters of neurons over the distance at which they are cut.

    Parameters
    ----------
    heights : mapping of str to ndarray of shape (n_neurons - 1,)
        Names of groups of neurons, and the distances at which their clusters merge.

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

    def __init__(self, heights: Mapping[str, NDArray]):
        self.heights = heights

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
        return cls({name: clustering.linkage_matrix_[:, 2]}).plot(ax=ax)

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
        return cls(heights).plot(ax=ax)

    def plot(self, *, ax=None) -> RedundancyDisplay:
        """Plot a line for each group of neurons.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        RedundancyDisplay
        """
        self.ax_ = make_axes(ax)
        self.figure_ = self.ax_.figure
        colormap = import_optional("matplotlib", extra="plot", purpose="Plotting").colormaps
        thresholds = np.linspace(0, 1, 201)
        layers = [name for name in self.heights if name != "all layers"]
        for place, (name, heights) in enumerate(self.heights.items()):
            clusters = 1 + (heights > thresholds[:, np.newaxis]).sum(axis=1)
            style: dict[str, Any] = {"color": "black", "lw": 3}
            if name in layers:
                shade = 0.9 * place / max(1, len(layers) - 1)
                style = {"color": colormap["cividis"](shade), "ls": _LINES[place % len(_LINES)]}
            self.ax_.plot(thresholds, clusters / (len(heights) + 1), label=name, **style)
        self.ax_.set(
            xlabel="Distance threshold (1 − |correlation|)",
            ylabel="Clusters, as a share of the neurons",
            title="How redundant are the neurons?",
            ylim=(0, 1.05),
        )
        self.ax_.legend(fontsize="small")
        return self


class RegularizationPathDisplay:
    """Score over the penalties of a probe.

    Parameters
    ----------
    cv_results : dict of ndarrays
        As of a search: ``param_lambda_l1``, ``param_lambda_l2`` and test scores.
    metric : str, default="score"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_neurox import LinearProbeClassifierCV, RegularizationPathDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> search = LinearProbeClassifierCV(
    ...     lambdas_l1=[0, 1e-3, 1e-2], lambdas_l2=[0, 1e-2], cv=2, max_epochs=2, random_state=0)
    >>> display = RegularizationPathDisplay.from_estimator(search.fit(X, y))
    >>> len(display.ax_.get_lines()) >= 2
    True
    """

    def __init__(self, cv_results: Mapping[str, Any], *, metric: str = "score"):
        self.cv_results, self.metric = cv_results, metric

    @classmethod
    def from_estimator(cls, search, *, ax=None) -> RegularizationPathDisplay:
        """Plot a fitted search over both penalties.

        Parameters
        ----------
        search : LinearProbeClassifierCV, LinearProbeRegressorCV or GridSearchCV
            Fitted; of a Pipeline the parameters may be those of a step.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        RegularizationPathDisplay
        """
        check_is_fitted(search, "cv_results_")
        scoring = getattr(search, "scoring", None)
        return cls(
            search.cv_results_, metric=scoring if isinstance(scoring, str) else "score"
        ).plot(ax=ax)

    def plot(self, *, ax=None) -> RegularizationPathDisplay:
        """Plot a line over lambda_l1 for each lambda_l2; bars span one standard deviation.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        RegularizationPathDisplay

        Raises
        ------
        ValueError
            If the results have no lambda_l1 or lambda_l2.
        """
        l1, l2 = (self._lambdas(name) for name in ("lambda_l1", "lambda_l2"))
        self.ax_ = make_axes(ax)
        self.figure_ = self.ax_.figure
        mean, std = self.cv_results["mean_test_score"], self.cv_results["std_test_score"]
        values = np.unique(l1)
        for place, penalty in enumerate(np.unique(l2)):
            rows = np.flatnonzero(l2 == penalty)
            rows = rows[np.argsort(l1[rows], kind="stable")]
            self.ax_.errorbar(
                np.searchsorted(values, l1[rows]) + 0.03 * place,  # bars beside each other
                mean[rows],
                std[rows],
                label=f"{penalty:g}",
                marker=_MARKERS[place % len(_MARKERS)],
                ls=_LINES[place % len(_LINES)],
                capsize=3,
            )
        self.ax_.set_xticks(range(len(values)), [f"{value:g}" for value in values])
        self.ax_.set(
            xlabel="lambda_l1",
            ylabel=f"{self.metric.capitalize()} (mean ± std of the folds)",
            title="How much regularisation?",
        )
        self.ax_.legend(title="lambda_l2", fontsize="small")
        return self

    def _lambdas(self, name: str) -> NDArray[np.float64]:
        for key, values in self.cv_results.items():
            if key.startswith("param_") and key.endswith(name):
                return np.asarray(values, dtype=np.float64)
        raise ValueError(f"The search has no parameter {name}; it has {list(self.cv_results)}.")
