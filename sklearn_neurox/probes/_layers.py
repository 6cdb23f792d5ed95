"""Linear probes on all layers at once."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from ._linear_probe import LinearProbe
from ._linear_probe_cv import LinearProbeCV


def is_bankable(estimator) -> bool:
    """Tell whether clones of this estimator can train on layers as one bank.

    Callbacks watch a fit of their own, and a search has a bank already.
    """
    return (
        isinstance(estimator, LinearProbe)
        and not isinstance(estimator, LinearProbeCV)
        and estimator.solver == "adam"
        and not (estimator.warm_start or estimator.net_params)
        and not getattr(estimator, "_skl_callbacks", None)
    )


def fit_layers(probes: list, layers: list, y) -> None:
    """Fit equal probes, each on its layer; the same as fitting one after the other.

    Parameters
    ----------
    probes : list of LinearProbe
        With the same parameters.
    layers : list of array-like of shape (n_words, n_neurons)
        Activations, all of the same width.
    y : array-like of shape (n_words,)
    """
    first = probes[0]
    first._validate_params()
    checked = []
    for probe, layer in zip(probes, layers, strict=True):
        X, targets = probe._check(layer, y)
        checked.append(X)
    lambdas = [(first.lambda_l1, first.lambda_l2)]
    fitted = clone(first)._fit_bank(
        np.hstack(checked), targets, None, lambdas, n_layers=len(layers)
    )
    for probe, attributes in zip(probes, fitted, strict=True):
        probe._set_fitted(attributes)
