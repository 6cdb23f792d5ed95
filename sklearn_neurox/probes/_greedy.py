"""Greedy choice of neurons by what Gaussians read from them."""

from __future__ import annotations

import numpy as np
from scipy.special import entr, logsumexp
from sklearn.utils import gen_batches

_ROWS = 512  # words in one piece of work
_CELLS = 2**17  # classes x neurons x words in one piece: 1 MB, as a core's cache holds
_LEAST = -600.0  # exp is slow below -700, where numbers are subnormal or 0


class GreedyChoice:
    """Neurons chosen so far, and what each other neuron would tell beside them.

    In the Gaussian of a class, a neuron given the chosen ones has a mean linear in z, the chosen
    neurons whitened by the Cholesky factor of their covariance, and a variance of its own. A
    chosen neuron adds one row to the factor and one to z: nothing is ever refitted. `codes` are
    the classes of the words as indices, `n_chosen` says how many neurons will be chosen.
    """

    def __init__(self, probe, n_chosen, X, codes, weight):
        n_classes, n_neurons = probe.means_.shape
        self.X = X
        self.weight = weight / weight.sum()
        self.own = np.zeros((n_classes, len(X)))  # weight of a word, in the row of its class
        self.own[codes, np.arange(len(X))] = self.weight
        self.covariances = probe.covariances_
        self.variance = np.einsum("cjj->cj", self.covariances).copy()  # given the chosen neurons
        # Coefficients of each neuron on z, after its mean, which goes with a row of ones.
        self.factor = np.empty((n_classes, n_neurons, 1 + n_chosen))
        self.factor[:, :, 0] = probe.means_
        self.z = np.ones((n_classes, 1 + n_chosen, len(X)))
        self.size = 1  # columns in use
        # Log p(class, chosen neurons), but for a number the same for all classes.
        log_prior = np.log(probe.class_prior_)
        self.log_joint = np.tile((log_prior - log_prior.max())[:, np.newaxis], len(X))
        self.entropy = entr(self.own.sum(axis=1)).sum()

    @property
    def bits(self):
        """What the chosen neurons tell."""
        log_proba = (self.own * self.log_joint).sum()
        log_proba -= logsumexp(self.log_joint, axis=0) @ self.weight
        return (self.entropy + log_proba) / np.log(2)

    def add(self, neuron):
        """Choose a neuron."""
        k = self.size
        row = self.factor[:, neuron, :k]
        sd = np.sqrt(self.variance[:, neuron, np.newaxis])
        z = (self.X[:, neuron] - np.einsum("ck,ckn->cn", row, self.z[:, :k])) / sd
        explained = np.einsum("cjk,ck->cj", self.factor[:, :, 1:k], row[:, 1:])
        column = (self.covariances[:, neuron] - explained) / sd
        self.z[:, k], self.factor[:, :, k] = z, column
        self.variance -= column**2
        self.log_joint -= z**2 / 2 + np.log(sd)
        self.log_joint -= self.log_joint.max(axis=0)
        self.size += 1

    def score(self, candidates):
        """Bits of the chosen neurons together with each of the candidates."""
        n_together = max(1, _CELLS // (len(self.factor) * _ROWS))
        with np.errstate():  # restores the buffer
            # numpy copies what it broadcasts where the buffer is longer than a row of words.
            np.setbufsize(256)
            pieces = gen_batches(len(candidates), n_together)
            log_proba = [self._log_proba(candidates[piece]) for piece in pieces]
        return (self.entropy + np.concatenate(log_proba)) / np.log(2)

    def _log_proba(self, neurons):
        """Mean over the words of log p(own class | chosen neurons and each of `neurons`)."""
        factor = self.factor[:, neurons, : self.size]
        variance = self.variance[:, neurons]
        rate = -0.5 / variance[:, :, np.newaxis]
        log_scale = -0.5 * np.log(variance)
        log_scale -= log_scale.max(axis=0)
        total = self.own.sum(axis=1) @ log_scale
        for rows in gen_batches(len(self.X), _ROWS):
            log_joint = factor @ self.z[:, : self.size, rows]
            log_joint -= self.X[rows, neurons].T.astype(np.float64, order="C")
            log_joint *= log_joint
            log_joint *= rate
            log_joint += self.log_joint[:, np.newaxis, rows]
            total += (log_joint @ self.own[:, rows, np.newaxis]).sum(axis=0)[:, 0]
            total -= _log_sum(log_joint, log_scale) @ self.weight[rows]
        return total


def _log_sum(log_joint, log_scale):
    """Log of the sum over the classes of exp(log_joint) * exp(log_scale), both at most 1."""
    clipped = np.maximum(log_joint, _LEAST) if log_joint.min() < _LEAST else log_joint
    joint = np.exp(clipped)
    total = (np.exp(log_scale).T[:, np.newaxis] @ joint.swapaxes(0, 1))[:, 0]
    if total.min() > np.exp(_LEAST + 100):  # what was raised to the least is lost in the sum
        return np.log(total)
    return logsumexp(log_joint + log_scale[:, :, np.newaxis], axis=0)
