"""Which neurons the weights of a linear model lie on: pure functions on arrays.

The *weight mass* of a neuron for a class is the share of its absolute weight in the sum of the
class's absolute weights (Dalvi et al. 2019). Sums run in float64, ties break by index.
"""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, check_random_state, check_scalar

from .._validation import check_scale

Indices = NDArray[np.intp]


def top_neurons(
    coef: ArrayLike, mass: float, *, scale: ArrayLike | None = None
) -> tuple[Indices, list[Indices]]:
    """Smallest sets of neurons that hold a share of each class's weight mass.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_neurons)
        Weights of a linear model; one row is one class.
    mass : float in [0, 1]
        Share of the weight mass. 0 selects no neuron, 1 every neuron with any weight.
    scale : array-like of shape (n_neurons,), default=None
        Multiplies ``|coef|``. Give the standard deviations of the neurons to compare weights that
        were trained on activations of different scale.

    Returns
    -------
    union : ndarray of int
        Neurons selected for any class, ascending.
    per_class : list of n_classes ndarrays of int
        Neurons of each class, the largest weight first. A class without weights has none.

    Raises
    ------
    ValueError
        If `coef` or `scale` hold NaN or infinity, shapes do not fit, or `mass` is outside [0, 1].

    See Also
    --------
    bottom_neurons : The least important neurons.
    weight_mass_ordering : All neurons, in the order in which growing masses select them.

    References
    ----------
    .. [1] F. Dalvi et al. (2019). What Is One Grain of Sand in the Desert? AAAI.

    Examples
    --------
    >>> from sklearn_neurox import top_neurons
    >>> union, per_class = top_neurons([[5, -3, 0, 2], [0, 1, 0, 0]], mass=0.8)
    >>> union
    array([0, 1])
    >>> per_class
    [array([0, 1]), array([1])]
    """
    importance = _importance(coef, scale)
    check_share(mass, "mass")
    ranks = [_descending(row) for row in importance]
    counts = [
        np.count_nonzero(row) if mass == 1 else _prefix_length(row[order], mass)
        for row, order in zip(importance, ranks, strict=True)
    ]
    return _union([order[:count] for order, count in zip(ranks, counts, strict=True)])


def bottom_neurons(
    coef: ArrayLike, mass: float, *, scale: ArrayLike | None = None
) -> tuple[Indices, list[Indices]]:
    """Neurons of least weight that together reach a share of each class's weight mass.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_neurons)
        Weights of a linear model.
    mass : float in [0, 1]
        Share of the weight mass. 0 selects no neuron, 1 all of them for a class with any weight.
    scale : array-like of shape (n_neurons,), default=None
        Multiplies ``|coef|``.

    Returns
    -------
    union : ndarray of int
        Neurons selected for any class, ascending.
    per_class : list of n_classes ndarrays of int
        Neurons of each class, the smallest weight first, neurons without weight among them. The
        neuron with which the mass is reached is included.

    Raises
    ------
    ValueError
        As :func:`top_neurons`.

    Examples
    --------
    >>> from sklearn_neurox import bottom_neurons
    >>> bottom_neurons([[5, -3, 0, 2]], mass=0.2)
    (array([2, 3]), [array([2, 3])])
    """
    importance = _importance(coef, scale)
    check_share(mass, "mass")
    ranks = np.argsort(importance, axis=1, kind="stable")
    return _union(
        [
            order[: _prefix_length(row[order], mass)]
            for row, order in zip(importance, ranks, strict=True)
        ]
    )


def threshold_neurons(
    coef: ArrayLike, fraction: float, *, scale: ArrayLike | None = None
) -> tuple[Indices, list[Indices]]:
    """Neurons whose weight exceeds a share of the largest weight of the class.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_neurons)
        Weights of a linear model.
    fraction : float in [0, 1]
        Select where ``|w| > fraction * max|w|`` of the class. (NeuroX divides by its argument:
        its 2 is 0.5 here.)
    scale : array-like of shape (n_neurons,), default=None
        Multiplies ``|coef|``.

    Returns
    -------
    union : ndarray of int
        Neurons selected for any class, ascending.
    per_class : list of n_classes ndarrays of int
        Neurons of each class, ascending.

    Raises
    ------
    ValueError
        If `coef` or `scale` hold NaN or infinity, shapes do not fit, or `fraction` is outside
        [0, 1].

    Examples
    --------
    >>> from sklearn_neurox import threshold_neurons
    >>> threshold_neurons([[5, -3, 0, 2]], fraction=0.5)[0]
    array([0, 1])
    """
    importance = _importance(coef, scale)
    check_share(fraction, "fraction")
    selected = importance > fraction * importance.max(axis=1, keepdims=True)
    return _union([np.flatnonzero(row) for row in selected])


def random_neurons(n_neurons: int, probability: float, *, random_state=None) -> Indices:
    """Neurons drawn independently of each other.

    Parameters
    ----------
    n_neurons : int
        Number of neurons to draw from.
    probability : float in [0, 1]
        Probability of each neuron to be drawn.
    random_state : int, RandomState instance or None, default=None
        Source of chance.

    Returns
    -------
    ndarray of int
        Ascending.

    Raises
    ------
    ValueError
        If `n_neurons` is negative or `probability` is outside [0, 1].

    Examples
    --------
    >>> from sklearn_neurox import random_neurons
    >>> random_neurons(8, 0.5, random_state=0)
    array([4, 6])
    """
    check_scalar(n_neurons, "n_neurons", Integral, min_val=0)
    check_share(probability, "probability")
    return np.flatnonzero(check_random_state(random_state).uniform(size=n_neurons) < probability)


