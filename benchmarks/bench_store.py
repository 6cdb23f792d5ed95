"""Opening activations on disk: a memory-mapped store, compared with an HDF5 file of sentences.

The data are 6,000 words x 2,688 neurons (7 layers of 384), and both files are in the page cache.
A memory map needs only to be opened, so that opening is timed alone, and then with reading every
number. With --layouts, the script compares the two layouts of a store: it reads one layer of 13 x
768 for 100,000 words, from the disk and from the page cache, random rows and all rows (6 GB of disk
in TMPDIR).
Run: python benchmarks/bench_store.py [--repeats 5] [--layouts]
It needs h5py, except for --layouts.
"""

from __future__ import annotations

import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from _timing import command_line, interleave

from sklearn_neurox import StoreWriter, TokenActivations

N_WORDS, N_LAYERS, WIDTH, LENGTH = 6000, 7, 384, 20  # LENGTH: words per sentence
LARGE, LAYERS, HIDDEN, LAYER = 100_000, 13, 768, 6
ROWS = 5000  # written at a time


def write(folder):
    """Write the same numbers as a store and as an HDF5 file."""
    import h5py

    n_sentences = N_WORDS // LENGTH
    rng = np.random.default_rng(0)
    writer = StoreWriter(
        folder / "store",
        layers=range(N_LAYERS),
        width=WIDTH,
        dtype="float32",
        words=[[f"word{i}"] * LENGTH for i in range(n_sentences)],
        sentence_ids=np.arange(n_sentences),
    )
    with writer, h5py.File(folder / "sentences.hdf5", "w") as file:
        for i in range(n_sentences):
            X = rng.standard_normal((LENGTH, N_LAYERS * WIDTH), dtype=np.float32)
            writer.append(X)
            file[str(i)] = X


def from_hdf5(path):
    """Load the sentences into a list."""
    import h5py

    with h5py.File(path, "r") as file:
        return [file[str(i)][:] for i in range(len(file))]


def total(arrays):
    return sum(float(X.sum(dtype=np.float64)) for X in arrays)


def compare(folder, repeats):
    write(folder)
    store, hdf5 = folder / "store", folder / "sentences.hdf5"
    # Computed before the timing, because opening a file does not include reading it.
    sums = {"store": total([TokenActivations.load(store).X]), "hdf5": total(from_hdf5(hdf5))}

    def opened(name, load):
        load()
        return f"sum {sums[name]:.6f}"

    print(f"{N_WORDS:,} words x {N_LAYERS * WIDTH:,} neurons, float32: open")
    interleave(
        {
            "TokenActivations.load": lambda: opened("store", lambda: TokenActivations.load(store)),
            "h5py, sentences in a list": lambda: opened("hdf5", lambda: from_hdf5(hdf5)),
            "h5py, sentences in one array": lambda: opened(
                "hdf5", lambda: np.vstack(from_hdf5(hdf5))
            ),
        },
        repeats=repeats,
    )
    print("open, and read every number")
    interleave(
        {
            "TokenActivations.load": lambda: f"sum {total([TokenActivations.load(store).X]):.6f}",
            "h5py, sentences in a list": lambda: f"sum {total(from_hdf5(hdf5)):.6f}",
        },
        repeats=repeats,
    )
    size = (store / "X.npy").stat().st_size
    print(f"  on disk: store {size / 1e6:.1f} MB, HDF5 {hdf5.stat().st_size / 1e6:.1f} MB")


