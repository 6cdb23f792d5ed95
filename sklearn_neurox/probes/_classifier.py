"""What the classifiers share."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin

from .._warnings import UnseenLabelsWarning, warn


class ProbeClassifierMixin(ClassifierMixin):
    """A classifier that tells of labels which it cannot know."""

    def score(self, X, y, sample_weight=None):
        """Accuracy.

        Parameters
        ----------
        X : array-like of shape (n_words, n_neurons)
            Activations.
        y : array-like of shape (n_words,)
            Labels.
        sample_weight : array-like of shape (n_words,), default=None
            Weights of the words.

        Returns
        -------
        float
            Share of the words whose label is predicted.

        Warns
        -----
        UserWarning
            If y has labels that training had not: their words count as wrong.
        """
        score = super().score(X, y, sample_weight)  # first, as it checks y
        labels = np.unique(np.asarray(y))
        unseen = labels[~np.isin(labels, self.classes_)].tolist()
        if unseen:
            n_words = int(np.isin(y, unseen).sum())
            warn(
                f"{n_words} of {len(np.asarray(y))} words have labels that training had not, "
                f"{', '.join(map(repr, unseen[:5]))}{', ...' * (len(unseen) > 5)}: they count as "
                "wrong. Leave rare labels out, or see to it that training has them.",
                UnseenLabelsWarning,
            )
        return score
