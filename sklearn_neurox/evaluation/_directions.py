"""Directions that linear probes read, and their cosines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from .._results import check_coef
from .._row_chunks import read_arrays
from ..neurons.estimator_contents import linear_model_of


def read_directions(fitted: Any, n_neurons: int) -> NDArray[np.float64] | None:
    """Return the weights of a linear probe for X as it is, (n_outputs, n_neurons), or None.

    The only steps before the probe that are supported are instances of ``StandardScaler``.
    """
    scalers, probe = linear_model_of(fitted)
    steps = [step for each in scalers for _, step in each.steps if step != "passthrough"]
    if not hasattr(probe, "coef_") or any(type(step) is not StandardScaler for step in steps):
        return None
    coef = check_coef(probe.coef_, n_neurons, name=type(probe).__name__).astype(np.float64)
    for step in steps:
        coef = coef if step.scale_ is None else coef / step.scale_
    return coef


def cosines(directions: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean cosine over the outputs of each pair of probes, NaN for weights of 0."""
    stacked = np.array(directions)  # (n_probes, n_outputs, n_neurons)
    return _normalized(np.einsum("aon,bon->oab", stacked, stacked))


def correlations_of_outputs(
    directions: Sequence[NDArray[np.float64]], parts: Sequence[NDArray]
) -> NDArray[np.float64]:
    """Return the mean Mahalanobis cosine over the outputs of each pair of probes.

    It is the correlation of the outputs of two linear probes, given the covariance of the samples
    within the data sets of both.
    """
    n_probes = len(directions)
    stacked = np.array(directions)
    products = np.zeros((n_probes, *stacked.shape[1:2], n_probes, n_probes))
    for part, X in enumerate(parts):
        mean = X.mean(axis=0, dtype=np.float64)
        for _, rows in read_arrays(X, np.float64):
            outputs = np.einsum("sn,aon->oas", rows - mean, stacked, optimize=True)
            products[part] += outputs @ outputs.swapaxes(1, 2)
    result = np.empty((n_probes, n_probes))
    for i in range(n_probes):
        for j in range(n_probes):
            both = products[i] + products[j] if i != j else products[i]
            result[i, j] = _normalized(both)[i, j]
    return result


def _normalized(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide products of vectors by their lengths, and average over the first axis."""
    lengths = np.sqrt(np.einsum("oaa->oa", products))
    bottom = lengths[:, :, np.newaxis] * lengths[:, np.newaxis]
    undefined = np.full(products.shape, np.nan)
    return np.divide(products, bottom, out=undefined, where=bottom > 0).mean(axis=0)