def write_layouts(folder):
    """Write the same rows as stores of two layouts, and one layer of them as a plain file."""
    n = LARGE // LENGTH
    arguments = {
        "layers": range(LAYERS),
        "width": HIDDEN,
        "dtype": "float16",
        "words": [["word"] * LENGTH] * n,
        "sentence_ids": np.arange(n),
    }
    plain = np.lib.format.open_memmap(
        folder / "plain.npy", mode="w+", dtype=np.float16, shape=(LARGE, HIDDEN)
    )
    writers = {
        "one file": StoreWriter(folder / "one", **arguments),
        "split_layers=True": StoreWriter(folder / "split", **arguments, split_layers=True),
    }
    seconds = dict.fromkeys(writers, 0.0)
    rng = np.random.default_rng(0)
    for first in range(0, LARGE, ROWS):
        rows = slice(first, first + ROWS)
        X = rng.standard_normal((ROWS, LAYERS * HIDDEN), dtype=np.float32).astype(np.float16)
        plain[rows] = X[:, LAYER * HIDDEN : (LAYER + 1) * HIDDEN]
        for name, writer in writers.items():
            start = time.perf_counter()
            writer.append(X)
            seconds[name] += time.perf_counter() - start
    for name, writer in writers.items():
        writer.close()
        print(f"  write {LARGE:,} rows, {ROWS:,} at a time, {name:20} {seconds[name]:6.1f} s")
    plain.flush()
    os.sync()  # only pages that are on disk can be dropped from the cache


def drop(folder):
    """Drop the files from the page cache."""
    for path in filter(Path.is_file, folder.rglob("*")):
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def read_bytes():
    """Return the number of bytes that this process has read from the disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("read_bytes")).split()[1])


def compare_layouts(folder, repeats):
    print(f"{LARGE:,} words, {LAYERS} layers of {HIDDEN}, float16")
    write_layouts(folder)
    one, split = folder / "one", folder / "split"
    layers = {
        "np.memmap of a file with the layer": lambda: np.load(folder / "plain.npy", mmap_mode="r"),
        "one file": lambda: TokenActivations.load(one).layer(LAYER),
        "split_layers=True": lambda: TokenActivations.load(split).layer(LAYER),
    }
    times = {name: {"cold": [], "cached": []} for name in layers}
    read = {}
    for repeat in range(repeats):
        for name in list(layers)[:: 1 if repeat % 2 else -1]:
            drop(folder)
            mapped = layers[name]()  # the words are read here
            before = read_bytes()
            for state in ("cold", "cached"):
                start = time.perf_counter()
                X = np.array(mapped)
                times[name][state].append(time.perf_counter() - start)
                read.setdefault(name, read_bytes() - before)
            assert X.shape == (LARGE, HIDDEN)
    print(f"layer {LAYER} read into memory (median of {repeats})")
    for name, own in times.items():
        ratios = [np.median(own[s]) / np.median(next(iter(times.values()))[s]) for s in own]
        print(
            f"  {name:36} cold {np.median(own['cold']):6.3f} s x{ratios[0]:5.2f}, "
            f"{read[name] / 1e6:6.0f} MB read; cached {np.median(own['cached']):6.3f} s "
            f"x{ratios[1]:5.2f}   sum {total([layers[name]()[::97]]):.3f}",
            flush=True,
        )
    tokens = {
        "one file": TokenActivations.load(one),
        "split_layers=True": TokenActivations.load(split),
    }
    rows = np.random.default_rng(0).integers(LARGE, size=(20, 512))
    print("20 batches of 512 random rows of all layers, cached")
    interleave(
        {
            name: lambda each=each: (
                f"sum {sum(total([each[some].X[:, ::97]]) for some in rows):.3f}"
            )
            for name, each in tokens.items()
        },
        repeats=repeats,
    )
    print("X of all layers: opened and summed")
    interleave(
        {
            name: lambda path=path: f"sum {total([TokenActivations.load(path).X[::97]]):.3f}"
            for name, path in {"one file": one, "split_layers=True": split}.items()
        },
        repeats=min(repeats, 2),
    )


def main():
    parser = command_line(__doc__)
    parser.add_argument("--layouts", action="store_true", help="compare layouts of a store instead")
    args = parser.parse_args()
    if not args.layouts and find_spec("h5py") is None:
        print("bench_store.py needs h5py: pip install h5py")
        return
    with tempfile.TemporaryDirectory() as name:
        (compare_layouts if args.layouts else compare)(Path(name), args.repeats)


if __name__ == "__main__":
    main()
