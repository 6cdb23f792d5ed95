"""Pictures of rankings, of the neurons of each class, and of penalties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ..evaluation.scorers import metric_name
from ..neurons import ranking_overlap, top_neurons
from ._axes import plain, plot_matrix, style
from ._display import Display


class RankingOverlapDisplay(Display):
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
        overlap = ranking_overlap(list(rankings.values()), n_neurons=k)
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

    def _figsize(self) -> tuple[float, float]:
        size = 2.5 + 0.5 * len(self.names)
        return size + 0.8, size

    def _draw(self, ax) -> None:
        plot_matrix(ax, self.overlap, self.names, self.names, "Intersection over union")
        ax.set_title(f"Overlap of the first {self.k:,} neurons")


class NeuronsPerClassDisplay(Display):
    """How many neurons each class needs: the smallest sets that hold a share of its weight mass.

    The classes with the fewest come first, those without any weight are left out. A sparse probe
    gives frequent classes more neurons, also on shuffled labels: compare classes of like
    frequency.

    Parameters
    ----------
    n_neurons : mapping of str to int
        Classes, and the number of neurons of each.
    mass : float
        Share of the weight mass that they hold.
    n_available : int
        Number of all neurons.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After ``plot``.
    figure_ : matplotlib Figure
        After ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import NeuronsPerClassDisplay, WeightMassSelector
    >>> selector = WeightMassSelector(RidgeClassifier()).fit(*load_digits(return_X_y=True))
    >>> display = NeuronsPerClassDisplay.from_estimator(selector)
    >>> display.n_neurons["6"], display.n_neurons["8"]
    (13, 13)
    """

    def __init__(self, n_neurons: Mapping[str, int], mass: float, n_available: int):
        self.n_neurons, self.mass, self.n_available = n_neurons, mass, n_available

    @classmethod
    def from_estimator(cls, selector, *, mass: float = 0.5, ax=None) -> NeuronsPerClassDisplay:
        """Count the neurons of each class of a fitted selector, and plot.

        Parameters
        ----------
        selector : WeightMassSelector or ProbelessSelector
            Fitted on labels; its ``class_scores_`` are the weights.
        mass : float in [0, 1], default=0.5
            Share of each class's weight mass.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        NeuronsPerClassDisplay

        Raises
        ------
        ValueError
            If the selector has no scores for each class, as with two classes, which share one
            row of weights.
        """
        check_is_fitted(selector)
        scores = getattr(selector, "class_scores_", None)
        fitted_on = getattr(selector, "estimator_", selector)
        classes = np.asarray(getattr(fitted_on, "classes_", ())).tolist()
        if scores is None or len(scores) != len(classes):
            raise ValueError(
                f"This {type(selector).__name__} has no scores for each of its "
                f"{len(classes)} classes."
            )
        _, neurons = top_neurons(scores, mass)
        counts = {
            str(label): len(each)
            for label, each in zip(classes, neurons, strict=True)
            if len(each) or mass == 0
        }
        return cls(counts, mass, scores.shape[1]).plot(ax=ax)

    def _figsize(self) -> tuple[float, float]:
        return 6.4, 1.4 + 0.25 * len(self.n_neurons)

    def _draw(self, ax) -> None:
        names = sorted(self.n_neurons, key=self.n_neurons.__getitem__)
        rows = range(len(names))
        bars = ax.barh(rows, [self.n_neurons[name] for name in names], color="#0072B2")
        ax.set_yticks(rows, map(plain, names))
        ax.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=9)
        ax.invert_yaxis()
        ax.margins(x=0.1)
        ax.set(
            xlabel=f"Neurons that hold {self.mass:.0%} of the weight mass, of {self.n_available:,}",
            ylabel="Class",
            title="How many neurons does each class need?",
        )


class RegularizationPathDisplay(Display):
    """Score, or share of zero weights, over the penalties of a probe.

    A line over lambda_l1 for each lambda_l2; bars span one standard deviation to each side.

    Parameters
    ----------
    cv_results : dict of ndarrays
        As of a search: ``param_lambda_l1``, ``param_lambda_l2`` and test scores.
    metric : str, default="score"
        What the scores are.
    zero_shares : ndarray of shape (n_candidates, n_folds), default=None
        Share of zero weights, as of the probes' own searches.
    show : {"score", "zeros"}, default="score"
        The test score, or the share of weights that are exactly 0.

    Raises
    ------
    ValueError
        If the results have no lambda_l1 or lambda_l2, or no shares of zero weights; or `show` is
        unknown.

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

    def __init__(
        self,
        cv_results: Mapping[str, Any],
        *,
        metric: str = "score",
        zero_shares: NDArray | None = None,
        show: str = "score",
    ):
        if show not in ("score", "zeros"):
            raise ValueError(f"show must be 'score' or 'zeros', got {show!r}.")
        if show == "zeros" and zero_shares is None:
            raise ValueError(
                "This search has no zero_shares_: LinearProbeClassifierCV and "
                "LinearProbeRegressorCV have them, other searches do not."
            )
        _check_results(cv_results)
        self.cv_results, self.metric = cv_results, metric
        self.zero_shares, self.show = zero_shares, show

    @classmethod
    def from_estimator(cls, search, *, ax=None, show: str = "score") -> RegularizationPathDisplay:
        """Plot a fitted search over both penalties.

        Parameters
        ----------
        search : LinearProbeClassifierCV, LinearProbeRegressorCV or GridSearchCV
            Fitted; of a Pipeline the parameters may be those of a step.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.
        show : {"score", "zeros"}, default="score"
            As above.

        Returns
        -------
        RegularizationPathDisplay
        """
        if not hasattr(search, "refit"):
            raise TypeError(f"Expected a search over lambdas, got {type(search).__name__}.")
        check_is_fitted(search, "cv_results_")
        return cls(
            search.cv_results_,
            metric=metric_name(search, getattr(search, "scoring", None)),
            zero_shares=getattr(search, "zero_shares_", None),
            show=show,
        ).plot(ax=ax)

    def _draw(self, ax) -> None:
        if self.zero_shares is not None and self.show == "zeros":
            mean, std = self.zero_shares.mean(axis=1), self.zero_shares.std(axis=1)
            label, title = "Share of zero weights", "How sparse is it?"
        else:
            mean, std = self.cv_results["mean_test_score"], self.cv_results["std_test_score"]
            label, title = self.metric.capitalize(), "How much regularisation?"
        l1, l2 = (self._lambdas(name) for name in ("lambda_l1", "lambda_l2"))
        values = np.unique(l1)
        for place, penalty in enumerate(np.unique(l2)):
            rows = np.flatnonzero(l2 == penalty)
            rows = rows[np.argsort(l1[rows], kind="stable")]
            ax.errorbar(
                np.searchsorted(values, l1[rows]) + 0.03 * place,  # bars beside each other
                mean[rows],
                std[rows],
                label=f"{penalty:g}",
                capsize=3,
                **style(place),
            )
        ax.set_xticks(range(len(values)), [f"{value:g}" for value in values])
        ax.set(
            xlabel="lambda_l1",
            ylabel=f"{label} (mean ± std of the folds)",
            title=title,
        )
        ax.legend(title="lambda_l2", fontsize="small")

    def _lambdas(self, name: str) -> NDArray[np.float64]:
        (key,) = _params(self.cv_results, name)
        return np.asarray(self.cv_results[key], dtype=np.float64)


def _params(cv_results, name: str) -> list[str]:
    """Keys of a parameter of the probe, or of a step."""
    ends = (f"param_{name}", f"__{name}")
    return [key for key in cv_results if key.startswith("param_") and key.endswith(ends)]


def _check_results(cv_results) -> None:
    """Refuse results that are no grid of both penalties, scored once."""
    known = [key for key in cv_results if key.startswith("param_")]
    for name in ("lambda_l1", "lambda_l2"):
        if len(_params(cv_results, name)) != 1:
            raise ValueError(f"The search has no parameter {name}, or several; it has {known}.")
    for key in known:
        values = list(map(str, cv_results[key]))
        if not key.endswith(("lambda_l1", "lambda_l2")) and len(set(values)) > 1:
            raise ValueError(
                f"The search is over {key.removeprefix('param_')} too: plot the results of one "
                "value of it."
            )
    if "mean_test_score" not in cv_results:
        raise ValueError("The search has several scores: plot the results of one of them.")
