"""One probe, a grid and the exact solver on a CUDA device, and the time of one pass over X.

They are compared with NeuroX's loop on the device, and with scikit-learn's
LogisticRegression(lbfgs) on the same tensors through the array API. Without a CUDA device, the
script prints a message and exits.
Run: SCIPY_ARRAY_API=1 python benchmarks/bench_cuda.py [--samples 100000] [--neurons 9984]
"""

from __future__ import annotations

import time
import warnings

import _neurox
import numpy as np
import torch
from _data import draw_start
from _timing import command_line, interleave
from sklearn import config_context
from sklearn.linear_model import LogisticRegression

from sklearn_neurox import LinearProbeClassifier, LinearProbeClassifierCV

LAMBDA, N_CLASSES = 1e-4, 17


def make_data(n_samples, n_neurons):
    """Generate classes with different means plus noise, in chunks of a few megabytes."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=n_samples)
    means = 0.05 * rng.standard_normal((N_CLASSES, n_neurons), dtype=np.float32)
    X = np.empty((n_samples, n_neurons), dtype=np.float32)
    for rows in np.array_split(np.arange(n_samples), max(1, n_samples // 1000)):
        X[rows] = rng.standard_normal((len(rows), n_neurons), dtype=np.float32) + means[y[rows]]
    return X, y


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_of_a_pass(X):
    """Return the seconds of one sum over X."""
    X.sum()
    synchronize(X.device)
    start = time.perf_counter()
    X.sum()
    synchronize(X.device)
    return time.perf_counter() - start


def by_probe(X, y, device, **params):
    probe = LinearProbeClassifier(
        lambda_l2=LAMBDA, l2_penalty="squared", device=device, random_state=0, **params
    ).fit(X, y)
    return f"objective {probe.objective_:.5f}"


def by_grid(X, y, device):
    search = LinearProbeClassifierCV(
        cv=3, refit=False, device=device, max_epochs=1, batch_size=1024, random_state=0
    ).fit(X, y)
    return f"best accuracy {search.best_score_:.4f} of 75 probes, 1 epoch"


def by_neurox(X, y, device):
    start = draw_start(N_CLASSES, X.shape[1])
    _, _, losses = _neurox.train(
        X, y, 0.0, LAMBDA, epochs=1, batch_size=1024, start=start, device=device
    )
    return f"mean loss {1024 * losses[-1]:.5f} during training, with the un-squared norm as penalty"


def by_scikit_learn(X, y):
    with config_context(array_api_dispatch=True):
        model = LogisticRegression(C=1 / (2 * len(X) * LAMBDA), tol=1e-4, max_iter=200).fit(X, y)
    weight, bias = (torch.as_tensor(array).to(X) for array in (model.coef_, model.intercept_))
    loss = torch.nn.functional.cross_entropy(torch.addmm(bias, X, weight.T), y)
    return f"objective {(loss + LAMBDA * weight.square().sum()).item():.5f}"


def main():
    parser = command_line(__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--neurons", type=int, default=9_984)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA device on this machine.")
        return
    X, y = make_data(args.samples, args.neurons)
    on_device, labels = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
    print(
        f"{len(X):,} samples x {X.shape[1]:,} neurons, {X.nbytes / 1e9:.1f} GB on {device}; "
        f"one pass {1e3 * time_of_a_pass(on_device):.1f} ms"
    )
    adam = {"max_epochs": 1, "batch_size": 1024}
    interleave(
        {
            "LinearProbeClassifier, adam, 1 epoch": lambda: by_probe(X, y, device, **adam),
            "NeuroX's loop, 1 epoch": lambda: by_neurox(X, y, device),
            "LinearProbeClassifierCV, 5 x 5 on 3 folds": lambda: by_grid(X, y, device),
        },
        repeats=args.repeats,
    )
    interleave(
        {
            "LinearProbeClassifier, owlqn": lambda: by_probe(X, y, device, solver="owlqn"),
            "LogisticRegression(lbfgs)": lambda: by_scikit_learn(on_device, labels),
        },
        repeats=args.repeats,
    )


if __name__ == "__main__":
    main()
