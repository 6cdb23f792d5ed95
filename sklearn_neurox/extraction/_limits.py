"""Sentences past the longest input of a model: an error, cut, or left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._warnings import warn
from ._encoding import EncodedSentence, alignment_of, tokenize, tokenize_text
from ._loading import n_positions


def limit_of(model: Any, tokenizer: Any, max_length: int | None) -> int:
    """Longest input in sub-words: what the model and tokenizer take, or less if asked for.

    Raises
    ------
    ValueError
        If more is asked for.
    """
    limit = min(tokenizer.model_max_length, n_positions(model))
    if max_length is None:
        return limit
    if max_length > limit:
        raise ValueError(f"max_length={max_length}, but the model's limit is {limit}.")
    return max_length


def encode_words(
    tokenizer: Any,
    corpus: list[list[str]],
    *,
    limit: int,
    on_truncate: str,
    special_tokens: bool,
) -> list[EncodedSentence]:
    """Tokenize every sentence of words, and see that every word is there.

    Parameters
    ----------
    tokenizer : tokenizer
    corpus : list of list of str
    limit : int
        Of sub-words.
    on_truncate : {"error", "warn", "drop"}
        As in ``ActivationExtractor``.
    special_tokens : bool
        Rows also for special tokens.

    Returns
    -------
    list of EncodedSentence
        Those that have rows.

    Raises
    ------
    ValueError
        If a sentence is past the limit where that is an error, or none is left; as ``tokenize``.
    """
    how: dict[str, Any] = {"align": alignment_of(tokenizer), "special_tokens": special_tokens}
    encoded = [tokenize(tokenizer, words, i, **how) for i, words in enumerate(corpus)]
    long = [s for s in encoded if len(s.row_ids) > limit]
    if not long:
        return encoded
    worst = max(long, key=lambda s: len(s.row_ids))
    message = (
        f"{len(long)} of {len(corpus)} sentences are longer than the limit of {limit} "
        f"sub-words; sentence {worst.sentence_id} has {len(worst.row_ids)}"
    )
    if on_truncate == "error":
        lost = _words_within(worst, limit)
        raise ValueError(
            f"{message}, and its word {lost} ({corpus[worst.sentence_id][lost]!r}) is past the "
            "limit. Split the sentence, or choose on_truncate='warn' or 'drop'."
        )
    kept = [s for s in encoded if len(s.row_ids) <= limit]
    if on_truncate == "warn":
        for s in long:
            first_words = corpus[s.sentence_id][: _words_within(s, limit)]
            if first_words:
                kept.append(tokenize(tokenizer, first_words, s.sentence_id, **how))
        kept.sort(key=lambda s: s.sentence_id)
        n_lost = sum(s.n_rows for s in encoded) - sum(s.n_rows for s in kept)
        warn(f"{message}. {n_lost} words get no row.")
    if not kept:
        raise ValueError(f"{message}: no sentence is left.")
    return kept


def encode_texts(
    tokenizer: Any, texts: list, *, limit: int, on_truncate: str, pooling: str
) -> list[EncodedSentence]:
    """Tokenize whole sentences, one row each.

    Parameters
    ----------
    tokenizer : tokenizer
    texts : list of str, or of sequences of str
    limit : int
        Of sub-words.
    on_truncate : {"error", "warn"}
        Whether a longer sentence is cut.
    pooling : {"mean", "cls", "last"}

    Returns
    -------
    list of EncodedSentence

    Raises
    ------
    ValueError
        If a sentence is past the limit where that is an error; as ``tokenize_text``.
    """
    encoded = [
        tokenize_text(tokenizer, text, i, pooling=pooling, limit=None)
        for i, text in enumerate(texts)
    ]
    long = [s.sentence_id for s in encoded if len(s.row_ids) > limit]
    if long:
        message = (
            f"{len(long)} of {len(encoded)} sentences are longer than the limit of {limit} "
            f"sub-words; the first is sentence {long[0]}"
        )
        if on_truncate == "error":
            raise ValueError(f"{message}. Split them, or choose on_truncate='warn'.")
        warn(f"{message}. Their ends are cut off.")
        for i in long:
            encoded[i] = tokenize_text(tokenizer, texts[i], i, pooling=pooling, limit=limit)
    return encoded


def _words_within(sentence: EncodedSentence, limit: int) -> int:
    """Count the first words that fit into the limit together with the special tokens."""
    owners = [
        None if row is None or sentence.positions[row] < 0 else sentence.positions[row]
        for row in sentence.row_ids
    ]
    room = limit - owners.count(None)
    subwords = np.bincount([word for word in owners if word is not None])
    return int(np.searchsorted(np.cumsum(subwords), room, side="right"))
