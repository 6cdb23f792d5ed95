"""How differently a neuron acts on the words of a class: scores without any training."""

from __future__ import annotations

from numbers import Real

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_scalar,
    column_or_1d,
    gen_batches,
)
from sklearn.utils.validation import FLOAT_DTYPES

from .._device import as_tensor
from .._files import mapping_of, release
from .._labels import encode_labels
from .._moments import neuron_std
from .._validation import check_scale, naming_the_cell
from .._warnings import warn

Scores = NDArray[np.float64]

_CELLS = 2**25  # of X in one piece of work, 128 MB in float32
_MEANS = 2**17  # compared at a time, 1 MB
_WORDS_A_SUM = 32  # added up in the dtype of X, before the sum goes on in float64
_NEURONS = 32  # sorted one after the other from one piece of X


def mean_difference_scores(
    X: ArrayLike, y: ArrayLike, *, scale: ArrayLike | None = None
) -> tuple[Scores, Scores]:
    """Score neurons by how far apart the mean activations of the classes are (Probeless).

    With m_c the mean activation on the words of class c, the score of a neuron for c is the sum
    of abs(m_c - m_z) over the other classes z, and its overall score the sum over all pairs of
    classes [1]_. Nothing is trained.

    Parameters
    ----------
    X : array-like of shape (n_words, n_neurons)
        Activations.
    y : array-like of shape (n_words,)
        Labels.
    scale : array-like of shape (n_neurons,), default=None
        Divides the differences. Differences are in the unit of the neuron: give the standard
        deviations to compare neurons of different scale. Where it is 0, so is the score.

    Returns
    -------
    overall : ndarray of shape (n_neurons,)
        In float64. The sums over float32 activations run in float32 over 32 words at a time, and
        then in float64.
    per_class : ndarray of shape (n_classes, n_neurons)
        Rows in the order of the sorted labels.

    Raises
    ------
    ValueError
        If X holds NaN or infinity, lengths differ, y has a single class, or `scale` is negative
        or does not fit.

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
    # What is not finite shows in a mean.
    activations, codes, classes = _check_words(
        X, y, by="mean_difference_scores", ensure_all_finite=False
    )
    means = class_means(activations, codes, len(classes))
    if not np.isfinite(means).all():
        with naming_the_cell(X):
            assert_all_finite(activations, input_name="X")
        raise ValueError("The sums of the activations overflow.")
    warn_of_single_words(codes, classes, by="mean_difference_scores")
    n_neurons = activations.shape[1]
    divisor = np.ones(n_neurons) if scale is None else check_scale(scale, n_neurons)
    divisor = np.where(_constant(activations, means), 0.0, divisor)
    return mean_differences(means, divisor)


def average_precision_scores(
    X: ArrayLike, y: ArrayLike, *, threshold: float = 0.0, signed: bool = True
) -> Scores:
    """Average precision of each neuron as a detector of each class.

    The words are ranked by their activation; the average precision of a class is the mean, over
    its words, of the precision among all words ranked as high. It depends on the order of the
    activations only. [1]_ and NeuroX rank by it under the name of an intersection over union.

    Parameters
    ----------
    X : array-like of shape (n_words, n_neurons)
        Activations; they are not changed.
    y : array-like of shape (n_words,)
        Labels; each class is scored against all others.
    threshold : float, default=0.0
        Activations with ``|x| < threshold`` count as 0. In the unit of the activations: NeuroX's
        0.05 silences neurons of small scale.
    signed : bool, default=True
        Let a neuron detect by low activations too: the better of the scores of x and of -x. With
        False, that of x. (A neuron that is higher with True detects by low activations.)

    Returns
    -------
    ndarray of shape (n_classes, n_neurons)
        Rows in the order of the sorted labels. A neuron that knows nothing scores about the share
        of the class in the words; a constant neuron exactly that.

    Raises
    ------
    ValueError
        If X holds NaN or infinity, lengths differ, y has a single class, or `threshold` is
        negative.

    See Also
    --------
    sklearn.metrics.average_precision_score : The same for one neuron and one class.
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
    check_scalar(threshold, "threshold", Real, min_val=0)
    if np.isnan(threshold):
        raise ValueError("threshold must be a number >= 0, got NaN.")
    if not isinstance(signed, bool | np.bool_):
        raise TypeError(f"signed must be True or False, got {signed!r}.")
    activations, codes, classes = _check_words(X, y, by="average_precision_scores")
    warn_of_single_words(codes, classes, by="average_precision_scores")
    return np.abs(average_precisions(activations, codes, len(classes), threshold, signed))


