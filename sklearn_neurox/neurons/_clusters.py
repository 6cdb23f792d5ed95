"""Clusters cut from a tree: their numbers, the whole tree, and one neuron of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def number_clusters(moves: NDArray[np.bool_], groups: NDArray) -> NDArray[np.intp]:
    """Return clusters numbered by their first neuron; each constant neuron is one."""
    labels = -np.arange(1, len(moves) + 1)  # of constant neurons, different from all groups
    labels[moves] = groups
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def with_constants(tree: NDArray, moves: NDArray[np.bool_], *, height: float) -> NDArray:
    """Extend a tree over the moving neurons to all: the constant ones join at `height`."""
    n, moving = len(moves), np.flatnonzero(moves)
    nodes = np.concatenate([moving, n + np.arange(len(tree))])
    whole = np.empty((n - 1, 4))
    whole[: len(tree)] = tree
    whole[: len(tree), :2] = np.sort(nodes[tree[:, :2].astype(np.intp)], axis=1)
    joining = np.flatnonzero(~moves).tolist()
    top = int(nodes[-1]) if len(nodes) else joining.pop(0)
    for row, neuron in enumerate(joining, start=len(tree)):
        whole[row] = min(top, neuron), max(top, neuron), height, row + 2
        top = n + row
    return whole


def draw(labels: NDArray[np.intp], generator: np.random.RandomState) -> NDArray[np.intp]:
    """One neuron of each cluster, at random."""
    shuffled = generator.permutation(len(labels))
    _, first = np.unique(labels[shuffled], return_index=True)
    return shuffled[first]


def medoids(
    labels: NDArray[np.intp], moving: NDArray[np.intp], distances: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Of each cluster the neuron with the least sum of distances to the others."""
    n = len(moving)
    total = np.zeros(len(labels))
    for members in np.split(np.argsort(labels[moving], kind="stable"), _ends(labels[moving])):
        for place, i in enumerate(members):  # ascending: each pair is seen once
            others = members[place + 1 :]
            between = distances[i * (2 * n - i - 1) // 2 + others - i - 1]
            total[moving[i]] += between.sum()
            total[moving[others]] += between
    mean = total / np.bincount(labels)[labels]
    by_cluster = np.lexsort((mean.round(6), labels))  # float32 knows no more
    _, first = np.unique(labels[by_cluster], return_index=True)
    return by_cluster[first]


def _ends(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where the sorted labels change."""
    return np.flatnonzero(np.diff(np.sort(labels))) + 1
