"""Greedy ranking with a Gaussian probe on one thread, compared with refitting every candidate set.

Both sides score every candidate of every step on the same samples with the same covariances.
Run: python benchmarks/bench_gaussian.py
"""

from __future__ import annotations

import numpy as np
from _timing import interleave
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from sklearn_neurox import GaussianProbeClassifier

N_SAMPLES, N_NEURONS, N_CLASSES = 3000, 200, 8


def make_data():
    """Generate correlated neurons, each of which carries a little information about the class."""
    rng = np.random.RandomState(0)
    y = rng.randint(N_CLASSES, size=N_SAMPLES)
    X = rng.normal(size=(N_SAMPLES, N_NEURONS)) @ rng.normal(size=(N_NEURONS, N_NEURONS)) / 10
    signal = rng.normal(size=(N_CLASSES, N_NEURONS)) * rng.uniform(0, 0.6, size=N_NEURONS)
    return X + signal[y], y


def mutual_information(X, y, means, covariances, log_prior, neurons):
    """Return the mutual information of some neurons, in bits; factorize their covariances again."""
    selected = X[:, neurons]
    factors = np.linalg.cholesky(covariances[:, neurons][:, :, neurons])
    joint = np.empty((len(X), len(means)))
    for c, factor in enumerate(factors):
        centered = (selected - means[c, neurons]).T
        white = solve_triangular(factor, centered, lower=True, check_finite=False)
        joint[:, c] = log_prior[c] - np.log(factor.diagonal()).sum()
        joint[:, c] -= np.einsum("jn,jn->n", white, white) / 2
    joint -= joint.max(axis=1, keepdims=True)
    log_proba = joint[np.arange(len(y)), y] - np.log(np.exp(joint).sum(axis=1))
    prior = np.exp(log_prior)
    return (log_proba.mean() - prior @ log_prior) / np.log(2)


def refit_every_candidate(fitted, X, y, n_neurons):
    gaussians = fitted.means_, fitted.covariances_, np.log(fitted.class_prior_)
    chosen: list[int] = []
    for _ in range(n_neurons):
        left = [j for j in range(X.shape[1]) if j not in chosen]
        scores = [mutual_information(X, y, *gaussians, [*chosen, j]) for j in left]
        chosen.append(left[int(np.argmax(scores))])
    return f"MI {max(scores):.6f} bits, first neurons {chosen[:3]}"


def rank(fitted, n_neurons):
    neurons, bits = fitted.rank_neurons(n_neurons)
    return f"MI {bits[-1]:.6f} bits, first neurons {neurons[:3].tolist()}"


def main():
    X, y = make_data()
    fitted = GaussianProbeClassifier(covariance="mean").fit(X, y)
    for n_neurons in (5, 20):
        cells = N_SAMPLES * N_CLASSES * sum(range(N_NEURONS - n_neurons + 1, N_NEURONS + 1))
        print(
            f"{n_neurons} of {N_NEURONS} neurons: {N_SAMPLES} samples, {N_CLASSES} classes; "
            f"{cells / 1e6:.0f} M densities of samples on both sides"
        )
        sides = {
            "rank_neurons": lambda n=n_neurons: rank(fitted, n),
            "refit of every candidate set": lambda n=n_neurons: refit_every_candidate(
                fitted, X, y, n
            ),
        }
        interleave(sides, repeats=5)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
