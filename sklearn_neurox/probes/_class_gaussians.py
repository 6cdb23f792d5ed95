"""One Gaussian per class: estimation and densities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from .._class_moments import ClassMoments, variance_between
from .._process import blas_threads
from .._row_chunks import read_arrays

# Share of the variance over all samples below which a neuron is constant within a class.
_NO_VARIANCE = 1e-6
_ROWS = 512  # samples per chunk
# Sum of the weights of a class from which the prior may be lost in the rounding of the scatter.
_SIZE_TO_CHECK = 1e8
# Share of the variances that must remain when some neurons are known.
_MARGIN = 1e-12


def gaussians_of(moments: ClassMoments, *, covariance: str) -> dict[str, NDArray[np.float64]]:
    """Estimate the Gaussian of each class.

    Parameters
    ----------
    moments : ClassMoments
        Of scatter "by_class". The scatter is overwritten.
    covariance : {"map", "mean"}

    Returns
    -------
    dict
        The fitted attributes ``class_prior_``, ``means_`` and ``covariances_``. Rows and columns of
        constant neurons are 0 in the latter.

    Raises
    ------
    ValueError
        If the squares of the activations overflow or underflow, or a covariance is not positive
        definite because of extreme weights.
    """
    size, means, scatter = moments.size, moments.means.copy(), moments.scatter
    if not np.isfinite(scatter).all():
        raise ValueError(
            f"The squares of the activations overflow: max|X| is {moments.reach.max()}."
        )
    constant = ~moments.varies
    means[:, constant] = moments.low[constant]
    scatter[:, constant] = scatter[:, :, constant] = 0
    n_moving = len(constant) - constant.sum()
    divisor = size + (2 * n_moving + 4 if covariance == "map" else 1)
    variance = np.einsum("cjj->cj", scatter)
    variance += _prior_scale(size, means, scatter)
    if (variance[:, ~constant] < np.finfo(np.float64).tiny).any():
        j = np.flatnonzero(~constant)[variance[:, ~constant].min(axis=0).argmin()]
        raise ValueError(
            f"The squares of the activations of neuron {j} underflow: max|x| is "
            f"{moments.reach[j]}. Rescale the neurons."
        )
    scatter /= divisor[:, np.newaxis, np.newaxis]
    _check_definite(size, scatter[:, ~constant][:, :, ~constant])
    return {
        # The logarithm of a share that underflows would be infinite.
        "class_prior_": np.maximum(size / size.sum(), np.finfo(np.float64).tiny),
        "means_": means,
        "covariances_": scatter,
    }


def _check_definite(size: NDArray[np.float64], covariances: NDArray[np.float64]) -> None:
    """Raise an error if the prior is lost in the rounding of extreme sample weights."""
    for c in np.flatnonzero(size > _SIZE_TO_CHECK):
        reduced = covariances[c] - np.diag(_MARGIN * covariances[c].diagonal())
        try:
            cholesky(reduced, lower=True, overwrite_a=True)
        except LinAlgError as error:
            raise ValueError(
                f"The covariance of class {c} (in sorted order) is not positive definite: the "
                "prior has the weight of one sample, and is lost in the rounding of sample weights "
                f"that sum to {size[c]:.3g}. Divide the weights by their mean, or limit their "
                "range."
            ) from error


def log_joint(
    X: NDArray,
    columns: NDArray[np.intp] | None,
    class_prior: NDArray[np.float64],
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return log p(class, x) of each sample, up to a constant that is the same for all classes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
    columns : ndarray of int of shape (n_neurons,) or None
        Columns of X that are the neurons. If None, all columns.
    class_prior : ndarray of shape (n_classes,)
    means : ndarray of shape (n_classes, n_neurons)
    covariances : ndarray of shape (n_classes, n_neurons, n_neurons)

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
    joint = np.tile(np.log(class_prior), (len(X), 1))
    with blas_threads(means.shape[1]):
        for c, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
            factor = cholesky(covariance, lower=True)
            joint[:, c] -= np.log(factor.diagonal()).sum()
            for rows, part in read_arrays(X, np.float64, size=_ROWS):
                centered = ((part if columns is None else part[:, columns]) - mean).T
                white = solve_triangular(factor, centered, lower=True, check_finite=False)
                joint[rows, c] -= np.einsum("jn,jn->n", white, white) / 2
    return joint


def _prior_scale(
    size: NDArray[np.float64], means: NDArray[np.float64], scatter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the diagonals (n_classes, n_neurons) of the prior scale, the unbiased variances."""
    sums = np.einsum("cjj->cj", scatter)
    # n / 2 bounds the variance if the weights of a class sum to less than 2.
    within = sums / np.maximum(size - 1, size / 2)[:, np.newaxis]
    overall = sums.sum(axis=0) / size.sum() + variance_between(size, means)
    return np.where(within > _NO_VARIANCE * overall, within, overall)
