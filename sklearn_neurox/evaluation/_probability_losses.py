"""Losses of the probabilities of single samples, whose means are proper scoring rules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Metrics of reports, and the names of the scorers, whose greater values are better.
LOSSES = {"log_loss": "neg_log_loss", "brier": "neg_brier_score"}


def losses(name: str, codes: NDArray[np.intp], probabilities: NDArray) -> NDArray[np.float64]:
    """Return the loss of each sample.

    Parameters
    ----------
    name : {"log_loss", "brier"}
    codes : ndarray of int of shape (..., n_samples)
        Class of each sample.
    probabilities : ndarray of shape (n_samples,) or (n_samples, n_classes)
        For two classes, the probability of the second one.

    Returns
    -------
    ndarray of the shape of `codes`
        As in ``sklearn.metrics.log_loss`` and ``brier_score_loss``: the Brier score of two classes
        is the squared error of one of them, and that of more classes the sum over the classes.
    """
    if probabilities.ndim == 1:
        of_label = np.where(codes == 1, probabilities, 1 - probabilities)
        brier = (1 - of_label) ** 2
    else:
        of_label = probabilities[np.arange(len(probabilities)), codes]
        brier = (probabilities**2).sum(axis=1) - 2 * of_label + 1
    if name == "brier":
        return brier
    smallest = np.finfo(np.float64).eps  # as in scikit-learn
    return -np.log(np.clip(of_label, smallest, 1 - smallest))
