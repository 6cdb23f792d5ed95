"""Linear probes on all layers at once."""

from __future__ import annotations

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


def fit_layers(probes: list, X, y) -> None:
    """Fit equal probes, each on its layer; the same as fitting one after the other.

    Parameters
    ----------
    probes : list of LinearProbe
        With the same parameters.
    X : array-like of shape (n_words, n_layers * n_neurons)
        Activations; a layer is a run of columns.
    y : array-like of shape (n_words,)
    """
    bank = clone(probes[0])
    bank._validate_params()
    X, y = bank._check(X, y)
    lambdas = [(bank.lambda_l1, bank.lambda_l2)]
    fitted = bank._fit_bank(X, y, None, lambdas, n_layers=len(probes))
    for probe, attributes in zip(probes, fitted, strict=True):
        probe._set_fitted(attributes | {"n_features_in_": X.shape[1] // len(probes)})
