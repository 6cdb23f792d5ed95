"""Ordering of all neurons by weight mass: in closed form, or one selection per mass as in NeuroX.

For each mass 0 %, 1 %, ..., 100 % and each class, a selection contains the fewest neurons with the
largest weights that reach the mass. The ordering appends the new neurons of the union of the
classes. At 0 % NeuroX selects one neuron per class and `weight_mass_ordering` selects no neuron.
From 1 % on both select the same sets. Within a set, NeuroX uses the order of Python's sets, and
`weight_mass_ordering` orders by mass. The weights of a probe are float32, and some of so many
weights are equal, so that `weight_mass_ordering` sorts twice to break ties by index. Both sides add
in float64.
Run: python benchmarks/bench_ordering.py [--repeats 5]
"""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
from _timing import command_line, interleave

from sklearn_neurox import weight_mass_ordering

N_NEURONS, N_CLASSES = 9984, (17, 200)


def select(row, mass):
    """Return the fewest neurons that hold a share `mass` of the weight of one class."""
    weights = np.abs(row)
    ranks = np.argsort(-weights)
    cumulative = np.cumsum(weights[ranks], dtype=np.float64)
    return ranks[: np.searchsorted(cumulative, mass * cumulative[-1]) + 1]


def one_selection_per_mass(coef):
    ordering, cutoffs, known = [], [], set()
    for p in range(101):
        union = set()
        for row in coef:
            union.update(select(row, p / 100).tolist())
        ordering.extend(union - known)
        known |= union
        cutoffs.append(len(ordering))
    return np.array(ordering), np.array(cutoffs)


def in_common(ours, theirs):
    """Describe in how many bins the cutoffs, and the neurons up to them, are the same."""
    (a, to), (b, until) = ours, theirs
    bins = range(1, 101)
    cutoffs = sum(to[p] == until[p] for p in bins)
    sets = sum(set(a[: to[p]].tolist()) == set(b[: until[p]].tolist()) for p in bins)
    return f"cutoffs agree in {cutoffs} of 100 bins, sets in {sets}"


def main():
    args = command_line(__doc__).parse_args()
    for n_classes, dtype in product(N_CLASSES, ("float32", "float64")):
        coef = np.random.default_rng(0).standard_t(3, size=(n_classes, N_NEURONS)).astype(dtype)
        print(
            f"{N_NEURONS:,} neurons, {n_classes} classes, {dtype}: floor {coef.nbytes / 1e6:.1f} "
            f"MB of weights read once, {n_classes} sorts; one selection per mass: "
            f"{101 * n_classes:,} sorts"
        )
        sides = {
            "weight_mass_ordering": weight_mass_ordering,
            "one selection per mass": one_selection_per_mass,
        }
        found = {name: order(coef) for name, order in sides.items()}
        reports = {
            name: f"{cutoffs[1]} neurons at 1 %, {cutoffs[10]} at 10 %, {cutoffs[-1]} at 100 %"
            for name, (_, cutoffs) in found.items()
        }

        def timed(name, order, coef=coef, reports=reports):
            order(coef)
            return reports[name]

        interleave(
            {name: partial(timed, name, order) for name, order in sides.items()},
            repeats=args.repeats,
        )
        print(f"  {in_common(*found.values())}")


if __name__ == "__main__":
    main()
