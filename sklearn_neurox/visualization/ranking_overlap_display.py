"""Display of the agreement between rankings of neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ..neurons import VotingSelector, ranking_overlap
from ._axes import plot_matrix, space_below
from ._display import Display
from ._style import Style
from ._values import check_finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class RankingOverlapDisplay(Display):
    """Matrix of the overlaps between the top neurons of several rankings.

    Parameters
    ----------
    overlap : ndarray of shape (n_rankings, n_rankings)
        From :func:`ranking_overlap`.
    names : sequence of str
        Names of the rankings.
    n_neurons : int
        Number of top neurons that are compared.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> from sklearn_neurox import RankingOverlapDisplay
    >>> rankings = {"weights": [0, 1, 2, 3], "means": [1, 0, 2, 3], "random": [3, 2, 1, 0]}
    >>> display = RankingOverlapDisplay.from_rankings(rankings, n_neurons=2)
    >>> display.overlap[0]
    array([1., 1., 0.])
    """

    def __init__(self, overlap: NDArray, names: Sequence[str], n_neurons: int) -> None:
        shape = check_finite(overlap, "overlap").shape
        if shape != (len(names), len(names)):
            raise ValueError(
                f"overlap must have one row and one column for each of the {len(names)} names, got "
                f"an array of shape {shape}."
            )
        self.overlap, self.names, self.n_neurons = overlap, names, n_neurons

    @classmethod
    def from_rankings(
        cls,
        rankings: Mapping[str, Sequence[int] | NDArray[np.integer]],
        *,
        n_neurons: int,
        ax: Axes | None = None,
        im_kw: Style | None = None,
        text_kw: Style | None = None,
    ) -> Self:
        """Compare rankings and plot their overlap.

        Parameters
        ----------
        rankings : mapping of str to array-like of int
            Rankings by name, each with neurons ordered from most to least important.
        n_neurons : int
            Number of top neurons to compare.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        im_kw, text_kw : dict, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : RankingOverlapDisplay
            Object that stores the plotted values and the axes.
        """
        if not isinstance(rankings, Mapping):
            raise TypeError(
                f"rankings must be a dict of rankings by name, got {type(rankings).__name__}."
            )
        overlap = ranking_overlap(list(rankings.values()), n_neurons=n_neurons)
        return cls(overlap, list(rankings), n_neurons).plot(ax=ax, im_kw=im_kw, text_kw=text_kw)

    @classmethod
    def from_estimator(
        cls,
        voting: VotingSelector,
        *,
        n_neurons: int,
        ax: Axes | None = None,
        im_kw: Style | None = None,
        text_kw: Style | None = None,
    ) -> Self:
        """Plot the overlap of the rankings of a :class:`VotingSelector` and its selectors.

        Parameters
        ----------
        voting : VotingSelector
            A fitted selector.
        n_neurons : int
            Number of top neurons to compare.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        im_kw, text_kw : dict, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : RankingOverlapDisplay
            Object that stores the plotted values and the axes.
        """
        if not isinstance(voting, VotingSelector):
            raise TypeError(f"voting must be a VotingSelector, got {type(voting).__name__}.")
        check_is_fitted(voting, "named_selectors_")
        rankings = {name: each.ranking_ for name, each in voting.named_selectors_.items()}
        rankings["vote"] = voting.ranking_
        return cls.from_rankings(rankings, n_neurons=n_neurons, ax=ax, im_kw=im_kw, text_kw=text_kw)

    def _figsize(self) -> tuple[float, float]:
        size = 2.5 + 0.5 * len(self.names) + space_below(self.names)
        return size + 0.8, size

    def plot(
        self, *, ax: Axes | None = None, im_kw: Style | None = None, text_kw: Style | None = None
    ) -> Self:
        """Plot the overlap.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        im_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.imshow`.
        text_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.text` for the numbers.

        Returns
        -------
        self : RankingOverlapDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, im_kw=im_kw, text_kw=text_kw)
        label = "Intersection over union"
        plot_matrix(ax, self.overlap, self.names, self.names, label, im_kw, text_kw)
        ax.set_title(f"Overlap of the top {self.n_neurons:,} neurons")
        return self
