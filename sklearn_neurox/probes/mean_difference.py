"""Mean-difference probe: classification by the means of the classes."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import gen_batches
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._callbacks import fit_task
from .._device import as_tensor
from .._labels import WEIGHTED, check_class_labels, check_labels, encode_labels, find_codes
from .._second_moments import Moments
from .._validation import fit_context, float_dtypes, validate_data, validate_samples
from .._weights import check_sample_weight
from .._whitening import SHRINKAGE, Shrinkage, Whitening
from ._classifier import ProbeClassifierMixin

_CELLS = 2**20  # of X that are converted to float64 at a time, 8 MB


def _is_whitened(probe: MeanDifferenceClassifier) -> bool:
    return probe.whiten


class MeanDifferenceClassifier(CallbackSupportMixin, ProbeClassifierMixin, BaseEstimator):
    """Classifier whose directions are the differences between the means of classes.

    The direction from one class to the other is also called the mass-mean direction [1]_. It is
    often a better direction to steer a model with than the weights of a probe, which also depend on
    the covariances of the neurons. A sample is assigned to the class with the nearest mean.

    With ``whiten=True``, the differences are multiplied by the inverse of the covariance matrix
    within the classes, which gives linear discriminant analysis.

    Parameters
    ----------
    whiten : bool, default=False
        Whether to multiply the differences by the inverse covariance matrix.
    shrinkage : float, "auto" or None, default=None
        If ``whiten=True``, how much to shrink the correlation matrix of the neurons towards the
        identity. A number is the share of the identity, and "auto" estimates it by Oracle
        Approximating Shrinkage. Without shrinkage, more samples than neurons are required.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.
    class_prior_ : ndarray of shape (n_classes,)
        Share of each class in the training samples.
    means_ : ndarray of shape (n_classes, n_neurons)
        Mean of each class, in float64.
    direction_ : ndarray of shape (1, n_neurons) or (n_classes, n_neurons)
        For two classes, the mean of the second class minus that of the first. For more classes, the
        mean of each class minus the mean of all other samples. Multiplied by the inverse covariance
        matrix if ``whiten=True``.
    coef_ : ndarray of shape (1, n_neurons) or (n_classes, n_neurons)
        Weights of the decision function. For two classes, they equal ``direction_``.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts of the decision function.
    n_samples_seen_ : int
        Number of samples with a positive weight.
    n_features_in_ : int
        Number of neurons seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_neurons,)
        Names of the neurons seen during ``fit``. Defined only if X has names that are all strings.

    See Also
    --------
    LinearProbeClassifier : Linear probe that minimizes the cross-entropy.
    SteeringVector : Adds a direction to the activations.

    References
    ----------
    .. [1] S. Marks and M. Tegmark (2024). The Geometry of Truth: Emergent Linear Structure in Large
       Language Model Representations of True/False Datasets. COLM.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_neurox import MeanDifferenceClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> round(MeanDifferenceClassifier().fit(X, y).score(X, y), 2)
    0.93
    >>> round(MeanDifferenceClassifier(whiten=True).fit(X, y).score(X, y), 2)
    0.98
    """

    _parameter_constraints: ClassVar = {"whiten": ["boolean"], "shrinkage": SHRINKAGE}

    n_samples_seen_: int
    _size: NDArray[np.float64]
    _sums: NDArray[np.float64]
    _products: dict[str, NDArray[np.float64]]

    def __init__(self, *, whiten: bool = False, shrinkage: Shrinkage = None):
        self.whiten = whiten
        self.shrinkage = shrinkage

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Compute the means of the classes and, if required, their covariance matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels: strings, integers or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights. A weight of 2 is equivalent to repeating the sample, and a weight of 0
            to removing it.

        Returns
        -------
        self : MeanDifferenceClassifier
            Fitted probe.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, y has a single class, lengths differ, weights are
            negative, or ``whiten=True`` and there are too few samples and no shrinkage.
        """
        self._update(X, y, None, sample_weight, reset=True)
        self._solution  # noqa: B018  # raises an error if there are too few samples
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Add a batch of samples.

        The result is that of ``fit`` on all samples, up to rounding. Weights are computed when they
        are first used, which requires a sample of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels: strings, integers or booleans.
        classes : array-like of shape (n_classes,), default=None
            All classes that occur in any batch. Required in the first call, and may be omitted in
            later calls.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        self : MeanDifferenceClassifier
            Fitted probe.

        Raises
        ------
        ValueError
            If X contains NaN or infinity, a label is not one of `classes`, `classes` differ from
            those of the first call, lengths differ, or weights are negative.
        """
        is_first = not hasattr(self, "_sums")
        if is_first and classes is None:
            raise ValueError("classes must be passed to the first call of partial_fit.")
        if classes is not None:
            given = check_labels(classes, name="classes")
            classes = encode_labels(given, by=type(self).__name__)[0]
            if not is_first and classes.tolist() != self.classes_.tolist():
                raise ValueError(
                    f"classes must be those of the first call, {self.classes_.tolist()}, got "
                    f"{classes.tolist()}."
                )
        self._update(X, y, classes if is_first else self.classes_, sample_weight, reset=is_first)
        return self

    def _update(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: NDArray | None,
        sample_weight: ArrayLike | None,
        *,
        reset: bool,
    ) -> None:
        """Add the sums of samples."""
        data, labels = validate_samples(self, X, y, check_class_labels, reset=reset)
        weight = check_sample_weight(sample_weight, len(data), relative=False)
        if not weight.all():
            data, labels, weight = data[weight > 0], labels[weight > 0], weight[weight > 0]
        if classes is None:
            classes, codes = encode_labels(labels, by=type(self).__name__, samples=WEIGHTED)
        else:
            codes = find_codes(labels, classes, name="y")
        with fit_task(self, data, labels):
            weights = (codes == np.arange(len(classes))[:, np.newaxis]) * weight
            size, sums = weights.sum(axis=1), _weighted_sums(data, weights)
            if not reset:
                size, sums = self._size + size, self._sums + sums
            if self.whiten:
                self._products = self._moments_with(data, weight, reset=reset).arrays()
            self.__dict__.pop("_solution", None)
            self.classes_, self._size, self._sums = classes, size, sums
            self.n_samples_seen_ = len(data) + (0 if reset else self.n_samples_seen_)

    def _moments_with(self, X: NDArray, weight: NDArray, *, reset: bool) -> Moments:
        """Return the moments of the samples, together with those seen before."""
        if not reset and not hasattr(self, "_products"):
            raise ValueError("whiten must not be changed between calls of partial_fit.")
        no_targets = torch.empty(0, len(X), dtype=torch.float64)
        before = None if reset else self._moments
        origin = None if before is None else before.origin
        moments = Moments.of(as_tensor(X), no_targets, torch.from_numpy(weight), origin)
        return moments if before is None else before + moments

    @property
    def _moments(self) -> Moments:
        return Moments.from_arrays(**self._products, n_outputs=0)

    @cached_property
    def _solution(self) -> dict[str, NDArray[np.float64]]:
        """Means, directions and weights for the samples seen so far."""
        if not self._size.all():
            missing = self.classes_[self._size == 0].tolist()[0]
            raise ValueError(f"The class {missing!r} does not have any samples yet.")
        prior = self._size / self._size.sum()
        means = self._sums / self._size[:, np.newaxis]
        center = prior @ means
        offsets = means - center
        coef, intercept = offsets, np.zeros(len(means))
        if self.whiten:
            within = self._within(offsets, prior)
            coef, intercept = within.solve(offsets.T).T, np.log(prior)
        intercept = intercept - np.einsum("cj,cj->c", coef, offsets / 2 + center)
        direction = coef / (1 - prior)[:, np.newaxis]
        if len(means) == 2:
            direction = coef = coef[1:] - coef[:1]
            intercept = intercept[1:] - intercept[:1]
        return {
            "means": means,
            "prior": prior,
            "direction": direction,
            "coef": coef,
            "intercept": intercept,
        }

    def _within(self, offsets: NDArray[np.float64], prior: NDArray[np.float64]) -> Whitening:
        """Return the whitening by the covariance matrix within the classes."""
        moments = self._moments
        found = moments.covariances()
        between = torch.from_numpy(offsets.T * prior @ offsets)
        within = Whitening.of(
            found.neurons - between,
            found.mean,
            n_samples=moments.weight,
            shrinkage=self.shrinkage,
        )
        within.check_number(moments.weight, self.shrinkage, by=type(self).__name__)
        return within

    @property
    def class_prior_(self) -> NDArray[np.float64]:
        """Share of each class in the training samples."""
        return self._solution["prior"]

    @property
    def means_(self) -> NDArray[np.float64]:
        """Mean of each class."""
        return self._solution["means"]

    @property
    def direction_(self) -> NDArray[np.float64]:
        """Differences between the means of classes."""
        return self._solution["direction"]

    @property
    def coef_(self) -> NDArray[np.float64]:
        """Weights of the decision function."""
        return self._solution["coef"]

    @property
    def intercept_(self) -> NDArray[np.float64]:
        """Intercepts of the decision function."""
        return self._solution["intercept"]

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return the scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
        """
        check_is_fitted(self)
        activations = validate_data(self, X, dtype=float_dtypes(X), reset=False)
        scores = activations @ self.coef_.T + self.intercept_
        return scores.ravel() if len(self.classes_) == 2 else scores

    def predict(self, X: ArrayLike) -> NDArray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        best = self._scores(X).argmax(axis=1)
        return self.classes_[best]

    @available_if(_is_whitened)
    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Predict class probabilities. Only available if ``whiten=True``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities of the classes, in the order of ``classes_``. Rows sum to 1.
        """
        return softmax(self._scores(X), axis=1)

    @available_if(_is_whitened)
    def predict_log_proba(self, X: ArrayLike) -> NDArray:
        """Predict the natural logarithm of class probabilities. Only if ``whiten=True``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return log_softmax(self._scores(X), axis=1)

    def _scores(self, X: ArrayLike) -> NDArray:
        """Return one score per class, also for two classes."""
        scores = self.decision_function(X)
        return scores if scores.ndim == 2 else np.stack([np.zeros_like(scores), scores], axis=1)


def _weighted_sums(X: NDArray, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums (n_classes, n_neurons) of samples with weights (n_classes, n_samples)."""
    sums = np.zeros((len(weights), X.shape[1]))
    for rows in gen_batches(len(X), max(1, _CELLS // X.shape[1])):
        sums += weights[:, rows] @ X[rows].astype(np.float64, copy=False)
    return sums
