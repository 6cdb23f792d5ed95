"""CPU time and size of the sums of a shard: means of classes, and second moments.

One process adds batches of a float16 memory map by ``partial_fit``, saves the sums, and merges the
sums of two shards. The page on clusters multiplies these figures.
Run: python benchmarks/bench_sums.py [--width 4096] [--rows 4000]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from sklearn_neurox import MeanDifferenceClassifier, save


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--rows", type=int, default=4000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=args.rows)
    with TemporaryDirectory() as folder:
        X = np.memmap(f"{folder}/X", np.float16, "w+", shape=(args.rows, args.width))
        X[:] = rng.standard_normal(X.shape, dtype=np.float32)
        for whiten in (False, True):
            shards = [MeanDifferenceClassifier(whiten=whiten) for _ in range(2)]
            times = []
            for shard in shards:
                start = time.process_time()
                shard.partial_fit(X, y, classes=[0, 1, 2])
                times.append((time.process_time() - start) / args.rows)
            start = time.process_time()
            shards[0].merge(shards[1])
            merging = time.process_time() - start
            save(shards[0], f"{folder}/sums.snx")
            size = Path(f"{folder}/sums.snx").stat().st_size
            print(
                f"whiten={whiten}: {min(times) * 1e6:.1f} µs per row, merge {merging:.2f} s, "
                f"file of the sums {size / 1e6:.2f} MB"
            )


if __name__ == "__main__":
    main()
