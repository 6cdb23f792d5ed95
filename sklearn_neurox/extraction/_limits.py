"""Sentences that exceed the maximum length of a model: an error, truncation, or removal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._warnings import warn
from .._wording import count
from ..datasets.sentences import Sentence
from ._encoded_sentence import DroppedWord, EncodedSentence
from ._encoding import Encoder
from ._loading import n_positions
from ._spooling import Spool

_N_SHOWN = 5  # dropped words in a message


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
    encoder: Encoder,
    corpus: list[list[str]],
    *,
    limit: int,
    on_truncate: str,
    special_tokens: bool,
    on_empty_word: str = "error",
    spooled: bool = False,
) -> Sequence[EncodedSentence]:
    """Tokenize all sentences, with one row per word.

    Parameters
    ----------
    encoder : Encoder
    corpus : list of list of str
    limit : int
        Maximum number of sub-words of a sentence.
    on_truncate : {"error", "warn", "drop"}
        As in ``ActivationExtractor``.
    special_tokens : bool
        Whether to also create rows for special tokens.
    on_empty_word : {"error", "drop"}, default="error"
        As in ``ActivationExtractor``.
    spooled : bool, default=False
        Whether to keep the sentences in a temporary file instead of in memory.

    Returns
    -------
    sequence of EncodedSentence
        The sentences that have rows.

    Raises
    ------
    ValueError
        If a sentence exceeds the limit and `on_truncate` is "error", the tokenizer drops words and
        `on_empty_word` is "error", or no sentence is left. Also in the cases of
        :meth:`Encoder.words`.
    """
    dropped: list[DroppedWord] = []
    kept: list[EncodedSentence] | Spool = Spool() if spooled else []
    worst: EncodedSentence | None = None
    n_long = n_lost = n_with_words = 0
    for i, words in enumerate(corpus):
        sentence = encoder.words(words, i, special_tokens=special_tokens, dropped=dropped)
        if max(sentence.positions, default=-1) < 0:
            continue  # the tokenizer drops all of its words
        n_with_words += 1
        if sentence.n_subwords <= limit:
            kept.append(sentence)
            continue
        n_long += 1
        if worst is None or sentence.n_subwords > worst.n_subwords:
            worst = sentence
        n_lost += sentence.n_rows
        if on_truncate == "warn" and len(_ends_within(sentence, limit)):
            kept.append(_first_words(sentence, limit))
            n_lost -= kept[-1].n_rows
    if dropped:
        _report_dropped(dropped, on_empty_word)
        if not n_with_words:
            raise ValueError("The tokenizer drops all words of the corpus. No word is left.")
    if worst is None:
        return kept
    message = (
        f"{n_long} of {len(corpus)} sentences exceed the limit of {limit} sub-words; sentence "
        f"{worst.sentence_id} has {worst.n_subwords}"
    )
    if on_truncate == "error":
        own = sorted(position for position in worst.positions if position >= 0)
        lost = own[len(_ends_within(worst, limit))]
        raise ValueError(
            f"{message}, and its word {lost} ({corpus[worst.sentence_id][lost]!r}) is beyond the "
            "limit. Split the sentence, or set on_truncate to 'warn' or 'drop'."
        )
    if on_truncate == "warn":
        warn(f"{message}. {n_lost} words do not have a row in X.")
    if not len(kept):
        raise ValueError(f"{message}. No sentence is left.")
    return kept


def _report_dropped(dropped: list[DroppedWord], on_empty_word: str) -> None:
    """Raise an error or warn about all words that the tokenizer drops."""
    if on_empty_word == "error" and len(dropped) == 1:
        raise ValueError(dropped[0].message())
    n_sentences = len({each.sentence for each in dropped})
    message = (
        f"The tokenizer drops {count(len(dropped), 'word')} in {count(n_sentences, 'sentence')}, "
        f"such as {', '.join(map(str, dropped[:_N_SHOWN]))}"
    )
    if on_empty_word == "error":
        raise ValueError(
            f"{message}. They do not have activations. Remove or replace them, or set "
            "on_empty_word='drop' to leave out their rows."
        )
    warn(f"{message}. They do not have a row in X.")


def encode_texts(
    encoder: Encoder, texts: list[Sentence], *, limit: int, on_truncate: str, pooling: str
) -> list[EncodedSentence]:
    """Tokenize whole sentences, with one row per sentence.

    Parameters
    ----------
    encoder : Encoder
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
        :meth:`Encoder.text`.
    """
    encoded = [encoder.text(text, i, pooling=pooling) for i, text in enumerate(texts)]
    long = [s.sentence_id for s in encoded if s.n_subwords > limit]
    if long:
        message = (
            f"{len(long)} of {len(encoded)} sentences exceed the limit of {limit} sub-words; the "
            f"first is sentence {long[0]}"
        )
        if on_truncate == "error":
            raise ValueError(f"{message}. Split these sentences, or set on_truncate to 'warn'.")
        warn(f"{message}. These sentences are truncated.")
        for i in long:
            encoded[i] = encoder.text(texts[i], i, pooling=pooling, limit=limit)
    return encoded


def _ends_within(sentence: EncodedSentence, limit: int) -> NDArray[np.intp]:
    """Return where the leading words end that fit together with the special tokens after them."""
    ends = _ends(sentence)
    n_after = sentence.n_subwords - ends[-1]
    return ends[ends + n_after <= limit]


def _first_words(sentence: EncodedSentence, limit: int) -> EncodedSentence:
    """Remove the sub-words of the last words, but not the special tokens at the end."""
    n = sentence.n_subwords
    end = _ends_within(sentence, limit)[-1]
    return sentence.select([*range(end), *range(_ends(sentence)[-1], n)])


def _ends(sentence: EncodedSentence) -> NDArray[np.intp]:
    """Return the index after the last sub-word of each word."""
    ends: dict[int, int] = {}
    pieces = range(sentence.n_subwords) if sentence.pieces is None else sentence.pieces
    for place, row in zip(pieces, sentence.row_ids, strict=True):
        if row is not None and sentence.positions[row] >= 0:
            ends[sentence.positions[row]] = place + 1
    return np.array([ends[position] for position in sorted(ends)])
