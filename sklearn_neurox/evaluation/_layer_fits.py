"""Fits of an estimator on each layer, and their scores and predictions on held-out samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._grouped_fits import fit_clone, has_single_label, uses_groups
from .._rare_labels import ignore_rare_labels
from .._results import predictions_of
from .._row_copies import copy_rows, own_copy
from ..probes.layers import fit_layers, is_bankable
from ._folds import Split
from ._responses import Response
from .scorers import Scorer


class FoldResult(NamedTuple):
    """Scores and predictions of one fold, one for each layer.

    `decisions` are decision values or probabilities, as described by a :class:`Response`, or None.
    """

    scores: list[float]
    predictions: list[NDArray]
    decisions: list[NDArray] | None


def in_order(X: NDArray, order: NDArray[np.intp]) -> NDArray:
    """Return the columns of all layers, one layer after the other, or X itself if in order."""
    if np.array_equal(order, np.arange(X.shape[1])):
        return X
    return np.take(X, order, axis=1)  # unlike X[:, order], in C order


def score_layers(
    estimator: Any,
    X: NDArray,
    y: NDArray,
    ends: NDArray[np.intp],
    split: Split,
    scorer: Scorer,
    response: Response | None = None,
    groups: NDArray | None = None,
) -> FoldResult:
    """Fit an estimator on each layer of the training samples, and score it on the test samples."""
    train, test = split
    of_train = None if groups is None else groups[train]
    fitted = fit_each_layer(estimator, copy_rows(X, train), y[train], ends, of_train)
    layers = [copy_rows(layer, test) for layer in np.split(X, ends, axis=1)]
    return score_fitted(fitted, layers, y[test], scorer, response)


def score_fitted(
    fitted: list[Any],
    layers: list[NDArray],
    y: NDArray,
    scorer: Scorer,
    response: Response | None,
) -> FoldResult:
    """Score fitted estimators, each on its layer, and return their predictions as well."""
    with ignore_rare_labels():
        scores = [
            scorer(each, own_copy(layer), y) for each, layer in zip(fitted, layers, strict=True)
        ]
    return predict_fitted(fitted, layers, response)._replace(scores=scores)


def predict_fitted(
    fitted: list[Any], layers: list[NDArray], response: Response | None
) -> FoldResult:
    """Return the predictions of fitted estimators, each for its layer, without scores."""
    pairs = list(zip(fitted, layers, strict=True))
    with ignore_rare_labels():
        predictions = [
            predictions_of(each, own_copy(layer), layer.shape[0]) for each, layer in pairs
        ]
    decisions = None if response is None else [response.of(*pair) for pair in pairs]
    return FoldResult([], predictions, decisions)


def fit_each_layer(
    estimator: Any, X: NDArray, y: NDArray, ends: NDArray[np.intp], groups: NDArray | None = None
) -> list[Any]:
    """Fit a clone on each layer, which is a run of columns.

    Linear probes, including those in the last step of a Pipeline, are trained together: Adam takes
    the same steps on all of them, and small matrix products are cheaper in a batch.
    """
    layers = np.split(X, ends, axis=1)
    is_grouped = groups is not None and uses_groups(estimator)
    if is_grouped or has_single_label(estimator, y):
        return [fit_clone(estimator, layer, y, groups) for layer in layers]
    fitted = [clone(estimator) for _ in layers]
    steps = estimator.steps if isinstance(estimator, Pipeline) else [("probe", estimator)]
    if not is_bankable(steps[-1][1]) or getattr(estimator, "memory", None) is not None:
        return [each.fit(layer, y) for each, layer in zip(fitted, layers, strict=True)]
    probes = [each[-1] if isinstance(each, Pipeline) else each for each in fitted]
    if len(steps) > 1:
        layers = [
            each[:-1].fit_transform(layer, y) for each, layer in zip(fitted, layers, strict=True)
        ]
    # Layers of a DataFrame may lack columns, and a step may select any number of neurons.
    has_names = any(hasattr(layer, "columns") for layer in layers)
    if has_names or len({layer.shape[1] for layer in layers}) > 1:
        for probe, layer in zip(probes, layers, strict=True):
            probe.fit(layer, y)
    else:
        fit_layers(probes, X if len(steps) == 1 else np.hstack(layers), y)
    return fitted
