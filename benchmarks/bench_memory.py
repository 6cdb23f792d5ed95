"""Peak memory and time of one epoch on activations in a large file.

A child process fits a probe on a float16 memory map and monitors its own memory. The process needs
its anonymous pages. The pages of the file are cache, which the system can reclaim at any time.
Run: python benchmarks/bench_memory.py [--gigabytes 4]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _data import floor
from _memory import Watch

N_NEURONS, N_CLASSES = 2048, 17
CHUNK = 8192  # samples


def write(folder, n_samples):
    """Write classes that are Gaussian around their means, in chunks."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=n_samples)
    means = 0.1 * rng.standard_normal((N_CLASSES, N_NEURONS), dtype=np.float32)
    shape = (n_samples, N_NEURONS)
    X = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=np.float16, shape=shape)
    for first in range(0, n_samples, CHUNK):
        labels = y[first : first + CHUNK]
        X[first : first + CHUNK] = means[labels] + rng.standard_normal(
            (len(labels), N_NEURONS), dtype=np.float32
        )
    X.flush()
    np.save(folder / "y.npy", y)


def read(path):
    """Read the file once into one buffer, and return the seconds."""
    buffer = bytearray(1 << 24)
    start = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.perf_counter() - start


def child(folder):
    """Fit a probe, and print the time and memory that this took, as JSON."""
    from sklearn_neurox import LinearProbeClassifier

    torch.set_num_threads(1)
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
    probe = LinearProbeClassifier(
        lambda_l1=1e-5, lambda_l2=1e-5, max_epochs=1, random_state=0, device="cpu"
    )
    probe.fit(np.array(X[:64]), y[:64] % 2)  # triggers late imports
    watch = Watch()
    watch.start()
    start = time.perf_counter()
    probe.fit(X, y)
    seconds = time.perf_counter() - start
    peaks = watch.stop()
    accuracy = probe.score(X[-CHUNK:], y[-CHUNK:])
    result = {"seconds": seconds, "before": watch.before, "peaks": peaks, "accuracy": accuracy}
    print(json.dumps(result | {"objective": float(probe.objective_)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child)
        return
    n_samples = round(args.gigabytes * 1e9 / (2 * N_NEURONS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, n_samples)
        before = read(folder / "X.npy")
        command = [sys.executable, __file__, "--child", name]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        after = read(folder / "X.npy")
    result = json.loads(output.splitlines()[-1])
    print(
        f"{n_samples:,} samples x {N_NEURONS} neurons, float16, "
        f"{2 * n_samples * N_NEURONS / 1e9:.2f} GB"
    )
    print(f"  {floor(n_samples, N_NEURONS, N_CLASSES, passes=1, itemsize=2)}")
    print(
        f"  fit {result['seconds']:.2f} s; one read of the file {before:.2f} s before", end=" and "
    )
    print(f"{after:.2f} s after the fit")
    for key, label in {"RssAnon": "anonymous", "RssFile": "of files", "VmHWM": "all"}.items():
        before, peak = result["before"][key], result["peaks"][key]
        print(f"  {label:10} peak {peak:8.0f} MB, {peak - before:8.0f} MB more than before the fit")
    print(f"  accuracy {result['accuracy']:.4f}, objective {result['objective']:.4f}")


if __name__ == "__main__":
    main()
