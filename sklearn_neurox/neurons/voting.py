"""Agreement between rankings of the same neurons, and votes that combine them."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_scalar

from .._indices import check_indices


def ranking_overlap(rankings: Iterable[ArrayLike], *, n_neurons: int) -> NDArray[np.float64]:
    """Compute the intersection over union of the first neurons of rankings.

    The mean of a row without its diagonal is the AvgOverlap of [1]_. The first k of n neurons of
    random rankings overlap by about k / (2n - k).

    Parameters
    ----------
    rankings : sequence of array-like of int
        Neurons, ordered from most to least important, as in ``ranking_`` and
        ``np.argsort(-scores)``. These are not the ranks of the neurons. Each ranking must contain
        at least `n_neurons` neurons.
    n_neurons : int
        Number of neurons to compare, from the beginning of each ranking.

    Returns
    -------
    ndarray of shape (n_rankings, n_rankings)
        Symmetric, with values in [0, 1].

    Raises
    ------
    TypeError
        If a ranking is not a list of integers.
    ValueError
        If `n_neurons` is less than 1 or exceeds the length of a ranking, or a ranking contains a
        neuron twice.

    References
    ----------
    .. [1] Y. Fan, F. Dalvi, N. Durrani and H. Sajjad (2023). Evaluating Neuron Interpretation
       Methods of NLP Models. NeurIPS.

    Examples
    --------
    >>> from sklearn_neurox import ranking_overlap
    >>> ranking_overlap([[0, 1, 2, 3], [1, 0, 2, 3], [3, 2, 0, 1]], n_neurons=2)
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    """
    checked = _check_rankings(rankings)
    check_scalar(n_neurons, "n_neurons", Integral, min_val=1)
    shortest = min(len(ranking) for ranking in checked)
    if n_neurons > shortest:
        raise ValueError(
            f"n_neurons must be at most the length of the shortest ranking, {shortest}, got "
            f"{n_neurons}."
        )
    tops = [ranking[:n_neurons] for ranking in checked]
    common = np.array([[np.isin(a, b).sum() for b in tops] for a in tops])
    return common / (2 * n_neurons - common)


def vote(rankings: Iterable[ArrayLike], *, n_votes: int | None = None) -> NDArray[np.intp]:
    """Combine rankings by voting.

    Each ranking gives n_votes points to its first neuron, n_votes - 1 to its second, ..., 1 to
    the neuron at place n_votes, and 0 to all others. This is a Borda count, the NeuronVote of
    [1]_.

    Parameters
    ----------
    rankings : sequence of array-like of int of shape (n_neurons,)
        Permutations of the same neurons, ordered from most to least important. These are not the
        ranks of the neurons.
    n_votes : int, default=None
        Number of neurons that each ranking votes for. If None, each ranking votes for all neurons.

    Returns
    -------
    ndarray of int of shape (n_neurons,)
        Permutation of the neurons, ordered by decreasing number of points. Ties are broken by
        index.

    Raises
    ------
    TypeError
        If a ranking is not a list of integers.
    ValueError
        If the rankings are not permutations of the same neurons, or `n_votes` is less than 1 or
        exceeds their number.

    See Also
    --------
    VotingSelector : The vote as a step of a Pipeline.

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
    return np.argsort(-vote_points(rankings, n_votes), kind="stable")


def vote_points(rankings: Iterable[ArrayLike], n_votes: int | None) -> NDArray[np.intp]:
    """Return the points of each neuron, of shape (n_neurons,), that :func:`vote` sorts by."""
    checked = _check_rankings(rankings)
    n_neurons = len(checked[0])
    for number, ranking in enumerate(checked):
        if not np.array_equal(np.sort(ranking), np.arange(n_neurons)):
            raise ValueError(
                f"Each ranking must contain each of the same {n_neurons} neurons once, but ranking "
                f"{number} has {len(ranking)} neurons, from {ranking.min()} to {ranking.max()}."
            )
    if n_votes is not None:
        check_scalar(n_votes, "n_votes", Integral, min_val=1, max_val=n_neurons)
    total = np.zeros(n_neurons, dtype=np.intp)
    points = np.maximum((n_neurons if n_votes is None else n_votes) - np.arange(n_neurons), 0)
    for ranking in checked:
        total[ranking] += points
    return total


def _check_rankings(rankings: Iterable[ArrayLike]) -> list[NDArray[np.intp]]:
    listed = list(rankings) if isinstance(rankings, Iterable) else [rankings]
    if any(isinstance(ranking, Integral) for ranking in listed):
        raise TypeError(
            f"rankings must be a list of rankings, got a single ranking: {listed!r:.60}."
        )
    checked = [check_indices(ranking, None, what="neuron") for ranking in listed]
    if not checked or any(not len(ranking) for ranking in checked):
        raise ValueError("rankings is empty: expected at least one ranking of at least one neuron.")
    return checked
