"""Whether a model keeps the padding of a batch out of its sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from .._warnings import warn
from ._batching import batches
from ._encoding import EncodedSentence
from ._running import Run

# How far rounding may move a state, as a share of its length. With 24 layers 6e-7, 2e-3 and 2e-2
# are seen in float32, float16 and bfloat16; a leak moves it by more, or else does little harm.
_ROUNDING = {
    torch.float64: 1e-8,
    torch.float32: 1e-4,
    torch.float16: 1e-2,
    torch.bfloat16: 5e-2,
}


def without_leaks(run: Run, encoded: list[EncodedSentence], parts: Iterable[slice]) -> Run:
    """Run sentences of one length only, if padding would change them.

    FNet mixes all positions and knows no mask; convolutions reach over the end of a sentence.
    Whether a model is such a one is seen on the sentence that has most padding in the first batch
    that has any. So the answer does not depend on where an extraction was broken off.

    Parameters
    ----------
    run : Run
    encoded : list of EncodedSentence
    parts : iterable of slice
        The pieces of `encoded` that go through the model, in order.

    Returns
    -------
    Run
        The same one, or one without padding, after a warning.
    """
    example = _most_padded(run, encoded, parts)
    if example is None or not _leaks(run, *example):
        return run
    warn(
        f"{type(run.model).__name__} lets padding into the states, so that sentences of a batch "
        "would change each other. Only sentences of equal length share a batch, without padding; "
        "that is slower, and each has the states that it has alone.",
    )
    return replace(run, padding=False)


def _most_padded(
    run: Run, encoded: list[EncodedSentence], parts: Iterable[slice]
) -> tuple[EncodedSentence, int] | None:
    """Find a sentence, and the length that it would be padded to."""
    for part in parts:
        some = encoded[part]
        for batch in batches(some, run.batch_tokens):
            first, last = some[batch[0]], some[batch[-1]]  # they go from long to short
            if len(last.row_ids) < len(first.row_ids):
                return last, len(first.row_ids)
    return None


def _leaks(run: Run, sentence: EncodedSentence, length: int) -> bool:
    """Compare the states of a sentence with padding and without."""
    n_subwords = len(sentence.row_ids)
    with run.forward() as forward:
        padded = [state[0, :n_subwords] for state in forward([sentence], length)[0]]
        alone = [state[0] for state in forward([sentence])[0]]
    for one, other in zip(padded, alone, strict=True):
        difference = (one.double() - other.double()).norm(dim=-1)
        lengths = other.double().norm(dim=-1)
        # A state that is all but 0, as of neurons that are off, rounds like those beside it.
        if (difference > _rounding(run, other.dtype) * lengths.clamp_min(lengths.median())).any():
            return True
    return False


def _rounding(run: Run, dtype: torch.dtype) -> float:
    """Take the roughest type that the states went through."""
    types = {dtype, run.model.dtype}
    if run.autocast is not None:
        types.add(getattr(torch, run.autocast))
    if run.model.device.type == "cuda" and torch.get_float32_matmul_precision() != "highest":
        types.add(torch.float16)  # TF32 rounds like it
    return max(_ROUNDING.get(kind, _ROUNDING[torch.float16]) for kind in types)
