"""Neurons that say the same: clusters by correlation, and one neuron of each."""

from __future__ import annotations

from numbers import Real

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_array, check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import FLOAT_DTYPES, _check_feature_names_in, check_is_fitted

from .._callbacks import fit_task
from .._indices import index_mask
from .._validation import all_or_nothing, naming_the_cell, validate_activations
from .._warnings import warn
from ._clusters import draw, medoids, number_clusters, with_constants
from ._correlation import UnitNeurons, correlation_distances, correlations_with

_WORDS = 1024  # pooled at a time


_CONSTRAINTS: dict = {
    "distance_threshold": [Interval(Real, 0, 2, closed="both")],
    "use_abs_correlation": ["boolean"],
    "linkage": [StrOptions({"average", "complete", "single"})],
    "pick": [StrOptions({"random", "medoid"})],
    "random_state": ["random_state"],
}


class CorrelationClustering(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Cluster neurons that correlate, and pool each cluster into one column.

    Neurons are merged bottom-up while their distance 1 - abs(r), with r the correlation of their
    activations over the words, is at most `distance_threshold` [1]_. The number of clusters,
    beside the number of neurons, tells how redundant they are.

    Parameters
    ----------
    distance_threshold : float in [0, 2], default=0.5
        Clusters further apart are not merged. Lower values ask for stronger correlation.
    use_abs_correlation : bool, default=True
        Let a neuron and its negative be the same. With False the distance is 1 - r, up to 2.
    linkage : {"average", "complete", "single"}, default="average"
        Distance of clusters: the mean, the greatest, or the least distance of their neurons.
    pooling : {"mean", "signed_mean", "representative"}, default="mean"
        What ``transform`` makes of a cluster: the mean of its neurons, in which neurons of
        opposite sign cancel each other; their mean after those that correlate negatively with
        the representative are negated; or the representative alone.
    pick : {"random", "medoid"}, default="random"
        The representative of a cluster: a neuron drawn at random, or the one with the least mean
        distance to the others (of equals, the first).
    random_state : int, RandomState instance or None, default=None
        Draws the representatives.

    Attributes
    ----------
    labels_ : ndarray of int of shape (n_neurons,)
        Cluster of each neuron. Cluster 0 is that of neuron 0; clusters are numbered by their
        first neuron.
    n_clusters_ : int
        Number of clusters.
    representatives_ : ndarray of int of shape (n_clusters,)
        One neuron of each cluster.
    linkage_matrix_ : ndarray of shape (n_neurons - 1, 4)
        All merges as in ``scipy.cluster.hierarchy.linkage``, for ``dendrogram``. At a threshold t
        below 1 there are ``1 + (linkage_matrix_[:, 2] > t).sum()`` clusters.
    signs_ : ndarray of int of shape (n_neurons,)
        -1 for a neuron that ``pooling="signed_mean"`` negates, 1 for all others.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

    See Also
    --------
    IndependentNeuronSelector : Keeps one neuron of each cluster.
    sklearn.cluster.FeatureAgglomeration : Clusters features by other distances.

    Notes
    -----
    A constant neuron, also one that is constant up to rounding, correlates with nothing and is a
    cluster of its own; in the linkage matrix such neurons join last, at the greatest distance
    that there is (1, or 2 without the absolute value).

    Where distances are equal, as between neurons of two values, clusters may depend on the order
    of the neurons.

    The memory taken beside X is two numbers of float64 for each pair of neurons.

    References
    ----------
    .. [1] F. Dalvi, H. Sajjad, N. Durrani and Y. Belinkov (2020). Analyzing Redundancy in
       Pretrained Transformer Models. EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import CorrelationClustering
    >>> rng = np.random.RandomState(0)
    >>> a, b = rng.normal(size=(2, 100))
    >>> X = np.column_stack([a, b, -2 * a, a + 0.1 * b])
    >>> clustering = CorrelationClustering(pooling="signed_mean", pick="medoid").fit(X)
    >>> clustering.labels_
    array([0, 1, 0, 0])
    >>> clustering.transform(X).shape
    (100, 2)
    """

    _parameter_constraints: dict = {
        **_CONSTRAINTS,
        "pooling": [StrOptions({"mean", "signed_mean", "representative"})],
    }

    def __init__(
        self,
        *,
        distance_threshold=0.5,
        use_abs_correlation=True,
        linkage="average",
        pooling="mean",
        pick="random",
        random_state=None,
    ):
        self.distance_threshold = distance_threshold
        self.use_abs_correlation = use_abs_correlation
        self.linkage = linkage
        self.pooling = pooling
        self.pick = pick
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the clusters.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations, of at least two words and neurons. A float16 memory map is read piece by
            piece.
        y : Ignored

        Returns
        -------
        self : CorrelationClustering

        Raises
        ------
        ValueError
            If there is one word or one neuron, or X holds NaN or infinity.

        Warns
        -----
        UserWarning
            If there are so few words that neurons without anything in common cluster by chance:
            fewer than about 2 ln(n_neurons) / (1 - distance_threshold)^2.
        """
        with all_or_nothing(self):
            X = validate_activations(self, X, ensure_min_samples=2, ensure_min_features=2)
            _warn_of_few_words(X.shape, self.distance_threshold)
            with fit_task(self, X):
                self._fit(X)
        return self

    def _fit(self, X):
        unit = UnitNeurons(X)
        distances = correlation_distances(unit, absolute=self.use_abs_correlation)
        moving = np.flatnonzero(unit.moves)
        tree = linkage(distances, self.linkage) if len(moving) > 1 else np.empty((0, 4))
        groups = fcluster(tree, self.distance_threshold, "distance") if len(tree) else np.ones(1)
        self.labels_ = number_clusters(unit.moves, groups[: len(moving)])
        self.n_clusters_ = int(self.labels_.max()) + 1
        last = 1.0 if self.use_abs_correlation else 2.0
        self.linkage_matrix_ = with_constants(tree, unit.moves, height=last)
        if self.pick == "random":
            self.representatives_ = draw(self.labels_, check_random_state(self.random_state))
        else:
            self.representatives_ = medoids(self.labels_, moving, distances)
        self.signs_ = np.ones(len(self.labels_), dtype=np.intp)
        if self.pooling == "signed_mean":
            r = correlations_with(unit, self.representatives_[self.labels_])
            self.signs_[r < 0] = -1

    def transform(self, X):
        """Pool the clusters.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_words, n_clusters)
            Of the dtype of X; float32 for float16.

        Raises
        ------
        ValueError
            If X holds NaN or infinity, or another number of neurons.
        """
        check_is_fitted(self)
        X = validate_activations(self, X, reset=False)
        if self.pooling == "representative":
            return X[:, self.representatives_].astype(np.result_type(X, np.float32), copy=False)
        by_cluster = np.argsort(self.labels_, kind="stable")
        sizes = np.bincount(self.labels_)
        weights = (self.signs_ / sizes[self.labels_])[by_cluster]
        starts = np.cumsum(sizes) - sizes
        pooled = np.empty((len(X), self.n_clusters_), np.result_type(X, np.float32))
        for rows in gen_batches(len(X), _WORDS):
            pooled[rows] = np.add.reduceat(X[rows][:, by_cluster] * weights, starts, axis=1)
        return pooled

    def inverse_transform(self, X):
        """Give each neuron the value of its cluster, negated where it was before pooling.

        Parameters
        ----------
        X : array-like of shape (n_words, n_clusters)
            Pooled clusters.

        Returns
        -------
        ndarray of shape (n_words, n_neurons)
            Of the dtype of X.

        Raises
        ------
        ValueError
            If X holds NaN or infinity, or another number of columns than there are clusters.
        """
        check_is_fitted(self)
        with naming_the_cell(X):
            X = check_array(X, dtype=FLOAT_DTYPES)
        if X.shape[1] != self.n_clusters_:
            raise ValueError(f"There are {self.n_clusters_} clusters, got {X.shape[1]} columns.")
        return X[:, self.labels_] * self.signs_.astype(X.dtype)

    def get_feature_names_out(self, input_features=None):
        """Names of the pooled columns: those of the representatives, where they alone are kept.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the neurons that come in; by default those seen in ``fit``.

        Returns
        -------
        ndarray of str
        """
        check_is_fitted(self)
        if self.pooling != "representative":
            return super().get_feature_names_out(input_features)
        return _check_feature_names_in(self, input_features)[self.representatives_]

    @property
    def _n_features_out(self):
        return self.n_clusters_


class IndependentNeuronSelector(CallbackSupportMixin, SelectorMixin, BaseEstimator):
    """Keep one neuron of each cluster of correlated neurons.

    What the neurons of a cluster say, one of them says too: [1]_ keeps accuracy with a fraction of
    the neurons.

    Parameters
    ----------
    distance_threshold : float in [0, 2], default=0.5
        As in :class:`CorrelationClustering`.
    use_abs_correlation : bool, default=True
        Let a neuron and its negative be the same.
    linkage : {"average", "complete", "single"}, default="average"
        Distance of clusters.
    pick : {"random", "medoid"}, default="random"
        The neuron to keep of a cluster: one drawn at random, or the one with the least mean
        distance to the others.
    random_state : int, RandomState instance or None, default=None
        Draws the neurons.

    Attributes
    ----------
    clustering_ : CorrelationClustering
        The clusters.
    support_ : ndarray of bool of shape (n_neurons,)
        Which neurons are kept.
    n_features_in_ : int
        Number of neurons seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons, where X had any.

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

    _parameter_constraints: dict = _CONSTRAINTS

    def __init__(
        self,
        *,
        distance_threshold=0.5,
        use_abs_correlation=True,
        linkage="average",
        pick="random",
        random_state=None,
    ):
        self.distance_threshold = distance_threshold
        self.use_abs_correlation = use_abs_correlation
        self.linkage = linkage
        self.pick = pick
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Cluster the neurons and choose one of each cluster.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations, of at least two words and neurons.
        y : Ignored

        Returns
        -------
        self : IndependentNeuronSelector

        Raises
        ------
        ValueError
            As :meth:`CorrelationClustering.fit`.
        """
        with all_or_nothing(self):
            X = validate_activations(self, X, ensure_min_samples=2, ensure_min_features=2)
            with fit_task(self, X):
                self.clustering_ = CorrelationClustering(**self.get_params()).fit(X)
                self.support_ = index_mask(self.clustering_.representatives_, X.shape[1])
        return self

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_


def _warn_of_few_words(shape: tuple[int, int], distance_threshold: float) -> None:
    """Warn where correlations by chance count as redundancy.

    The largest of the correlations of a neuron with n that have nothing to do with it is about
    sqrt(2 ln(n) / n_words).
    """
    n_words, n_neurons = shape
    by_chance = min(1.0, np.sqrt(2 * np.log(n_neurons) / (n_words - 1)))
    if 0 < 1 - distance_threshold < by_chance:
        warn(
            f"CorrelationClustering: over {n_words} words, each of {n_neurons} neurons finds one "
            f"that it has nothing in common with and yet correlates by {by_chance:.2f}, and "
            f"distance_threshold={distance_threshold} clusters from {1 - distance_threshold:.2g} "
            "on. Do not trust the clusters; take more words.",
        )
