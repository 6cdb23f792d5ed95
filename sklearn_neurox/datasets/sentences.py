"""Checks of corpora and of the labels of their words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._wording import count
from ._label_cells import LabelCells, to_plain
from .spacing import SpacedSentence

Sentence: TypeAlias = Sequence[str] | str

_N_SHOWN = 5  # words with white space in an error message


def check_corpus(sentences: Sequence[Sentence], *, with_spaces: bool = False) -> list[list[str]]:
    """Split the sentences of a corpus into words, and check them.

    Parameters
    ----------
    sentences : sequence of str, or of sequences of str
        Each is a list of words, or a string to split on single spaces.
    with_spaces : bool, default=False
        Whether the words of a list may contain spaces, as those of a SpacedSentence always may.

    Returns
    -------
    list of list of str
        Each SpacedSentence is returned as it is.

    Raises
    ------
    TypeError
        If `sentences` is not a list of sentences (a set has no order, and an iterator can be read
        only once), or a word is not a string.
    ValueError
        If there are no sentences, a sentence does not have words, or a word is empty or contains
        white space or a lone surrogate. The message lists several such words.
    """
    check_list(sentences)
    faults: list[str] = []
    corpus = [
        _split(sentence, i, faults, with_spaces=with_spaces) for i, sentence in enumerate(sentences)
    ]
    if not corpus:
        raise ValueError("The corpus is empty: expected at least one sentence.")
    _raise_faults(faults)
    return corpus


def check_texts(texts: Any) -> list[Sentence]:
    """Check that `texts` is a list of sentences, which need not be split into words.

    Raises
    ------
    TypeError
        If `texts` is not a list, or is empty.
    """
    is_one = isinstance(texts, str) or getattr(texts, "ndim", 1) > 1
    if is_one or (_is_list(texts) and not len(texts)):
        raise TypeError(
            f"Expected a list of at least one sentence, got {type(texts).__name__} {texts!r:.60}."
        )
    check_list(texts)
    return list(texts)


def is_sentence(text: Any) -> bool:
    """Return whether a text is a string or a list of words."""
    is_list = isinstance(text, Sequence | np.ndarray) and len(text) > 0
    return isinstance(text, str) or (is_list and all(isinstance(word, str) for word in text))


def check_list(sentences: Any) -> None:
    """Check that `sentences` is a list, not a single text, a set, an iterator or None.

    Raises
    ------
    TypeError
        If `sentences` is not a list.
    """
    if isinstance(sentences, str | Mapping) or hasattr(sentences, "columns"):
        raise TypeError(
            f"Expected a list of sentences, got a single {type(sentences).__name__}. Pass a list "
            "of strings, or of lists of words."
        )
    if not _is_list(sentences):
        raise TypeError(f"Expected a list of sentences, got {_describe(sentences)}.")


def check_sentence(sentence: Sentence, index: int) -> list[str]:
    """Split a sentence into words, and check them.

    Parameters
    ----------
    sentence : str or sequence of str
        Words, or a string to split on single spaces.
    index : int
        Index of the sentence in the corpus, for the error messages.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If it is neither a string nor a list of words, or a word is not a string.
    ValueError
        If it does not have words, or a word is empty or contains white space or a lone surrogate.
    """
    faults: list[str] = []
    words = _split(sentence, index, faults)
    _raise_faults(faults)
    return words


def _split(
    sentence: Sentence, index: int, faults: list[str], *, with_spaces: bool = False
) -> list[str]:
    """Split a sentence into words, and append what is wrong with them to a list."""
    if not isinstance(sentence, str) and not _is_list(sentence):
        raise TypeError(
            f"Sentence {index}: expected a string or a list of words, got {_describe(sentence)}."
        )
    words: list[str] = sentence.split(" ") if isinstance(sentence, str) else list(sentence)
    if not words or words == [""]:
        raise ValueError(f"Sentence {index} is empty.")
    if isinstance(sentence, SpacedSentence):
        words, with_spaces = sentence, True
        _check_separators(sentence, index)
    for position, word in enumerate(words):
        if not isinstance(word, str):
            raise TypeError(
                f"Sentence {index}, word {position}: expected a string, got "
                f"{type(word).__name__} {word!r}."
            )
        if fault := find_fault(word, with_spaces=with_spaces):
            advice = ""
            if fault == "white space" and not find_fault(word, with_spaces=True):
                advice = " Pass a SpacedSentence if words contain spaces."
            faults.append(
                f"Sentence {index}, word {position}: expected a word without {fault}, got "
                f"{str(word)!r} in {' '.join(map(str, words))[:80]!r}.{advice}"
            )
    return words


def _check_separators(sentence: SpacedSentence, index: int) -> None:
    try:
        sentence.check()
    except ValueError as error:
        raise ValueError(f"Sentence {index}: {error}") from None


def _raise_faults(faults: list[str]) -> None:
    if len(faults) == 1:
        raise ValueError(faults[0])
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults[:_N_SHOWN])
        more = f"; the first {_N_SHOWN} are" if len(faults) > _N_SHOWN else ""
        raise ValueError(f"{len(faults)} words of the corpus are not valid{more}:\n{shown}")


def find_fault(word: str, *, with_spaces: bool = False) -> str | None:
    """Describe what a word of a corpus must not contain but this string does, or return None.

    Parameters
    ----------
    word : str
    with_spaces : bool, default=False
        Whether single spaces within the word are valid, including no-break spaces.
    """
    parts = word.replace("\xa0", " ").split(" ") if with_spaces else [word]
    if any(part.split() != [part] for part in parts):
        return "white space"
    # The halves of a pair of UTF-16, which are left over from a wrong conversion.
    return "lone surrogates" if re.search("[\ud800-\udfff]", word) else None


def check_word_labels(corpus: list[list[str]], labels: Sequence[Sequence[Any]]) -> NDArray:
    """Check that every word has a label, and return the labels of all words.

    Parameters
    ----------
    corpus : list of list of str
    labels : sequence of sequences
        Labels of each sentence: strings, numbers or booleans.

    Returns
    -------
    ndarray of shape (n_words,)

    Raises
    ------
    TypeError
        If the labels are not in lists (a set has no order), or labels of different kinds are mixed,
        some of which NumPy would convert.
    ValueError
        If a sentence does not have as many labels as words, a number is NaN or infinite, or NumPy
        would change a label.
    """
    if isinstance(labels, str) or not _is_list(labels):
        raise TypeError(f"Expected a list of labels for each sentence, got {_describe(labels)}.")
    if len(labels) != len(corpus):
        raise ValueError(f"Got {len(corpus)} sentences, but labels for {len(labels)}.")
    for i, (words, tags) in enumerate(zip(corpus, labels, strict=True)):
        if isinstance(tags, str):
            raise TypeError(f"Sentence {i}: expected a list of labels, got the string {tags!r}.")
        if not _is_list(tags):
            raise TypeError(f"Sentence {i}: expected a list of labels, got {_describe(tags)}.")
        if len(words) != len(tags):
            raise ValueError(
                f"Sentence {i} has {count(len(words), 'word')}, but {count(len(tags), 'label')}: "
                f"{' '.join(words)[:80]!r}."
            )
    flat = [to_plain(tag) for tags in labels for tag in tags]
    return LabelCells(flat, [len(tags) for tags in labels]).to_array()


def _is_list(values: Any) -> bool:
    """Return whether values have a fixed order and can be read again, as lists and arrays can."""
    if isinstance(values, Mapping | Set) or not hasattr(values, "__getitem__"):
        return False
    return getattr(values, "ndim", 1) > 0 and hasattr(values, "__len__")


def _describe(values: Any) -> str:
    """Describe an object that is not a list, and why it cannot be used as one."""
    name = f"{type(values).__name__} {values!r:.60}"
    if isinstance(values, Set):
        return f"the {name}, which has no order"
    if isinstance(values, Iterator):
        return f"the {name}, which can be read only once: pass list(...)"
    return name
