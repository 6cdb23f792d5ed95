"""One probe trained by Adam on one thread, compared with NeuroX's loop and with stock skorch.

All sides take the same steps on batches of 32 samples, from the same start, with both penalties.
Run: python benchmarks/bench_adam.py [--repeats 5]
"""

from __future__ import annotations

import warnings

import _neurox
import torch
from _data import draw_start, floor, make_data, objective
from _timing import command_line, interleave
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_neurox import LinearProbeClassifier

LAMBDA = 1e-4


def report(weight, bias, X, y):
    return f"objective {objective(weight, bias, X, y, LAMBDA, LAMBDA):.5f}"


def ours(X, y, epochs):
    probe = LinearProbeClassifier(
        lambda_l1=LAMBDA, lambda_l2=LAMBDA, max_epochs=epochs, random_state=0, device="cpu"
    ).fit(X, y)
    return report(probe.coef_, probe.intercept_, X, y)


def neurox(X, y, epochs):
    start = draw_start(y.max() + 1, X.shape[1])
    weight, bias, _ = _neurox.train(X, y, LAMBDA, LAMBDA, epochs=epochs, start=start)
    return report(weight, bias, X, y)


class PenalizedNet(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        weight = self.module_.weight
        penalty = LAMBDA * weight.abs().sum() + LAMBDA * weight.norm()
        return super().get_loss(y_pred, y_true, X, training) + penalty

    def initialize_module(self):
        super().initialize_module()
        module = self.module_
        with torch.no_grad():
            values = draw_start(module.out_features, module.in_features)
            for parameter, value in zip(module.parameters(), values, strict=True):
                parameter.copy_(torch.from_numpy(value))


def skorch(X, y, epochs):
    net = PenalizedNet(
        nn.Linear, module__in_features=X.shape[1], module__out_features=y.max() + 1,
        criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3, max_epochs=epochs,
        batch_size=32, train_split=None, verbose=0,
    ).fit(X, y)  # fmt: skip
    return report(*(p.detach().numpy() for p in net.module_.parameters()), X, y)


def compare(X, y, epochs, repeats):
    shape = (*X.shape, y.max() + 1)
    steps = epochs * -(-len(X) // 32)
    print("{:,} samples x {:,} neurons, {} classes".format(*shape), end=", ")
    print(f"{epochs} epoch{'s' * (epochs > 1)}, {steps} steps; {floor(*shape, passes=epochs)}")
    sides = {
        "LinearProbeClassifier": lambda: ours(X, y, epochs),
        "NeuroX's loop": lambda: neurox(X, y, epochs),
        "stock skorch": lambda: skorch(X, y, epochs),
    }
    interleave(sides, repeats=repeats)


def main():
    args = command_line(__doc__).parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    _neurox.check()
    compare(*make_data(), epochs=10, repeats=args.repeats)
    compare(*make_data(50_000, 2304), epochs=1, repeats=min(args.repeats, 3))


if __name__ == "__main__":
    main()
