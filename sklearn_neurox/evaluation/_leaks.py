"""Texts of the test sets that also occur in the training sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ._folds import Split
from ._near_duplicates import near_duplicates, normalize


class Copies(NamedTuple):
    """Which texts are copies of each other.

    Parameters
    ----------
    codes : ndarray of int of shape (n_texts,)
        Texts with the same code are equal, except for case, spaces and Unicode forms.
    similarity : csr_array of shape (n_distinct, n_distinct)
        Similarities of near duplicates among the distinct texts.
    clusters : ndarray of int of shape (n_texts,)
        Texts that are connected by copies and near duplicates have the same number.
    """

    codes: NDArray[np.intp]
    similarity: csr_array
    clusters: NDArray[np.intp]


class Leaks(NamedTuple):
    """The most similar training text of each held-out text.

    Parameters
    ----------
    similarity : ndarray of shape (n_held_out,)
        1 for a copy, and 0 if no similar text was found.
    sources : ndarray of int of shape (n_held_out,)
        Row of the training text, or -1.
    """

    similarity: NDArray[np.float64]
    sources: NDArray[np.intp]


def find_copies(texts: Sequence[str], threshold: float, seed: int) -> Copies:
    """Find copies and near duplicates among texts."""
    distinct: dict[str, int] = {}
    codes = np.array([distinct.setdefault(normalize(text), len(distinct)) for text in texts])
    similarity = near_duplicates(list(distinct), threshold, seed)
    clusters = connected_components(similarity, directed=False)[1]
    return Copies(codes, similarity, clusters[codes])


def find_leaks(copies: Copies, splits: Sequence[Split]) -> Leaks:
    """Find the most similar training text of each test text of each fold."""
    found = [_leaks_of_fold(copies, train, test) for train, test in splits]
    similarity, sources = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Leaks(similarity, sources)


def _leaks_of_fold(
    copies: Copies, train: NDArray[np.intp], test: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    n_distinct = copies.similarity.shape[0]
    first_row = np.full(n_distinct, -1)
    first_row[copies.codes[train][::-1]] = train[::-1]
    codes = copies.codes[test]
    in_train = csr_array((first_row >= 0).astype(float)[np.newaxis])
    near = csr_array(copies.similarity[codes].multiply(in_train))
    similarity = near.max(axis=1).toarray().ravel()
    sources = np.where(similarity > 0, first_row[near.argmax(axis=1)], -1)
    is_copy = first_row[codes] >= 0
    similarity[is_copy], sources[is_copy] = 1.0, first_row[codes[is_copy]]
    return similarity, sources
