"""Two classes with an L1 and a squared L2 penalty on one thread: skglm and probekit as references.

Each side uses the loosest tolerance with which it comes within 1e-3 of the lowest known objective.
The search for this tolerance ends when a fit takes more than 20 s. skglm compiles before it is
timed. skglm and probekit are skipped if they are not installed.
Run: python benchmarks/bench_binary.py [--repeats 5]
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import torch
from _data import floor, load_real_data, make_data
from _timing import command_line, interleave
from threadpoolctl import threadpool_limits

from sklearn_neurox import LinearProbeClassifier

LAMBDA_L1, LAMBDA_L2, GAP = 1e-3, 1e-3, 1e-3
CAP = 20  # seconds for one fit
# A softmax probe of two classes has the rows -w / 2 and w / 2. Their L1 norm is |w| and their
# squared L2 norm is |w|^2 / 2, so that with these parameters all sides minimize the same objective.
ALPHA, L1_RATIO = LAMBDA_L1 + LAMBDA_L2, LAMBDA_L1 / (LAMBDA_L1 + LAMBDA_L2)
TOLS = [m * 10.0**-e for e in range(1, 9) for m in (5, 2, 1)]


def objective(w, b, X, y):
    """Return the mean logistic loss plus the penalties, in float64."""
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
        print(f"  skglm is skipped: {error}. Install it: pip install skglm")
        return None
    X = np.asfortranarray(X)  # the memory order that skglm expects

    def fit(tol):
        model = SparseLogisticRegression(
            alpha=ALPHA, l1_ratio=L1_RATIO, tol=tol, max_iter=200
        ).fit(X, y)  # fmt: skip
        return model.coef_, model.intercept_

    fit(1.0)  # compiles
    return fit


def probekit(X, y):
    # `sae_probe` of probekit searches for penalties; this function fits one pair of them.
    try:
        from probekit.fitters.batch.elastic import fit_elastic_net_batch
    except ImportError as error:
        print(f"  probekit is skipped: {error}. Install it: pip install --no-deps probekit")
        return None
    X_batch, y_batch = torch.from_numpy(X)[None], torch.from_numpy(y)

    def fit(tol):
        probe = fit_elastic_net_batch(
            X_batch, y_batch, alpha=ALPHA, l1_ratio=L1_RATIO, tol=tol, max_iter=3000,
            normalize=False,
        )[0]  # fmt: skip
        return probe.weights, probe.bias

    return fit


def loosest(name, fit, X, y, best):
    """Return a fit with the loosest tolerance that reaches the gap, or None if this is too slow."""
    for tol in TOLS:
        start = time.perf_counter()
        w, b = fit(tol)
        seconds = time.perf_counter() - start
        gap = objective(w, b, X, y) / best - 1
        if gap <= GAP:
            break
        if seconds > CAP:
            print(f"  {name} is skipped: gap {gap:.1e} after {seconds:.0f} s (tol={tol:g})")
            return None
    report = f"gap {gap:.1e} (tol={tol:g}), {(np.asarray(w) == 0).mean():.1%} of the weights are 0"

    def timed():
        fit(tol)
        return report

    return timed


def compare(name, X, y, repeats):
    share = y.mean()
    print(
        f"{name}: {X.shape[0]:,} samples x {X.shape[1]:,} neurons, {share:.0%} in the second "
        f"class; one pass over X: {floor(*X.shape, 1, passes=1)}"
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
    compare("synthetic", *make_data(n_classes=2, separation=0.05), args.repeats)
    X, y = load_real_data()
    is_most_frequent = (y == np.bincount(y).argmax()).astype(np.int64)
    compare("real, most frequent tag against all others", X, is_most_frequent, args.repeats)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
