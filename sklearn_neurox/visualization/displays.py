"""Curves with matplotlib, in the manner of scikit-learn's displays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np

from ..evaluation import ablation_curve, layerwise_scores
from ..evaluation.ablation import KEEP
from ._axes import make_axes, plot_folds, spread_of

_LEVELS: tuple[dict[str, Any], ...] = (
    {"color": "0.4", "linestyle": ":"},
    {"color": "black", "linestyle": (0, (5, 1))},
    {"color": "0.6", "linestyle": (0, (3, 1, 1, 1, 1, 1))},
)
_OTHERS = {
    "": "",
    "zero": " (the others are 0)",
    "mean": " (the others are at their mean)",
    "retrain": " (trained on them alone)",
}


class ResultDisplay(ABC):
    """A display of a result that a function computes for an estimator."""

    _compute: Callable

    def __init__(self, result):
        self.result = result

    @abstractmethod
    def plot(self, *, ax=None):
        """Plot the result."""

    @classmethod
    def from_result(cls, result, *, ax=None, **kwargs):
        """Plot a result.

        Parameters
        ----------
        result : result
            As the class says.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.
        **kwargs : dict
            Passed to ``plot``.

        Returns
        -------
        display
        """
        return cls(result).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, **kwargs):
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


class LayerwiseScoresDisplay(ResultDisplay):
    """Scores of a probe on each layer, with the control task and the baseline.

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

    def plot(self, *, ax=None) -> LayerwiseScoresDisplay:
        """Plot means over the folds; bars span one standard deviation to each side.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        LayerwiseScoresDisplay
        """
        self.ax_ = make_axes(ax)
        self.figure_ = self.ax_.figure
        result = self.result
        layers = np.arange(len(result.scores))
        curves = {"Task": result.scores}
        if result.control_scores is not None:
            curves["Control task"] = result.control_scores
        levels = {"Baseline, no activations": result.baseline_scores}
        for name, scores in result.other_scores.items():
            (curves if scores.ndim == 2 else levels)[name.capitalize()] = scores
        for place, (name, scores) in enumerate(curves.items()):
            plot_folds(self.ax_, layers, scores, name, place)
        for (name, scores), line in zip(levels.items(), cycle(_LEVELS)):
            self.ax_.axhline(scores.mean(), label=name, **line)
        self.ax_.set(
            xlabel="Layer",
            ylabel=f"{result.metric.capitalize()} ({spread_of(result.scores.shape[1])})",
            title=f"A probe on each layer{' (0: embeddings)' if 0 in result.layers else ''}",
        )
        self.ax_.set_xticks(layers, [str(layer) for layer in result.layers])
        self.ax_.legend()
        return self


class AblationCurveDisplay(ResultDisplay):
    """Score over the number of neurons kept: top, random, bottom.

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

    def plot(self, *, ax=None) -> AblationCurveDisplay:
        """Plot means over the folds; bars span one standard deviation to each side.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        AblationCurveDisplay
        """
        self.ax_ = make_axes(ax)
        self.figure_ = self.ax_.figure
        result = self.result
        order = np.argsort(result.n_neurons, kind="stable")
        n_neurons = result.n_neurons[order]
        for keep, scores in result.scores.items():
            label = f"{keep.capitalize()} neurons"
            plot_folds(self.ax_, n_neurons, scores[order], label, KEEP.index(keep))
        self.ax_.axhline(result.full_scores.mean(), color="0.4", linestyle=":", label="All neurons")
        self.ax_.set(
            xscale="log",
            xlabel=f"Neurons kept, of {result.n_available:,}",
            ylabel=f"{result.metric.capitalize()} ({spread_of(len(result.full_scores))})",
            title=f"How many neurons does it take?{_OTHERS[result.mode]}",
        )
        self.ax_.set_xticks(n_neurons, [f"{n:,}" for n in n_neurons], rotation=45)
        self.ax_.minorticks_off()
        self.ax_.legend()
        return self
