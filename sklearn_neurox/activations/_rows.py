"""Rows of activations and of what belongs to them: stacked from sentences, and selected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .._labels import check_labels
from .._wording import count
from ..datasets.sentences import check_corpus, check_list, check_word_labels
from .bfloat16 import Array, Bfloat16Array, as_activations, concatenate, is_floating

# White space other than spaces, null characters and lone surrogates.
_SURROGATE = re.compile("[\ud800-\udfff]")
_SEPARATOR = re.compile("[\\x00\\t-\\r\\x1c-\\x1f\\x85\\ud800-\\udfff]")


def stack_sentences(arrays: Sequence[ArrayLike] | NDArray, lengths: list[int]) -> Array:
    """Stack the activations of sentences, whose numbers of words are `lengths`."""
    if isinstance(arrays, Tensor | np.ma.MaskedArray | np.ndarray):
        arrays = as_activations(arrays, name="The array")
    if isinstance(arrays, np.ndarray | Bfloat16Array) and arrays.ndim == 2:
        if len(arrays) != sum(lengths):
            raise ValueError(
                f"The sentences have {count(sum(lengths), 'word')}, but the activations have "
                f"{count(len(arrays), 'row')}."
            )
        return _check_floating(arrays, "The array")
    parts = [_as_part(part, f"Sentence {i}") for i, part in enumerate(arrays)]
    if len(parts) != len(lengths):
        raise ValueError(
            f"Got {count(len(lengths), 'sentence')}, but {count(len(parts), 'array')}."
        )
    for i, (part, length) in enumerate(zip(parts, lengths, strict=True)):
        if part.ndim != 2 or len(part) != length or part.shape[1] != parts[0].shape[-1]:
            raise ValueError(
                f"Sentence {i} has {count(length, 'word')}, so its array must have shape "
                f"({length}, {parts[0].shape[-1]}), got {part.shape}."
            )
        if part.dtype != parts[0].dtype:
            raise ValueError(
                f"Sentence {i} has activations of dtype {part.dtype}, but those of sentence 0 are "
                f"of dtype {parts[0].dtype}."
            )
    return concatenate(parts)


def labels_of_words(labels: Any, corpus: list[list[str]]) -> NDArray | None:
    """Check labels that are lists, one for each sentence, or an array for all words."""
    if labels is None:
        return None
    if isinstance(labels, np.ndarray) and not _contains_lists(labels):
        return check_labels(labels, name="labels")
    return check_word_labels(corpus, list(labels))


def _contains_lists(labels: NDArray) -> bool:
    first = labels.flat[0] if labels.dtype == object and labels.size else ""
    return hasattr(first, "__len__") and not isinstance(first, str)


def check_optional_labels(y: Any) -> NDArray | None:
    """Check the labels of activations, of which there may be none, as in an empty selection."""
    if y is None or (isinstance(y, np.ndarray) and y.shape == (0,)):
        return y
    return check_labels(y, name="y")


def _as_part(part: Any, name: str) -> Array:
    array = as_activations(part, name=name)
    return _check_floating(array if isinstance(array, Bfloat16Array) else np.asarray(array), name)


def _check_floating(array: Array, name: str) -> Array:
    if not is_floating(array):
        raise TypeError(f"{name} must contain floating-point activations, got dtype {array.dtype}.")
    return array


def check_rows(rows: Any, n_words: int) -> NDArray:
    """Check a mask or integers that select rows."""
    place = np.asarray(rows)
    if place.ndim == 1 and not place.size and not isinstance(rows, np.ndarray):
        place = place.astype(np.intp)  # an empty list selects nothing
    if place.ndim != 1 or place.dtype.kind not in "biu":
        raise TypeError(
            "Words must be selected by a slice, a mask or a list of integers, got "
            f"{type(rows).__name__} {rows!r:.60}."
        )
    if place.dtype.kind == "b" and len(place) != n_words:
        raise IndexError(f"The mask has {len(place)} values, but there are {n_words} words.")
    outside = (place < -n_words) | (place >= n_words)
    if place.dtype.kind != "b" and outside.any():
        raise IndexError(f"Word {place[outside][0]} does not exist: there are {n_words} words.")
    return place


def check_stored_words(words: Any, *, are_tokens: bool) -> list[list[str]]:
    """Check the words of sentences, or the tokens of texts, that are written to a store.

    Raises
    ------
    TypeError, ValueError
        As in :func:`check_corpus` and :func:`check_stored_word`, or if a token is not a string, is
        empty or contains a lone surrogate.
    """
    if not are_tokens:
        corpus = check_corpus(words, with_spaces=True)
        for i, sentence in enumerate(corpus):
            for position, word in enumerate(sentence):
                check_stored_word(word, i, position)
        return corpus
    check_list(words)
    texts = [list(tokens) for tokens in words]
    if not texts or not all(texts):
        raise ValueError("Expected at least one text, and at least one token of each text.")
    for i, tokens in enumerate(texts):
        for position, token in enumerate(tokens):
            if not isinstance(token, str) or not token or _SURROGATE.search(token):
                raise ValueError(
                    f"Text {i}, row {position}: expected a token that is not empty and does not "
                    f"contain lone surrogates, got {token!r:.60}."
                )
    return texts


def check_stored_word(word: str, sentence: int, position: int) -> None:
    """Check a word of a file that the package writes.

    Raises
    ------
    ValueError
        If it is empty, or contains what separates words in other files or is not a character.
    """
    if not word or _SEPARATOR.search(word):
        what = "an empty string" if not word else repr(str(word))
        raise ValueError(
            f"Sentence {sentence}, word {position}: expected a word without tabs, line breaks, "
            f"null characters and lone surrogates, got {what}."
        )


def check_sentence_ids(
    sentence_ids: ArrayLike, n_sentences: int, *, are_distinct: bool = True
) -> NDArray[np.int64]:
    """Check the numbers of the sentences.

    Raises
    ------
    ValueError
        If they are not non-negative integers, one for each sentence, or not distinct although they
        should be.
    """
    ids = np.asarray(sentence_ids)
    if ids.dtype.kind not in "iu" or ids.shape != (n_sentences,):
        raise ValueError(
            f"sentence_ids must contain {n_sentences} integers, one for each sentence, got an "
            f"array of shape {ids.shape} and dtype {ids.dtype}."
        )
    if (ids < 0).any():
        place = int(np.argmax(ids < 0))
        raise ValueError(
            f"sentence_ids must not be negative, but sentence_ids[{place}] = {ids[place]}."
        )
    distinct, counts = np.unique(ids, return_counts=True)
    if are_distinct and (counts > 1).any():
        raise ValueError(
            "sentence_ids must be different for each sentence, but "
            f"{distinct[counts > 1][0]} is repeated."
        )
    return ids.astype("<i8")
