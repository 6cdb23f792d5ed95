"""Pearson correlations of neurons, from words that are standardised piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs
from sklearn.utils import gen_batches

from .._files import mapping_of, release
from .._moments import neuron_moments

_WORDS = 1024  # in one piece
_CELLS = 2**17  # turned into float64 at a time
_ROUNDING = 32  # times the eps of the pieces: distances below are those of equal neurons
_NEURONS = 1024  # of one model against all of another


class UnitNeurons:
    """Activations with each neuron at mean 0 and length 1, so that products are correlations.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons)
        Never copied as a whole. Constant neurons become 0.

    Attributes
    ----------
    moves : ndarray of bool of shape (n_neurons,)
        Which neurons are not constant.
    dtype : dtype
        Of the pieces: float32, or float64 where X is. They are centred in float64, as float32
        would lose a small variance beside a large mean.
    """

    def __init__(self, X: NDArray):
        self.X = X
        self.dtype = np.result_type(X.dtype, np.float32)
        self._mean, std = neuron_moments(X)
        self.moves = std > 0
        self._length = np.where(self.moves, std * np.sqrt(len(X)), np.inf)

    def batches(self) -> Iterator[slice]:
        """Rows to take at a time."""
        mapping = mapping_of(self.X)
        for rows in gen_batches(len(self.X), _WORDS):
            yield rows
            release(mapping)

    def take(self, rows: slice, neurons: slice = slice(None)) -> NDArray:
        """Return a piece of the activations."""
        part, mean, length = self.X[rows, neurons], self._mean[neurons], self._length[neurons]
        unit = np.empty(part.shape, self.dtype)
        for few in gen_batches(len(part), max(1, _CELLS // max(1, part.shape[1]))):
            np.divide(part[few] - mean, length, out=unit[few], casting="same_kind")
        return unit


def correlation_distances(unit: UnitNeurons, *, absolute: bool) -> NDArray[np.float64]:
    """1 - |r| or 1 - r of all pairs of neurons that are not constant, as scipy condenses them.

    Parameters
    ----------
    unit : UnitNeurons
    absolute : bool
        Take 1 - abs(r).

    Returns
    -------
    ndarray of shape (n_moving * (n_moving - 1) / 2,)
        In the memory of the matrix of correlations, of which there is no second copy.
    """
    n = int(unit.moves.sum())
    if n < 2:
        return np.empty(0)
    syrk = get_blas_funcs("syrk", dtype=unit.dtype)
    correlations = np.zeros((n, n), dtype=unit.dtype, order="F")
    for rows in unit.batches():
        words = unit.take(rows)
        words = words if unit.moves.all() else words[:, unit.moves]
        correlations = syrk(1.0, words.T, beta=1.0, c=correlations, lower=1, overwrite_c=1)
    return _condense(correlations.T, absolute)


def _condense(correlations: NDArray, absolute: bool) -> NDArray[np.float64]:
    """Turn the upper triangle of a matrix (C order) into condensed distances in its place.

    Row i of n becomes the numbers from i * (2n - i - 1) / 2 on. In float32 that is behind where
    it was, so the last row goes first; in float64 before it, so the first does.
    """
    n, grows = len(correlations), correlations.dtype == np.float32
    place = correlations.reshape(-1)[: n * (n - 1) // (1 if grows else 2)]
    distances = place.view(np.float64)
    for i in range(n - 1, -1, -1) if grows else range(n):
        r = correlations[i, i + 1 :].astype(np.float64)
        start = i * (2 * n - i - 1) // 2
        np.subtract(1.0, np.abs(r) if absolute else r, out=distances[start : start + len(r)])
    distances[distances < _ROUNDING * np.finfo(correlations.dtype).eps] = 0.0
    return np.minimum(distances, 1.0 if absolute else 2.0, out=distances)


def correlations_with(unit: UnitNeurons, partners: NDArray[np.intp]) -> NDArray[np.float64]:
    """Correlation of each neuron with another one, (n_neurons,)."""
    total = np.zeros(len(partners))
    for rows in unit.batches():
        words = unit.take(rows)
        total += np.einsum("ij,ij->j", words, words[:, partners])
    return total


def strongest_correlations(
    first: UnitNeurons, second: UnitNeurons
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For the neurons of each of two models, the largest |r| with a neuron of the other.

    Parameters
    ----------
    first, second : UnitNeurons
        The same words in two models.

    Returns
    -------
    of_first : ndarray of shape (n_first,)
    of_second : ndarray of shape (n_second,)
    """
    shape = first.X.shape[1], second.X.shape[1]
    of_first, of_second = np.zeros(shape[0]), np.zeros(shape[1])
    for neurons in gen_batches(shape[0], _NEURONS):
        r = np.zeros((len(of_first[neurons]), shape[1]))
        for rows in first.batches():
            r += first.take(rows, neurons).T @ second.take(rows)
        strength = np.abs(r, out=r)
        of_first[neurons] = strength.max(axis=1)
        np.maximum(of_second, strength.max(axis=0), out=of_second)
    return np.minimum(of_first, 1.0), np.minimum(of_second, 1.0)
