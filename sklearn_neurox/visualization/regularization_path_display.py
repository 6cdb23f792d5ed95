"""Display of a search over both penalties of a probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import check_is_fitted

from ..evaluation.scorers import metric_name
from ..probes import LinearProbeClassifierCV, LinearProbeRegressorCV
from ._axes import series_style
from ._display import Display
from ._drawn_text import literal
from ._style import Style, override
from ._values import check_finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class RegularizationPathDisplay(Display):
    """Plot of the score or the share of zero weights as a function of the penalties of a probe.

    There is a line over lambda_l1 for each lambda_l2. Bars extend one standard deviation to each
    side.

    Parameters
    ----------
    cv_results : dict of ndarrays
        Results of a search: ``param_lambda_l1``, ``param_lambda_l2`` and test scores.
    metric : str, default="score"
        Name of the scores.
    zero_shares : ndarray of shape (n_candidates, n_folds), default=None
        Share of zero weights, from a search of :class:`LinearProbeClassifierCV` or
        :class:`LinearProbeRegressorCV`.
    show : {"score", "zeros"}, default="score"
        Whether to draw the test score, or the share of weights that are exactly 0.

    Raises
    ------
    ValueError
        If `show` is unknown, or the results do not contain lambda_l1, lambda_l2 or the shares of
        zero weights.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

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
        zero_shares: NDArray[np.float64] | None = None,
        show: Literal["score", "zeros"] = "score",
    ) -> None:
        if show not in ("score", "zeros"):
            raise ValueError(f"show must be 'score' or 'zeros', got {show!r}.")
        if show == "zeros" and zero_shares is None:
            raise ValueError(
                "show='zeros' requires a search with zero_shares_, such as "
                "LinearProbeClassifierCV or LinearProbeRegressorCV."
            )
        _check_results(cv_results)
        for key in ("mean_test_score", "std_test_score"):
            check_finite(cv_results[key], f"cv_results[{key!r}]")
        if zero_shares is not None:
            check_finite(zero_shares, "zero_shares")
        self.cv_results, self.metric = cv_results, metric
        self.zero_shares, self.show = zero_shares, show

    @classmethod
    def from_estimator(
        cls,
        search: LinearProbeClassifierCV | LinearProbeRegressorCV | GridSearchCV,
        *,
        show: Literal["score", "zeros"] = "score",
        ax: Axes | None = None,
        errorbar_kw: Style | None = None,
    ) -> Self:
        """Plot a fitted search over both penalties.

        Parameters
        ----------
        search : LinearProbeClassifierCV, LinearProbeRegressorCV or GridSearchCV
            A fitted search. The parameters may be those of a step of a Pipeline.
        show : {"score", "zeros"}, default="score"
            Whether to draw the test score, or the share of weights that are exactly 0.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : RegularizationPathDisplay
            Object that stores the plotted values and the axes.
        """
        if not hasattr(search, "refit"):
            raise TypeError(
                "search must be a search over lambda_l1 and lambda_l2, got "
                f"{type(search).__name__}."
            )
        check_is_fitted(search, "cv_results_")
        display = cls(
            search.cv_results_,
            metric=metric_name(search, getattr(search, "scoring", None)),
            zero_shares=getattr(search, "zero_shares_", None),
            show=show,
        )
        return display.plot(ax=ax, errorbar_kw=errorbar_kw)

    def plot(self, *, ax: Axes | None = None, errorbar_kw: Style | None = None) -> Self:
        """Plot the scores, or the shares of zero weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        errorbar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.errorbar`.

        Returns
        -------
        self : RegularizationPathDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, errorbar_kw=errorbar_kw)
        if self.zero_shares is not None and self.show == "zeros":
            mean, std = self.zero_shares.mean(axis=1), self.zero_shares.std(axis=1)
            label, title = "Share of zero weights", "How sparse is the probe?"
        else:
            mean, std = self.cv_results["mean_test_score"], self.cv_results["std_test_score"]
            label, title = literal(self.metric.capitalize()), "How much regularization?"
        l1, l2 = (self._lambdas(name) for name in ("lambda_l1", "lambda_l2"))
        values = np.unique(l1)
        for index, penalty in enumerate(np.unique(l2)):
            rows = np.flatnonzero(l2 == penalty)
            rows = rows[np.argsort(l1[rows], kind="stable")]
            style = {**series_style(index), "capsize": 3, "label": f"{penalty:g}"}
            ax.errorbar(
                np.searchsorted(values, l1[rows]) + 0.03 * index,  # bars side by side
                mean[rows],
                std[rows],
                **override(style, errorbar_kw, "lines.Line2D"),
            )
        ax.set_xticks(range(len(values)), [f"{value:g}" for value in values])
        ax.set(xlabel="lambda_l1", ylabel=f"{label} (mean ± std over the folds)", title=title)
        ax.legend(title="lambda_l2", fontsize="small")
        return self

    def _lambdas(self, name: str) -> NDArray[np.float64]:
        (key,) = _keys(self.cv_results, name)
        return np.asarray(self.cv_results[key], dtype=np.float64)


def _keys(cv_results: Mapping[str, Any], name: str) -> list[str]:
    """Return the keys of a parameter of the probe, or of a step of a Pipeline."""
    ends = (f"param_{name}", f"__{name}")
    return [key for key in cv_results if key.startswith("param_") and key.endswith(ends)]


def _check_results(cv_results: Mapping[str, Any]) -> None:
    """Check that the results are those of a grid of both penalties, with a single score."""
    known = [key for key in cv_results if key.startswith("param_")]
    for name in ("lambda_l1", "lambda_l2"):
        n_found = len(_keys(cv_results, name))
        if n_found != 1:
            raise ValueError(
                f"The search must vary exactly one parameter {name}, got {n_found} such "
                f"parameters among {known}."
            )
    for key in known:
        values = set(map(str, cv_results[key]))
        if not key.endswith(("lambda_l1", "lambda_l2")) and len(values) > 1:
            raise ValueError(
                f"The search also varies {key.removeprefix('param_')}. Plot the results for a "
                "single value of it."
            )
    if "mean_test_score" not in cv_results:
        raise ValueError("The search has several scores. Plot the results of a single score.")
