"""Linear probes of all layers, trained together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import clone

from ._linear_probe import LinearProbe
from ._linear_probe_cv import LinearProbeCV
from .solvers import SOLVERS


def is_bankable(estimator: Any) -> bool:
    """Return whether clones of an estimator can be trained on all layers as one bank.

    Callbacks, including those in `net_params`, monitor the fit of a single probe. A search trains
    its own banks.
    """
    return (
        isinstance(estimator, LinearProbe)
        and not isinstance(estimator, LinearProbeCV)
        and estimator.solver in SOLVERS
        and SOLVERS[estimator.solver].trains_layers
        and not (estimator.warm_start or estimator.net_params)
        and not getattr(estimator, "_skl_callbacks", None)
    )


def fit_layers(probes: Sequence[LinearProbe], X: ArrayLike, y: ArrayLike) -> None:
    """Fit probes with the same parameters, each on its own layer, as if fitted one by one.

    Parameters
    ----------
    probes : list of LinearProbe
    X : array-like of shape (n_samples, n_layers * n_neurons)
        Activations. A layer is a run of columns.
    y : array-like of shape (n_samples,)
    """
    bank = clone(probes[0])
    bank._validate_params()
    data, targets = bank._check(X, y)
    lambdas = [(bank.lambda_l1, bank.lambda_l2)]
    fitted = bank._fit_bank(data, targets, None, lambdas, n_layers=len(probes))
    for probe, attributes in zip(probes, fitted, strict=True):
        probe._set_fitted(attributes | {"n_features_in_": data.shape[1] // len(probes)})
