"""Probeless scores of all classes: against reading X once, and loops over words and pairs.

Two threads, as by default, where a side knows how. X.sum(0) adds in float32 and tells nothing of
classes. NeuroX's way lists the words of each class, takes the mean of each list in float32, and
compares all pairs. The other loop, faster, adds words up in float64 one by one.
Run: python benchmarks/bench_probeless.py [--words 50000] [--repeats 5]
"""

from __future__ import annotations

from functools import partial

import numpy as np
from _data import draw_labels
from _timing import command_line, interleave

from sklearn_neurox import mean_difference_scores

N_WORDS, N_NEURONS, N_CLASSES = 50_000, 9984, (17, 200)
CHUNK = 5000  # words


def make_activations(n_words):
    rng = np.random.default_rng(0)
    X = np.empty((n_words, N_NEURONS), dtype=np.float32)
    for first in range(0, n_words, CHUNK):
        rng.standard_normal(dtype=np.float32, out=X[first : first + CHUNK])
    return X


def means_of_lists(X, y):
    words_of = {}
    for words, label in zip(X, y.tolist(), strict=True):
        words_of.setdefault(label, []).append(words)
    return np.array([np.mean(words, axis=0) for _, words in sorted(words_of.items())])


def means_of_sums(X, y):
    sums = np.zeros((y.max() + 1, X.shape[1]))
    for words, label in zip(X, y, strict=True):
        sums[label] += words
    return sums / np.bincount(y)[:, np.newaxis]


def compare_pairs(means):
    """Add the differences of each pair of classes to the scores of both."""
    per_class = np.zeros_like(means)
    for i in range(len(means)):
        for j in range(i):
            difference = np.abs(means[i] - means[j])
            per_class[i] += difference
            per_class[j] += difference
    return per_class.sum(axis=0) / 2


def main():
    parser = command_line(__doc__)
    parser.add_argument("--words", type=int, default=N_WORDS)
    args = parser.parse_args()
    X = make_activations(args.words)
    for n_classes in N_CLASSES:
        y = draw_labels(len(X), n_classes)
        print(
            f"{len(X):,} words x {N_NEURONS:,} neurons, {n_classes} classes: floor "
            f"{X.nbytes / 1e6:,.0f} MB of words read once, {X.size / 1e9:.2f} GFLOP"
        )
        found = {}

        def ours(y=y, found=found):
            found["ours"], _ = mean_difference_scores(X, y)
            return f"best neuron {found['ours'].argmax()}"

        def one_sum():
            return f"mean of all {X.sum(0).mean() / len(X):.1e}"

        def by_loop(class_means, y=y, found=found):
            overall = compare_pairs(class_means(X, y))
            error = np.abs(found["ours"] / overall - 1).max()
            return f"best neuron {overall.argmax()}; overall scores differ by {error:.1e} at most"

        sides = {
            "mean_difference_scores": ours,
            "X.sum(0)": one_sum,
            "as NeuroX: lists of words, all pairs": partial(by_loop, means_of_lists),
            "sums word by word, all pairs": partial(by_loop, means_of_sums),
        }
        interleave(sides, repeats=args.repeats)


if __name__ == "__main__":
    main()
