"""A probe for each of 13 layers, trained by Adam on one thread: as one bank or one by one.

All sides take the same steps from the same start, with both penalties.
Run: python benchmarks/bench_layers.py [--repeats 5]
"""

from __future__ import annotations

import _neurox
import numpy as np
import torch
from _data import N_NEURONS, accuracy, draw_labels, draw_start, floor, make_activations, objective
from _timing import command_line, interleave
from sklearn.base import clone

from sklearn_neurox import LinearProbeClassifier
from sklearn_neurox.probes.layers import fit_layers

LAMBDA, EPOCHS, N_LAYERS = 1e-4, 3, 13
PROBE = LinearProbeClassifier(
    lambda_l1=LAMBDA, lambda_l2=LAMBDA, max_epochs=EPOCHS, random_state=0, device="cpu"
)


def report(fitted, layers, y):
    """Report the mean objective and accuracy of the layers, given a weight and bias for each."""
    values = [
        (objective(*some, X, y, LAMBDA, LAMBDA), accuracy(*some, X, y))
        for some, X in zip(fitted, layers, strict=True)
    ]
    return "mean objective {:.5f}, training accuracy {:.4f}".format(*np.mean(values, axis=0))


def bank(layers, y):
    probes = [clone(PROBE) for _ in layers]
    fit_layers(probes, layers[0].base, y)  # the layers are views of one array
    return [(probe.coef_, probe.intercept_) for probe in probes]


def one_by_one(layers, y):
    probes = [clone(PROBE).fit(X, y) for X in layers]
    return [(probe.coef_, probe.intercept_) for probe in probes]


def neurox(layers, y):
    start = draw_start(y.max() + 1, N_NEURONS)
    return [_neurox.train(X, y, LAMBDA, LAMBDA, epochs=EPOCHS, start=start)[:2] for X in layers]


def main():
    args = command_line(__doc__).parse_args()
    torch.set_num_threads(1)
    _neurox.check()
    y = draw_labels()
    layers = [
        make_activations(y, seed=layer, separation=0.06 + 0.01 * layer) for layer in range(N_LAYERS)
    ]
    layers = np.split(np.hstack(layers), N_LAYERS, axis=1)
    shape = (len(y), N_LAYERS * N_NEURONS, y.max() + 1)
    print(
        f"{len(y):,} samples x {N_LAYERS} layers of {N_NEURONS} neurons, {y.max() + 1} classes, "
        f"{EPOCHS} epochs; {floor(*shape, passes=EPOCHS)}"
    )
    sides = {
        "one bank, as layerwise_scores trains": bank,
        "LinearProbeClassifier, 13 fits": one_by_one,
        "NeuroX, 13 fits": neurox,
    }
    reports = {name: report(fit(layers, y), layers, y) for name, fit in sides.items()}

    def timed(name):
        sides[name](layers, y)
        return reports[name]

    interleave({name: lambda name=name: timed(name) for name in sides}, repeats=args.repeats)


if __name__ == "__main__":
    main()
