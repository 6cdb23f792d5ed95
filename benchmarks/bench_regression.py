"""A grid of 5 x 5 exact regressions on 3 folds on one thread, compared with 75 fits of NeuroX.

Only three of the 75 fits of NeuroX are timed, those of one pair of lambdas. All 75 take the same
number of steps.
Run: python benchmarks/bench_regression.py [--repeats 5]
"""

from __future__ import annotations

import warnings

import _neurox
import numpy as np
import torch
from _data import draw_start, floor, make_data
from _timing import command_line, interleave
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from sklearn_neurox import LinearProbeRegressorCV

PAIR = (1e-3, 1e-3)  # the lambdas of the three fits that are timed


def make_targets(X, *, seed=0, noise=0.5):
    """Generate a noisy linear function of a tenth of the neurons, with unit variance."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal(X.shape[1]) * (rng.uniform(size=X.shape[1]) < 0.1)
    signal = X @ weight
    y = signal / signal.std() + noise * rng.standard_normal(len(X))
    return (y / y.std()).astype(np.float32)


def grid(X, y):
    search = LinearProbeRegressorCV(cv=3, solver="owlqn", refit=False, device="cpu").fit(X, y)
    pairs = [tuple(pair.values()) for pair in search.cv_results_["params"]]
    of_pair = search.cv_results_["mean_test_score"][pairs.index(PAIR)]
    best = tuple(search.best_params_.values())
    return f"best R2 {search.best_score_:.4f} at {best}; {of_pair:.4f} at {PAIR}"


def three_by_neurox(X, y):
    start = draw_start(1, X.shape[1])
    scores = []
    for train, test in KFold(3).split(X):
        weight, bias, _ = _neurox.train(X[train], y[train], *PAIR, start=start)
        scores.append(r2_score(y[test], (X[test] @ weight.T + bias)[:, 0]))
    return f"R2 {np.mean(scores):.4f} at {PAIR}"


def main():
    args = command_line(__doc__).parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    _neurox.check()
    X, _ = make_data()
    y = make_targets(X)
    moments = 2 * X.shape[0] * X.shape[1] ** 2
    print(
        f"{X.shape[0]:,} samples x {X.shape[1]} neurons, 75 probes; floor of the moments: "
        f"{moments / 1e9:.1f} GFLOP, {X.nbytes / 1e6:.0f} MB read once; of NeuroX's 10 epochs: "
        f"{floor(*X.shape, 1, passes=500)}"
    )
    sides = {
        "LinearProbeRegressorCV, owlqn": lambda: grid(X, y),
        "75 fits by NeuroX": lambda: three_by_neurox(X, y),
    }
    interleave(sides, repeats=args.repeats, scale={"75 fits by NeuroX": 25})


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
