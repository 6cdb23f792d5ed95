"""Audit of 20,000 texts, and of the 113 binary data sets of the PyPI package sae-probes.

The texts of the package are read from its wheel, which the script does not copy:

    pip download --no-deps sae-probes
    pip install zstandard
    python benchmarks/bench_audit.py sae_probes-*.whl

Each data set is split at random into 80 % training and 20 % test prompts. A data set leaks if more
than 1 % of its test prompts occur in training. A loop over sets of strings counts the same copies.
"""

from __future__ import annotations

import io
import string
import sys
import time
import zipfile

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, ShuffleSplit

from sklearn_neurox import audit_corpus

N_TEXTS, N_WORDS = 20_000, 80
FOLDER = "sae_probes/data/"
SPLIT = ShuffleSplit(1, test_size=0.2, random_state=0)
LEAKING = 0.01


def made_up_texts():
    """Return texts of frequent and rare words, of which 500 have a copy with another word."""
    rng = np.random.RandomState(0)
    letters = list(string.ascii_lowercase)
    words = np.array(["".join(rng.choice(letters, size=rng.randint(2, 9))) for _ in range(20_000)])
    frequency = 1 / np.arange(1, len(words) + 1)
    drawn = rng.choice(words, size=(N_TEXTS, N_WORDS), p=frequency / frequency.sum())
    drawn[1:1001:2] = drawn[:1000:2]
    drawn[np.arange(1, 1001, 2), rng.randint(N_WORDS, size=500)] = "other"
    return [" ".join(each) for each in drawn], rng.randint(2, size=N_TEXTS)


def read(wheel, name):
    """Return a table of the wheel."""
    from zstandard import ZstdDecompressor

    with wheel.open(f"{FOLDER}{name}.zst") as file:
        content = ZstdDecompressor().stream_reader(file).read()
    return pd.read_csv(io.BytesIO(content))


def audit_wheel(path):
    """Audit all binary data sets of the package."""
    wheel = zipfile.ZipFile(path)
    listed = read(wheel, "probing_datasets_MASTER.csv")
    names = listed["Dataset save name"][listed["Data type"] == "Binary Classification"]
    tables = {name: read(wheel, name) for name in names}
    start, cpu, found = time.perf_counter(), time.process_time(), {}
    for name, frame in tables.items():
        texts = frame["prompt"].astype(str).tolist()
        y = frame["target"].astype(str).to_numpy()
        audit = audit_corpus(texts, y, cv=SPLIT, metric="roc_auc", n_bootstraps=200, random_state=0)
        train, test = next(SPLIT.split(texts))
        known = {texts[i] for i in train}
        found[name.split("/")[-1]] = {
            "texts": len(texts),
            "copies": audit.copy_rate,
            "near": audit.leak_rate,
            "loop": np.mean([texts[i] in known for i in test]),
            "tf-idf": audit.scores["tf-idf"].value,
            "tf-idf, no leaks": audit.clean_scores["tf-idf"].value if audit.clean_scores else None,
            "length": audit.scores["length"].value,
            "single token": audit.scores["single token"].value,
        }
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    result = pd.DataFrame(found).T.astype(float)
    print(result.round(3).to_string())
    n_texts = result["texts"].sum()
    print(f"\n{len(result)} data sets, {n_texts:,.0f} texts: {seconds:.0f} s, CPU {cpu:.0f} s")
    for column in ("loop", "copies", "near"):
        share = result[column]
        print(
            f"{column:8} {(share > LEAKING).sum()} data sets with more than {LEAKING:.0%}, "
            f"mean {share.mean():.1%}, maximum {share.max():.1%}"
        )
    missed = (result["loop"] > LEAKING) & ~(result["copies"] > LEAKING)
    print(f"leaking data sets that the audit misses: {missed.sum()}")
    print(
        result[["tf-idf", "tf-idf, no leaks", "length", "single token"]].mean().round(3).to_string()
    )


def main():
    texts, y = made_up_texts()
    start, cpu = time.perf_counter(), time.process_time()
    audit = audit_corpus(texts, y, cv=KFold(5, shuffle=True, random_state=0), random_state=0)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    n_characters = sum(map(len, texts))
    print(f"{N_TEXTS:,} texts, {n_characters / 1e6:.1f} million characters: {seconds:.1f} s")
    print(f"{cpu:.1f} s of CPU time; near duplicates of test texts: {(audit.similarity > 0).sum()}")
    for path in sys.argv[1:]:
        audit_wheel(path)


if __name__ == "__main__":
    main()
