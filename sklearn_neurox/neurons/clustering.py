"""Clusters of correlated neurons."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Tags, check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import FLOAT_DTYPES, _check_feature_names_in, check_is_fitted

from .._batch_sums import BatchSums, Sums, continues, from_sums
from .._callbacks import fit_task
from .._class_moments import ClassMoments
from .._row_copies import map_rows
from .._validation import check_matrix, fit_context, validate_activations
from .._warnings import warn
from ._clusters import add_constant_neurons, draw, medoids, number_clusters
from ._correlation import (
    UnitNeurons,
    correlation_distances,
    correlations_from,
    correlations_with,
    distances_from,
)

_ROWS = 1024  # pooled at a time


class CorrelationClustering(
    CallbackSupportMixin,
    BatchSums,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Cluster neurons that are correlated, and pool each cluster into one column.

    Clusters of neurons are merged bottom-up while their distance is at most `distance_threshold`
    [1]_. The distance of two neurons is 1 - abs(r), where r is the correlation of their
    activations over the samples. The number of clusters, compared with the number of neurons,
    measures how redundant the neurons are.

    Parameters
    ----------
    distance_threshold : float in [0, 2], default=0.5
        Maximum distance at which clusters are merged. A lower value requires stronger correlation.
    absolute : bool, default=True
        Whether to use the distance 1 - abs(r), which does not distinguish a neuron from its
        negative. If False, use the distance 1 - r, with values up to 2.
    linkage : {"average", "complete", "single"}, default="average"
        Distance of two clusters: the mean, the largest or the smallest distance of their neurons.
    pooling : {"signed_mean", "mean", "representative"}, default="signed_mean"
        How ``transform`` pools a cluster. "signed_mean" negates the neurons that are negatively
        correlated with the representative, and averages the neurons of the cluster. "mean"
        averages them as they are: neurons of opposite sign, which `absolute` puts into one
        cluster, cancel. "representative" keeps the representative only.
    pick : {"random", "medoid"}, default="random"
        How to choose the representative of a cluster: at random, or as the neuron with the smallest
        mean distance to the others. Ties are broken by index.
    random_state : int, RandomState instance or None, default=None
        Controls the choice of representatives. Pass an int for reproducible output across multiple
        function calls.

    Attributes
    ----------
    labels_ : ndarray of int of shape (n_neurons,)
        Cluster of each neuron. Clusters are numbered in the order of their first neurons, so
        cluster 0 contains neuron 0.
    n_clusters_ : int
        Number of clusters.
    representatives_ : ndarray of int of shape (n_clusters,)
        One neuron of each cluster.
    linkage_matrix_ : ndarray of shape (n_neurons - 1, 4)
        All merges, as returned by ``scipy.cluster.hierarchy.linkage`` and used by ``dendrogram``.
        At a threshold t below 1 there are ``1 + (linkage_matrix_[:, 2] > t).sum()`` clusters.
    signs_ : ndarray of int of shape (n_neurons,)
        -1 for neurons that ``pooling="signed_mean"`` negates, 1 for all others.
    n_samples_seen_ : int
        Number of samples. Defined only after ``partial_fit``.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    IndependentNeuronSelector : Keeps one neuron of each cluster.
    sklearn.cluster.FeatureAgglomeration : Clusters features by other distances.

    Notes
    -----
    A neuron that is constant, or constant up to rounding, is not correlated with any other neuron
    and forms a separate cluster. In the linkage matrix, such neurons are merged last, at the
    largest possible distance (1, or 2 if `absolute` is False).

    If several distances are equal, which is possible for neurons with only two values, the clusters
    may depend on the order of the neurons.

    In addition to X, two float64 numbers are kept in memory for each pair of neurons.

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
    >>> clustering = CorrelationClustering(pick="medoid").fit(X)
    >>> clustering.labels_
    array([0, 1, 0, 0])
    >>> clustering.transform(X).shape
    (100, 2)
    """

    _parameter_constraints: dict = {
        "distance_threshold": [Interval(Real, 0, 2, closed="both")],
        "absolute": ["boolean"],
        "linkage": [StrOptions({"average", "complete", "single"})],
        "pooling": [StrOptions({"signed_mean", "mean", "representative"})],
        "pick": [StrOptions({"random", "medoid"})],
        "random_state": ["random_state"],
    }

    labels_: NDArray[np.intp] = from_sums()
    n_clusters_: int = from_sums()
    representatives_: NDArray[np.intp] = from_sums()
    linkage_matrix_: NDArray[np.float64] = from_sums()
    signs_: NDArray[np.intp] = from_sums()

    def __init__(
        self,
        *,
        distance_threshold: float = 0.5,
        absolute: bool = True,
        linkage: Literal["average", "complete", "single"] = "average",
        pooling: Literal["signed_mean", "mean", "representative"] = "signed_mean",
        pick: Literal["random", "medoid"] = "random",
        random_state: int | RandomState | None = None,
    ) -> None:
        self.distance_threshold = distance_threshold
        self.absolute = absolute
        self.linkage = linkage
        self.pooling = pooling
        self.pick = pick
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Cluster the neurons.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations, of at least two samples and two neurons. A float16 memory map is read in
            chunks.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : CorrelationClustering
            Fitted clustering.

        Raises
        ------
        ValueError
            If there are fewer than two samples or neurons, or X contains NaN or infinity.

        Warns
        -----
        UserWarning
            If there are so few samples that unrelated neurons may be clustered: fewer than about 2
            ln(n_neurons) / (1 - distance_threshold)^2.
        """
        activations = validate_activations(self, X, ensure_min_samples=2, ensure_min_features=2)
        n_samples, n_neurons = activations.shape
        _warn_of_few_samples(n_samples, n_neurons, self.distance_threshold)
        with fit_task(self, activations):
            self._forget()
            unit = UnitNeurons(activations)
            distances = correlation_distances(unit, absolute=self.absolute)
            correlations = partial(correlations_with, unit)
            self.__dict__ |= self._clusters(unit.varies, distances, correlations)
        return self

    @available_if(continues)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Add a batch of samples.

        The correlations are those of ``fit`` on all samples, up to rounding. The clusters are
        computed when they are first used. One float64 number is kept for each pair of neurons. Not
        available after ``fit``, which does not keep them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations, of at least two neurons.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : CorrelationClustering
            Fitted clustering.

        Raises
        ------
        ValueError
            If there are fewer than two neurons, X contains NaN or infinity, or squares of
            activations exceed the range of float64.
        """
        activations = validate_activations(
            self, X, ensure_min_features=2, reset=self._is_first_batch()
        )
        n_samples = len(activations)
        with fit_task(self, activations, predicts=False):
            codes, weight = np.zeros(n_samples, np.intp), np.ones(n_samples)
            self._keep(vars(ClassMoments.of(activations, codes, weight, 1, "within")), n_samples)
        return self

    def _added(self, one: Sums, other: Sums) -> Sums:
        return vars(ClassMoments(**one) + ClassMoments(**other))

    def _compute(self) -> dict[str, Any]:
        if self.n_samples_seen_ < 2:
            raise ValueError("CorrelationClustering requires at least 2 samples, got 1 so far.")
        _warn_of_few_samples(self.n_samples_seen_, self.n_features_in_, self.distance_threshold)
        moments = ClassMoments(**self._sums)
        distances = distances_from(moments, absolute=self.absolute)
        return self._clusters(moments.varies, distances, partial(correlations_from, moments))

    def _clusters(
        self,
        varies: NDArray[np.bool_],
        distances: NDArray[np.float64],
        correlations: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    ) -> dict[str, Any]:
        """Return the fitted attributes.

        Parameters
        ----------
        varies : ndarray of bool of shape (n_neurons,)
        distances : ndarray
            Condensed distances of the varying neurons.
        correlations : callable
            Returns the correlation of each neuron with its partner.
        """
        varying = np.flatnonzero(varies)
        tree = linkage(distances, self.linkage) if len(varying) > 1 else np.empty((0, 4))
        groups = fcluster(tree, self.distance_threshold, "distance") if len(tree) else np.ones(1)
        labels = number_clusters(varies, groups[: len(varying)])
        largest = 1.0 if self.absolute else 2.0
        if self.pick == "random":
            representatives = draw(labels, check_random_state(self.random_state))
        else:
            representatives = medoids(labels, varying, distances)
        signs = np.ones(len(labels), dtype=np.intp)
        if self.pooling == "signed_mean":
            signs[correlations(representatives[labels]) < 0] = -1
        return {
            "labels_": labels,
            "n_clusters_": int(labels.max()) + 1,
            "linkage_matrix_": add_constant_neurons(tree, varies, height=largest),
            "representatives_": representatives,
            "signs_": signs,
        }

    def transform(self, X: ArrayLike) -> NDArray:
        """Pool the clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples, n_clusters)
            With the dtype of X, or float32 if X is float16. A temporary file if X is a large one.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, or does not have the number of neurons seen during
            ``fit``.
        """
        check_is_fitted(self)
        activations = validate_activations(self, X, reset=False)
        dtype = np.result_type(activations, np.float32)
        if self.pooling == "representative":
            chosen = self.representatives_
            return map_rows(activations, lambda X: X[:, chosen], width=len(chosen), dtype=dtype)
        by_cluster = np.argsort(self.labels_, kind="stable")
        sizes = np.bincount(self.labels_)
        weights = (self.signs_ / sizes[self.labels_])[by_cluster]
        starts = np.cumsum(sizes) - sizes

        def pool(X: NDArray) -> NDArray:
            pooled = np.empty((len(X), self.n_clusters_), dtype)
            for rows in gen_batches(len(X), _ROWS):
                weighted = X[rows][:, by_cluster] * weights
                pooled[rows] = np.add.reduceat(weighted, starts, axis=1)
            return pooled

        return map_rows(activations, pool, width=self.n_clusters_, dtype=dtype)

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Assign to each neuron the value of its cluster, negated if pooling negated the neuron.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_clusters)
            Pooled activations.

        Returns
        -------
        ndarray of shape (n_samples, n_neurons)
            Activations, with the dtype of X.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, or its number of columns is not the number of clusters.
        """
        check_is_fitted(self)
        pooled = check_matrix(X, dtype=FLOAT_DTYPES)
        if pooled.shape[1] != self.n_clusters_:
            raise ValueError(
                f"X must have one column for each of the {self.n_clusters_} clusters, got "
                f"{pooled.shape[1]} columns."
            )
        own, signs, dtype = self.labels_, self.signs_.astype(pooled.dtype), pooled.dtype
        return map_rows(pooled, lambda X: X[:, own] * signs, width=len(own), dtype=dtype)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Get the names of the pooled columns.

        They are the names of the representatives if ``pooling="representative"``, and
        "correlationclustering0", "correlationclustering1", ... otherwise.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the neurons. If None, use the names seen during ``fit``.

        Returns
        -------
        ndarray of str
            Names of the columns that ``transform`` returns.
        """
        check_is_fitted(self)
        if self.pooling != "representative":
            return super().get_feature_names_out(input_features)
        return _check_feature_names_in(self, input_features)[self.representatives_]

    @property
    def _n_features_out(self) -> int:
        return self.n_clusters_


def _warn_of_few_samples(n_samples: int, n_neurons: int, distance_threshold: float) -> None:
    """Warn if random correlations are strong enough to be mistaken for redundancy.

    The largest correlation of a neuron with n unrelated neurons is about
    sqrt(2 ln(n) / n_samples).
    """
    random_r = min(1.0, np.sqrt(2 * np.log(n_neurons) / (n_samples - 1)))
    if 0 < 1 - distance_threshold < random_r:
        warn(
            f"CorrelationClustering: with only {n_samples} samples, the correlation between each "
            f"of {n_neurons} neurons and the unrelated neuron closest to it is about "
            f"{random_r:.2f}, and distance_threshold={distance_threshold} merges neurons with a "
            f"correlation of at least {1 - distance_threshold:.2g}. The clusters are unreliable. "
            "Use more samples."
        )
