"""Answers that a model generates, as texts that are encoded like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._isolation import Snapshot
from ._text_encoding import TextEncoder
from .texts import EncodedText, Message

# Arguments of `generate` that are set here, or that change what it returns.
_RESERVED = (
    "input_ids", "inputs", "inputs_embeds", "attention_mask", "num_return_sequences", "streamer",
    "return_dict_in_generate", "output_hidden_states", "output_scores", "max_length",
)  # fmt: skip
# Arguments that may end an answer without an end token, after which there is padding in a batch.
_ENDINGS = {"stopping_criteria", "stop_strings", "generation_config"}
_OF_OTHER_METHODS = {"labels", "spans", "outside", "at"}


def check_generation(model: Any, max_new_tokens: Any, arguments: Mapping[str, Any]) -> None:
    """Check that a model can generate texts with these arguments.

    Raises
    ------
    TypeError
        If it is not a loaded model with the method ``generate``.
    ValueError
        If an argument is reserved or out of range.
    """
    if not isinstance(model, torch.nn.Module) or not callable(getattr(model, "generate", None)):
        got = repr(model) if isinstance(model, str) else type(model).__name__
        raise TypeError(
            "generate needs a loaded model that generates text, such as "
            f"AutoModelForCausalLM.from_pretrained(name), got {got:.80}."
        )
    if getattr(model.config, "is_encoder_decoder", False):
        raise ValueError(
            f"{type(model).__name__} is an encoder-decoder, whose answers are not continuations of "
            "the text that is read. Use a decoder."
        )
    if isinstance(max_new_tokens, bool) or not isinstance(max_new_tokens, Integral):
        raise TypeError(f"max_new_tokens must be an integer, got {max_new_tokens!r:.60}.")
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be positive, got {max_new_tokens}.")
    for name in _OF_OTHER_METHODS & set(arguments):
        raise TypeError(
            f"generate does not accept {name}. Label the returned rows by their sentence_ids, or "
            "append the answers to the prompts and use extract_tokens."
        )
    if reserved := sorted(set(arguments) & set(_RESERVED)):
        raise ValueError(f"generate does not accept the argument {reserved[0]!r}.")


def generated_texts(
    model: Any,
    encoder: TextEncoder,
    prompts: Sequence[EncodedText],
    max_new_tokens: int,
    arguments: Mapping[str, Any],
) -> tuple[list[str], list[EncodedText]]:
    """Generate an answer to each prompt.

    Only prompts of equal length share a batch, so no prompt is padded. A prompt has a batch of its
    own if its answer may end without an end token, so no answer is padded.

    Returns
    -------
    answers : list of str
    texts : list of EncodedText
        Each prompt followed by its answer.
    """
    tokenizer, ends = encoder.tokenizer, _end_ids(model, arguments)
    pad_id = tokenizer.pad_token_id
    settings = {"pad_token_id": min(ends, default=0) if pad_id is None else pad_id, **arguments}
    settings |= {"return_dict_in_generate": False, "num_return_sequences": 1}
    finished: dict[int, EncodedText] = {}
    answers: dict[int, str] = {}
    for batch in _batches(prompts, alone=not _ENDINGS.isdisjoint(arguments)):
        n_prompt = batch[0].n_tokens
        ids = torch.as_tensor(np.stack([text.inputs["input_ids"] for text in batch])).long()
        with torch.inference_mode(), _evaluating(model):
            output = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=torch.ones_like(ids).to(model.device),
                max_new_tokens=max_new_tokens,
                **settings,
            ).cpu()
        for text, row in zip(batch, output[:, n_prompt:].numpy(), strict=True):
            new = _until_end(row, ends)
            answers[text.index] = tokenizer.decode(new.tolist(), skip_special_tokens=True)
            finished[text.index] = _continued(encoder, text, new)
    order = [text.index for text in prompts]
    return [answers[index] for index in order], [finished[index] for index in order]


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Set a model to eval mode, and restore its state at the end."""
    before = Snapshot(model)
    try:
        model.eval()
        yield
    finally:
        before.restore()


def _batches(prompts: Sequence[EncodedText], *, alone: bool) -> Iterator[list[EncodedText]]:
    """Yield prompts of equal length, or single prompts."""
    by_length = sorted(prompts, key=lambda text: text.n_tokens)
    for _, same in groupby(by_length, key=lambda text: text.n_tokens):
        batch = list(same)
        yield from ([text] for text in batch) if alone else [batch]


def _end_ids(model: Any, arguments: Mapping[str, Any]) -> set[int]:
    """Return the tokens that end an answer: those of the first source that has any."""
    configs = (arguments.get("generation_config"), model.generation_config, model.config)
    sources = [arguments.get("eos_token_id")]
    sources += [getattr(config, "eos_token_id", None) for config in configs]
    ends = next((each for each in sources if each is not None), ())
    return {int(end) for end in np.atleast_1d(np.asarray(ends, dtype=int))}


def _until_end(row: NDArray[np.int64], ends: set[int]) -> NDArray[np.int64]:
    """Cut an answer after its end, behind which there is padding."""
    places = np.flatnonzero(np.isin(row, list(ends)))
    return row[: places[0] + 1] if len(places) else row


def _continued(encoder: TextEncoder, prompt: EncodedText, new: NDArray[np.int64]) -> EncodedText:
    """Return a prompt followed by the tokens of its answer."""
    answer, offsets = encoder.decoded(new, len(prompt.text), after=prompt.inputs["input_ids"])
    text = prompt.text + answer
    inputs = {
        name: np.append(ids, new if name == "input_ids" else np.zeros_like(new)).astype(np.int32)
        for name, ids in prompt.inputs.items()
    }
    known = prompt.known_offsets
    is_special = np.append(prompt.is_special, encoder.are_special(new))
    turns = prompt.turns
    if isinstance(turns, tuple):
        own = offsets[~encoder.are_special(new)]
        spans = ((int(own[0, 0]), int(own[-1, 1])),) if len(own) else ()
        turns = (*turns, Message("assistant", spans))
    return replace(
        prompt,
        text=text,
        inputs=inputs,
        is_special=is_special,
        known_offsets=None if known is None else np.concatenate([known, offsets]),
        turns=turns,
        n_prompt=prompt.n_tokens,
    )
