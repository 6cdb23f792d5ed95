"""Neurons that several models or several rankings agree on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import FLOAT_DTYPES

from .._indices import check_indices
from .._validation import naming_the_cell
from ._correlation import UnitNeurons, strongest_correlations


def cross_model_correlation_scores(
    Xs: Sequence[ArrayLike], *, reduce: str = "max"
) -> list[NDArray[np.float64]]:
    """Score neurons by how strongly they correlate with a neuron of other models.

    What networks trained apart have in common is likely to matter: for each neuron, the largest
    absolute correlation with a neuron of another model [1]_, and over the other models the
    largest or the least of these [2]_.

    Parameters
    ----------
    Xs : sequence of array-like of shape (n_words, n_neurons)
        Activations of at least two models on the same words; their widths may differ.
    reduce : {"max", "min"}, default="max"
        "max" asks whether any other model has such a neuron, "min" whether all have.

    Returns
    -------
    list of ndarrays of shape (n_neurons,)
        In [0, 1], for each model. A constant neuron has 0.

    Raises
    ------
    ValueError
        If there are fewer than two models or words, numbers of words differ, or activations
        hold NaN or infinity.

    References
    ----------
    .. [1] F. Dalvi et al. (2019). What Is One Grain of Sand in the Desert? AAAI.
    .. [2] A. Bau et al. (2019). Identifying and Controlling Important Neurons in Neural Machine
       Translation. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import cross_model_correlation_scores
    >>> rng = np.random.RandomState(0)
    >>> first = rng.normal(size=(100, 3))
    >>> second = np.column_stack([-first[:, 2], rng.normal(size=100)])
    >>> for scores in cross_model_correlation_scores([first, second]):
    ...     print(scores.round(1))
    [0.1 0.1 1. ]
    [1.  0.1]
    """
    if reduce not in ("max", "min"):
        raise ValueError(f"reduce must be 'max' or 'min', got {reduce!r}.")
    models = [_check_model(X, number) for number, X in enumerate(Xs)]
    if len(models) < 2:
        raise ValueError(f"Models are compared: give at least two, got {len(models)}.")
    n_words = [len(model) for model in models]
    if len(set(n_words)) > 1:
        raise ValueError(f"All models must see the same words, got {n_words} of them.")
    units = [UnitNeurons(X) for X in models]
    scores: list[list[NDArray]] = [[] for _ in units]
    for i, j in combinations(range(len(units)), 2):
        for model, found in zip((i, j), strongest_correlations(units[i], units[j]), strict=True):
            scores[model].append(found)
    return [getattr(np, reduce)(found, axis=0) for found in scores]


def ranking_overlap(rankings: Sequence[ArrayLike], *, k: int) -> NDArray[np.float64]:
    """Overlap of the first k neurons of rankings, as intersection over union.

    The mean of a row without its diagonal is the AvgOverlap of [1]_. Of rankings by chance, k of
    n neurons overlap by about k / (2n - k).

    Parameters
    ----------
    rankings : sequence of array-like of int
        Neurons, the most important first, as ``ranking_`` and ``np.argsort(-scores)`` hold them;
        not the rank of each neuron. Each of at least k neurons.
    k : int
        Neurons to compare.

    Returns
    -------
    ndarray of shape (n_rankings, n_rankings)
        Symmetric, in [0, 1].

    Raises
    ------
    TypeError
        If a ranking is no list of integers.
    ValueError
        If `k` is below 1 or above the length of a ranking, or a ranking names a neuron twice.

    References
    ----------
    .. [1] Y. Fan, F. Dalvi, N. Durrani and H. Sajjad (2023). Evaluating Neuron Interpretation
       Methods of NLP Models. NeurIPS.

    Examples
    --------
    >>> from sklearn_neurox import ranking_overlap
    >>> ranking_overlap([[0, 1, 2, 3], [1, 0, 2, 3], [3, 2, 0, 1]], k=2)
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    """
    checked = _check_rankings(rankings)
    check_scalar(k, "k", Integral, min_val=1)
    shortest = min(len(ranking) for ranking in checked)
    if k > shortest:
        raise ValueError(f"k={k}, but a ranking has {shortest} neurons.")
    tops = [ranking[:k] for ranking in checked]
    common = np.array([[np.isin(a, b).sum() for b in tops] for a in tops])
    return common / (2 * k - common)


def vote(rankings: Sequence[ArrayLike], *, k: int | None = None) -> NDArray[np.intp]:
    """Order neurons by the votes of several rankings.

    Each ranking gives its first neuron k points, the second k - 1, the k-th 1, and others none
    (a Borda count, the NeuronVote of [1]_).

    Parameters
    ----------
    rankings : sequence of array-like of int of shape (n_neurons,)
        Permutations of the same neurons, the most important first; not the ranks of neurons.
    k : int, default=None
        Neurons that each ranking votes for; None lets it vote for all.

    Returns
    -------
    ndarray of int of shape (n_neurons,)
        A permutation, the most points first. Of neurons with equal points, the one with the
        lower index comes first.

    Raises
    ------
    TypeError
        If a ranking is no list of integers.
    ValueError
        If rankings are no permutations of the same neurons, or `k` is below 1 or above their
        number.

    References
    ----------
    .. [1] Y. Fan, F. Dalvi, N. Durrani and H. Sajjad (2023). Evaluating Neuron Interpretation
       Methods of NLP Models. NeurIPS.

    Examples
    --------
    >>> from sklearn_neurox import vote
    >>> vote([[2, 0, 1, 3], [0, 2, 3, 1], [0, 1, 2, 3]])
    array([0, 2, 1, 3])
    """
    return np.argsort(-vote_points(rankings, k), kind="stable")


def vote_points(rankings: Sequence[ArrayLike], k: int | None) -> NDArray[np.intp]:
    """Points (n_neurons,) that :func:`vote` orders by."""
    checked = _check_rankings(rankings)
    n_neurons = len(checked[0])
    for number, ranking in enumerate(checked):
        if not np.array_equal(np.sort(ranking), np.arange(n_neurons)):
            raise ValueError(
                f"Rankings must name each of the same {n_neurons} neurons once; ranking {number} "
                f"has {len(ranking)}, from {ranking.min()} to {ranking.max()}."
            )
    if k is not None:
        check_scalar(k, "k", Integral, min_val=1, max_val=n_neurons)
    points = np.zeros(n_neurons, dtype=np.intp)
    given = np.maximum((n_neurons if k is None else k) - np.arange(n_neurons), 0)
    for ranking in checked:
        points[ranking] += given
    return points


def _check_model(X, number):
    with naming_the_cell(X):
        return check_array(X, dtype=FLOAT_DTYPES, ensure_min_samples=2, input_name=f"Xs[{number}]")


def _check_rankings(rankings):
    rankings = list(rankings) if isinstance(rankings, Iterable) else [rankings]
    if any(isinstance(ranking, Integral) for ranking in rankings):
        raise TypeError(f"Expected a list of rankings, got one: {rankings!r:.60}.")
    checked = [check_indices(ranking, None, what="neuron") for ranking in rankings]
    if not checked or any(not len(ranking) for ranking in checked):
        raise ValueError("There must be at least one ranking, of at least one neuron.")
    return checked
