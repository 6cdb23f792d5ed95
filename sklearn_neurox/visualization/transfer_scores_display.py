"""Display of the scores of probes on other data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..evaluation import TransferScores, transfer_scores
from ._axes import plot_matrix, space_below
from ._display import ResultDisplay
from ._drawn_text import literal
from ._style import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TransferScoresDisplay(ResultDisplay[TransferScores]):
    """Matrix of the scores of each training set on each data set.

    The scores on the diagonal are cross-validated.

    Parameters
    ----------
    result : TransferScores
        From :func:`transfer_scores`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Set by ``plot``.
    figure_ : matplotlib Figure
        Set by ``plot``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import TransferScoresDisplay, transfer_scores
    >>> X, y = load_digits(return_X_y=True)
    >>> datasets = {"first": (X[:900], y[:900]), "second": (X[900:], y[900:])}
    >>> display = TransferScoresDisplay(transfer_scores(RidgeClassifier(), datasets)).plot()
    >>> display.ax_.get_xlabel()
    'Tested on'
    """

    _compute = staticmethod(transfer_scores)
    _kind = TransferScores
    _finite = ("values",)

    @classmethod
    def from_estimator(  # type: ignore[override]  # several data sets instead of X and y
        cls, estimator: Any, datasets: Any, *, ax: Axes | None = None, **kwargs: Any
    ) -> Self:
        """Compute the scores of an estimator and plot them.

        Parameters
        ----------
        estimator : estimator
        datasets : mapping of str to tuple
            As in :func:`transfer_scores`.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        **kwargs : dict
            Parameters of :func:`transfer_scores`, and of :meth:`plot`.

        Returns
        -------
        display
            Object that stores the result and the axes.
        """
        style = cls._pop_style(kwargs)
        return cls(transfer_scores(estimator, datasets, **kwargs)).plot(ax=ax, **style)

    def plot(
        self, *, ax: Axes | None = None, im_kw: Style | None = None, text_kw: Style | None = None
    ) -> Self:
        """Plot the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        im_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.imshow`.
        text_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.text` for the scores.

        Returns
        -------
        self : TransferScoresDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, im_kw=im_kw, text_kw=text_kw)
        result = self.result
        label = literal(result.metric.capitalize())
        plot_matrix(ax, result.values, result.sources, result.names, label, im_kw, text_kw)
        ax.set(xlabel="Tested on", ylabel="Trained on", title="Do the probes transfer?")
        return self

    def _figsize(self) -> tuple[float, float]:
        names, sources = self.result.names, self.result.sources
        return 3 + 0.7 * len(names), 1.5 + 0.5 * len(sources) + space_below(names)
