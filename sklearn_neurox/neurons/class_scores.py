"""Scores of the association of neurons with classes, computed without training a model."""

from __future__ import annotations

from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.utils import (
    assert_all_finite,
    check_consistent_length,
    check_scalar,
    gen_batches,
)
from sklearn.utils.validation import FLOAT_DTYPES

from .._device import as_tensor
from .._labels import check_class_labels, encode_labels
from .._moments import neuron_std
from .._row_chunks import read_arrays
from .._validation import check_matrix, check_scale, naming_the_cell
from .._warnings import warn
from ._average_precision import average_precisions

Scores: TypeAlias = NDArray[np.float64]

_MEANS = 2**17  # compared at a time, 1 MB
_SAMPLES_PER_SUM = 32  # summed in the dtype of X, before these sums are summed in float64


def mean_difference_scores(
    X: ArrayLike, y: ArrayLike, *, scale: ArrayLike | None = None
) -> tuple[Scores, Scores]:
    """Score neurons by the differences between their class means (Probeless).

    Let m_c be the mean activation on the samples of class c. The score of a neuron for c is the sum
    of abs(m_c - m_z) over the other classes z. Its overall score is the sum over all pairs of
    classes [1]_. No model is trained.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_neurons)
        Activations.
    y : array-like of shape (n_samples,)
        Labels.
    scale : array-like of shape (n_neurons,), default=None
        Values by which the differences are divided. Pass standard deviations to compare neurons of
        different scales. If a scale is 0, the score is 0.

    Returns
    -------
    overall : ndarray of shape (n_neurons,)
        Overall scores, in float64. Activations in float32 are summed in float32 for 32 samples
        at a time, and these sums in float64.
    per_class : ndarray of shape (n_classes, n_neurons)
        Scores for each class, in the order of the sorted labels.

    Raises
    ------
    ValueError
        If X contains NaN or infinity, lengths differ, y has a single class, or `scale` is negative
        or has another length.

    See Also
    --------
    ProbelessSelector : The ranking as a step of a Pipeline.

    References
    ----------
    .. [1] O. Antverg and Y. Belinkov (2022). On the Pitfalls of Analyzing Individual Neurons in
       Language Models. ICLR.

    Examples
    --------
    >>> from sklearn_neurox import mean_difference_scores
    >>> X = [[0, 1], [0, 3], [1, 2], [1, 2], [4, 0], [4, 4]]
    >>> overall, per_class = mean_difference_scores(X, ["a", "a", "b", "b", "c", "c"])
    >>> overall
    array([8., 0.])
    >>> per_class
    array([[5., 0.],
           [4., 0.],
           [7., 0.]])
    """
    # NaN and infinity propagate to the means, which are cheaper to check.
    activations, codes, classes = _check_samples(
        X, y, by="mean_difference_scores", ensure_all_finite=False
    )
    means = class_means(activations, codes, len(classes))
    if not np.isfinite(means).all():
        with naming_the_cell(activations):
            assert_all_finite(activations, input_name="X")
        raise ValueError("The sums of the activations overflow float64.")
    warn_of_single_samples(np.bincount(codes), classes, by="mean_difference_scores")
    n_neurons = activations.shape[1]
    divisor = np.ones(n_neurons) if scale is None else check_scale(scale, n_neurons)
    divisor = np.where(_constant(activations, means), 0.0, divisor)
    return mean_differences(means, divisor)


def average_precision_scores(
    X: ArrayLike, y: ArrayLike, *, min_activation: float = 0.0, signed: bool = True
) -> Scores:
    """Compute the average precision of each neuron as a detector of each class.

    The samples are ranked by their activation. The average precision of a class is the mean, over
    its samples, of the precision among all samples with at least the same activation. It depends
    only on the order of the activations. In [1]_ and NeuroX, it is called intersection over union.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_neurons)
        Activations. They are not modified.
    y : array-like of shape (n_samples,)
        Labels. Each class is scored against all others.
    min_activation : float, default=0.0
        Activations with ``|x| < min_activation`` count as 0. It is in the unit of the activations:
        0.05, the value of NeuroX, sets neurons of small scale to 0.
    signed : bool, default=True
        Whether a neuron can also detect a class by low activations: the score is then the maximum
        of the scores of x and -x. If False, it is the score of x. A neuron whose score is larger if
        `signed` is True detects the class by low activations.

    Returns
    -------
    ndarray of shape (n_classes, n_neurons)
        Scores for each class, in the order of the sorted labels. The score of an uninformative
        neuron is about the share of the class in the samples, and the score of a constant neuron is
        exactly this share.

    Raises
    ------
    ValueError
        If X contains NaN or infinity, lengths differ, y has a single class, or `min_activation`
        is negative.

    See Also
    --------
    sklearn.metrics.average_precision_score : The score of one neuron for one class.
    AveragePrecisionSelector : The ranking as a step of a Pipeline.

    References
    ----------
    .. [1] Y. Fan, F. Dalvi, N. Durrani and H. Sajjad (2023). Evaluating Neuron Interpretation
       Methods of NLP Models. NeurIPS.

    Examples
    --------
    >>> from sklearn_neurox import average_precision_scores
    >>> X = [[3, 0, 1], [2, 1, 1], [0, 2, 1], [1, 3, 1]]
    >>> average_precision_scores(X, ["a", "a", "b", "b"])
    array([[1. , 1. , 0.5],
           [1. , 1. , 0.5]])
    >>> average_precision_scores(X, ["a", "a", "b", "b"], signed=False).round(2)
    array([[1.  , 0.42, 0.5 ],
           [0.42, 1.  , 0.5 ]])
    """
    check_scalar(min_activation, "min_activation", Real, min_val=0)
    if np.isnan(min_activation):
        raise ValueError("min_activation must be non-negative, got NaN.")
    if not isinstance(signed, bool | np.bool_):
        raise TypeError(f"signed must be True or False, got {signed!r}.")
    activations, codes, classes = _check_samples(X, y, by="average_precision_scores")
    warn_of_single_samples(np.bincount(codes), classes, by="average_precision_scores")
    return np.abs(average_precisions(activations, codes, len(classes), min_activation, signed))


