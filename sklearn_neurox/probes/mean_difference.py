"""Mean-difference probe: classification by the means of the classes."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._batch_sums import ClassBatches, Sums, from_sums
from .._class_moments import ClassMoments, Scatter
from .._row_chunks import linear_outputs
from .._validation import fit_context, validate_activations
from .._whitening import SHRINKAGE, Shrinkage, Whitening
from ._classifier import ProbeClassifierMixin


def _is_whitened(probe: MeanDifferenceClassifier) -> bool:
    return probe.whiten


class MeanDifferenceClassifier(
    CallbackSupportMixin, ClassBatches, ProbeClassifierMixin, BaseEstimator
):
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

    class_prior_: NDArray[np.float64] = from_sums()
    means_: NDArray[np.float64] = from_sums()
    direction_: NDArray[np.float64] = from_sums()
    coef_: NDArray[np.float64] = from_sums()
    intercept_: NDArray[np.float64] = from_sums()

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
        self._forget()
        self._add_batch(X, y, None, sample_weight, is_all=True)
        return self.finish()

    @property
    def _scatter(self) -> Scatter:
        return "within" if self.whiten else "none"

    def _added(self, one: Sums, other: Sums) -> Sums:
        if one["scatter"].shape != other["scatter"].shape:
            raise ValueError("whiten must not be changed between calls of partial_fit.")
        return super()._added(one, other)

    def _compute(self) -> dict[str, NDArray[np.float64]]:
        """Return means, directions and weights for the samples seen so far."""
        moments = self._moments()
        prior, means = moments.size / moments.size.sum(), moments.means
        center = prior @ means
        offsets = means - center
        coef, intercept = offsets, np.zeros(len(means))
        if self.whiten:
            coef, intercept = self._within(moments).solve(offsets.T).T, np.log(prior)
        intercept = intercept - np.einsum("cj,cj->c", coef, offsets / 2 + center)
        direction = coef / (1 - prior)[:, np.newaxis]
        if len(means) == 2:
            direction = coef = coef[1:] - coef[:1]
            intercept = intercept[1:] - intercept[:1]
        return {
            "means_": means,
            "class_prior_": prior,
            "direction_": direction,
            "coef_": coef,
            "intercept_": intercept,
        }

    def _within(self, moments: ClassMoments) -> Whitening:
        """Return the whitening by the covariance matrix within the classes."""
        n_samples = moments.size.sum()
        within = Whitening.of(
            torch.from_numpy(moments.scatter / n_samples),
            torch.from_numpy(moments.size / n_samples @ moments.means),
            n_samples=n_samples,
            shrinkage=self.shrinkage,
        )
        within.check_number(n_samples, self.shrinkage, by=type(self).__name__)
        return within

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
        activations = validate_activations(self, X, reset=False)
        scores = linear_outputs(activations, self.coef_, self.intercept_)
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
