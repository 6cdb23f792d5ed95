"""Curves with matplotlib, in the manner of scikit-learn's displays."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any, Self

import numpy as np

from ..evaluation import AblationCurve, LayerwiseScores, ablation_curve, layerwise_scores
from ..evaluation.ablation_curve import KEEP
from ._axes import by_name, check_result, plain, plot_folds, set_xticks, spread_of
from ._display import Display

_LEVELS: tuple[dict[str, Any], ...] = (
    {"color": "0.4", "linestyle": ":"},
    {"color": "black", "linestyle": (0, (5, 1))},
    {"color": "0.6", "linestyle": (0, (3, 1, 1, 1, 1, 1))},
)
_OTHERS = {
    "": "",
    "zero": " (the others are 0)",
    "mean": " (the others are at their mean)",
    "remove": " (trained on them alone)",
}


class ResultDisplay(Display):
    """A display of a result that a function computes for an estimator."""

    _compute: Callable
    _kind: type

    def __init__(self, result):
        check_result(result, self._kind)
        self.result = result

    @classmethod
    def from_result(cls, result, *, ax=None, **kwargs) -> Self:
        """Plot a result.

        Parameters
        ----------
        result : result
            As the class says.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.
        **kwargs : dict
            Parameters of the display.

        Returns
        -------
        display
        """
        return cls(result, **kwargs).plot(ax=ax)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs) -> Self:
        """Compute the result for an estimator, and plot it.

        Parameters
        ----------
        estimator : estimator
        X : array-like of shape (n_words, n_neurons)
        y : array-like of shape (n_words,)
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.
        **kwargs : dict
            Passed to the function that computes the result.

        Returns
        -------
        display
        """
        return cls.from_result(cls._compute(estimator, X, y, **kwargs), ax=ax)


class NamedResultsDisplay(ResultDisplay):
    """A display of one result, or of several by name."""

    def __init__(self, result):
        self.result = result
        self._results = by_name(result, self._kind)


class LayerwiseScoresDisplay(ResultDisplay):
    """Scores of a probe on each layer, with its controls and the baseline.

    Means over the folds; bars span one standard deviation to each side.

    Parameters
    ----------
    result : LayerwiseScores
        From :func:`layerwise_scores`.

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
    >>> from sklearn_neurox import LayerwiseScoresDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = LayerwiseScoresDisplay.from_estimator(RidgeClassifier(), X, y, n_layers=8)
    >>> display.ax_.get_xlabel()
    'Layer'
    """

    _compute = staticmethod(layerwise_scores)
    _kind = LayerwiseScores

    def _draw(self, ax) -> None:
        result = self.result
        layers = np.arange(len(result.scores))
        curves = [("Task", result.scores)]
        if result.control_scores is not None:
            curves.append(("Control task", result.control_scores))
        levels = [("Baseline, no activations", result.baseline_scores)]
        for name, scores in result.other_scores.items():
            (curves if scores.ndim == 2 else levels).append((name, scores))
        for place, (name, scores) in enumerate(curves):
            plot_folds(ax, layers, scores, name, place)
        for (name, scores), line in zip(levels, cycle(_LEVELS)):
            ax.axhline(scores.mean(), label=plain(name), **line)
        ax.set(
            xlabel="Layer",
            ylabel=f"{result.metric.capitalize()} ({spread_of(result.scores.shape[1])})",
            title=f"A probe on each layer{' (0: embeddings)' if 0 in result.layers else ''}",
        )
        set_xticks(ax, result.layers)
        ax.legend()


class AblationCurveDisplay(ResultDisplay):
    """Score over the number of neurons kept: top, random, bottom.

    Means over the folds; bars span one standard deviation to each side.

    Parameters
    ----------
    result : AblationCurve
        From :func:`ablation_curve`.

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
    >>> from sklearn_neurox import AblationCurveDisplay, WeightMassSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> display = AblationCurveDisplay.from_estimator(
    ...     RidgeClassifier(), X, y, ranking=WeightMassSelector(RidgeClassifier()))
    >>> display.ax_.get_xlabel()
    'Neurons kept, of 64'
    """

    _compute = staticmethod(ablation_curve)
    _kind = AblationCurve

    def _draw(self, ax) -> None:
        result = self.result
        order = np.argsort(result.n_neurons, kind="stable")
        n_neurons = result.n_neurons[order]
        for keep, scores in result.scores.items():
            label = f"{keep.capitalize()} neurons"
            plot_folds(ax, n_neurons, scores[order], label, KEEP.index(keep))
        ax.axhline(result.full_scores.mean(), color="0.4", linestyle=":", label="All neurons")
        ax.set(
            xscale="log",
            xlabel=f"Neurons kept, of {result.n_available:,}",
            ylabel=f"{result.metric.capitalize()} ({spread_of(len(result.full_scores))})",
            title=f"How many neurons does it take?{_OTHERS[result.mode]}",
        )
        ax.set_xticks(n_neurons, [f"{n:,}" for n in n_neurons], rotation=45)
        ax.minorticks_off()
        ax.legend()
