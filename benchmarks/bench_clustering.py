"""Clusters of correlated neurons: time and memory, compared with np.corrcoef and SciPy's linkage.

All sides compute average linkage on 1 - |r|, cut at a distance of 0.5. For the time, they run
interleaved in one process. For the memory, each runs in a separate process, which loads X and then
reports by how much the anonymous memory grows at its peak. One more process fits on a float16
memory map of X.
Run: python benchmarks/bench_clustering.py [--samples 20000] [--neurons 9984] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from _memory import Watch
from _timing import command_line, interleave
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from sklearn_neurox import CorrelationClustering

THRESHOLD, GROUP = 0.5, 8  # neurons that share a factor
CHUNK = 1000  # samples


def make_activations(n_samples, n_neurons):
    """Generate groups of neurons, each with an absolute correlation of 0.4 to 1 with one factor."""
    rng = np.random.default_rng(0)
    n_groups = max(1, n_neurons // GROUP)
    groups = rng.integers(n_groups, size=n_neurons)
    share = rng.uniform(0.4, 1, size=n_neurons).astype(np.float32)
    sign = rng.choice(np.array([-1, 1], dtype=np.float32), size=n_neurons)
    X = np.empty((n_samples, n_neurons), dtype=np.float32)
    for first in range(0, n_samples, CHUNK):
        rows = X[first : first + CHUNK]
        rng.standard_normal(dtype=np.float32, out=rows)
        rows *= np.sqrt(1 - share**2)
        factors = rng.standard_normal((len(rows), n_groups), dtype=np.float32)
        rows += factors[:, groups] * (sign * share)
    return X


def ours(X):
    return CorrelationClustering(distance_threshold=THRESHOLD).fit(X).labels_


def with_scipy(X, dtype=None):
    distances = squareform(1 - np.abs(np.corrcoef(X.T, dtype=dtype)), checks=False)
    return fcluster(linkage(distances, "average"), THRESHOLD, "distance")


def with_scipy_in_float32(X):
    return with_scipy(X, np.float32)


SIDES = {
    "CorrelationClustering": ours,
    "np.corrcoef, SciPy's linkage": with_scipy,
    "np.corrcoef(dtype=float32), SciPy's linkage": with_scipy_in_float32,
}
CHILDREN = {  # function, file, mmap_mode of np.load
    "CorrelationClustering": (ours, "X.npy", None),
    "np.corrcoef, SciPy's linkage": (with_scipy, "X.npy", None),
    "np.corrcoef(dtype=float32), SciPy's linkage": (with_scipy_in_float32, "X.npy", None),
    "CorrelationClustering, float16 memory map": (ours, "half.npy", "r"),
}


def child(name, folder):
    """Cluster the neurons and print the memory that this took, as JSON."""
    cluster, file, mode = CHILDREN[name]
    X = np.load(folder / file, mmap_mode=mode)
    small = np.random.default_rng(0).standard_normal((1000, 50), dtype=np.float32)
    cluster(small)  # triggers late imports
    watch = Watch()
    watch.start()
    start = time.perf_counter()
    labels = cluster(X)
    seconds = time.perf_counter() - start
    extra = watch.stop()["RssAnon"] - watch.before["RssAnon"]
    result = {"seconds": seconds, "before": watch.before["RssAnon"], "extra": extra}
    print(json.dumps(result | {"labels": labels.tolist()}))


def measure_memory(X, reference):
    """Print the memory that each side takes in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "X.npy"), X)
        np.save(Path(folder, "half.npy"), X.astype(np.float16))
        first = None
        for name in CHILDREN:
            command = [sys.executable, __file__, "--child", name, folder]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            result = json.loads(output.splitlines()[-1])
            first = first or result["extra"]
            print(
                f"  {name:44} {result['extra']:8.0f} MB  x{result['extra'] / first:6.2f}   "
                f"{result['before']:.0f} MB before, {result['seconds']:.1f} s; "
                f"partition {agreement(reference, result['labels'])}",
                flush=True,
            )


def agreement(first, second):
    """Describe whether two partitions are the same."""
    index = adjusted_rand_score(first, second)
    return "the same" if index == 1 else f"different, adjusted Rand index {index:.6f}"


def main():
    parser = command_line(__doc__)
    parser.set_defaults(repeats=3)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--neurons", type=int, default=9984)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], Path(args.child[1]))
        return
    X = make_activations(args.samples, args.neurons)
    pairs = args.neurons * (args.neurons - 1) // 2
    print(
        f"{args.samples:,} samples x {args.neurons:,} neurons: floor "
        f"{2 * args.samples * pairs / 1e9:,.0f} GFLOP for the products, {X.nbytes / 1e6:,.0f} MB "
        "read once"
    )
    found = {}

    def timed(name, cluster):
        found[name] = cluster(X)
        return f"{len(np.unique(found[name]))} clusters"

    sides = {name: partial(timed, name, cluster) for name, cluster in SIDES.items()}
    interleave(sides, repeats=args.repeats)
    first, *others = found.values()
    print(f"  partitions compared with the first: {[agreement(first, other) for other in others]}")
    print(
        f"anonymous memory in addition to X (float32: {X.nbytes / 2**20:,.0f} MB): floor "
        f"{8 * pairs / 2**20:,.0f} MB of distances, twice that with SciPy's linkage"
    )
    measure_memory(X, first)


if __name__ == "__main__":
    main()
