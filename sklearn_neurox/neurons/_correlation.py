"""Pearson correlations of neurons, computed from chunks of standardized samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs
from sklearn.utils import gen_batches

from .._class_moments import ClassMoments
from .._files import mapping_of, release
from .._moments import neuron_moments

_ROWS = 1024  # in a chunk
_CELLS = 2**17  # converted to float64 at a time
_ROUNDING = 32  # multiples of the eps of the chunks: smaller distances are those of equal neurons
_NEURONS = 1024  # of one model, correlated at a time with all neurons of another


class UnitNeurons:
    """Activations scaled to mean 0 and length 1. Their scalar products are correlations.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_neurons)
        Activations, which are not copied as a whole. Constant neurons become 0.

    Attributes
    ----------
    varies : ndarray of bool of shape (n_neurons,)
        Which neurons are not constant.
    dtype : dtype
        Dtype of the chunks: float64 if X is float64, else float32. They are centered in float64,
        because float32 would lose a variance that is small compared with the mean.
    """

    def __init__(self, X: NDArray) -> None:
        self.X = X
        self.dtype = np.result_type(X.dtype, np.float32)
        self._mean, std = neuron_moments(X)
        self.varies = std > 0
        self._length = np.where(self.varies, std * np.sqrt(len(X)), np.inf)

    def batches(self) -> Iterator[slice]:
        """Yield the rows of each chunk."""
        mapping = mapping_of(self.X)
        for rows in gen_batches(len(self.X), _ROWS):
            yield rows
            release(mapping)

    def take(self, rows: slice, neurons: slice = slice(None)) -> NDArray:
        """Return a chunk of the scaled activations."""
        part, mean, length = self.X[rows, neurons], self._mean[neurons], self._length[neurons]
        unit = np.empty(part.shape, self.dtype)
        for batch in gen_batches(len(part), max(1, _CELLS // max(1, part.shape[1]))):
            np.divide(part[batch] - mean, length, out=unit[batch], casting="same_kind")
        return unit


def correlation_distances(unit: UnitNeurons, *, absolute: bool) -> NDArray[np.float64]:
    """Compute the distances of all pairs of varying neurons in the condensed form of SciPy.

    Parameters
    ----------
    unit : UnitNeurons
    absolute : bool
        Whether to use the distance 1 - abs(r) instead of 1 - r.

    Returns
    -------
    ndarray of shape (n_varying * (n_varying - 1) / 2,)
        Condensed distances, in the memory of the correlation matrix, to avoid a second copy.
    """
    n = int(unit.varies.sum())
    if n < 2:
        return np.empty(0)
    syrk = get_blas_funcs("syrk", dtype=unit.dtype)
    correlations = np.zeros((n, n), dtype=unit.dtype, order="F")
    for rows in unit.batches():
        chunk = unit.take(rows)
        chunk = chunk if unit.varies.all() else chunk[:, unit.varies]
        correlations = syrk(1.0, chunk.T, beta=1.0, c=correlations, lower=1, overwrite_c=1)
    return _condense(correlations.T, absolute, float(np.finfo(unit.dtype).eps))


def distances_from(moments: ClassMoments, *, absolute: bool) -> NDArray[np.float64]:
    """Compute the distances as :func:`correlation_distances` does, from moments.

    Parameters
    ----------
    moments : ClassMoments
        Of a single class, and of scatter "within".
    absolute : bool
    """
    varies = moments.varies
    if varies.sum() < 2:
        return np.empty(0)
    length = _lengths(moments)[varies]
    correlations = moments.scatter[np.ix_(varies, varies)]
    correlations /= length
    correlations /= length[:, np.newaxis]
    # The rounding errors are those of the activations.
    eps = np.finfo(np.result_type(moments.low, np.float32)).eps
    return _condense(correlations, absolute, float(eps))


def correlations_from(moments: ClassMoments, partners: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the correlation of each neuron with its partner, from moments."""
    length = _lengths(moments)
    products = moments.scatter[np.arange(len(partners)), partners]
    return products / length / length[partners]


def _lengths(moments: ClassMoments) -> NDArray[np.float64]:
    """Return the lengths of the vectors of deviations, infinite for constant neurons."""
    return np.where(moments.varies, np.sqrt(moments.scatter.diagonal()), np.inf)


def _condense(correlations: NDArray, absolute: bool, eps: float) -> NDArray[np.float64]:
    """Convert the upper triangle of a matrix (C order) to condensed distances in place.

    Row i of n is moved to position i * (2n - i - 1) / 2. In bytes, this is after its old position
    if the matrix is float32, so the last row is moved first. It is before its old position if the
    matrix is float64, so the first row is moved first.
    """
    n, grows = len(correlations), correlations.dtype == np.float32
    place = correlations.reshape(-1)[: n * (n - 1) // (1 if grows else 2)]
    distances = place.view(np.float64)
    for i in range(n - 1, -1, -1) if grows else range(n):
        r = correlations[i, i + 1 :].astype(np.float64)
        start = i * (2 * n - i - 1) // 2
        np.subtract(1.0, np.abs(r) if absolute else r, out=distances[start : start + len(r)])
    distances[distances < _ROUNDING * eps] = 0.0
    return np.minimum(distances, 1.0 if absolute else 2.0, out=distances)


def correlations_with(unit: UnitNeurons, partners: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the correlation of each neuron with its partner, of shape (n_neurons,)."""
    total = np.zeros(len(partners))
    for rows in unit.batches():
        chunk = unit.take(rows)
        total += np.einsum("ij,ij->j", chunk, chunk[:, partners])
    return total


def strongest_correlations(
    first: UnitNeurons, second: UnitNeurons
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the largest abs(r) of each neuron of two models with a neuron of the other model.

    Parameters
    ----------
    first, second : UnitNeurons
        The same samples in two models.

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