def weight_mass_ordering(
    coef: ArrayLike,
    *,
    n_bins: int = 100,
    chunk_size: int | None = None,
    scale: ArrayLike | None = None,
) -> tuple[Indices, Indices]:
    """All neurons in the order in which growing weight masses select them.

    A neuron enters the selection of :func:`top_neurons` when the mass exceeds the mass of the
    larger weights of its class; what counts is the class where that happens first. Sorting by
    that mass gives the ordering of [1]_ in closed form, instead of one selection per mass.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_neurons)
        Weights of a linear model.
    n_bins : int, default=100
        The masses p / n_bins, p = 0, ..., n_bins, are those at which `cutoffs` counts.
    chunk_size : int, default=None
        If given, `cutoffs` keeps of these only the first with at least chunk_size, 2 *
        chunk_size, ... neurons, and the number of all neurons (NeuroX's granular ordering).
    scale : array-like of shape (n_neurons,), default=None
        Multiplies ``|coef|``.

    Returns
    -------
    ordering : ndarray of int of shape (n_neurons,)
        A permutation: the most important neuron first, neurons without any weight last. Neurons
        that enter at the same mass come by their share of the class's mass, then by index.
    cutoffs : ndarray of int
        ``ordering[:cutoffs[p]]`` are the neurons that :func:`top_neurons` selects at mass
        p / n_bins; of length n_bins + 1 without `chunk_size`.

    Raises
    ------
    ValueError
        If `coef` or `scale` hold NaN or infinity, shapes do not fit, or `n_bins` or `chunk_size`
        is below 1.

    References
    ----------
    .. [1] F. Dalvi et al. (2019). What Is One Grain of Sand in the Desert? AAAI.

    Examples
    --------
    >>> from sklearn_neurox import weight_mass_ordering
    >>> ordering, cutoffs = weight_mass_ordering([[5, -3, 0, 2], [1, 1, 0, 7]], n_bins=4)
    >>> ordering
    array([3, 0, 1, 2])
    >>> cutoffs
    array([0, 2, 2, 3, 3])
    """
    importance = _importance(coef, scale)
    check_scalar(n_bins, "n_bins", Integral, min_val=1)
    entry, share = entry_mass(importance)
    ordering = np.lexsort((-share, entry))  # a stable sort: ties keep the order of indices
    # The first p with p / n_bins > entry; rounding may not push a weight past the last mass.
    bins = np.floor((entry + _rounding(len(entry))) * n_bins) + 1
    bins = np.where(np.isfinite(entry), np.minimum(bins, n_bins), n_bins + 1)
    cutoffs = np.searchsorted(bins[ordering], np.arange(n_bins + 1), side="right")
    if chunk_size is not None:
        check_scalar(chunk_size, "chunk_size", Integral, min_val=1)
        goals = np.arange(chunk_size, cutoffs[-1] + 1, chunk_size)
        reached = cutoffs[np.searchsorted(cutoffs, goals)]
        cutoffs = np.unique(np.concatenate([[0], reached, [len(ordering)]]))
    return ordering, cutoffs


def _importance(coef: ArrayLike, scale: ArrayLike | None) -> NDArray[np.float64]:
    """|coef| * scale in float64, checked."""
    importance = np.abs(check_array(coef, dtype=np.float64, input_name="coef"))
    if scale is None:
        return importance
    importance = importance * check_scale(scale, importance.shape[1])
    if not np.isfinite(importance).all():
        raise ValueError("|coef| * scale overflows; scale by about the same factor less.")
    return importance


def check_share(value: float, name: str) -> None:
    """Raise where a share is no number in [0, 1]."""
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number in [0, 1], got {value!r}.")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value!r}.")


def _rounding(n_terms: int) -> float:
    """Relative error that a float64 sum of so many terms may have."""
    return n_terms * np.finfo(np.float64).eps


def _prefix_length(sorted_weights: NDArray[np.float64], mass: float) -> int:
    """Length of the shortest prefix that holds `mass` of the sum."""
    cumulative = np.cumsum(sorted_weights)
    total = cumulative[-1]
    goal = total * (mass - _rounding(len(cumulative)))
    if total == 0 or goal <= 0:
        return 0
    return int(np.searchsorted(cumulative, goal)) + 1


def _descending(row: NDArray[np.float64]) -> Indices:
    """Sort indices by falling value, ties by index: a fast sort first, then ties by themselves."""
    ranks = np.argsort(-row)
    ordered = row[ranks]
    equal = ordered[1:] == ordered[:-1]
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    ranks[tied] = ranks[tied][np.lexsort((ranks[tied], -ordered[tied]))]
    return ranks


def entry_mass(
    importance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mass above which a neuron is selected, in the class where that is least.

    Parameters
    ----------
    importance : ndarray of shape (n_classes, n_neurons)
        Not negative.

    Returns
    -------
    entry : ndarray of shape (n_neurons,)
        Share of the weight mass of the class that larger weights hold; infinite without weight.
    share : ndarray of shape (n_neurons,)
        Share of the neuron itself in that class, the largest of equals.
    """
    entry = np.full(importance.shape[1], np.inf)
    share = np.zeros(importance.shape[1])
    for row in importance:
        ranks = _descending(row)[: np.count_nonzero(row)]
        if not len(ranks):
            continue
        cumulative = np.cumsum(row[ranks])
        before = np.concatenate([[0.0], cumulative[:-1]]) / cumulative[-1]
        own = row[ranks] / cumulative[-1]
        earlier = (before < entry[ranks]) | ((before == entry[ranks]) & (own > share[ranks]))
        entry[ranks[earlier]], share[ranks[earlier]] = before[earlier], own[earlier]
    return entry, share


def _union(per_class: list[Indices]) -> tuple[Indices, list[Indices]]:
    return np.unique(np.concatenate(per_class)), per_class
