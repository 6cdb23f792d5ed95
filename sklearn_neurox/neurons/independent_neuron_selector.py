"""Selection of one neuron from each cluster of correlated neurons."""

from __future__ import annotations

from typing import Any, Literal, Self

from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

from .._callbacks import fit_task
from .._indices import index_mask
from .._validation import fit_context, validate_activations
from ._support import SupportSelector
from .clustering import CorrelationClustering


class IndependentNeuronSelector(CallbackSupportMixin, SupportSelector, BaseEstimator):
    """Keep one neuron of each cluster of correlated neurons.

    The neurons of a cluster are redundant: the same accuracy can be obtained with a fraction of the
    neurons [1]_.

    Parameters
    ----------
    distance_threshold : float in [0, 2], default=0.5
        Maximum distance at which clusters are merged. A lower value requires stronger correlation.
    absolute : bool, default=True
        Whether to use the distance 1 - abs(r), which does not distinguish a neuron from its
        negative. If False, use the distance 1 - r, with values up to 2.
    linkage : {"average", "complete", "single"}, default="average"
        Distance of two clusters: the mean, the largest or the smallest distance of their neurons.
    pick : {"random", "medoid"}, default="random"
        How to choose the representative of a cluster: at random, or as the neuron with the smallest
        mean distance to the others. Ties are broken by index.
    random_state : int, RandomState instance or None, default=None
        Controls the choice of representatives. Pass an int for reproducible output across multiple
        function calls.

    Attributes
    ----------
    clustering_ : CorrelationClustering
        The clusters. Its ``representatives_`` are the neurons that are kept.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    CorrelationClustering : Pools the clusters.

    References
    ----------
    .. [1] F. Dalvi, H. Sajjad, N. Durrani and Y. Belinkov (2020). Analyzing Redundancy in
       Pretrained Transformer Models. EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import IndependentNeuronSelector
    >>> rng = np.random.RandomState(0)
    >>> a, b = rng.normal(size=(2, 100))
    >>> X = np.column_stack([a, b, -2 * a, a + 0.1 * b])
    >>> IndependentNeuronSelector(pick="medoid").fit(X).get_support(indices=True)
    array([0, 1])
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in CorrelationClustering._parameter_constraints.items()
        if name != "pooling"
    }

    def __init__(
        self,
        *,
        distance_threshold: float = 0.5,
        absolute: bool = True,
        linkage: Literal["average", "complete", "single"] = "average",
        pick: Literal["random", "medoid"] = "random",
        random_state: int | RandomState | None = None,
    ) -> None:
        self.distance_threshold = distance_threshold
        self.absolute = absolute
        self.linkage = linkage
        self.pick = pick
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster the neurons and choose one neuron of each cluster.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations, of at least two samples and two neurons.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : IndependentNeuronSelector
            Fitted selector.

        Raises
        ------
        ValueError
            If there are fewer than two samples or neurons, or X contains NaN or infinity.
        """
        activations = validate_activations(self, X, ensure_min_samples=2, ensure_min_features=2)
        with fit_task(self, activations):
            self.clustering_ = CorrelationClustering(**self.get_params()).fit(activations)
            kept = self.clustering_.representatives_
            self.support_ = index_mask(kept, activations.shape[1])
        return self
