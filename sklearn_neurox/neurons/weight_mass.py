"""Rankings and sets of neurons by the weights of a linear model.

The *weight mass* of a neuron for a class is its absolute weight, divided by the sum of all absolute
weights of the class (Dalvi et al. 2019). Sums are computed in float64. Ties are broken by index.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_scalar

from .._validation import check_matrix, check_not_estimator, check_scale
from ._checks import check_share

Indices: TypeAlias = NDArray[np.intp]


def top_neurons(
    coef: ArrayLike, mass: float, *, scale: ArrayLike | None = None
) -> tuple[Indices, list[Indices]]:
    """Find the smallest sets of neurons that hold a share of the weight mass of each class.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_neurons)
        Weights of a linear model, one row per class.
    mass : float in [0, 1]
        Share of the weight mass [1]_. 0 selects no neurons, and 1 selects all neurons with nonzero
        weight.
    scale : array-like of shape (n_neurons,), default=None
        Values by which ``|coef|`` is multiplied. Pass the standard deviations of the neurons to
        compare weights that were trained on activations of different scales.

    Returns
    -------
    union : ndarray of int
        Neurons selected for any class, in ascending order.
    per_class : list of n_classes ndarrays of int
        Neurons selected for each class, by decreasing weight. Empty for a class without weights.

    Raises
    ------
    ValueError
        If `coef` or `scale` contains NaN or infinity, their shapes do not match, or `mass` is
        outside [0, 1].

    See Also
    --------
    bottom_neurons : The least important neurons.
    weight_mass_ordering : All neurons, ordered by the mass at which they are selected.

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
    """Find the neurons of smallest weight that reach a share of the weight mass of each class.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_neurons)
        Weights of a linear model, one row per class.
    mass : float in [0, 1]
        Share of the weight mass. 0 selects no neurons, and 1 selects all neurons for a class with
        nonzero weights.
    scale : array-like of shape (n_neurons,), default=None
        Values by which ``|coef|`` is multiplied.

    Returns
    -------
    union : ndarray of int
        Neurons selected for any class, in ascending order.
    per_class : list of n_classes ndarrays of int
        Neurons selected for each class, by increasing weight, including neurons with zero weight
        and the neuron that reaches the mass.

    Raises
    ------
    ValueError
        If `coef` or `scale` contains NaN or infinity, their shapes do not match, or `mass` is
        outside [0, 1].

    See Also
    --------
    top_neurons : The most important neurons.

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
    coef: ArrayLike, threshold: float, *, scale: ArrayLike | None = None
) -> tuple[Indices, list[Indices]]:
    """Find the neurons whose weight exceeds a share of the largest weight of the class.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_neurons)
        Weights of a linear model, one row per class.
    threshold : float in [0, 1]
        Select neurons with ``|w| > threshold * max|w|``, where the maximum is over the class.
        (NeuroX divides by its argument: its 2 corresponds to 0.5.)
    scale : array-like of shape (n_neurons,), default=None
        Values by which ``|coef|`` is multiplied.

    Returns
    -------
    union : ndarray of int
        Neurons selected for any class, in ascending order.
    per_class : list of n_classes ndarrays of int
        Neurons selected for each class, in ascending order.

    Raises
    ------
    ValueError
        If `coef` or `scale` contains NaN or infinity, their shapes do not match, or `threshold` is
        outside [0, 1].

    Examples
    --------
    >>> from sklearn_neurox import threshold_neurons
    >>> threshold_neurons([[5, -3, 0, 2]], threshold=0.5)[0]
    array([0, 1])
    """
    importance = _importance(coef, scale)
    check_share(threshold, "threshold")
    selected = importance > threshold * importance.max(axis=1, keepdims=True)
    return _union([np.flatnonzero(row) for row in selected])


def weight_mass_ordering(
    coef: ArrayLike,
    *,
    n_bins: int = 100,
    chunk_size: int | None = None,
    scale: ArrayLike | None = None,
) -> tuple[Indices, Indices]:
    """Order all neurons by the weight mass at which they are selected.

    :func:`top_neurons` selects a neuron as soon as the mass exceeds the mass of the larger weights
    of a class. The neurons are sorted by the smallest mass at which any class selects them. This is
    the ordering of [1]_ in closed form, without a selection for each mass.

    Parameters
    ----------
    coef : array-like of shape (n_classes, n_neurons)
        Weights of a linear model, one row per class.
    n_bins : int, default=100
        `cutoffs` counts the neurons at the masses p / n_bins, for p = 0, ..., n_bins.
    chunk_size : int, default=None
        If set, `cutoffs` keeps only the first of these counts that reach chunk_size,
        2 * chunk_size, ... neurons, and the number of all neurons (the granular ordering of
        NeuroX).
    scale : array-like of shape (n_neurons,), default=None
        Values by which ``|coef|`` is multiplied.

    Returns
    -------
    ordering : ndarray of int of shape (n_neurons,)
        A permutation with the most important neuron first and neurons without weight last.
        Neurons selected at the same mass are ordered by their share of the mass of the class, then
        by index.
    cutoffs : ndarray of int
        ``ordering[:cutoffs[p]]`` are the neurons that :func:`top_neurons` selects at mass
        p / n_bins. Its length is n_bins + 1 if `chunk_size` is None.

    Raises
    ------
    ValueError
        If `coef` or `scale` contains NaN or infinity, their shapes do not match, or `n_bins` or
        `chunk_size` is less than 1.

    See Also
    --------
    WeightMassSelector : The ranking as a step of a Pipeline.

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
    ordering = np.lexsort((-share, entry))  # stable sort: ties are in the order of indices
    # The first p with p / n_bins > entry. Rounding must not push a weight beyond the last mass.
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
    """Validate the arguments and return |coef| * scale in float64."""
    check_not_estimator(coef, name="coef", advice=_advice(coef))
    weights: Any = coef
    is_list = isinstance(weights, list | tuple) and len(weights)
    if np.isscalar(weights[0]) if is_list else getattr(weights, "ndim", 2) == 1:
        raise ValueError(
            "coef must have shape (n_classes, n_neurons), with one row of weights per class, got "
            f"{len(weights)} numbers. Pass [coef] for the weights of a single class."
        )
    importance = np.abs(check_matrix(coef, dtype=np.float64, name="coef"))
    if scale is None:
        return importance
    importance = importance * check_scale(scale, importance.shape[1])
    if not np.isfinite(importance).all():
        raise ValueError(
            "|coef| * scale overflows float64. Divide scale by a constant, because only the "
            "ratios of its values matter."
        )
    return importance


