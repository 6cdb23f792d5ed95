"""Mapping from layers to columns of X."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..activations.columns import Layer, Neurons, check_layers, neurons_of, parse_names


def neuron_names(X: Any) -> list[str] | None:
    """Return the names of the columns of a DataFrame if any is that of a neuron, or None."""
    names = list(getattr(X, "columns", ()))
    return names if any(parse_names(names)) else None


def columns_by_layer(
    names: list[str] | None,
    n_columns: int,
    n_layers: int | None,
    layers: Sequence[Layer] | None,
) -> dict[Layer, NDArray[np.intp]]:
    """Return the columns of each layer to score, in the order of `layers`.

    Parameters
    ----------
    names : list of str or None
        Names of neurons, or None if X does not have any.
    n_columns : int
        Number of columns of X.
    n_layers : int or None
        Number of layers in X, all of the same width.
    layers : sequence of int or str, or None
        Layers to score. If names and `n_layers` are None, these are all layers of X.

    Returns
    -------
    dict of layer to ndarray of int

    Raises
    ------
    ValueError
        If the layers of X are unknown, `n_layers` disagrees with the names or does not divide the
        number of columns, or X does not contain a layer.
    """
    chosen = None if layers is None else check_layers(layers)
    if names is None and chosen is not None and n_layers in (None, len(chosen)):
        runs = neurons_of(None, n_columns, n_layers=len(chosen))  # numbered from 0
        neurons = Neurons(chosen, runs.width)
    else:
        neurons = neurons_of(names, n_columns, n_layers=n_layers)
    every = np.arange(n_columns)
    return {layer: every[neurons.columns(layer)] for layer in chosen or neurons.layers}
