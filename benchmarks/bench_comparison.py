"""Comparison of all pairs of layers by a paired bootstrap over groups, against a loop.

The loop draws the groups of one resample after the other, and scores each layer with NumPy. It is
timed on a few resamples, and its time is scaled to all resamples.
Run: python benchmarks/bench_comparison.py [--repeats 5]
"""

from __future__ import annotations

import numpy as np
from _timing import command_line, interleave

from sklearn_neurox import LayerwiseScores
from sklearn_neurox.evaluation import HeldOutPredictions

N_LAYERS, N_GROUPS, GROUP_SIZE, N_FOLDS, N_CLASSES = 13, 2000, 12, 5, 17
N_BOOTSTRAPS, FEW = 10_000, 50


def make_result():
    """Simulate predictions of 13 layers on 24,000 words of 2,000 sentences."""
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(N_GROUPS), GROUP_SIZE)
    y = rng.randint(N_CLASSES, size=len(groups))
    wrong = rng.uniform(size=(N_LAYERS, len(y))) > np.linspace(0.86, 0.94, N_LAYERS)[:, np.newaxis]
    names = np.array([f"tag{i:02}" for i in range(N_CLASSES)])
    predictions = np.where(wrong, rng.randint(N_CLASSES, size=wrong.shape), y)
    folds = groups % N_FOLDS
    held_out = HeldOutPredictions(
        names[y], np.arange(len(y)), folds, names[predictions], groups=groups
    )
    right = predictions == y
    scores = np.array([right[:, folds == fold].mean(axis=1) for fold in range(N_FOLDS)]).T
    return LayerwiseScores(scores, scores[0], metric="accuracy", held_out=held_out), right, groups


def main():
    args = command_line(__doc__).parse_args()
    result, right, groups = make_result()
    members = np.split(np.arange(len(groups)), N_GROUPS)

    def ours():
        comparison = result.compare(n_bootstraps=N_BOOTSTRAPS, random_state=0)
        low, high = comparison.scores[-1][1:]
        return f"interval of the last layer [{low:.4f}, {high:.4f}]"

    def loop():
        rng = np.random.RandomState(0)
        drawn = []
        for _ in range(FEW):
            rows = np.concatenate([members[i] for i in rng.randint(N_GROUPS, size=N_GROUPS)])
            drawn.append(right[:, rows].mean(axis=1))
        low, high = np.quantile(np.array(drawn)[:, -1], [0.025, 0.975])
        return f"interval of the last layer [{low:.4f}, {high:.4f}]"

    print(
        f"{N_BOOTSTRAPS:,} resamples of {N_GROUPS:,} groups, {N_LAYERS} layers, {len(groups):,} "
        f"samples in {N_FOLDS} folds: floor {N_BOOTSTRAPS * N_GROUPS / 1e6:.0f} million draws"
    )
    name = f"loop over {FEW} resamples"
    interleave(
        {"compare()": ours, name: loop}, repeats=args.repeats, scale={name: N_BOOTSTRAPS / FEW}
    )
    for metric in ("f1_macro", "matthews_corrcoef"):
        interleave(
            {
                f"compare(metric={metric!r})": lambda metric=metric: repr(
                    result.compare(metric=metric, n_bootstraps=N_BOOTSTRAPS, random_state=0)
                )
            },
            repeats=1,
        )


if __name__ == "__main__":
    main()
