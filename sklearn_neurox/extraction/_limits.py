"""Sentences that exceed the maximum length of a model: an error, truncation, or removal."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .._warnings import warn
from ..datasets.sentences import Sentence
from ._encoding import EncodedSentence, alignment_of, tokenize, tokenize_text
from ._loading import n_positions


def limit_of(model: Any, tokenizer: Any, max_length: int | None) -> int:
    """Return the maximum length of an input, in sub-words.

    It is `max_length` if given, and the limit of the model and the tokenizer otherwise.

    Raises
    ------
    ValueError
        If `max_length` exceeds the limit.
    """
    limit = min(tokenizer.model_max_length, n_positions(model))
    if max_length is None:
        return limit
    if max_length > limit:
        raise ValueError(f"max_length={max_length} exceeds the model's limit of {limit}.")
    return max_length


def encode_words(
    tokenizer: Any,
    corpus: list[list[str]],
    *,
    limit: int,
    on_truncate: str,
    special_tokens: bool,
) -> list[EncodedSentence]:
    """Tokenize all sentences, with one row per word.

    Parameters
    ----------
    tokenizer : tokenizer
    corpus : list of list of str
    limit : int
        Maximum number of sub-words of a sentence.
    on_truncate : {"error", "warn", "drop"}
        As in ``ActivationExtractor``.
    special_tokens : bool
        Whether to also create rows for special tokens.

    Returns
    -------
    list of EncodedSentence
        The sentences that have rows.

    Raises
    ------
    ValueError
        If a sentence exceeds the limit and `on_truncate` is "error", or no sentence is left. Also
        in the cases of :func:`tokenize`.
    """
    encode = partial(
        tokenize, tokenizer, align=alignment_of(tokenizer), special_tokens=special_tokens
    )
    encoded = [encode(words, i) for i, words in enumerate(corpus)]
    long = [s for s in encoded if len(s.row_ids) > limit]
    if not long:
        return encoded
    worst = max(long, key=lambda s: len(s.row_ids))
    message = (
        f"{len(long)} of {len(corpus)} sentences exceed the limit of {limit} sub-words; sentence "
        f"{worst.sentence_id} has {len(worst.row_ids)}"
    )
    if on_truncate == "error":
        lost = _n_words_within(worst, limit)
        raise ValueError(
            f"{message}, and its word {lost} ({corpus[worst.sentence_id][lost]!r}) is beyond the "
            "limit. Split the sentence, or set on_truncate to 'warn' or 'drop'."
        )
    kept = [s for s in encoded if len(s.row_ids) <= limit]
    if on_truncate == "warn":
        for s in long:
            first_words = corpus[s.sentence_id][: _n_words_within(s, limit)]
            if first_words:
                kept.append(encode(first_words, s.sentence_id))
        kept.sort(key=lambda s: s.sentence_id)
        n_lost = sum(s.n_rows for s in encoded) - sum(s.n_rows for s in kept)
        warn(f"{message}. {n_lost} words do not have a row in X.")
    if not kept:
        raise ValueError(f"{message}. No sentence is left.")
    return kept


def encode_texts(
    tokenizer: Any, texts: list[Sentence], *, limit: int, on_truncate: str, pooling: str
) -> list[EncodedSentence]:
    """Tokenize whole sentences, with one row per sentence.

    Parameters
    ----------
    tokenizer : tokenizer
    texts : list of str, or of sequences of str
    limit : int
        Maximum number of sub-words of a sentence.
    on_truncate : {"error", "warn"}
        Whether to raise an error for a longer sentence, or to truncate it with a warning.
    pooling : {"mean", "cls", "last"}

    Returns
    -------
    list of EncodedSentence

    Raises
    ------
    ValueError
        If a sentence exceeds the limit and `on_truncate` is "error". Also in the cases of
        :func:`tokenize_text`.
    """
    encoded = [
        tokenize_text(tokenizer, text, i, pooling=pooling, limit=None)
        for i, text in enumerate(texts)
    ]
    long = [s.sentence_id for s in encoded if len(s.row_ids) > limit]
    if long:
        message = (
            f"{len(long)} of {len(encoded)} sentences exceed the limit of {limit} sub-words; the "
            f"first is sentence {long[0]}"
        )
        if on_truncate == "error":
            raise ValueError(f"{message}. Split these sentences, or set on_truncate to 'warn'.")
        warn(f"{message}. These sentences are truncated.")
        for i in long:
            encoded[i] = tokenize_text(tokenizer, texts[i], i, pooling=pooling, limit=limit)
    return encoded


def _n_words_within(sentence: EncodedSentence, limit: int) -> int:
    """Count the leading words that fit within the limit together with the special tokens."""
    owners = [
        None if row is None or sentence.positions[row] < 0 else sentence.positions[row]
        for row in sentence.row_ids
    ]
    available = limit - owners.count(None)
    subwords = np.bincount([word for word in owners if word is not None])
    return int(np.searchsorted(np.cumsum(subwords), available, side="right"))
