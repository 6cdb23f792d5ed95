"""Whitening of neurons: the inverse square root of their covariance matrix."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from ._second_moments import without_rounding

Shrinkage: TypeAlias = float | Literal["auto"] | None
# Valid values of a parameter `shrinkage`, as in ``_parameter_constraints``.
SHRINKAGE: list[Any] = [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both"), None]
# Eigenvalues below this share of the largest one are 0 up to rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Whitening:
    """Eigendecomposition of the correlation matrix of neurons, without its null space.

    Correlations rather than covariances are decomposed and shrunk. The result does therefore not
    depend on the units of the neurons, and a few neurons with very large activations do not decide
    which eigenvalues count as zero.

    Parameters
    ----------
    std : ndarray of shape (n_neurons,)
        Standard deviations of the neurons, 0 for constant neurons.
    values : ndarray of shape (rank,)
        Eigenvalues of the correlation matrix.
    vectors : ndarray of shape (n_neurons, rank)
        Eigenvectors.
    """

    std: NDArray[np.float64]
    values: NDArray[np.float64]
    vectors: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        covariance: Tensor,
        mean: Tensor,
        *,
        n_samples: float = np.inf,
        shrinkage: Shrinkage = None,
    ) -> Whitening:
        """Decompose a covariance matrix.

        Parameters
        ----------
        covariance : Tensor of shape (n_neurons, n_neurons)
        mean : Tensor of shape (n_neurons,)
            Means, whose rounding errors are not considered to be variance.
        n_samples : float, default=inf
            Number of samples that `covariance` was computed from. Used by ``shrinkage="auto"``.
        shrinkage : float, "auto" or None, default=None
            As in :func:`shrink`.
        """
        std = without_rounding(covariance.diagonal(), mean).sqrt().cpu().numpy()
        unit = np.where(std > 0, std, np.inf)
        correlation = covariance.cpu().numpy() / unit / unit[:, np.newaxis]
        correlation = shrink(correlation, n_samples, shrinkage)
        values, vectors = eigh(correlation, overwrite_a=True, check_finite=False, driver="evd")
        kept = values > _ROUNDING * max(values[-1], 0)
        return cls(std, values[kept], vectors[:, kept])

    def check_number(self, n_samples: float, shrinkage: Shrinkage, *, by: str) -> None:
        """Raise a ValueError if there are too few samples for a matrix that is not shrunk."""
        n_varying = int((self.std > 0).sum())
        if not shrinkage and n_samples <= n_varying:
            raise ValueError(
                f"{by} requires more samples than neurons that vary, got {n_samples:g} samples and "
                f"{n_varying} neurons. Pass shrinkage='auto', or use more samples."
            )

    def whiten(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map vectors (n_neurons, k) to the space (rank, k) in which the covariance is I."""
        return (self.vectors.T @ _divide(vectors, self.std)) / np.sqrt(self.values)[:, np.newaxis]

    def whiten_transposed(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the transpose of :meth:`whiten` to vectors (rank, k)."""
        scaled = vectors / np.sqrt(self.values)[:, np.newaxis]
        return _divide(self.vectors @ scaled, self.std)

    def color(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply the inverse of :meth:`whiten` to vectors (rank, k)."""
        scaled = vectors * np.sqrt(self.values)[:, np.newaxis]
        return self.std[:, np.newaxis] * (self.vectors @ scaled)

    def solve(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Multiply vectors (n_neurons, k) by the inverse of the covariance matrix."""
        return self.whiten_transposed(self.whiten(vectors))


def shrink(
    correlation: NDArray[np.float64], n_samples: float, shrinkage: Shrinkage
) -> NDArray[np.float64]:
    """Shrink a correlation matrix towards the identity.

    Parameters
    ----------
    correlation : ndarray of shape (n_neurons, n_neurons)
        Rows and columns of constant neurons are 0.
    n_samples : float
    shrinkage : float, "auto" or None
        Share of the identity. "auto" computes it by Oracle Approximating Shrinkage (Chen et al.,
        2010), as ``sklearn.covariance.OAS`` does for standardized neurons. None is equivalent to 0.

    Returns
    -------
    ndarray of shape (n_neurons, n_neurons)
    """
    varies = correlation.diagonal() > 0
    if shrinkage is None or not varies.any():
        return correlation
    if shrinkage == "auto":
        n_neurons = varies.sum()
        square = np.einsum("ij,ij->", correlation, correlation) / n_neurons**2
        most = (n_samples + 1) * (square - 1 / n_neurons)
        shrinkage = 1.0 if most <= 0 else min(1.0, (square + 1) / most)
    shrunk = (1 - shrinkage) * correlation
    shrunk[varies, varies] += shrinkage
    return shrunk


def _divide(vectors: NDArray[np.float64], std: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide rows by the standard deviations of neurons. Rows of constant neurons become 0."""
    return vectors / np.where(std > 0, std, np.inf)[:, np.newaxis]
