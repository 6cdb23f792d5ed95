"""Average precision of each neuron and class: one sort per neuron, compared with scikit-learn.

A call of scikit-learn scores one neuron for one class, and a second call scores -x if low
activations count too. scikit-learn is timed on a few neurons with all classes, and its time is
scaled to all neurons.
Run: python benchmarks/bench_average_precision.py [--repeats 5]
"""

from __future__ import annotations

import numpy as np
from _data import make_data
from _timing import command_line, interleave
from sklearn.metrics import average_precision_score

from sklearn_neurox import average_precision_scores

N_SAMPLES, N_NEURONS, N_CLASSES = 20_000, 768, 17
FEW = 12  # neurons on which scikit-learn is timed


def pair_by_pair(X, y, *, signed):
    """Score the neurons with scikit-learn, each from a contiguous array."""
    scores = np.empty((y.max() + 1, X.shape[1]))
    for neuron, activations in enumerate(np.ascontiguousarray(X.T)):
        for label in range(len(scores)):
            truth = y == label
            score = average_precision_score(truth, activations)
            if signed:
                score = max(score, average_precision_score(truth, -activations))
            scores[label, neuron] = score
    return scores


def main():
    args = command_line(__doc__).parse_args()
    X, y = make_data(N_SAMPLES, N_NEURONS, N_CLASSES)
    chosen = np.linspace(0, N_NEURONS - 1, FEW, dtype=int)
    few = X[:, chosen]
    for signed in (True, False):
        print(
            f"{N_SAMPLES:,} samples x {N_NEURONS} neurons, {N_CLASSES} classes, signed={signed}: "
            f"floor {X.nbytes / 1e6:.0f} MB read once, {N_NEURONS} sorts of {N_SAMPLES:,} numbers"
        )
        found = {}

        def ours(signed=signed, found=found):
            scores = average_precision_scores(X, y, signed=signed)
            found["ours"] = scores[:, chosen]
            return f"mean of the {FEW} neurons {found['ours'].mean():.6f}"

        def theirs(signed=signed, found=found):
            scores = pair_by_pair(few, y, signed=signed)
            error = np.abs(scores - found["ours"]).max()
            assert error < 1e-12, error
            return f"mean {scores.mean():.6f}, scores differ by {error:.1e} at most"

        name = f"scikit-learn, {FEW} of {N_NEURONS} neurons"
        interleave(
            {f"average_precision_scores(signed={signed})": ours, name: theirs},
            repeats=args.repeats,
            scale={name: N_NEURONS / FEW},
        )


if __name__ == "__main__":
    main()
