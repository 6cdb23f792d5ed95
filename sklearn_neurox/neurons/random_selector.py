"""Selection at random: the baseline that any ranking must beat."""

from __future__ import annotations

from sklearn.base import _fit_context
from sklearn.utils import check_random_state

from .._callbacks import fit_task
from .._validation import all_or_nothing, validate_data
from ._ranking_selector import RankingSelector


class RandomSelector(RankingSelector):
    """Keep neurons drawn at random: what any ranking must beat.

    One draw says little where few neurons are kept: compare with several.

    Parameters
    ----------
    n_neurons : int or float, default=None
        Keep so many neurons (int), or this share of them (float in [0, 1], rounded to the
        nearest number). None keeps all.
    order : {"top", "bottom"}, default="top"
        Keep the first or the last of the random ranking.
    random_state : int, RandomState instance or None, default=None
        Draws the ranking.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        All neurons in a random order.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    random_neurons : Draws each neuron independently of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import RandomSelector
    >>> RandomSelector(n_neurons=2, random_state=0).fit_transform(np.arange(8).reshape(2, 4))
    array([[2, 3],
           [6, 7]])
    """

    _parameter_constraints: dict = {
        **RankingSelector._parameter_constraints,
        "random_state": ["random_state"],
    }

    def __init__(self, *, n_neurons=None, order="top", random_state=None):
        self.n_neurons = n_neurons
        self.order = order
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Draw the ranking.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations; only their number of neurons is used.
        y : Ignored

        Returns
        -------
        self : RandomSelector

        Raises
        ------
        ValueError
            If `n_neurons` exceeds the number of neurons, or X holds NaN or infinity.
        """
        with all_or_nothing(self):
            X = validate_data(self, X)
            self._count(X.shape[1])
            with fit_task(self, X):
                generator = check_random_state(self.random_state)
                self._keep_from(generator.permutation(X.shape[1]))
        return self