def _check_samples(
    X: ArrayLike, y: ArrayLike, *, by: str, **options: Any
) -> tuple[NDArray, NDArray[np.intp], NDArray]:
    """Return the activations, the class of each sample as an index, and the classes."""
    activations = check_matrix(X, dtype=FLOAT_DTYPES, **options)
    labels = check_class_labels(y)
    check_consistent_length(activations, labels)
    classes, codes = encode_labels(labels, by=by)
    return activations, codes, classes


def warn_of_single_samples(sizes: NDArray, classes: NDArray, *, by: str) -> None:
    """Warn if the score for a class is based on a single sample."""
    single = classes[sizes == 1].tolist()
    if single:
        warn(
            f"{by}: the classes {single} have only one sample each, so their scores are "
            "unreliable. Remove these classes, or ignore their scores."
        )


def class_means(X: NDArray, codes: NDArray[np.intp], n_classes: int) -> Scores:
    """Compute the float64 means of the classes, of shape (n_classes, n_neurons)."""
    dtype = np.result_type(X, np.float32)
    sums = _class_sums(X, codes, n_classes, dtype)
    if dtype != np.float64 and not np.isfinite(sums).all():  # float32 may have overflowed
        sums = _class_sums(X, codes, n_classes, np.float64)
    return sums / np.bincount(codes, minlength=n_classes)[:, np.newaxis]


def _class_sums(X: NDArray, codes: NDArray[np.intp], n_classes: int, dtype: DTypeLike) -> Scores:
    """Sum the samples of each class: a few at a time in `dtype`, and these sums in float64."""
    total = torch.zeros(n_classes, X.shape[1], dtype=torch.float64)
    for rows, samples in read_arrays(X, dtype):
        by_class = np.argsort(codes[rows], kind="stable")
        own = codes[rows][by_class]
        first = np.searchsorted(own, own)  # place of the first sample of the same class
        starts = np.flatnonzero((np.arange(len(own)) - first) % _SAMPLES_PER_SUM == 0)
        # embedding_bag sums the samples of each bag without copying them into class order.
        bags = torch.from_numpy(by_class), as_tensor(samples), torch.from_numpy(starts)
        sums = torch.nn.functional.embedding_bag(*bags, mode="sum")
        total.index_add_(0, torch.from_numpy(own[starts]), sums.double())
    return total.numpy()


def _constant(X: NDArray, means: Scores) -> NDArray[np.bool_]:
    """Find the constant neurons, whose class means may differ by rounding errors."""
    suspects = np.ptp(means, axis=0) <= 8 * np.finfo(X.dtype).eps * np.abs(means).max(axis=0)
    constant = np.zeros(X.shape[1], dtype=bool)
    if suspects.any():
        constant[suspects] = neuron_std(X[:, suspects]) == 0
    return constant


def mean_differences(means: Scores, scale: NDArray) -> tuple[Scores, Scores]:
    """Sum abs(differences) / scale over all pairs of classes, and over the pairs of each class.

    Parameters
    ----------
    means : ndarray of shape (n_classes, n_neurons)
    scale : ndarray of shape (n_neurons,)
        If a scale is 0, the score is 0.

    Returns
    -------
    overall : ndarray of shape (n_neurons,)
    per_class : ndarray of shape (n_classes, n_neurons)
    """
    divisor = np.where(scale > 0, scale, np.inf)
    overall, per_class = np.empty(len(scale)), np.empty_like(means)
    for neurons in gen_batches(len(scale), max(1, _MEANS // len(means))):
        scores = _pairwise_differences(means[:, neurons] / divisor[neurons])
        overall[neurons], per_class[:, neurons] = scores
    return overall, per_class


def _pairwise_differences(means: Scores) -> tuple[Scores, Scores]:
    """Sum the differences of a few neurons over the gaps between sorted means.

    The gap between the k-th and the next of n sorted means is part of the difference of k * (n - k)
    pairs, so the pairs need not be enumerated.
    """
    means = np.ascontiguousarray(means.T)  # the means of a neuron are adjacent in memory
    n_classes = means.shape[1]
    ranks = np.argsort(means, axis=1)
    gaps = np.diff(np.take_along_axis(means, ranks, axis=1), axis=1)
    k = np.arange(1, n_classes)
    # NumPy sums are identical for identical neurons; BLAS products may not be.
    overall = (gaps * (k * (n_classes - k))).sum(axis=1)
    score = np.empty_like(means)
    # Moving up across a gap increases the distance to k classes and decreases it to all others.
    score[:, 0] = (gaps * (n_classes - k)).sum(axis=1)
    score[:, 1:] = score[:, :1] + np.cumsum(gaps * (2 * k - n_classes), axis=1)
    per_class = np.empty_like(means)
    np.put_along_axis(per_class, ranks, score, axis=1)
    return overall, per_class.T
