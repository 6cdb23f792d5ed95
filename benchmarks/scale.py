"""Peak memory of estimators and functions against the number of samples.

X is a memory map of float16 activations. Each measurement runs in a child process, which monitors
its own memory: the anonymous pages that it needs more than before the call. The pages of the file
are cache, which the system can reclaim at any time, and are not counted. The slope is fitted to the
largest two numbers of samples, and X itself has `2 * n_neurons` bytes per sample.
Run: python benchmarks/scale.py [--rows 10000 100000 1000000] [--only probe]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from _memory import Watch
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx

N_CLASSES, N_LAYERS = 3, 2
CHUNK = 8192  # samples


def adam(**params):
    return snx.LinearProbeClassifier(max_epochs=1, device="cpu", random_state=0, **params)


def exact(**params):
    return snx.LinearProbeClassifier(
        solver="owlqn", lambda_l2=1e-2, l2_penalty="squared", max_iter=5, device="cpu", **params
    )


def regressor():
    return snx.LinearProbeRegressor(
        solver="owlqn", lambda_l2=1e-2, l2_penalty="squared", max_iter=5, device="cpu"
    )


def classifier_cv():
    return snx.LinearProbeClassifierCV(
        lambdas_l1=[0], lambdas_l2=[1e-3, 1e-2], cv=3, max_epochs=1, device="cpu", random_state=0
    )


def transformed(transformer, X, y):
    """Fit a transformer and transform a part of X, whose result is not larger than the part."""
    transformer.fit(X, y)
    transformer.transform(X[:CHUNK])


def behind_scaler(X, y):
    """Fit a probe behind a scaler, which requires float32."""
    make_pipeline(StandardScaler(), adam()).fit(X.astype(np.float32), y)


def predicted(X, y):
    """Predict all samples with a probe that was trained on some of them."""
    exact().fit(np.array(X[:1000]), y[:1000]).predict(X)


# Each takes X, y and the groups of the samples.
CALLS = {
    "LinearProbeClassifier, adam": lambda X, y, groups: adam().fit(X, y),
    "LinearProbeClassifier, owlqn": lambda X, y, groups: exact().fit(X, y),
    "adam, standardize": lambda X, y, groups: adam(standardize=True).fit(X, y),
    "owlqn, standardize": lambda X, y, groups: exact(standardize=True).fit(X, y),
    "adam behind a StandardScaler": lambda X, y, groups: behind_scaler(X, y),
    "LinearProbeRegressor, owlqn": lambda X, y, groups: regressor().fit(X, y),
    "LinearProbeClassifierCV": lambda X, y, groups: classifier_cv().fit(X, y),
    "LinearProbeClassifier.predict": lambda X, y, groups: predicted(X, y),
    "GaussianProbeClassifier": lambda X, y, groups: snx.GaussianProbeClassifier().fit(X, y),
    "MeanDifferenceClassifier": lambda X, y, groups: snx.MeanDifferenceClassifier().fit(X, y),
    "WeightMassSelector": lambda X, y, groups: snx.WeightMassSelector(exact()).fit(X, y),
    "WeightMassSelector, standardize": lambda X, y, groups: snx.WeightMassSelector(
        exact(), standardize=True
    ).fit(X, y),
    "ProbelessSelector": lambda X, y, groups: snx.ProbelessSelector().fit(X, y),
    "AveragePrecisionSelector": lambda X, y, groups: snx.AveragePrecisionSelector().fit(X, y),
    "GaussianSelector": lambda X, y, groups: snx.GaussianSelector(n_greedy=3).fit(X, y),
    "CorrelationClustering": lambda X, y, groups: snx.CorrelationClustering().fit(X),
    "NeuronAblator, mean": lambda X, y, groups: transformed(
        snx.NeuronAblator([0, 1], mode="mean"), X, y
    ),
    "NeuronAblator, resample": lambda X, y, groups: transformed(
        snx.NeuronAblator([0, 1], mode="resample", random_state=0), X, y
    ),
    "LeaceEraser": lambda X, y, groups: transformed(snx.LeaceEraser(), X, y),
    "NullspaceEraser": lambda X, y, groups: transformed(
        snx.NullspaceEraser(exact(), n_iter=2), X, y
    ),
    "layerwise_scores": lambda X, y, groups: snx.layerwise_scores(
        exact(), X, y, n_layers=N_LAYERS, groups=groups, cv=GroupKFold(3)
    ),
    "ablation_curve": lambda X, y, groups: snx.ablation_curve(
        exact(),
        X,
        y,
        fractions=[0.01, 0.1],
        groups=groups,
        cv=GroupKFold(3),
        ranking=snx.ProbelessSelector(),
    ),
    "selectivity_score": lambda X, y, groups: snx.selectivity_score(
        exact(), X, y, groups, groups=groups, cv=GroupKFold(3), random_state=0
    ),
    "codelength": lambda X, y, groups: snx.codelength(exact(), X, y, groups=groups, random_state=0),
    "probe_report": lambda X, y, groups: snx.probe_report(
        exact().fit(np.array(X[:1000]), y[:1000]), X, y, sentence_ids=groups, random_state=0
    ),
}


def write(folder, n_samples, n_neurons):
    """Write classes that are Gaussian around their means, in chunks."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=n_samples)
    means = 0.3 * rng.standard_normal((N_CLASSES, n_neurons), dtype=np.float32)
    X = np.lib.format.open_memmap(
        folder / "X.npy", mode="w+", dtype=np.float16, shape=(n_samples, n_neurons)
    )
    for first in range(0, n_samples, CHUNK):
        labels = y[first : first + CHUNK]
        noise = rng.standard_normal((len(labels), n_neurons), dtype=np.float32)
        X[first : first + CHUNK] = means[labels] + noise
    X.flush()
    np.save(folder / "y.npy", y)


def child(folder, name):
    """Run a call, and print its peak memory in MB as JSON."""
    torch.set_num_threads(1)
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
    groups = np.arange(len(y)) // 20
    some = slice(1000)
    CALLS[name](np.array(X[some]), y[some], groups[some])  # triggers late imports
    watch = Watch()
    watch.start()
    CALLS[name](X, y, groups)
    peaks = watch.stop()
    print(json.dumps({name: peaks[name] - watch.before[name] for name in ("RssAnon", "RssFile")}))


def measure(folder, name):
    """Return the peak of a call in MB, in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--child", name, "--folder", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])["RssAnon"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--neurons", type=int, default=256)
    parser.add_argument("--only", default="", help="part of the names of the calls")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.folder, args.child)
        return
    names = [name for name in CALLS if args.only in name]
    peaks = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as root:
        for n_samples in args.rows:
            folder = Path(root, str(n_samples))
            folder.mkdir()
            write(folder, n_samples, args.neurons)
            for name in names:
                peaks[name].append(measure(folder, name))
                print(f"  {n_samples:>12,} {name:34} {peaks[name][-1]:9.1f} MB", flush=True)
            (folder / "X.npy").unlink()
    print(f"\nX: float16, {args.neurons} neurons, {2 * args.neurons} bytes per sample")
    head = "".join(f"{n_samples:>12,}" for n_samples in args.rows)
    print(f"{'peak in MB with n_samples =':34}{head}   bytes per sample")
    for name in names:
        cells = "".join(f"{peak:12.1f}" for peak in peaks[name])
        slope = ""
        if len(args.rows) > 1:
            more = (peaks[name][-1] - peaks[name][-2]) * 2**20
            slope = f"{more / (args.rows[-1] - args.rows[-2]):12.1f}"
        print(f"{name:34}{cells}{slope}")


if __name__ == "__main__":
    main()
