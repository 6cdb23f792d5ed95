"""Checks that the vocabularies of the text, the tokenizer and the model match."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import nn

from .._warnings import warn
from ._encoded_sentence import EncodedSentence
from ._packed_sentences import ids_of

_MANY = 0.5  # of all sub-words: beyond this share, the model receives little of the text


def check_vocabulary(tokenizer: Any, name: Any) -> None:
    """Check that a tokenizer was loaded from files.

    If the files of a tokenizer are missing, ``transformers`` creates a tokenizer that consists of
    special tokens only, for which every word is unknown.

    Parameters
    ----------
    tokenizer : tokenizer
    name : str or path-like
        Where it was loaded from, for the error message.

    Raises
    ------
    ValueError
        If it does not contain any sub-word apart from special tokens.
    """
    # The marker of the beginning of a word is not a word. T5's tokenizer always contains it.
    known = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens) - {"▁"}
    if not known:
        raise ValueError(
            f"The tokenizer {str(name)!r} does not know any word: the loaded "
            f"{type(tokenizer).__name__} contains only its {len(tokenizer)} special tokens, "
            "because its files (tokenizer.json, or those of its vocabulary) are missing. Save the "
            "tokenizer next to the model with tokenizer.save_pretrained(folder), or pass it: "
            "ActivationExtractor(model, tokenizer)."
        )


def check_ids(model: Any, tokenizer: Any, encoded: Iterable[EncodedSentence]) -> None:
    """Check that the model has an embedding for every sub-word.

    Parameters
    ----------
    model : torch.nn.Module
    tokenizer : tokenizer
    encoded : iterable of EncodedSentence

    Raises
    ------
    ValueError
        If an embedding is missing. The message contains the sub-word and both sizes.
    """
    size = n_embeddings(model)
    if size is None:
        return
    if max(int(ids.max()) for ids in ids_of(encoded)) < size:
        return
    for sentence in encoded:
        highest = max(sentence.inputs["input_ids"])
        if highest >= size:
            raise ValueError(
                f"Sentence {sentence.sentence_id} contains the sub-word "
                f"{tokenizer.convert_ids_to_tokens(highest)!r} with index {highest}, but "
                f"{type(model).__name__} has {size} embeddings and {type(tokenizer).__name__} "
                f"{len(tokenizer)} sub-words. Use the tokenizer of this model."
            )


def warn_unknown(tokenizer: Any, encoded: Iterable[EncodedSentence]) -> None:
    """Warn if most of the text is unknown to the tokenizer.

    Parameters
    ----------
    tokenizer : tokenizer
    encoded : iterable of EncodedSentence
    """
    unknown = tokenizer.unk_token_id
    added = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    if unknown is None or unknown in added:  # GPT-2 knows every byte and uses one token for all
        return
    # Special tokens, whether the tokenizer added them or the text contains them, are known.
    special = list(set(tokenizer.all_special_ids) - {unknown})
    ids = np.concatenate(list(ids_of(encoded)))
    unknowns = ids[~np.isin(ids, special)] == unknown
    share = float(np.mean(unknowns)) if len(unknowns) else 0.0
    if share > _MANY:
        warn(
            f"{share:.0%} of the sub-words are {tokenizer.unk_token!r}, that is, unknown to "
            f"{type(tokenizer).__name__}. Check that it is the tokenizer of this model, and that "
            "the model was trained on the language of the text.",
        )


def n_embeddings(model: Any) -> int | None:
    """Return the number of sub-words in the embedding table of a model, or None."""
    try:
        table = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):  # the model computes its embeddings
        return None
    return table.num_embeddings if isinstance(table, nn.Embedding) else None


def pad_id_of(model: Any, tokenizer: Any) -> int:
    """Return the index of a sub-word that can be used for padding, which is masked."""
    pad_id, size = tokenizer.pad_token_id or 0, n_embeddings(model)
    return pad_id if size is None or pad_id < size else 0
