"""Mixin of the classifiers."""

from __future__ import annotations

from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from .._labels import check_labels, check_same_kind
from .._rare_labels import warn_about_unseen_labels
from .._weights import check_sample_weight


class ProbeClassifierMixin(ClassifierMixin):
    """Mixin whose ``score`` warns about labels that were not seen during training."""

    classes_: NDArray

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy on the given samples and labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_neurons)
            Activations.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            Fraction of the samples whose label is predicted correctly.

        Raises
        ------
        TypeError
            If labels are not of the kind of the classes, such as booleans instead of numbers.
        ValueError
            If lengths differ, or a label or a weight is not valid.

        Warns
        -----
        UnseenLabelsWarning
            If y has labels that were not seen during training. Their samples are scored as
            errors.
        """
        check_is_fitted(self)
        y = check_labels(y, name="y")
        check_same_kind(y, self.classes_, name="y")
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(y))
        score = super().score(X, y, sample_weight)
        warn_about_unseen_labels(y, self.classes_)
        return score
