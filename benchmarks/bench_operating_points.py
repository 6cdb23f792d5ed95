"""Areas under ROC curves with intervals on a million rows, against sorting them.

The floor is one sort of the decision values, which is what a resample costs that is scored from
scratch. The samples are sorted once, and a batch of resamples that fits into memory is scored from
cumulative sums of their weights.
Run: python benchmarks/bench_operating_points.py [--repeats 5]
"""

from __future__ import annotations

import numpy as np
from _timing import command_line, interleave
from sklearn.metrics import roc_auc_score

from sklearn_neurox._bootstrap import Resampling
from sklearn_neurox.evaluation._decision_scores import Decisions, score_decisions

N, GROUP_SIZE, N_BOOTSTRAPS = 1_000_000, 10, 20


def make_samples(n_values=None):
    """Simulate a rare label, and decision values with or without ties."""
    rng = np.random.RandomState(0)
    y = rng.uniform(size=N) < 0.05
    decisions = rng.normal(size=N) + 2 * y
    if n_values is not None:
        decisions = np.floor(decisions * n_values) / n_values
    return y.astype(np.intp), decisions, np.repeat(np.arange(N // GROUP_SIZE), GROUP_SIZE)


def report(scores):
    return ", ".join(f"{name} {score}" for name, score in scores.items())


def main():
    args = command_line(__doc__).parse_args()
    for title, n_values in (("distinct values", None), ("values rounded to 0.01", 100)):
        print(f"{N:,} rows, {title}; {N_BOOTSTRAPS} resamples, timed in total")
        y, decisions, groups = make_samples(n_values)
        measure(y, decisions, groups, args.repeats)


def measure(y, decisions, groups, repeats):
    given = Decisions(y, decisions, None, 1, 0.01)
    random = np.random.RandomState(0)

    def score(ids, n_bootstraps, names=("roc_auc",)):
        resampling = Resampling(n_bootstraps, 0.95, 0)
        return report(score_decisions(names, given, ids, resampling))

    def from_scratch():
        rows = random.randint(N, size=N)
        return f"roc_auc {roc_auc_score(y[rows], decisions[rows]):.4f} in one resample"

    def sort():
        order = np.argsort(decisions, kind="stable")
        return f"largest {decisions[order[-1]]:.2f}"

    three = ("roc_auc", "average_precision", "recall_at_fpr")
    sides = {
        "floor: one sort": sort,
        "roc_auc, samples": lambda: score(None, N_BOOTSTRAPS),
        "roc_auc, groups": lambda: score(groups, N_BOOTSTRAPS),
        "roc_auc, samples, one resample": lambda: score(None, 1),
        "roc_auc, groups, one resample": lambda: score(groups, 1),
        "three ranked metrics, groups": lambda: score(groups, N_BOOTSTRAPS, three),
        "scikit-learn, a loop over resamples": from_scratch,
    }
    scale = {"scikit-learn, a loop over resamples": N_BOOTSTRAPS}
    seconds = interleave(sides, repeats=repeats, scale=scale)
    for name in ("roc_auc, samples", "roc_auc, groups"):
        each = (seconds[name] - seconds[f"{name}, one resample"]) / (N_BOOTSTRAPS - 1)
        print(f"  {name}: {each / seconds['floor: one sort']:.2f} sorts per resample")


if __name__ == "__main__":
    main()
