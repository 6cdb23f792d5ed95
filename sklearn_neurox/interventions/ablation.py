"""What is left of a network's activations without some neurons."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import (
    FLOAT_DTYPES,
    _check_feature_names_in,
    check_is_fitted,
)

from .._callbacks import fit_task
from .._indices import index_mask
from .._validation import all_or_nothing, validate_data
from ..activations.columns import find_columns


class NeuronAblator(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Take neurons out of the activations, or all others.

    For a linear probe with given weights, zeroing neurons equals removing them together with
    their weights. Zero is an unusual activation for neurons with a mean far from zero: "mean"
    and "resample" stay within what the network produces.

    Parameters
    ----------
    neurons : array-like of int or str
        Neurons (columns of X) to ablate, by index or, where X has names, by name.
    mode : {"zero", "mean", "resample", "remove"}, default="zero"
        What an ablated neuron becomes: 0; its mean over the training words; its activation on a
        training word drawn at random, the same word for all ablated neurons of a row (resample
        ablation, [1]_); or nothing, the column being dropped.
    invert : bool, default=False
        Ablate all neurons except `neurons`.
    random_state : int, RandomState instance or None, default=None
        Draws the training words in mode "resample". Drawn once in ``fit``: transforming the same
        X again gives the same result.

    Attributes
    ----------
    ablated_ : ndarray of bool of shape (n_neurons,)
        Which neurons are ablated.
    fill_ : ndarray
        Mode "mean": the means, (n_ablated,). Mode "resample": the training activations to draw
        from, (n_train_words, n_ablated). Other modes have none.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    NeuronSelector : Keeps a fixed list of neurons.

    References
    ----------
    .. [1] L. Chan et al. (2022). Causal Scrubbing. AI Alignment Forum.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import NeuronAblator
    >>> X = np.array([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]])
    >>> NeuronAblator([0, 2], mode="mean").fit_transform(X)
    array([[3., 2., 5.],
           [3., 6., 5.]])
    >>> NeuronAblator([1], mode="remove", invert=True).fit_transform(X)
    array([[2.],
           [6.]])
    """

    _parameter_constraints: dict = {
        "neurons": ["array-like"],
        "mode": [StrOptions({"zero", "mean", "resample", "remove"})],
        "invert": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(self, neurons, *, mode="zero", invert=False, random_state=None):
        self.neurons = neurons
        self.mode = mode
        self.invert = invert
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32", "float16"]
        # A row is filled by its place, so a batch of rows is filled differently alone.
        tags.non_deterministic = self.mode == "resample"
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn what replaces the ablated neurons.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.
        y : Ignored

        Returns
        -------
        self : NeuronAblator

        Raises
        ------
        TypeError
            If `neurons` are not integers.
        ValueError
            If a neuron is out of range or named twice, or X holds NaN or infinity.
        """
        with all_or_nothing(self):
            X = validate_data(self, X, dtype=FLOAT_DTYPES)
            with fit_task(self, X):
                neurons = find_columns(
                    self.neurons, getattr(self, "feature_names_in_", None), X.shape[1]
                )
                self.ablated_ = index_mask(neurons, X.shape[1], invert=self.invert)
                if self.mode == "mean":
                    self.fill_ = X[:, self.ablated_].mean(axis=0, dtype=np.float64)
                elif self.mode == "resample":
                    self.fill_ = X[:, self.ablated_]
                    self._seed = check_random_state(self.random_state).randint(2**31 - 1)
        return self

    def transform(self, X):
        """Ablate.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations; they are not changed.

        Returns
        -------
        ndarray of shape (n_words, n_neurons), or (n_words, n_kept) in mode "remove"
            A copy, of the dtype of X.
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            dtype=FLOAT_DTYPES,
            reset=False,
            copy=self.mode != "remove",
            ensure_min_samples=1,
        )
        if self.mode == "remove":
            return X[:, ~self.ablated_]
        X[:, self.ablated_] = self._fill(len(X))
        return X

    def _fill(self, n_words):
        if self.mode == "zero":
            return 0.0
        if self.mode == "mean":
            return self.fill_
        drawn = np.random.RandomState(self._seed).randint(len(self.fill_), size=n_words)
        return self.fill_[drawn]

    def get_feature_names_out(self, input_features=None):
        """Names of the neurons that ``transform`` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the neurons that come in; by default those seen in ``fit``.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return names[~self.ablated_] if self.mode == "remove" else names
