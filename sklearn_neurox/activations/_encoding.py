"""Sentences as a tokenizer and a model see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Sentence = Sequence[str] | str


class EncodedSentence(NamedTuple):
    """A sentence as the tokenizer sees it."""

    sentence_id: int
    n_words: int  # words that get a row
    inputs: dict[str, list[int]]  # input_ids, and token_type_ids where the model has them
    word_ids: list[int | None]


def check_corpus(sentences: Sequence[Sentence]) -> list[list[str]]:
    """Split the sentences of a corpus into words, and check them.

    Parameters
    ----------
    sentences : sequence of str, or of sequences of str
        Each is a list of words, or a string to split on single spaces.

    Returns
    -------
    list of list of str

    Raises
    ------
    TypeError
        If it is no list of sentences, or a word is not a string.
    ValueError
        If there is no sentence, a sentence has no word, or a word is empty or has white space.
    """
    if isinstance(sentences, str | Mapping) or hasattr(sentences, "columns"):
        raise TypeError(
            f"Expected a list of sentences, got one {type(sentences).__name__}. Give a list of "
            "strings, or of lists of words."
        )
    corpus = [check_sentence(sentence, i) for i, sentence in enumerate(sentences)]
    if not corpus:
        raise ValueError("The corpus is empty: expected at least one sentence.")
    return corpus


def check_sentence(sentence: Sentence, index: int) -> list[str]:
    """Split a sentence into words, and check them.

    Parameters
    ----------
    sentence : str or sequence of str
        Words, or a string to split on single spaces.
    index : int
        Place in the corpus, for the messages.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If a word is not a string.
    ValueError
        If there is no word, or a word is empty or has white space in it.
    """
    if not isinstance(sentence, Iterable):
        raise TypeError(
            f"Sentence {index}: expected a string or a list of words, got "
            f"{type(sentence).__name__} {sentence!r}."
        )
    words = sentence.split(" ") if isinstance(sentence, str) else list(sentence)
    if not words or words == [""]:
        raise ValueError(f"Sentence {index} is empty.")
    for position, word in enumerate(words):
        if not isinstance(word, str):
            raise TypeError(
                f"Sentence {index}, word {position}: expected a string, got "
                f"{type(word).__name__} {word!r}."
            )
        if not word or word.split() != [word]:
            raise ValueError(
                f"Sentence {index}, word {position}: expected a word without white space, got "
                f"{word!r} in {' '.join(words)[:80]!r}."
            )
    return words


def check_labels(corpus: list[list[str]], labels: Sequence[Sequence]) -> NDArray:
    """Check that every word has a label, and put the labels in a row.

    Parameters
    ----------
    corpus : list of list of str
    labels : sequence of sequences
        Labels of each sentence: strings, or numbers, or booleans.

    Returns
    -------
    ndarray of shape (n_words,)

    Raises
    ------
    TypeError
        If labels of different kinds are mixed, which would turn one into the other.
    ValueError
        If their number is not that of the words.
    """
    if len(labels) != len(corpus):
        raise ValueError(f"Got {len(corpus)} sentences, but labels for {len(labels)}.")
    for i, (words, tags) in enumerate(zip(corpus, labels, strict=True)):
        if isinstance(tags, str):
            raise TypeError(f"Sentence {i}: expected a list of labels, got one string {tags!r}.")
        if len(words) != len(tags):
            raise ValueError(
                f"Sentence {i} has {len(words)} words, but {len(tags)} labels: "
                f"{' '.join(words)[:80]!r}."
            )
    flat = [tag for tags in labels for tag in tags]
    kinds = {_kind(tag) for tag in flat}
    if len(kinds) > 1 or not kinds <= {"string", "boolean", "number"}:
        raise TypeError(
            "Labels must be strings, or numbers, or booleans, and all of one kind; got "
            f"{' and '.join(sorted(kinds))}."
        )
    return np.array(flat)


def _kind(label: object) -> str:
    if isinstance(label, str):
        return "string"
    if isinstance(label, bool | np.bool_):
        return "boolean"
    return "number" if isinstance(label, Real) else type(label).__name__


def tokenize(tokenizer, words: list[str], index: int) -> EncodedSentence:
    encoding = tokenizer(
        words,
        is_split_into_words=True,
        split_special_tokens=True,  # a word "[SEP]" of the text is a word
        truncation=False,
        verbose=False,
    )
    word_ids = encoding.word_ids()
    lost = set(range(len(words))) - set(word_ids)
    if lost:
        position = min(lost)
        raise ValueError(
            f"Sentence {index}, word {position}: the tokenizer drops {words[position]!r}, which "
            "then has no activation. Take it out of the sentence, or replace it."
        )
    inputs = {name: encoding[name] for name in encoding if name != "attention_mask"}
    return EncodedSentence(index, len(words), inputs, word_ids)


def words_within(sentence: EncodedSentence, limit: int) -> int:
    """Count the first words that fit into the limit together with the special tokens."""
    room = limit - sentence.word_ids.count(None)
    subwords = np.bincount([word for word in sentence.word_ids if word is not None])
    return int(np.searchsorted(np.cumsum(subwords), room, side="right"))


def pad(
    sentences: list[EncodedSentence], pad_id: int
) -> tuple[dict[str, torch.Tensor], list[int | None]]:
    """Model inputs of a batch, and the words of its sub-words, numbered through the batch."""
    length = max(len(sentence.word_ids) for sentence in sentences)
    inputs = {
        name: torch.full((len(sentences), length), pad_id if name == "input_ids" else 0)
        for name in sentences[0].inputs
    }
    inputs["attention_mask"] = torch.zeros((len(sentences), length), dtype=torch.long)
    word_ids: list[int | None] = []
    offset = 0
    for row, sentence in enumerate(sentences):
        n = len(sentence.word_ids)
        for name, ids in sentence.inputs.items():
            inputs[name][row, :n] = torch.tensor(ids)
        inputs["attention_mask"][row, :n] = 1
        word_ids += [None if word is None else word + offset for word in sentence.word_ids]
        word_ids += [None] * (length - n)
        offset += sentence.n_words
    return inputs, word_ids
