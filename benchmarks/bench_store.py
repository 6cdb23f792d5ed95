"""Opening activations on disk: a memory-mapped store, compared with an HDF5 file of sentences.

The data are 6,000 words x 2,688 neurons (7 layers of 384), and both files are in the page cache.
A memory map needs only to be opened, so that opening is timed alone, and then with reading every
number. With --layouts, the script compares three layouts of a store: it reads one layer of 13 x 768
for 100,000 words (8 GB of disk).
Run: python benchmarks/bench_store.py [--repeats 5] [--layouts]
It needs h5py, and zarr for --layouts.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
from _timing import command_line, interleave

from sklearn_neurox import StoreWriter, TokenActivations

N_WORDS, N_LAYERS, WIDTH, LENGTH = 6000, 7, 384, 20  # LENGTH: words per sentence
LARGE, LAYERS, HIDDEN, LAYER = 100_000, 13, 768, 6


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
    """Write the data as one array, as one array per layer, and with zarr 3."""
    import zarr

    shape = (LARGE, LAYERS * HIDDEN)
    make = np.lib.format.open_memmap
    one = make(folder / "one.npy", mode="w+", dtype=np.float16, shape=shape)
    layers = [
        make(folder / f"layer{i}.npy", mode="w+", dtype=np.float16, shape=(LARGE, HIDDEN))
        for i in range(LAYERS)
    ]
    chunked = zarr.create_array(
        folder / "zarr", shape=shape, chunks=(1000, HIDDEN), dtype="float16", compressors=None
    )
    rng = np.random.default_rng(0)
    for first in range(0, LARGE, 5000):
        rows = slice(first, first + 5000)
        X = rng.standard_normal((5000, shape[1]), dtype=np.float32).astype(np.float16)
        one[rows] = chunked[rows] = X
        for i, layer in enumerate(layers):
            layer[rows] = X[:, i * HIDDEN : (i + 1) * HIDDEN]
    for array in (one, *layers):
        array.flush()
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
    import zarr

    write_layouts(folder)
    columns = slice(LAYER * HIDDEN, (LAYER + 1) * HIDDEN)
    layouts = {
        "one array": lambda: np.load(folder / "one.npy", mmap_mode="r")[:, columns],
        "one array per layer": lambda: np.load(folder / f"layer{LAYER}.npy", mmap_mode="r"),
        "zarr 3, uncompressed": lambda: zarr.open_array(folder / "zarr", mode="r")[:, columns],
    }
    print(f"layer {LAYER} of {LAYERS} x {HIDDEN}, {LARGE:,} words, float16, read into memory")
    for name, load in layouts.items():
        times = {"cold": [], "cached": []}
        for _ in range(repeats):
            drop(folder)
            for state, taken in times.items():  # the second read is cached
                before, start = read_bytes(), time.perf_counter()
                X = np.array(load())
                taken.append(time.perf_counter() - start)
                if state == "cold":
                    read = read_bytes() - before
        print(
            f"  {name:24} cold {np.median(times['cold']):6.3f} s, {read / 1e6:6.0f} MB read; "
            f"cached {np.median(times['cached']):6.3f} s   sum {total([X[::97]]):.3f}",
            flush=True,
        )


def main():
    parser = command_line(__doc__)
    parser.add_argument("--layouts", action="store_true", help="compare layouts of a store instead")
    args = parser.parse_args()
    try:
        import h5py  # noqa: F401 -- fails before any work is done
    except ImportError:
        print("bench_store.py needs h5py: pip install h5py")
        return
    with tempfile.TemporaryDirectory() as name:
        (compare_layouts if args.layouts else compare)(Path(name), args.repeats)


if __name__ == "__main__":
    main()
