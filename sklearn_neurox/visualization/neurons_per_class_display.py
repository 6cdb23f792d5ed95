"""Display of the number of neurons of each class."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from ..neurons import ProbelessSelector, WeightMassSelector, top_neurons
from ._axes import BLUE
from ._display import Display
from ._drawn_text import literal
from ._style import Style, override
from ._values import check_finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class NeuronsPerClassDisplay(Display):
    """Plot of the number of neurons that hold a share of the weight mass of each class.

    The numbers are those of the smallest sets of neurons. Classes with the fewest neurons come
    first, and classes without any weight are left out. A sparse probe uses more neurons for
    frequent classes, even with shuffled labels, so compare only classes of similar frequency.

    Parameters
    ----------
    n_neurons : mapping of str to int
        Number of neurons by class.
    mass : float
        Share of the weight mass that the neurons hold.
    n_available : int
        Total number of neurons.

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
    >>> from sklearn_neurox import NeuronsPerClassDisplay, WeightMassSelector
    >>> selector = WeightMassSelector(RidgeClassifier()).fit(*load_digits(return_X_y=True))
    >>> display = NeuronsPerClassDisplay.from_estimator(selector)
    >>> display.n_neurons["6"], display.n_neurons["8"]
    (13, 13)
    """

    def __init__(self, n_neurons: Mapping[str, int], mass: float, n_available: int) -> None:
        for label, number in n_neurons.items():
            check_scalar(number, f"n_neurons[{label!r}]", Integral, min_val=0)
        check_finite(mass, "mass")
        check_scalar(mass, "mass", Real, min_val=0, max_val=1)
        check_scalar(n_available, "n_available", Integral, min_val=0)
        self.n_neurons, self.mass, self.n_available = n_neurons, mass, n_available

    @classmethod
    def from_estimator(
        cls,
        selector: WeightMassSelector | ProbelessSelector,
        *,
        mass: float = 0.5,
        ax: Axes | None = None,
        bar_kw: Style | None = None,
        text_kw: Style | None = None,
    ) -> Self:
        """Count the neurons of each class of a fitted selector, and plot the numbers.

        Parameters
        ----------
        selector : WeightMassSelector or ProbelessSelector
            A selector that was fitted on labels. Its ``class_scores_`` are the weights.
        mass : float in [0, 1], default=0.5
            Share of the weight mass of each class.
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        bar_kw, text_kw : dict, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : NeuronsPerClassDisplay

        Raises
        ------
        ValueError
            If the selector does not have scores for each class. Two classes, for example, share one
            row of weights.
        """
        check_is_fitted(selector)
        scores = getattr(selector, "class_scores_", None)
        fitted_on = getattr(selector, "estimator_", selector)
        classes = np.asarray(getattr(fitted_on, "classes_", ())).tolist()
        if scores is None or len(scores) != len(classes):
            raise ValueError(
                f"This {type(selector).__name__} does not have scores for each of its "
                f"{len(classes)} classes."
            )
        _, neurons = top_neurons(scores, mass)
        counts = {
            str(label): len(each)
            for label, each in zip(classes, neurons, strict=True)
            if len(each) or mass == 0
        }
        return cls(counts, mass, scores.shape[1]).plot(ax=ax, bar_kw=bar_kw, text_kw=text_kw)

    def _figsize(self) -> tuple[float, float]:
        return 6.4, 1.4 + 0.25 * len(self.n_neurons)

    def plot(
        self, *, ax: Axes | None = None, bar_kw: Style | None = None, text_kw: Style | None = None
    ) -> Self:
        """Plot the numbers as bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes object to plot on. If None, a new figure and axes are created.
        bar_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.barh`.
        text_kw : dict, default=None
            Keyword arguments passed to matplotlib's `Axes.bar_label`.

        Returns
        -------
        self : NeuronsPerClassDisplay
            Object that stores the plotted values and the axes.
        """
        ax = self._use_axes(ax, bar_kw=bar_kw, text_kw=text_kw)
        names = sorted(self.n_neurons, key=self.n_neurons.__getitem__)
        rows = range(len(names))
        lengths = [self.n_neurons[name] for name in names]
        bars = ax.barh(rows, lengths, **override({"color": BLUE}, bar_kw, "patches.Rectangle"))
        ax.set_yticks(rows, [literal(name) for name in names])
        numbers = {"fmt": "{:,.0f}", "padding": 3, "fontsize": 9}
        ax.bar_label(bars, **override(numbers, text_kw, "text.Text"))
        ax.invert_yaxis()
        ax.margins(x=0.1)
        held = f"{self.mass:.0%} of the weight mass"
        ax.set(
            xlabel=f"Neurons that hold {held} (of {self.n_available:,})",
            ylabel="Class",
            title="How many neurons does each class need?",
        )
        return self
