"""Selectors of a fixed list of neurons or layers: steps of a Pipeline, columns in their order."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._callbacks import fit_task
from .._indices import check_indices, index_mask
from .._validation import all_or_nothing, validate_data
from ..activations.columns import find_columns


class _FixedSelector(CallbackSupportMixin, SelectorMixin, BaseEstimator):
    """A selector that needs of X only the number of its neurons."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the columns to keep.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations; only their number of neurons is used.
        y : Ignored

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If an index is not an integer.
        ValueError
            If an index is out of range or comes twice, or the number of neurons does not fit.
        """
        with all_or_nothing(self):
            X = validate_data(self, X)
            with fit_task(self, X):
                self.support_ = self._find_support(X.shape[1])
        return self

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_


class LayerSelector(_FixedSelector):
    """Keep the neurons of some layers.

    A layer is a run of n_neurons / n_layers columns, layer 0 (the embeddings) first.

    Parameters
    ----------
    layers : int or array-like of int
        Layers to keep. Columns keep their order, whatever the order of the layers.
    n_layers : int
        Number of layers in X, the embeddings included. It must divide the number of neurons.
    direction : {"both", "forward", "backward"}, default="both"
        Of a bidirectional layer "forward" keeps the first half, "backward" the second.

    Attributes
    ----------
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

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
        "layers": [Integral, "array-like"],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "direction": [StrOptions({"both", "forward", "backward"})],
    }

    def __init__(self, layers, *, n_layers, direction="both"):
        self.layers = layers
        self.n_layers = n_layers
        self.direction = direction

    def _find_support(self, n_neurons):
        layers = [self.layers] if isinstance(self.layers, Integral) else self.layers
        layers = check_indices(layers, self.n_layers, what="layer")
        parts = self.n_layers * (1 if self.direction == "both" else 2)
        if n_neurons % parts:
            raise ValueError(
                f"n_layers={self.n_layers} and direction={self.direction!r} need a number of "
                f"neurons that {parts} divides, but X has {n_neurons} neurons."
            )
        support = np.zeros((self.n_layers, n_neurons // self.n_layers), dtype=bool)
        half = support.shape[1] // 2
        kept = {"both": slice(None), "forward": slice(half), "backward": slice(half, None)}
        support[layers, kept[self.direction]] = True
        return support.ravel()


class NeuronSelector(_FixedSelector):
    """Keep a fixed list of neurons, as from a paper or another run.

    Parameters
    ----------
    neurons : array-like of int or str
        Neurons (columns of X) to keep, by index or, where X has names, by name. Columns keep
        their order, whatever the order here.
    invert : bool, default=False
        Keep all neurons except `neurons`.

    Attributes
    ----------
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    NeuronAblator : Keeps the width and replaces neurons.

    Examples
    --------
    >>> from sklearn_neurox import NeuronSelector
    >>> NeuronSelector([2, 0]).fit_transform([[10, 11, 12]])
    array([[10, 12]])
    """

    _parameter_constraints: dict = {"neurons": ["array-like"], "invert": ["boolean"]}

    def __init__(self, neurons, *, invert=False):
        self.neurons = neurons
        self.invert = invert

    def _find_support(self, n_neurons):
        neurons = find_columns(self.neurons, getattr(self, "feature_names_in_", None), n_neurons)
        return index_mask(neurons, n_neurons, invert=self.invert)
