"""Two classes, squared penalty with lambda_l1, on one thread: against skglm and probekit.

Each side gets the loosest tolerance that brings the same objective within 1e-3 of the best one
known, searched for up to a fit of 20 s. skglm compiles before it is timed; it and probekit are left
out where they are not installed.
Run: python benchmarks/bench_binary.py [--repeats 5]
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import torch
from _data import floor, load_real_words, make_words
from _timing import command_line, interleave
from threadpoolctl import threadpool_limits

from sklearn_neurox import LinearProbeClassifier

LAMBDA_L1, LAMBDA_L2, GAP = 1e-3, 1e-3, 1e-3
CAP = 20  # seconds for one fit
# Of two rows -w / 2 and w / 2 the L1 norm is |w| and the squared L2 norm |w|^2 / 2, as of both
# others with these names.
ALPHA, L1_RATIO = LAMBDA_L1 + LAMBDA_L2, LAMBDA_L1 / (LAMBDA_L1 + LAMBDA_L2)
TOLS = [m * 10.0**-e for e in range(1, 9) for m in (5, 2, 1)]


def objective(w, b, X, y):
    """Compute mean logistic loss and penalties, in float64."""
    w = np.asarray(w, dtype=np.float64).ravel()
    logit = X.astype(np.float64) @ w + float(np.ravel(b)[0])
    loss = np.logaddexp(0, np.where(y == 1, -logit, logit)).mean()
    return loss + LAMBDA_L1 * np.abs(w).sum() + LAMBDA_L2 / 2 * (w**2).sum()


def ours(X, y):
    def fit(tol):
        probe = LinearProbeClassifier(
            lambda_l1=LAMBDA_L1, lambda_l2=LAMBDA_L2, l2_penalty="squared", solver="owlqn",
            tol=tol, device="cpu",
        ).fit(X, y)  # fmt: skip
        return probe.coef_, probe.intercept_

    return fit


def skglm(X, y):
    try:
        from skglm import SparseLogisticRegression
    except ImportError as error:
        print(f"  skglm is left out: {error}. pip install skglm")
        return None
    X = np.asfortranarray(X)  # as it wants it

    def fit(tol):
        model = SparseLogisticRegression(
            alpha=ALPHA, l1_ratio=L1_RATIO, tol=tol, max_iter=200
        ).fit(X, y)  # fmt: skip
        return model.coef_, model.intercept_

    fit(1.0)  # compiles
    return fit


def probekit(X, y):
    # Its `sae_probe` chooses penalties by a search of its own; this is the fit of one pair.
    try:
        from probekit.fitters.batch.elastic import fit_elastic_net_batch
    except ImportError as error:
        print(f"  probekit is left out: {error}. pip install --no-deps probekit")
        return None
    words, labels = torch.from_numpy(X)[None], torch.from_numpy(y)

    def fit(tol):
        probe = fit_elastic_net_batch(
            words, labels, alpha=ALPHA, l1_ratio=L1_RATIO, tol=tol, max_iter=3000, normalize=False
        )[0]
        return probe.weights, probe.bias

    return fit


def loosest(name, fit, X, y, best):
    """Return what to time: a fit with the loosest tolerance that reaches the gap; None if none."""
    for tol in TOLS:
        start = time.perf_counter()
        w, b = fit(tol)
        seconds = time.perf_counter() - start
        gap = objective(w, b, X, y) / best - 1
        if gap <= GAP:
            break
        if seconds > CAP:
            print(f"  {name} is left out: gap {gap:.1e} after {seconds:.0f} s (tol={tol:g})")
            return None
    report = f"gap {gap:.1e} (tol={tol:g}), {(np.asarray(w) == 0).mean():.1%} of the weights 0"

    def timed():
        fit(tol)
        return report

    return timed


def compare(name, X, y, repeats):
    share = y.mean()
    print(
        f"{name}: {X.shape[0]:,} words x {X.shape[1]:,} neurons, {share:.0%} of the second class; "
        f"one look at the words: {floor(*X.shape, 1, passes=1)}"
    )
    best = objective(*ours(X.astype(np.float64), y)(1e-7), X, y)
    print(f"  optimum {best:.6f}")
    sides = {}
    for label, make in {
        "LinearProbeClassifier, owlqn": ours, "skglm": skglm, "probekit, FISTA": probekit
    }.items():  # fmt: skip
        fit = make(X, y)
        timed = fit and loosest(label, fit, X, y, best)
        if timed:
            sides[label] = timed
    interleave(sides, repeats=repeats)


def main():
    args = command_line(__doc__).parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    compare("synthetic", *make_words(n_classes=2, separation=0.05), args.repeats)
    X, y = load_real_words()
    most = np.bincount(y).argmax()
    compare("real, the commonest tag or another", X, (y == most).astype(np.int64), args.repeats)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
