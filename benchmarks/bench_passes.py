"""Passes over float16 activations in a large file, as shares of their bound.

The bound of a pass is one sequential read of the file and the products at the speed of large square
products on this machine, in the dtype in which the pass computes. It does not include conversions
or elementwise operations. Average precision is bounded by one sort of each neuron. All times are
CPU times of one thread, of a file in the page cache, so that other processes matter less.
Run: python benchmarks/bench_passes.py [--rows 500000] [--neurons 1024] [--repeats 3]
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from _timing import command_line
from scale import write

import sklearn_neurox as snx
from sklearn_neurox import _moments
from sklearn_neurox._device import as_tensor
from sklearn_neurox._second_moments import Moments

N_CLASSES = 3  # those that `write` draws
N_SORTED = 32  # neurons whose average precision is computed


def read(path):
    """Read the file once into one buffer, and return the seconds."""
    buffer = bytearray(1 << 24)
    start = time.process_time()
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.process_time() - start


def speed(dtype, size=2048, repeats=3):
    """Return the operations per second of a large product."""
    a, b = (torch.rand(size, size, dtype=dtype) for _ in range(2))
    times = []
    for _ in range(repeats):
        start = time.process_time()
        a @ b
        times.append(time.process_time() - start)
    return 2 * size**3 / min(times)


def sort_seconds(n_rows):
    """Return the seconds to sort one neuron."""
    neuron = np.random.default_rng(0).standard_normal(n_rows, dtype=np.float32)
    start = time.process_time()
    np.sort(neuron)
    return time.process_time() - start


def passes(X, y):
    """Return for each pass its function, its products (operations) and their dtype."""
    n_rows, n_neurons = X.shape
    adam = snx.LinearProbeClassifier(max_epochs=1, batch_size=512, random_state=0, device="cpu")
    exact = snx.LinearProbeClassifier(
        solver="owlqn", lambda_l2=1e-3, l2_penalty="squared", max_iter=5, device="cpu"
    )
    fitted = snx.LinearProbeClassifier(
        solver="owlqn", lambda_l2=1e-2, l2_penalty="squared", device="cpu"
    ).fit(np.array(X[:2000]), y[:2000])
    single, double = torch.float32, torch.float64
    product = 2 * n_rows * n_neurons * N_CLASSES
    weight, targets = torch.ones(n_rows, dtype=double), torch.zeros(0, n_rows, dtype=double)
    training = exact._prepare(X, y, None, [(0.0, 1e-3)])
    datafit = training.solver.problem.data.datafit
    W, b = torch.randn(1, N_CLASSES, n_neurons) / n_neurons, torch.zeros(1, N_CLASSES)
    with torch.inference_mode():
        return {
            "one epoch of Adam, batches of 512": (lambda: adam.fit(X, y), 3 * product, single),
            "one look of the exact solver": (lambda: datafit.evaluate(W, b), 2 * product, single),
            "exact solver, five iterations": (lambda: exact.fit(X, y), 2 * 7 * product, single),
            "predict": (lambda: fitted.predict(X), product, single),
            "means and standard deviations": (lambda: _moments.neuron_moments(X), 0, double),
            "Probeless": (lambda: snx.mean_difference_scores(X, y), 0, single),
            "second moments, X'X": (
                lambda: Moments.of(as_tensor(X), targets, weight),
                n_rows * n_neurons**2,
                double,
            ),
        }


def main():
    parser = command_line(__doc__)
    parser.set_defaults(repeats=3)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--neurons", type=int, default=1024)
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the solvers stop early
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, args.rows, args.neurons)
        X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
        of_file = min(read(folder / "X.npy") for _ in range(3))
        rates = {dtype: speed(dtype) for dtype in (torch.float32, torch.float64)}
        print(
            f"{args.rows:,} samples x {args.neurons} neurons, float16, {X.nbytes / 1e9:.2f} GB: "
            f"one read {of_file:.2f} s, products {rates[torch.float32] / 1e9:.0f} (float32) and "
            f"{rates[torch.float64] / 1e9:.0f} (float64) billion operations per second"
        )
        each = passes(X, y)
        times = {label: [] for label in each}
        for _ in range(args.repeats):
            for label, (run, _, _) in each.items():
                start = time.process_time()
                run()
                times[label].append(time.process_time() - start)
        for label, (_, operations, dtype) in each.items():
            bound, seconds = of_file + operations / rates[dtype], statistics.median(times[label])
            print(
                f"  {label:36} {seconds:8.2f} s, bound {bound:6.2f} s, share {bound / seconds:.2f}"
            )
        some = np.array(X[:, :N_SORTED])
        start = time.process_time()
        snx.average_precision_scores(some, y)
        seconds = (time.process_time() - start) / N_SORTED
        bound = sort_seconds(args.rows)
        print(
            f"  {'average precision, per neuron':36} {seconds:8.3f} s, bound {bound:6.3f} s, share "
            f"{bound / seconds:.2f}"
        )


if __name__ == "__main__":
    main()
