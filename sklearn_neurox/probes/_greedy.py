"""Greedy selection of neurons by the information that Gaussians extract from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import entr, logsumexp
from sklearn.utils import gen_batches
from tqdm.auto import tqdm

_ROWS = 512  # samples per chunk
_CELLS = 2**17  # classes x neurons x samples per chunk: 1 MB, which fits into a core's cache
_LEAST = -600.0  # exp is slow below -700, where numbers are subnormal or 0


class GreedyChoice:
    """The neurons chosen so far, and the information that each other neuron has together with them.

    In the Gaussian of a class, a neuron given the chosen ones has a mean that is linear in z, the
    chosen neurons whitened by the Cholesky factor of their covariance, and a variance that is
    constant. Choosing a neuron adds one row to the factor, and nothing is refitted. z is computed
    again in each pass over the samples, which takes less time than the pass.

    Parameters
    ----------
    means : ndarray of shape (n_classes, n_neurons)
    covariances : ndarray of shape (n_classes, n_neurons, n_neurons)
    class_prior : ndarray of shape (n_classes,)
    n_chosen : int
        Number of neurons that will be chosen.
    X : ndarray of shape (n_samples, n_neurons)
    codes : ndarray of shape (n_samples,)
        Class of each sample, as an index.
    weight : ndarray of shape (n_samples,)
    """

    def __init__(
        self,
        means: NDArray[np.float64],
        covariances: NDArray[np.float64],
        class_prior: NDArray[np.float64],
        n_chosen: int,
        X: NDArray,
        codes: NDArray[np.intp],
        weight: NDArray[np.float64],
    ):
        n_classes, n_neurons = means.shape
        self.X, self.codes = X, codes
        self.weight = weight / weight.sum()
        self.share = np.bincount(codes, weights=self.weight, minlength=n_classes)
        self.covariances = covariances
        self.variance = np.einsum("cjj->cj", covariances).copy()  # given the chosen neurons
        # Coefficients of each neuron on z. The first is its mean, which belongs to a row of ones.
        self.factor = np.empty((n_classes, n_neurons, 1 + n_chosen))
        self.factor[:, :, 0] = means
        self.chosen: list[int] = []
        # Log p(class, chosen neurons) at z = 0, up to a constant that is the same for all classes.
        self.log_peak = np.log(class_prior)
        self.entropy = entr(self.share).sum()

    @property
    def bits(self) -> float:
        """Information of the chosen neurons."""
        log_proba = 0.0
        for rows in gen_batches(len(self.X), _ROWS):
            _, log_joint = self._whiten(self.X[rows])
            log_proba += (self._own(rows) * log_joint).sum()
            log_proba -= logsumexp(log_joint, axis=0) @ self.weight[rows]
        return (self.entropy + log_proba) / np.log(2)

    def add(self, neuron: int) -> None:
        """Choose a neuron."""
        k = 1 + len(self.chosen)
        row = self.factor[:, neuron, :k]
        sd = np.sqrt(self.variance[:, neuron, np.newaxis])
        explained = np.einsum("cjk,ck->cj", self.factor[:, :, 1:k], row[:, 1:])
        column = (self.covariances[:, neuron] - explained) / sd
        self.factor[:, :, k] = column
        self.variance -= column**2
        self.log_peak -= np.log(sd[:, 0])
        self.chosen.append(neuron)

    def _whiten(self, X: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return z after a row of ones, and log p(class, chosen neurons), of some samples.

        Returns
        -------
        z : ndarray of shape (n_classes, 1 + n_chosen, n_samples)
        log_joint : ndarray of shape (n_classes, n_samples)
            Its maximum over the classes is 0.
        """
        columns = X[:, self.chosen].T.astype(np.float64)
        z = np.ones((len(self.factor), 1 + len(self.chosen), len(X)))
        for c, factor in enumerate(self.factor[:, self.chosen, : z.shape[1]]):
            if self.chosen:
                difference = columns - factor[:, :1]
                z[c, 1:] = solve_triangular(
                    factor[:, 1:], difference, lower=True, check_finite=False
                )
        log_joint = self.log_peak[:, np.newaxis] - np.square(z[:, 1:]).sum(axis=1) / 2
        return z, log_joint - log_joint.max(axis=0)

    def _own(self, rows: slice) -> NDArray[np.float64]:
        """Return the weights of samples, each in the row of its class."""
        codes = self.codes[rows]
        own = np.zeros((len(self.share), len(codes)))
        own[codes, np.arange(len(codes))] = self.weight[rows]
        return own

    def choose(
        self, n_neurons: int, candidates: NDArray[np.intp], *, verbose: int = 0
    ) -> tuple[list[int], list[float]]:
        """Choose neurons one by one, each time the neuron with the most information.

        Parameters
        ----------
        n_neurons : int
        candidates : ndarray of int
            Neurons to choose from, sorted.
        verbose : int, default=0
            Verbosity level. If positive, show a progress bar.

        Returns
        -------
        ordering : list of n_neurons ints
        bits : list of n_neurons + 1 floats
            Information before the first choice, and after each choice.
        """
        left, ordering, bits = candidates, [], [self.bits]
        for _ in tqdm(range(n_neurons), unit="neuron", desc="rank", disable=not verbose):
            scores = self.score(left)
            best = scores.max()
            # The scores of equal neurons differ by rounding, but the lowest index must come first.
            chosen = np.flatnonzero(scores >= best - 1e-10 * max(1, abs(best)))[0]
            ordering.append(int(left[chosen]))
            bits.append(float(scores[chosen]))
            self.add(ordering[-1])
            left = np.delete(left, chosen)
        return ordering, bits

    def score(self, candidates: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the information of the chosen neurons together with each candidate, in bits."""
        n_together = max(1, _CELLS // (len(self.factor) * _ROWS))
        with _short_buffer():
            pieces = gen_batches(len(candidates), n_together)
            log_proba = [self._log_proba(candidates[piece]) for piece in pieces]
        return (self.entropy + np.concatenate(log_proba)) / np.log(2)

    def _log_proba(self, neurons: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the mean over the samples of log p(own class | chosen neurons, each neuron)."""
        factor = self.factor[:, neurons, : 1 + len(self.chosen)]
        variance = self.variance[:, neurons]
        rate = -0.5 / variance[:, :, np.newaxis]
        log_scale = -0.5 * np.log(variance)
        log_scale -= log_scale.max(axis=0)
        total = self.share @ log_scale
        for rows in gen_batches(len(self.X), _ROWS):
            samples = self.X[rows]
            z, of_chosen = self._whiten(samples)
            log_joint = factor @ z
            log_joint -= samples[:, neurons].T.astype(np.float64, order="C")
            log_joint *= log_joint
            log_joint *= rate
            log_joint += of_chosen[:, np.newaxis]
            total += (log_joint @ self._own(rows)[..., np.newaxis]).sum(axis=0)[:, 0]
            total -= _log_sum(log_joint, log_scale) @ self.weight[rows]
        return total


@contextmanager
def _short_buffer() -> Iterator[None]:
    """Let NumPy read broadcast operands in place.

    NumPy copies a broadcast operand into its buffer, of 8,192 elements by default, if the rows of
    the operand are shorter than the buffer. With a buffer shorter than the `_ROWS` columns of an
    operand, scoring takes 5 to 15% less time.
    """
    size = np.setbufsize(256)
    try:
        yield
    finally:
        np.setbufsize(size)


def _log_sum(log_joint: NDArray[np.float64], log_scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log of the sum over classes of exp(log_joint + log_scale), both at most 0."""
    clipped = np.maximum(log_joint, _LEAST) if log_joint.min() < _LEAST else log_joint
    joint = np.exp(clipped)
    total = (np.exp(log_scale).T[:, np.newaxis] @ joint.swapaxes(0, 1))[:, 0]
    if total.min() > np.exp(_LEAST + 100):  # the clipped terms are below the rounding of the sum
        return np.log(total)
    return logsumexp(log_joint + log_scale[:, :, np.newaxis], axis=0)
