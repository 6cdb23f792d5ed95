"""Probeless scores of all classes, compared with one sum over X and with loops over samples.

Sides that can use several threads use two, as by default. X.sum(0) adds in float32 and ignores the
classes. NeuroX lists the samples of each class, computes the mean of each list in float32, and
compares all pairs of classes. The other loop is faster: it adds the samples one by one in float64.
Run: python benchmarks/bench_probeless.py [--samples 50000] [--repeats 5]
"""

from __future__ import annotations

from functools import partial

import numpy as np
from _data import draw_labels
from _timing import command_line, interleave

from sklearn_neurox import mean_difference_scores

N_SAMPLES, N_NEURONS, N_CLASSES = 50_000, 9984, (17, 200)
CHUNK = 5000  # samples


def make_activations(n_samples):
    rng = np.random.default_rng(0)
    X = np.empty((n_samples, N_NEURONS), dtype=np.float32)
    for first in range(0, n_samples, CHUNK):
        rng.standard_normal(dtype=np.float32, out=X[first : first + CHUNK])
    return X


def means_of_lists(X, y):
    rows_of = {}
    for row, label in zip(X, y.tolist(), strict=True):
        rows_of.setdefault(label, []).append(row)
    return np.array([np.mean(rows, axis=0) for _, rows in sorted(rows_of.items())])


def means_of_sums(X, y):
    sums = np.zeros((y.max() + 1, X.shape[1]))
    for row, label in zip(X, y, strict=True):
        sums[label] += row
    return sums / np.bincount(y)[:, np.newaxis]


def compare_pairs(means):
    """Return the overall scores: each pair of classes adds its differences to both."""
    per_class = np.zeros_like(means)
    for i in range(len(means)):
        for j in range(i):
            difference = np.abs(means[i] - means[j])
            per_class[i] += difference
            per_class[j] += difference
    return per_class.sum(axis=0) / 2


def main():
    parser = command_line(__doc__)
    parser.add_argument("--samples", type=int, default=N_SAMPLES)
    args = parser.parse_args()
    X = make_activations(args.samples)
    for n_classes in N_CLASSES:
        y = draw_labels(len(X), n_classes)
        print(
            f"{len(X):,} samples x {N_NEURONS:,} neurons, {n_classes} classes: floor "
            f"{X.nbytes / 1e6:,.0f} MB read once, {X.size / 1e9:.2f} GFLOP"
        )
        found = {}

        def ours(y=y, found=found):
            found["ours"], _ = mean_difference_scores(X, y)
            return f"best neuron {found['ours'].argmax()}"

        def one_sum():
            return f"overall mean {X.sum(0).mean() / len(X):.1e}"

        def by_loop(class_means, y=y, found=found):
            overall = compare_pairs(class_means(X, y))
            error = np.abs(found["ours"] / overall - 1).max()
            return f"best neuron {overall.argmax()}; overall scores differ by {error:.1e} at most"

        sides = {
            "mean_difference_scores": ours,
            "X.sum(0)": one_sum,
            "as NeuroX: lists of samples, all pairs": partial(by_loop, means_of_lists),
            "sums sample by sample, all pairs": partial(by_loop, means_of_sums),
        }
        interleave(sides, repeats=args.repeats)


if __name__ == "__main__":
    main()