def _check_words(X, y, *, by, **options):
    """Activations, the class of each word as an index, and the classes."""
    with naming_the_cell(X):
        X = check_array(X, dtype=FLOAT_DTYPES, input_name="X", **options)
    y = column_or_1d(y)
    check_consistent_length(X, y)
    classes, codes = encode_labels(y, by=by)
    return X, codes, classes


def warn_of_single_words(codes: NDArray, classes: NDArray, *, by: str) -> None:
    """Warn where the score for a class rests on one word."""
    single = classes[np.bincount(codes) == 1].tolist()
    if single:
        warn(
            f"{by}: the classes {single} have one word each, whose activations alone make their "
            "scores; leave such classes out, or do not trust what is said of them.",
        )


def class_means(X: NDArray, codes: NDArray, n_classes: int) -> Scores:
    """Mean activation on the words of each class, (n_classes, n_neurons), in float64."""
    dtype = np.result_type(X, np.float32)
    sums = _class_sums(X, codes, n_classes, dtype)
    if dtype != np.float64 and not np.isfinite(sums).all():  # it may be a narrow type's limit
        sums = _class_sums(X, codes, n_classes, np.float64)
    return sums / np.bincount(codes, minlength=n_classes)[:, np.newaxis]


def _class_sums(X, codes, n_classes, dtype):
    """Add up the words of each class: few in `dtype`, and these sums in float64."""
    total = np.zeros((n_classes, X.shape[1]))
    mapping = mapping_of(X)
    for rows in gen_batches(len(X), max(1, _CELLS // X.shape[1])):
        by_class = np.argsort(codes[rows], kind="stable")
        own = codes[rows][by_class]
        first = np.searchsorted(own, own)  # of the class
        starts = np.flatnonzero((np.arange(len(own)) - first) % _WORDS_A_SUM == 0)
        words = as_tensor(np.ascontiguousarray(X[rows], dtype=dtype))
        bags = torch.from_numpy(by_class), words, torch.from_numpy(starts)
        sums = torch.nn.functional.embedding_bag(*bags, mode="sum").numpy()
        for code, some in zip(own[starts], sums, strict=True):
            total[code] += some
        release(mapping)
    return total


def _constant(X, means):
    """Mask of the constant neurons, whose means differ by rounding all the same."""
    suspects = np.ptp(means, axis=0) <= 8 * np.finfo(X.dtype).eps * np.abs(means).max(axis=0)
    constant = np.zeros(X.shape[1], dtype=bool)
    if suspects.any():
        constant[suspects] = neuron_std(X[:, suspects]) == 0
    return constant


def mean_differences(means: Scores, scale: NDArray) -> tuple[Scores, Scores]:
    """Sum |differences| / scale over all pairs of rows, and over the pairs of each row.

    Where the scale is 0, so is the score.
    """
    divisor = np.where(scale > 0, scale, np.inf)
    overall, per_class = np.empty(len(scale)), np.empty_like(means)
    for neurons in gen_batches(len(scale), max(1, _MEANS // len(means))):
        scores = _pairwise_differences(means[:, neurons] / divisor[neurons])
        overall[neurons], per_class[:, neurons] = scores
    return overall, per_class


def _pairwise_differences(means: Scores) -> tuple[Scores, Scores]:
    """Sum the differences of few neurons.

    Of sorted means, the k-th is the larger in k pairs and the smaller in the others: sums over
    the gaps between neighbours take the place of the pairs.
    """
    means = np.ascontiguousarray(means.T)  # a neuron's means side by side
    n_classes = means.shape[1]
    ranks = np.argsort(means, axis=1)
    gaps = np.diff(np.take_along_axis(means, ranks, axis=1), axis=1)
    k = np.arange(1, n_classes)
    # Sums of numpy, not products of BLAS, are the same for equal neurons.
    overall = (gaps * (k * (n_classes - k))).sum(axis=1)
    score = np.empty_like(means)
    # From the lowest class upwards, each gap brings k classes away and the others closer.
    score[:, 0] = (gaps * (n_classes - k)).sum(axis=1)
    score[:, 1:] = score[:, :1] + np.cumsum(gaps * (2 * k - n_classes), axis=1)
    per_class = np.empty_like(means)
    np.put_along_axis(per_class, ranks, score, axis=1)
    return overall, per_class.T


def average_precisions(
    X: NDArray, codes: NDArray, n_classes: int, threshold: float, signed: bool
) -> Scores:
    """Average precisions (n_classes, n_neurons) of checked words; one sort a neuron.

    Negative where a neuron detects by low activations.
    """
    codes = codes.astype(np.min_scalar_type(n_classes))  # small integers sort in linear time
    sizes = np.bincount(codes, minlength=n_classes)
    scores = np.empty((n_classes, X.shape[1]))
    mapping = mapping_of(X)
    # A mapped file is read from end to end for each block, which is then to be a large one.
    together = _NEURONS if mapping is None else max(_NEURONS, _CELLS // len(X))
    for neurons in gen_batches(X.shape[1], together):
        block = np.array(X[:, neurons].T, dtype=np.result_type(X, np.float32), order="C")
        release(mapping)
        if threshold:
            block[np.abs(block) < threshold] = 0
        for neuron, activations in enumerate(block, start=neurons.start):
            scores[:, neuron] = _of_one_neuron(activations, codes, sizes, signed)
    return scores


def _of_one_neuron(activations, codes, sizes, signed):
    """Average precisions of one neuron for all classes.

    With the words sorted by activation, and these by class, a word stands beside its place among
    all words and its place within its class; their ratio is the precision there.
    """
    order = np.argsort(activations)
    place = np.argsort(codes[order], kind="stable")  # by class, and in it by activation
    ends = np.cumsum(sizes)
    starts = ends - sizes
    among_all, in_class = _first_and_last(place, activations[order], starts)
    # Words at least as active: of all, and of the class.
    above = np.repeat(ends, sizes) - in_class[0], len(place) - among_all[0]
    scores = np.add.reduceat(above[0] / above[1], starts)
    if signed:
        below = in_class[1] + 1 - np.repeat(starts, sizes), among_all[1] + 1
        of_low = np.add.reduceat(below[0] / below[1], starts)
        scores = np.where(of_low > scores, -of_low, scores)
    return scores / sizes


def _first_and_last(place, sorted_activations, starts):
    """Bounds of the equally active words, by their place among all words and in the class."""
    index = np.arange(len(place))
    changes = sorted_activations[1:] != sorted_activations[:-1]
    if changes.all():
        return (place, place), (index, index)
    first, last = _bounds_of_runs(changes)
    group = first[place]
    changes = group[1:] != group[:-1]
    changes[starts[1:] - 1] = True
    return (group, last[place]), _bounds_of_runs(changes)


def _bounds_of_runs(changes):
    """First and last index of the run that each index is in."""
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    lengths = np.diff(starts, append=len(changes) + 1)
    return np.repeat(starts, lengths), np.repeat(starts + lengths - 1, lengths)
