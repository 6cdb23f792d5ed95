"""Whether a tokenizer knows words, and the model its sub-words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import nn

from .._warnings import warn
from ._encoding import EncodedSentence

_MANY = 0.5  # of all sub-words, so that most of what the model sees is not the text


def check_vocabulary(tokenizer: Any, name: Any) -> None:
    """Refuse a tokenizer that was made from nothing.

    Where the files of a tokenizer are missing, ``transformers`` makes one of special tokens
    alone, to which every word is unknown.

    Parameters
    ----------
    tokenizer : tokenizer
    name : str or path
        Where it was loaded from, for the message.

    Raises
    ------
    ValueError
        If it has no sub-word but special tokens.
    """
    # What starts a word, alone, is no word: T5's has it without any file.
    known = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens) - {"▁"}
    if not known:
        raise ValueError(
            f"The tokenizer {str(name)!r} knows no word: the {type(tokenizer).__name__} from there "
            f"has only its {len(tokenizer)} special tokens, because its files (tokenizer.json, or "
            "those of its vocabulary) are missing. Save the tokenizer beside the model, "
            "tokenizer.save_pretrained(folder), or give it: ActivationExtractor(model, tokenizer)."
        )


def check_ids(model: Any, tokenizer: Any, encoded: Iterable[EncodedSentence]) -> None:
    """See that the model has an embedding for every sub-word.

    Parameters
    ----------
    model : torch.nn.Module
    tokenizer : tokenizer
    encoded : list of EncodedSentence

    Raises
    ------
    ValueError
        If it has not, naming the sub-word and the sizes of both.
    """
    size = n_embeddings(model)
    for sentence in encoded:
        worst = max(sentence.inputs["input_ids"])
        if size is not None and worst >= size:
            raise ValueError(
                f"Sentence {sentence.sentence_id} has the sub-word "
                f"{tokenizer.convert_ids_to_tokens(worst)!r} of number {worst}, but "
                f"{type(model).__name__} has {size} embeddings, and {type(tokenizer).__name__} "
                f"{len(tokenizer)} sub-words. Give the tokenizer of this model."
            )


def warn_unknown(tokenizer: Any, encoded: Iterable[EncodedSentence]) -> None:
    """Warn where the tokenizer does not know most of the text.

    Parameters
    ----------
    tokenizer : tokenizer
    encoded : list of EncodedSentence
    """
    unknown = tokenizer.unk_token_id
    added = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    if unknown is None or unknown in added:  # GPT-2 knows every byte, and has one for all
        return
    # Special tokens in the text are text, so that these were put around it.
    around = list(set(tokenizer.all_special_ids) - {unknown})
    ids = np.concatenate([sentence.inputs["input_ids"] for sentence in encoded])
    share = float(np.mean(ids[~np.isin(ids, around)] == unknown))
    if share > _MANY:
        warn(
            f"{share:.0%} of the sub-words are {tokenizer.unk_token!r}, unknown to "
            f"{type(tokenizer).__name__}: is it the tokenizer of this model and this language?",
        )


def n_embeddings(model: Any) -> int | None:
    """Count the sub-words that a model has embeddings for, where it looks them up."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):  # a model that makes them otherwise
        return None
    return table.num_embeddings if isinstance(table, nn.Embedding) else None
