"""Detection of models whose states depend on the padding of a batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from .._warnings import warn
from ._batching import batches
from ._encoding import EncodedSentence
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


def without_leaks(run: Run, encoded: list[EncodedSentence], parts: Iterable[slice]) -> Run:
    """Turn padding off if it would change the states of the sentences.

    FNet mixes all positions and does not use the attention mask; convolutions reach beyond the end
    of a sentence. Such models are detected with the sentence that needs the most padding in the
    first batch that needs any, so the result does not depend on where an extraction was
    interrupted.

    Parameters
    ----------
    run : Run
    encoded : list of EncodedSentence
    parts : iterable of slice
        The parts of `encoded` that are extracted one after the other.

    Returns
    -------
    Run
        The same run, or, after a warning, one in which only sentences of equal length share a
        batch.
    """
    example = _most_padded(run, encoded, parts)
    if example is None or not leaks(run, *example):
        return run
    warn(
        f"{type(run.model).__name__} lets padding affect the states, so the sentences of a batch "
        "would influence each other. Therefore, only sentences of equal length share a batch, "
        "without padding. This is slower, but each sentence has the same states as in a batch of "
        "its own.",
    )
    return replace(run, padding=False)


def _most_padded(
    run: Run, encoded: list[EncodedSentence], parts: Iterable[slice]
) -> tuple[EncodedSentence, int] | None:
    """Return the sentence that needs the most padding, and the length of its batch."""
    for part in parts:
        sentences = encoded[part]
        for batch in batches(sentences, run.batch_tokens):
            longest, shortest = sentences[batch[0]], sentences[batch[-1]]
            if len(shortest.row_ids) < len(longest.row_ids):
                return shortest, len(longest.row_ids)
    return None


def leaks(run: Run, sentence: EncodedSentence, length: int) -> bool:
    """Return whether the states of a sentence change if it is padded to a length."""
    n_subwords = len(sentence.row_ids)
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
    dtypes = {dtype, run.model.dtype}
    if run.autocast is not None:
        dtypes.add(getattr(torch, run.autocast))
    if run.model.device.type == "cuda" and torch.get_float32_matmul_precision() != "highest":
        dtypes.add(torch.float16)  # TF32 has the same precision
    return max(_ROUNDING.get(each, _ROUNDING[torch.float16]) for each in dtypes)
