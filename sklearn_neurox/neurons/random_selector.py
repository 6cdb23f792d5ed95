"""Random neurons, the baseline for rankings."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Tags, check_random_state, check_scalar

from .._validation import fit_context, validate_data
from ._checks import check_share
from .ranking_selector import FitCall, RankingSelector


class RandomSelector(RankingSelector, ranking="random"):
    """Keep neurons drawn at random, the baseline that a ranking must beat.

    If few neurons are kept, results vary between draws: compare a ranking with several draws.

    Parameters
    ----------
    n_neurons : int or float, default=None
        Number of neurons to keep. If a float in [0, 1], fraction of the neurons to keep, rounded to
        the nearest number of neurons. If None, keep all neurons and only compute ``ranking_``.
    order : {"top", "bottom"}, default="top"
        Whether to keep the neurons at the top or at the bottom of the ranking.
    random_state : int, RandomState instance or None, default=None
        Controls the random ranking. Pass an int for reproducible output across multiple function
        calls.

    Attributes
    ----------
    ranking_ : ndarray of int of shape (n_neurons,)
        All neurons in random order.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

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

    def __init__(
        self,
        *,
        n_neurons: int | float | None = None,
        order: Literal["top", "bottom"] = "top",
        random_state: int | RandomState | None = None,
    ) -> None:
        self.n_neurons = n_neurons
        self.order = order
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Draw the ranking.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations. Only the number of neurons is used.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : RandomSelector
            Fitted selector.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, or `n_neurons` exceeds the number of neurons.
        """
        return self._fit(X, y)

    def _validate(self, X: ArrayLike, y: Any) -> tuple[NDArray, Any]:
        return validate_data(self, X), y

    def _rank(self, X: NDArray, y: Any, call: FitCall) -> NDArray[np.intp]:
        return check_random_state(self.random_state).permutation(X.shape[1])


def random_neurons(
    n_neurons: int, probability: float, *, random_state: int | RandomState | None = None
) -> NDArray[np.intp]:
    """Draw neurons independently of each other.

    Parameters
    ----------
    n_neurons : int
        Number of neurons to draw from.
    probability : float in [0, 1]
        Probability that a neuron is drawn.
    random_state : int, RandomState instance or None, default=None
        Controls the draw. Pass an int for reproducible output across multiple function calls.

    Returns
    -------
    ndarray of int
        Indices of the drawn neurons in ascending order.

    Raises
    ------
    ValueError
        If `n_neurons` is negative or `probability` is outside [0, 1].

    See Also
    --------
    RandomSelector : Keeps a given number of random neurons.

    Examples
    --------
    >>> from sklearn_neurox import random_neurons
    >>> random_neurons(8, 0.5, random_state=0)
    array([4, 6])
    """
    check_scalar(n_neurons, "n_neurons", Integral, min_val=0)
    check_share(probability, "probability")
    return np.flatnonzero(check_random_state(random_state).uniform(size=n_neurons) < probability)
