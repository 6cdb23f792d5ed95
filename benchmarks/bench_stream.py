"""Peak memory of fits while a model runs, against the number of tokens.

Child processes run a small Llama over texts of random tokens and fit an estimator for each of four
layers, cross-validated in five folds. The memory is that beside the model and the texts. The
allocator returns free memory at once, so that fragments are not counted.
Run: python benchmarks/bench_stream.py [--tokens 10000 160000 320000 480000] [--width 128]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
import torch
from _memory import Watch

LAYERS, FOLDS, LENGTH, VOCABULARY = (1, 2, 3, 4), 5, 128, 1000
ITEMSIZE = {"sums": 8, "rows": 4}
ROWS = 8192 + LENGTH  # of one part, at most
BATCH = 2048  # tokens of a batch
RETURNING = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}


def extractor_of(width):
    """Return an extractor of a Llama with random weights, whose words are numbers."""
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

    from sklearn_neurox import ActivationExtractor

    vocabulary = {str(i): i for i in range(VOCABULARY)}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="0")), pad_token="0"
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=max(LAYERS),
        num_attention_heads=8,
    )
    model = LlamaModel(config).eval()
    return ActivationExtractor(model, tokenizer, layers=list(LAYERS), device="cpu")


def texts_of(n_tokens):
    """Return texts of token indices, and a label for each text, on which its tokens depend."""
    rng = np.random.default_rng(0)
    n_texts = n_tokens // LENGTH
    labels = rng.integers(2, size=n_texts)
    low = 200 * labels[:, np.newaxis]
    return list(low + rng.integers(VOCABULARY - 200, size=(n_texts, LENGTH))), labels


def estimators():
    from sklearn_neurox import LinearProbeRegressor, MeanDifferenceClassifier

    ridge = LinearProbeRegressor(
        lambda_l2=0.01, l2_penalty="squared", solver="owlqn", tol=1e-3, device="cpu"
    )
    lda = MeanDifferenceClassifier(whiten=True, shrinkage="auto")
    return {f"layer {layer}": (layer, lda if layer % 2 else ridge) for layer in LAYERS}


def child(n_tokens, width):
    """Fit, and print the seconds, the peak memory and whether the result is that of stored rows."""
    from sklearn.base import clone

    from sklearn_neurox import fit_stream

    torch.set_num_threads(1)
    extractor = extractor_of(width)
    warm, _ = texts_of(10 * LENGTH)
    fit_stream(extractor, warm, np.arange(10) % 2, estimators(), cv=FOLDS)
    texts, labels = texts_of(n_tokens)
    watch = Watch()
    watch.start()
    start = time.process_time()
    fits = fit_stream(extractor, texts, labels, estimators(), cv=FOLDS)
    seconds = time.process_time() - start
    peaks = watch.stop()
    result = {"seconds": seconds, "MB": peaks["RssAnon"] - watch.before["RssAnon"]}
    start = time.process_time()
    if n_tokens <= 20_000:  # so that the rows fit into memory
        tokens = extractor.extract_tokens(texts, labels)
        result["extract"] = time.process_time() - start
        differences = []
        for name, (layer, estimator) in estimators().items():
            X = tokens.layer(layer)
            expected = clone(estimator).fit(X, tokens.y).coef_
            found = fits.estimators[name].coef_
            differences.append(np.abs(found - expected).max() / np.abs(expected).max())
        result["difference"] = float(max(differences))
    print(json.dumps(result))


def on_paper(n_layers, n_folds, width):
    """Return the GB of sums, of the largest temporary matrices, and of rows.

    The rows are those of one part, and the states of one batch, from which they are computed.
    """
    matrix = width**2 * ITEMSIZE["sums"]
    rows = (ROWS + BATCH) * n_layers * width * ITEMSIZE["rows"]
    return n_folds * n_layers * matrix / 1e9, 3 * matrix / 1e9, rows / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--tokens", type=int, nargs="+", default=[10_000, 160_000, 320_000, 480_000]
    )
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.width)
        return
    print(f"{len(LAYERS)} layers x {args.width} neurons, {FOLDS} folds, float32")
    results = []
    for n_tokens in args.tokens:
        command = [sys.executable, __file__, "--child", str(n_tokens), "--width", str(args.width)]
        output = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | RETURNING
        ).stdout
        results.append(json.loads(output.splitlines()[-1]))
        stored = n_tokens * len(LAYERS) * args.width * ITEMSIZE["rows"] / 1e6
        line = (
            f"  {n_tokens:9,} tokens: peak {results[-1]['MB']:7.0f} MB beside model and texts (the "
            f"rows: {stored:7.0f} MB), {results[-1]['seconds']:6.1f} s"
        )
        if "extract" in results[-1]:
            line += (
                f"; extract_tokens alone {results[-1]['extract']:.1f} s; weights differ by "
                f"{results[-1]['difference']:.1e} from those of fit on all rows"
            )
        print(line, flush=True)
    # With fewer tokens, the parts of a fold, or of what is tokenized at a time, are smaller.
    full = [
        (n, each["MB"])
        for n, each in zip(args.tokens, results, strict=True)
        if n > max(FOLDS * ROWS, 1024 * LENGTH)
    ]
    if len(full) > 1:
        slope = np.polyfit(*zip(*full, strict=True), 1)[0] * 1e6
        row = len(LAYERS) * args.width * ITEMSIZE["rows"]
        print(f"  slope {slope:.0f} bytes per token, and {row} bytes per token if rows were kept")
    for width in (args.width, 4096):
        sums, temporary, rows = on_paper(len(LAYERS), FOLDS, width)
        print(
            f"  on paper, {len(LAYERS)} layers x {width:,} neurons, {FOLDS} folds: sums "
            f"{sums:.2f} GB + temporary matrices {temporary:.2f} GB + rows of one part "
            f"and states of one batch {rows:.2f} GB = {sums + temporary + rows:.2f} GB"
        )


if __name__ == "__main__":
    main()
