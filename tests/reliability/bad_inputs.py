"""Inputs that every estimator must refuse, with an error that leaves it as it was."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

import sklearn_neurox as snx

from .calls import adam, exact, smooth
from .inputs import N_LAYERS, Inputs

# From a seed to an estimator that needs labels.
ESTIMATORS: dict[str, Callable[[int], BaseEstimator]] = {
    "Adam": adam,
    "exact": lambda seed: exact(),
    "grid": lambda seed: snx.LinearProbeClassifierCV(cv=2, max_epochs=1, device="cpu"),
    "Gaussian": lambda seed: snx.GaussianProbeClassifier(),
    "mean difference": lambda seed: snx.MeanDifferenceClassifier(),
    "weight mass": lambda seed: snx.WeightMassSelector(smooth()),
    "probeless": lambda seed: snx.ProbelessSelector(),
    "average precision": lambda seed: snx.AveragePrecisionSelector(),
    "Gaussian selector": lambda seed: snx.GaussianSelector(),
    "LEACE": lambda seed: snx.LeaceEraser(),
    "null space": lambda seed: snx.NullspaceEraser(snx.MeanDifferenceClassifier()),
}


def _with(array: np.ndarray, value: Any) -> np.ndarray:
    changed = np.array(array)
    changed[len(array) // 2, -1] = value
    return changed


# From inputs to arguments of `fit`, all of which are wrong.
BAD: dict[str, Callable[[Inputs], tuple[Any, Any]]] = {
    "NaN": lambda inputs: (_with(inputs.X, np.nan), inputs.labels),
    "infinite": lambda inputs: (_with(inputs.X, np.inf), inputs.labels),
    "another length": lambda inputs: (inputs.X, inputs.labels[:-1]),
    "one dimension": lambda inputs: (inputs.X[:, 0], inputs.labels),
    "three dimensions": lambda inputs: (inputs.X[None], inputs.labels),
    "no rows": lambda inputs: (inputs.X[:0], inputs.labels[:0]),
    "no neurons": lambda inputs: (inputs.X[:, :0], inputs.labels),
    "text": lambda inputs: (inputs.X.astype(str).astype(object), inputs.words[:, None]),
    "complex": lambda inputs: (inputs.X.astype(complex), inputs.labels),
    "one label": lambda inputs: (inputs.X, np.full(len(inputs.X), "X")),
    "labels with NaN": lambda inputs: (inputs.X, np.full(len(inputs.X), np.nan)),
    "labels of three dimensions": lambda inputs: (inputs.X, inputs.X[None]),
    "no labels": lambda inputs: (inputs.X, None),
}


def layers_of_a_wrong_number(inputs: Inputs, seed: int) -> Any:
    """Call a function with a number of layers that does not divide the neurons."""
    n_layers = inputs.X.shape[1] * N_LAYERS + 1
    return snx.layerwise_scores(smooth(), inputs.X, inputs.labels, n_layers=n_layers)
