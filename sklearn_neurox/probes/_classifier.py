"""Mixin of the classifiers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin

from .._warnings import UnseenLabelsWarning, warn


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

        Warns
        -----
        UnseenLabelsWarning
            If y has labels that were not seen during training. Their samples are scored as
            errors.
        """
        score = super().score(X, y, sample_weight)  # first, because it checks y
        labels = np.unique(np.asarray(y))
        unseen = labels[~np.isin(labels, self.classes_)].tolist()
        if unseen:
            n_samples = int(np.isin(y, unseen).sum())
            warn(
                f"{n_samples} of {len(np.asarray(y))} samples have labels that were not seen "
                "during training: "
                f"{', '.join(map(repr, unseen[:5]))}{', ...' * (len(unseen) > 5)}. They are "
                "scored as errors. Remove rare labels, or make sure that the training samples "
                "contain them.",
                UnseenLabelsWarning,
            )
        return score
