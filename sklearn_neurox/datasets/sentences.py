"""What is given as a corpus and its labels, checked before any work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._labels import KINDS, kind_of

Sentence = Sequence[str] | str


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
        If it is no list of sentences (a set has no order, and an iterator is read only once), or
        a word is not a string.
    ValueError
        If there is no sentence, a sentence has no word, or a word is empty or has white space.
    """
    check_list(sentences)
    corpus = [check_sentence(sentence, i) for i, sentence in enumerate(sentences)]
    if not corpus:
        raise ValueError("The corpus is empty: expected at least one sentence.")
    return corpus


def check_texts(texts: Any) -> list:
    """Check that there is a list of sentences that need not be words, and list them.

    Raises
    ------
    TypeError
        If it is none, or has no sentence.
    """
    is_one = isinstance(texts, str) or getattr(texts, "ndim", 1) > 1
    if is_one or (_is_list(texts) and not len(texts)):
        raise TypeError(
            f"Expected a list of at least one sentence, got {type(texts).__name__} {texts!r:.60}."
        )
    check_list(texts)
    return list(texts)


def check_list(sentences: Any) -> None:
    """Refuse what is no list of sentences, such as one text, a set, an iterator or None."""
    if isinstance(sentences, str | Mapping) or hasattr(sentences, "columns"):
        raise TypeError(
            f"Expected a list of sentences, got one {type(sentences).__name__}. Give a list of "
            "strings, or of lists of words."
        )
    if not _is_list(sentences):
        raise TypeError(f"Expected a list of sentences, got {_what(sentences)}.")


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
        If it is neither, as a set of words, or a word is not a string.
    ValueError
        If there is no word, or a word is empty or has white space in it.
    """
    if not isinstance(sentence, str) and not _is_list(sentence):
        raise TypeError(
            f"Sentence {index}: expected a string or a list of words, got {_what(sentence)}."
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


def check_word_labels(corpus: list[list[str]], labels: Sequence[Sequence]) -> NDArray:
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
        If they are not in lists, as sets are not, or labels of different kinds are mixed, which
        would turn one into the other.
    ValueError
        If their number is not that of the words.
    """
    if isinstance(labels, str) or not _is_list(labels):
        raise TypeError(f"Expected a list of labels for each sentence, got {_what(labels)}.")
    if len(labels) != len(corpus):
        raise ValueError(f"Got {len(corpus)} sentences, but labels for {len(labels)}.")
    for i, (words, tags) in enumerate(zip(corpus, labels, strict=True)):
        if isinstance(tags, str):
            raise TypeError(f"Sentence {i}: expected a list of labels, got one string {tags!r}.")
        if not _is_list(tags):
            raise TypeError(f"Sentence {i}: expected a list of labels, got {_what(tags)}.")
        if len(words) != len(tags):
            raise ValueError(
                f"Sentence {i} has {len(words)} words, but {len(tags)} labels: "
                f"{' '.join(words)[:80]!r}."
            )
    flat = [tag for tags in labels for tag in tags]
    kinds = {kind_of(tag) for tag in flat}
    if len(kinds) > 1 or not kinds <= set(KINDS):
        raise TypeError(
            "Labels must be strings, or numbers, or booleans, and all of one kind; got "
            f"{' and '.join(sorted(kinds))}."
        )
    return np.array(flat)


def check_layers(layers: Sequence[int], *, include_embeddings: bool) -> None:
    """Check the numbers of layers, as far as that is possible without a model.

    Raises
    ------
    TypeError
        If they are not integers.
    ValueError
        If they are not ascending, or 0 is among them where the embeddings are to be left out.
    """
    given = list(layers)
    if any(isinstance(layer, bool) or not isinstance(layer, Integral) for layer in given):
        raise TypeError(f"layers must be 'all' or a list of integers, got {given}.")
    if not given or given != sorted(set(given)):
        raise ValueError(f"layers must be different and ascending, got {given}.")
    if 0 in given and not include_embeddings:
        raise ValueError(
            f"layers={given} asks for layer 0, the embeddings, which include_embeddings=False "
            "leaves out. Take 0 out of layers, or leave out include_embeddings."
        )


def _is_list(values: Any) -> bool:
    """Tell whether there is a first, a second, and always the same, as in lists and arrays."""
    if isinstance(values, Mapping | Set) or not hasattr(values, "__getitem__"):
        return False
    return getattr(values, "ndim", 1) > 0 and hasattr(values, "__len__")


def _what(values: Any) -> str:
    """Name what is no list, and say why not."""
    name = f"{type(values).__name__} {values!r:.60}"
    if isinstance(values, Set):
        return f"the {name}, which has no order"
    if isinstance(values, Iterator):
        return f"the {name}, which can be read only once: give list(...)"
    return name
