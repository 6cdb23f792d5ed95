"""Selectors of given neurons or layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions

from .._callbacks import fit_task
from .._indices import index_mask
from .._validation import fit_context, validate_data
from ..activations.columns import Neurons, check_layers, find_columns, neurons_of
from ._support import SupportSelector


class FixedSelector(CallbackSupportMixin, SupportSelector, BaseEstimator):
    """Base class for selectors that use only the number and the names of the columns of X."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Find the columns to keep.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. Only the number and the names of the columns are used.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            Fitted selector.

        Raises
        ------
        TypeError
            If a neuron or layer is neither an integer nor a name.
        ValueError
            If X does not contain a neuron or layer, or one is listed twice.
        """
        activations = validate_data(self, X)
        with fit_task(self, activations):
            names = getattr(self, "feature_names_in_", None)
            self.support_ = self._find_support(names, activations.shape[1])
        return self

    @abstractmethod
    def _find_support(self, names: NDArray | None, n_columns: int) -> NDArray[np.bool_]:
        """Return the mask of the columns to keep."""


class LayerSelector(FixedSelector):
    """Keep the neurons of some layers.

    If the columns of X have names such as "layer_3_neuron_17", as in a DataFrame, the names
    determine the layers, and `layers` are numbers of layers of the network. Otherwise `n_layers`
    is required: X is split into this number of layers of equal width, numbered from 0.

    Parameters
    ----------
    layers : int, str, or array-like of int or str
        Layers to keep. In a network that is not a stack of blocks, layers are paths of modules. The
        columns keep their order, regardless of the order of the layers.
    n_layers : int, default=None
        Number of layers in X, including the embeddings (layer 0) if X contains them. Required only
        if the columns of X do not have names.
    direction : {"both", "forward", "backward"}, default="both"
        Half of a bidirectional layer to keep: "forward" is the first half, and "backward" is the
        second half. X must contain all neurons of the layers.

    Attributes
    ----------
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    NeuronSelector : Keeps given neurons.
    Neurons : Describes the columns of X.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import LayerSelector
    >>> X = np.arange(12.0).reshape(2, 6)
    >>> LayerSelector([0, 2], n_layers=3).fit_transform(X)
    array([[ 0.,  1.,  4.,  5.],
           [ 6.,  7., 10., 11.]])
    """

    _parameter_constraints: dict = {
        "layers": [Integral, str, "array-like"],
        "n_layers": [Interval(Integral, 1, None, closed="left"), None],
        "direction": [StrOptions({"both", "forward", "backward"})],
    }

    def __init__(
        self,
        layers: int | str | Iterable[int | str],
        *,
        n_layers: int | None = None,
        direction: Literal["both", "forward", "backward"] = "both",
    ) -> None:
        self.layers = layers
        self.n_layers = n_layers
        self.direction = direction

    def _find_support(self, names: NDArray | None, n_columns: int) -> NDArray[np.bool_]:
        neurons = neurons_of(names, n_columns, n_layers=self.n_layers)
        single = isinstance(self.layers, Integral | str)
        support = np.zeros(n_columns, dtype=bool)
        for layer in check_layers([self.layers] if single else self.layers):
            support[self._columns(neurons, layer)] = True
        return support

    def _columns(self, neurons: Neurons, layer: int | str) -> slice | NDArray[np.intp]:
        if self.direction == "both":
            return neurons.columns(layer)
        columns = np.arange(len(neurons))[neurons.columns(layer)]
        place = neurons.layers.index(layer)
        width = neurons.widths[place]
        if len(columns) < width:
            raise ValueError(
                f"direction={self.direction!r} requires all neurons of layer {layer!r}, but X "
                f"contains {len(columns)} of at least {width}. Select the direction first."
            )
        if width % 2:
            raise ValueError(
                f"direction={self.direction!r} requires layers of even width, but layer {layer!r} "
                f"has {width} neurons."
            )
        present = np.arange(sum(neurons.widths)) if neurons.kept is None else neurons.kept
        within_layer = np.asarray(present)[columns] - sum(neurons.widths[:place])
        return columns[(within_layer < width // 2) == (self.direction == "forward")]


class NeuronSelector(FixedSelector):
    """Keep given neurons, such as those found in another run or reported in a paper.

    The columns keep their order, regardless of the order of `neurons`.

    Parameters
    ----------
    neurons : array-like of int or str
        Neurons (columns of X), by index or, if X has names, by name.
    invert : bool, default=False
        Whether to keep all neurons except `neurons`.

    Attributes
    ----------
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    LayerSelector : Keeps the neurons of some layers.
    NeuronAblator : Keeps all columns and replaces the values of some neurons.

    Examples
    --------
    >>> from sklearn_neurox import NeuronSelector
    >>> NeuronSelector([2, 0]).fit_transform([[10, 11, 12]])
    array([[10, 12]])
    """

    _parameter_constraints: dict = {"neurons": ["array-like"], "invert": ["boolean"]}

    def __init__(self, neurons: Iterable[int | str], *, invert: bool = False) -> None:
        self.neurons = neurons
        self.invert = invert

    def _find_support(self, names: NDArray | None, n_columns: int) -> NDArray[np.bool_]:
        neurons = find_columns(self.neurons, names, n_columns)
        return index_mask(neurons, n_columns, invert=self.invert)
