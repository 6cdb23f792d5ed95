"""Clusters of correlated neurons: against numpy's correlations and scipy's linkage; time, memory.

Both sides cut average linkage over 1 - |r| at 0.5. They run interleaved in one process for the
time, and each in a process of its own for the memory: the peak of anonymous memory above what
there was with X in place. A third process fits on a float16 memory map of X.
Run: python benchmarks/bench_clustering.py [--words 20000] [--neurons 9984] [--repeats 3]
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
from _timing import command_line, interleave
from bench_memory import Watch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from sklearn_neurox import CorrelationClustering

THRESHOLD, GROUP = 0.5, 8  # neurons that share a factor
CHUNK = 1000  # words


def make_activations(n_words, n_neurons):
    """Make groups of neurons that share a factor by 0.4 to 1 of their length, of either sign."""
    rng = np.random.default_rng(0)
    n_groups = max(1, n_neurons // GROUP)
    groups = rng.integers(n_groups, size=n_neurons)
    share = rng.uniform(0.4, 1, size=n_neurons).astype(np.float32)
    sign = rng.choice(np.array([-1, 1], dtype=np.float32), size=n_neurons)
    X = np.empty((n_words, n_neurons), dtype=np.float32)
    for first in range(0, n_words, CHUNK):
        words = X[first : first + CHUNK]
        rng.standard_normal(dtype=np.float32, out=words)
        words *= np.sqrt(1 - share**2)
        factors = rng.standard_normal((len(words), n_groups), dtype=np.float32)
        words += factors[:, groups] * (sign * share)
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
    "np.corrcoef, scipy's linkage": with_scipy,
    "np.corrcoef(dtype=float32), scipy's linkage": with_scipy_in_float32,
}
CHILDREN = {  # the side, the file, and whether it is read into memory
    "CorrelationClustering": (ours, "X.npy", None),
    "np.corrcoef, scipy's linkage": (with_scipy, "X.npy", None),
    "np.corrcoef(dtype=float32), scipy's linkage": (with_scipy_in_float32, "X.npy", None),
    "CorrelationClustering, float16 memory map": (ours, "half.npy", "r"),
}


def child(name, folder):
    """Cluster, and print as JSON how much memory it took."""
    cluster, file, mode = CHILDREN[name]
    X = np.load(folder / file, mmap_mode=mode)
    cluster(np.random.default_rng(0).standard_normal((1000, 50), dtype=np.float32))  # late imports
    watch = Watch()
    watch.start()
    start = time.perf_counter()
    labels = cluster(X)
    seconds = time.perf_counter() - start
    extra = watch.stop()["RssAnon"] - watch.before["RssAnon"]
    result = {"seconds": seconds, "before": watch.before["RssAnon"], "extra": extra}
    print(json.dumps(result | {"labels": labels.tolist()}))


def measure_memory(X, reference):
    """Print the memory each side takes in a process of its own."""
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
    """Say whether two partitions are the same."""
    index = adjusted_rand_score(first, second)
    return "the same" if index == 1 else f"differ, adjusted Rand index {index:.6f}"


def main():
    parser = command_line(__doc__)
    parser.set_defaults(repeats=3)
    parser.add_argument("--words", type=int, default=20_000)
    parser.add_argument("--neurons", type=int, default=9984)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], Path(args.child[1]))
        return
    X = make_activations(args.words, args.neurons)
    pairs = args.neurons * (args.neurons - 1) // 2
    print(
        f"{args.words:,} words x {args.neurons:,} neurons: floor "
        f"{2 * args.words * pairs / 1e9:,.0f} GFLOP for the products, {X.nbytes / 1e6:,.0f} MB of "
        f"words read once"
    )
    found = {}

    def timed(name, cluster):
        found[name] = cluster(X)
        return f"{len(np.unique(found[name]))} clusters"

    sides = {name: partial(timed, name, cluster) for name, cluster in SIDES.items()}
    interleave(sides, repeats=args.repeats)
    first, *others = found.values()
    print(f"  partitions {[agreement(first, other) for other in others]}")
    print(
        f"anonymous memory beside X (float32: {X.nbytes / 2**20:,.0f} MB): floor "
        f"{8 * pairs / 2**20:,.0f} MB of distances, twice that with scipy's linkage"
    )
    measure_memory(X, first)


if __name__ == "__main__":
    main()
