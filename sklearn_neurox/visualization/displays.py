"""Curves with matplotlib, in the manner of scikit-learn's displays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from .._optional import import_optional
from ..evaluation import ablation_curve, layerwise_scores

# Okabe and Ito's colours; markers and dashes keep the curves apart in grey.
_STYLES = {
    "blue": {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    "orange": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    "green": {"color": "#009E73", "marker": "^", "linestyle": "-."},
}


class _ResultDisplay(ABC):
    """A display of a result that a function computes for an estimator."""

    _compute: Callable

    def __init__(self, result):
        self.result = result

    @abstractmethod
    def plot(self, *, ax=None):
        """Plot the result."""

    @classmethod
    def from_result(cls, result, *, ax=None):
        """Plot a result.

        Parameters
        ----------
        result : LayerwiseScores or AblationCurve
            As the class says.
        ax : matplotlib Axes, default=None
            Where to plot; None makes a figure.

        Returns
        -------
        display
        """
        return cls(result).plot(ax=ax)

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


class LayerwiseScoresDisplay(_ResultDisplay):
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
        _errorbar(self.ax_, layers, result.scores, "Task", "blue")
        if result.control_scores is not None:
            _errorbar(self.ax_, layers, result.control_scores, "Control task", "orange")
        self.ax_.axhline(
            result.baseline_scores.mean(),
            color="0.4",
            linestyle=":",
            label="Baseline, no activations",
        )
        self.ax_.set(
            xlabel="Layer",
            ylabel=f"{result.metric.capitalize()} ({_spread(result.scores.shape[1])})",
            title="A probe on each layer (0: embeddings)",
            xticks=layers,
        )
        self.ax_.legend()
        return self


class AblationCurveDisplay(_ResultDisplay):
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
        styles = {"top": "blue", "random": "orange", "bottom": "green"}
        order = np.argsort(result.n_neurons, kind="stable")
        n_neurons = result.n_neurons[order]
        for keep, scores in result.scores.items():
            _errorbar(
                self.ax_, n_neurons, scores[order], f"{keep.capitalize()} neurons", styles[keep]
            )
        self.ax_.axhline(result.full_scores.mean(), color="0.4", linestyle=":", label="All neurons")
        self.ax_.set(
            xscale="log",
            xlabel=f"Neurons kept, of {result.n_available:,}",
            ylabel=f"{result.metric.capitalize()} ({_spread(len(result.full_scores))})",
            title="How many neurons does it take?",
        )
        self.ax_.set_xticks(n_neurons, [f"{n:,}" for n in n_neurons], rotation=45)
        self.ax_.minorticks_off()
        self.ax_.legend()
        return self


def make_axes(ax, figsize: tuple[float, float] = (6.4, 4)) -> Any:
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose="Plotting")
    _, ax = pyplot.subplots(figsize=figsize, layout="constrained")
    return ax


def _errorbar(ax, x, scores, label, style) -> None:
    ax.errorbar(
        x, scores.mean(axis=1), scores.std(axis=1), label=label, capsize=3, **_STYLES[style]
    )


def _spread(n_folds: int) -> str:
    return f"mean ± std of {n_folds} folds"