def _advice(model: Any) -> str:
    """Return what to pass instead of a model."""
    if isinstance(model, type):
        return " Fit an instance of it, and pass its attribute coef_."
    if hasattr(model, "steps"):
        return " Pass the attribute coef_ of its last step after fit: pipeline[-1].coef_."
    if hasattr(model, "get_support"):
        return (
            " It selects neurons itself: get_support(indices=True) lists them after fit, and "
            "ranking_, if it has this attribute, orders all neurons."
        )
    if hasattr(model, "weight"):
        return " Pass its attribute weight."
    return " Pass its attribute coef_ after fit, which only linear models have."


def _rounding(n_terms: int) -> float:
    """Return the largest relative error of a float64 sum of `n_terms` numbers."""
    return n_terms * np.finfo(np.float64).eps


def _prefix_length(sorted_weights: NDArray[np.float64], mass: float) -> int:
    """Return the length of the shortest prefix that holds the share `mass` of the sum."""
    cumulative = np.cumsum(sorted_weights)
    total = cumulative[-1]
    goal = total * (mass - _rounding(len(cumulative)))
    if total == 0 or goal <= 0:
        return 0
    return int(np.searchsorted(cumulative, goal)) + 1


def _descending(row: NDArray[np.float64]) -> Indices:
    """Sort indices by decreasing value and ties by index: a fast sort, then only the ties."""
    ranks = np.argsort(-row)
    ordered = row[ranks]
    equal = ordered[1:] == ordered[:-1]
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    ranks[tied] = ranks[tied][np.lexsort((ranks[tied], -ordered[tied]))]
    return ranks


def entry_mass(
    importance: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the mass above which each neuron is selected, in the class where it is smallest.

    Parameters
    ----------
    importance : ndarray of shape (n_classes, n_neurons)
        Not negative.

    Returns
    -------
    entry : ndarray of shape (n_neurons,)
        Share of the weight mass of the class that larger weights hold. It is infinite for a neuron
        without weight.
    share : ndarray of shape (n_neurons,)
        Share of the neuron in this class. If there are several such classes, the largest share.
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
