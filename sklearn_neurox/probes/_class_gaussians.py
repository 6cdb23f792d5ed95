"""One Gaussian per class: estimation and densities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from sklearn.utils import gen_batches

from .._moments import neuron_std
from .._process import blas_threads

# Share of the variance over all samples below which a neuron is constant within a class.
_NO_VARIANCE = 1e-6
_ROWS = 512  # samples per chunk
# Sum of the weights of a class from which the prior may be lost in the rounding of the scatter.
_SIZE_TO_CHECK = 1e8
# Share of the variances that must remain when some neurons are known.
_MARGIN = 1e-12


def fit_gaussians(
    X: NDArray, codes: NDArray[np.intp], weight: NDArray[np.float64], *, covariance: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Estimate the Gaussian of each class.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_neurons)
    codes : ndarray of shape (n_samples,)
        Class of each sample, as an index.
    weight : ndarray of shape (n_samples,)
    covariance : {"map", "mean"}

    Returns
    -------
    size : ndarray of shape (n_classes,)
        Sum of the weights of each class.
    means : ndarray of shape (n_classes, n_neurons)
    covariances : ndarray of shape (n_classes, n_neurons, n_neurons)
        Rows and columns of constant neurons are 0.

    Raises
    ------
    ValueError
        If the squares of the activations overflow or underflow, or a covariance is not positive
        definite because of extreme weights.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # checked afterwards
        size, means, scatter = _class_moments(X, codes, weight)
    constant = neuron_std(X) == 0
    means[:, constant] = X[0, constant]
    scatter[:, constant] = scatter[:, :, constant] = 0
    n_moving = X.shape[1] - constant.sum()
    divisor = size + (2 * n_moving + 4 if covariance == "map" else 1)
    variance = np.einsum("cjj->cj", scatter)
    variance += _prior_scale(size, means, scatter)
    if (variance[:, ~constant] < np.finfo(np.float64).tiny).any():
        j = np.flatnonzero(~constant)[variance[:, ~constant].min(axis=0).argmin()]
        raise ValueError(
            f"The squares of the activations of neuron {j} underflow: max|x| is "
            f"{np.abs(X[:, j]).max()}. Rescale the neurons."
        )
    scatter /= divisor[:, np.newaxis, np.newaxis]
    _check_definite(size, scatter[:, ~constant][:, :, ~constant])
    return size, means, scatter


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
    class_prior: NDArray[np.float64],
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return log p(class, x) of each sample, up to a constant that is the same for all classes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_neurons)
    class_prior : ndarray of shape (n_classes,)
    means : ndarray of shape (n_classes, n_neurons)
    covariances : ndarray of shape (n_classes, n_neurons, n_neurons)

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
    joint = np.tile(np.log(class_prior), (len(X), 1))
    with blas_threads(X.shape[1]):
        for c, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
            factor = cholesky(covariance, lower=True)
            joint[:, c] -= np.log(factor.diagonal()).sum()
            for rows in gen_batches(len(X), _ROWS):
                centered = (X[rows] - mean).T
                white = solve_triangular(factor, centered, lower=True, check_finite=False)
                joint[rows, c] -= np.einsum("jn,jn->n", white, white) / 2
    return joint


def _class_moments(
    X: NDArray, codes: NDArray[np.intp], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return weight, mean, and scatter about the mean of each class, in float64."""
    size = np.bincount(codes, weights=weight).astype(np.float64, copy=False)
    means = np.zeros((len(size), X.shape[1]))
    scatter = np.zeros((len(size), X.shape[1], X.shape[1]))
    for c in range(len(size)):
        samples = np.flatnonzero(codes == c)
        batches = [samples[rows] for rows in gen_batches(len(samples), _ROWS)]
        means[c] = sum(weight[batch] @ X[batch].astype(np.float64) for batch in batches) / size[c]
        for batch in batches:
            centered = (X[batch] - means[c]) * np.sqrt(weight[batch])[:, np.newaxis]
            scatter[c] += centered.T @ centered
    if not np.isfinite(scatter).all():
        raise ValueError(f"The squares of the activations overflow: max|X| is {np.abs(X).max()}.")
    return size, means, scatter


def _prior_scale(
    size: NDArray[np.float64], means: NDArray[np.float64], scatter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the diagonals (n_classes, n_neurons) of the prior scale, the unbiased variances."""
    sums = np.einsum("cjj->cj", scatter)
    # n / 2 bounds the variance if the weights of a class sum to less than 2.
    within = sums / np.maximum(size - 1, size / 2)[:, np.newaxis]
    share = size / size.sum()
    between = share @ (means - share @ means) ** 2
    overall = sums.sum(axis=0) / size.sum() + between
    return np.where(within > _NO_VARIANCE * overall, within, overall)
