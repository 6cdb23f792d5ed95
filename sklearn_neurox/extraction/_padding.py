"""Detection of models whose states depend on the padding of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from .._warnings import warn
from ._batching import batches
from ._encoded_sentence import EncodedSentence
from ._running import Run

# Largest change of a state by rounding, as a fraction of its norm. Models of 24 layers were seen to
# reach 6e-7, 2e-3 and 2e-2 in float32, float16 and bfloat16. A leak changes states by more, or is
# too small to matter.
_ROUNDING = {
    torch.float64: 1e-8,
    torch.float32: 1e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 5e-2,
}


def without_leaks(run: Run, encoded: Sequence[EncodedSentence], parts: Iterable[slice]) -> Run:
    """Turn padding off if it would change the states of the sentences.

    FNet mixes all positions and does not use the attention mask; convolutions reach beyond the end
    of a sentence; long rotary embeddings depend on the length of a batch. Such models are detected
    with sentences from all parts, so the result does not depend on where an extraction was
    interrupted.

    Parameters
    ----------
    run : Run
    encoded : sequence of EncodedSentence
    parts : iterable of slice
        The parts of `encoded` that are extracted one after the other.

    Returns
    -------
    Run
        The same run, or, after a warning, one in which only sentences of equal length share a
        batch.
    """
    if not any(leaks(run, *example) for example in _examples(run, encoded, parts)):
        return run
    name = type(run.network.stack).__name__
    warn(
        f"{name} lets padding affect the states, so the sentences of a batch "
        "would influence each other. Therefore, only sentences of equal length share a batch, "
        "without padding. This is slower, but each sentence has the same states as in a batch of "
        "its own.",
    )
    return replace(run, padding=False)


def _examples(
    run: Run, encoded: Sequence[EncodedSentence], parts: Iterable[slice]
) -> list[tuple[EncodedSentence, int]]:
    """Return the sentences to check, and the length of their batches.

    These are the shortest sentence of the longest batch with padding, and, in a model that computes
    differently beyond a length, that of a batch with sentences on both sides of this length.
    """
    padded = [
        (sentences[batch[-1]], sentences[batch[0]].n_subwords)
        for sentences in (encoded[part] for part in parts)
        for batch in batches(sentences, run.batch_tokens)
        if sentences[batch[-1]].n_subwords < sentences[batch[0]].n_subwords
    ]
    examples = sorted(padded, key=lambda example: -example[1])[:1]
    for limit in set(_lengths_of_change(run.network.stack.config.to_dict())):
        examples += [e for e in padded if e[0].n_subwords <= limit < e[1]][:1]
    return examples


def _lengths_of_change(config: Any) -> Iterator[int]:
    """Yield the lengths beyond which rotary embeddings use other frequencies."""
    if isinstance(config, dict):
        for name, value in config.items():
            if name == "original_max_position_embeddings" and isinstance(value, int):
                yield value
            else:
                yield from _lengths_of_change(value)


def leaks(run: Run, sentence: EncodedSentence, length: int) -> bool:
    """Return whether the states of a sentence change if it is padded to a length."""
    n_subwords = sentence.n_subwords
    with run.forward() as forward:
        padded = [state[0, :n_subwords] for state in forward([sentence], length)[0]]
        alone = [state[0] for state in forward([sentence])[0]]
    for with_padding, without in zip(padded, alone, strict=True):
        difference = (with_padding.double() - without.double()).norm(dim=-1)
        norms = without.double().norm(dim=-1)
        # A state close to 0, such as that of inactive neurons, is rounded like the states next to
        # it.
        tolerance = _rounding(run, without.dtype) * norms.clamp_min(norms.median())
        if (difference > tolerance).any():
            return True
    return False


def _rounding(run: Run, dtype: torch.dtype) -> float:
    """Return the rounding error of the least precise dtype used to compute the states."""
    dtypes = {dtype, run.network.stack.dtype}
    if run.autocast is not None:
        dtypes.add(getattr(torch, run.autocast))
    if run.network.device.type == "cuda" and torch.get_float32_matmul_precision() != "highest":
        dtypes.add(torch.float16)  # TF32 has the same precision
    return max(_ROUNDING.get(each, _ROUNDING[torch.float16]) for each in dtypes)
