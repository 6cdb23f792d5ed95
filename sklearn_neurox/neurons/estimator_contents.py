"""Contents of an estimator: its linear model, the steps before it, and its sample weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import _routing_enabled

from .._results import check_coef
from .._row_copies import own_copy


def linear_model_of(estimator: BaseEstimator) -> tuple[list[Pipeline], BaseEstimator]:
    """Find the linear model inside Pipelines, searches and frozen estimators.

    Parameters
    ----------
    estimator : estimator
        Fitted.

    Returns
    -------
    scalers : list of Pipeline
        The steps that transform X before it is passed to the model.
    model : estimator
    """
    scalers = []
    while True:
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            if len(estimator) > 1:
                scalers.append(estimator[:-1])
            estimator = estimator[-1]
        else:
            return scalers, estimator


def sample_weight_of(estimator: BaseEstimator, fit_params: Mapping[str, Any]) -> Any:
    """Return the sample weights in `fit_params` that the linear model is trained with, or None."""
    prefix, routed = "", _routing_enabled() and isinstance(estimator, Pipeline)
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    if not routed:
        return fit_params.get(f"{prefix}sample_weight")
    alias = getattr(estimator.get_metadata_routing(), "fit", None)
    alias = alias.requests.get("sample_weight") if alias is not None else None
    return fit_params.get("sample_weight" if alias is True else str(alias))


def contains_pipeline(estimator: BaseEstimator) -> bool:
    """Return whether the estimator is or contains a Pipeline, whose steps may modify X."""
    return any(isinstance(each, Pipeline) for each in (estimator, *estimator.get_params().values()))


def scale_neurons(scaler: Pipeline, X: Any) -> Any:
    """Apply steps after checking, from the names of their output, that they keep all neurons."""
    names = np.array([f"neuron_{i}" for i in range(X.shape[1])], dtype=object)
    names = np.asarray(getattr(X, "columns", names), dtype=object)
    steps = [type(step).__name__ for _, step in scaler.steps]
    try:
        out = scaler.get_feature_names_out(names)
    except AttributeError as error:
        raise TypeError(
            f"The steps {steps} before the linear model must implement get_feature_names_out, but "
            "one of them does not."
        ) from error
    if not np.array_equal(out, names):
        raise TypeError(
            "The steps before the linear model must keep all neurons in their order, like "
            f"scalers, but {steps} turn {len(names)} columns into {len(out)}, of which the first "
            f"is {out[0]!r}."
        )
    return scaler.transform(own_copy(X))


def coef_of(model: BaseEstimator, n_neurons: int) -> NDArray:
    """Return the weights of a linear model as an array of shape (n_classes, n_neurons)."""
    if not hasattr(model, "coef_"):
        raise TypeError(
            f"A linear model with coef_ after fit is required, but {type(model).__name__} does not "
            "have coef_."
        )
    return check_coef(model.coef_, n_neurons, name=type(model).__name__)
