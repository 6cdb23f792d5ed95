"""Clusters of a tree: their numbers, the complete tree, and representatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def number_clusters(varies: NDArray[np.bool_], groups: NDArray) -> NDArray[np.intp]:
    """Assign numbers to the clusters of all neurons, in the order of their first neurons.

    Parameters
    ----------
    varies : ndarray of bool of shape (n_neurons,)
        Neurons that are not constant. Each constant neuron forms a separate cluster.
    groups : ndarray of shape (n_varying,)
        Positive labels of the clusters of the varying neurons.

    Returns
    -------
    ndarray of int of shape (n_neurons,)
    """
    labels = -np.arange(1, len(varies) + 1)  # of constant neurons, distinct from all groups
    labels[varies] = groups
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def add_constant_neurons(tree: NDArray, varies: NDArray[np.bool_], *, height: float) -> NDArray:
    """Add the constant neurons, which are merged at `height`, to a tree of the varying neurons."""
    n, varying = len(varies), np.flatnonzero(varies)
    nodes = np.concatenate([varying, n + np.arange(len(tree))])
    whole = np.empty((n - 1, 4))
    whole[: len(tree)] = tree
    whole[: len(tree), :2] = np.sort(nodes[tree[:, :2].astype(np.intp)], axis=1)
    constant = np.flatnonzero(~varies).tolist()
    top = int(nodes[-1]) if len(nodes) else constant.pop(0)
    for row, neuron in enumerate(constant, start=len(tree)):
        whole[row] = min(top, neuron), max(top, neuron), height, row + 2
        top = n + row
    return whole


def draw(labels: NDArray[np.intp], generator: np.random.RandomState) -> NDArray[np.intp]:
    """Draw one neuron of each cluster at random."""
    shuffled = generator.permutation(len(labels))
    _, first = np.unique(labels[shuffled], return_index=True)
    return shuffled[first]


def medoids(
    labels: NDArray[np.intp], varying: NDArray[np.intp], distances: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the neuron of each cluster with the smallest sum of distances to the others.

    Parameters
    ----------
    labels : ndarray of int of shape (n_neurons,)
    varying : ndarray of int of shape (n_varying,)
        Neurons that are not constant.
    distances : ndarray of shape (n_varying * (n_varying - 1) / 2,)
        Condensed distances of the varying neurons.

    Returns
    -------
    ndarray of int of shape (n_clusters,)
    """
    n = len(varying)
    total = np.zeros(len(labels))
    for members in np.split(np.argsort(labels[varying], kind="stable"), _ends(labels[varying])):
        for place, i in enumerate(members):  # members are sorted, so each pair is visited once
            others = members[place + 1 :]
            between = distances[i * (2 * n - i - 1) // 2 + others - i - 1]
            total[varying[i]] += between.sum()
            total[varying[others]] += between
    mean = total / np.bincount(labels)[labels]
    by_cluster = np.lexsort((mean.round(6), labels))  # float32 is accurate to about 6 digits
    _, first = np.unique(labels[by_cluster], return_index=True)
    return by_cluster[first]


def _ends(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the positions where the sorted labels change."""
    return np.flatnonzero(np.diff(np.sort(labels))) + 1
