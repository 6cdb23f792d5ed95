"""Joining the rows of a NeuroX file with the corpus that they were extracted from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._warnings import warn
from .._wording import count
from ..datasets.sentences import Sentence, check_corpus, check_word_labels
from ._neurox_words import find_artifacts, is_same_word
from .tokens import TokenActivations

Corpus = list[list[str]]


def check_pair(
    sentences: Sequence[Sentence] | None, labels: Sequence[Sequence[Any]] | None
) -> tuple[Corpus | None, NDArray | None]:
    """Check the words and labels of a corpus before the file is read.

    Returns
    -------
    corpus : list of list of str, or None
    y : ndarray of shape (n_words,), or None
        None also if the words are not known yet.
    """
    if sentences is None:
        return None, None
    corpus = check_corpus(sentences)
    return corpus, None if labels is None else check_word_labels(corpus, labels)


def join_corpus(
    tokens: TokenActivations,
    path: Path,
    corpus: Corpus | None,
    y: NDArray | None,
    labels: Sequence[Sequence[Any]] | None,
) -> TokenActivations:
    """Replace the words of a file by those of the corpus, and add labels.

    Raises
    ------
    ValueError
        If the file does not contain the sentences of the corpus. The message names the sentence.

    Warns
    -----
    UserWarning
        If rows are all zero, or if the words are not those of a corpus and none was passed.
    """
    starts = np.append(0, np.flatnonzero(np.diff(tokens.sentence_ids)) + 1)
    numbers = np.asarray(tokens.sentence_ids)[starts].tolist()
    stored = [part.tolist() for part in np.split(tokens.words, starts[1:])]
    positions = [part.tolist() for part in np.split(tokens.positions, starts[1:])]
    is_whole = all(each == list(range(len(each))) for each in positions)
    if corpus is not None and not is_whole:
        rows = _rows_of_selection(path, tokens, corpus)
        words = np.fromiter((w for sentence in corpus for w in sentence), object)[rows]
        tokens = replace(tokens, words=words, y=None if y is None else y[rows])
    elif corpus is not None:
        _check_same(path, dict(zip(numbers, stored, strict=True)), corpus)
        words = np.fromiter((w for sentence in corpus for w in sentence), object, len(tokens))
        tokens = replace(tokens, words=words, y=y)
    else:
        if labels is not None and not is_whole:
            raise ValueError(
                f"{path} contains only some words of its sentences, so labels need sentences."
            )
        if labels is not None:
            if hasattr(labels, "__len__"):
                _check_numbers(path, numbers, len(labels), "labels")
            tokens = replace(tokens, y=check_word_labels(stored, labels))
        _warn_of_words(path, tokens)
    _warn_of_zeros(path, tokens)
    return tokens


def _rows_of_selection(path: Path, tokens: TokenActivations, corpus: Corpus) -> NDArray[np.intp]:
    """Return the index of each row among all words of the corpus, for a file with positions."""
    starts = np.cumsum([0, *map(len, corpus)])
    rows = []
    for number, position, token in zip(
        tokens.sentence_ids.tolist(), tokens.positions.tolist(), tokens.words, strict=True
    ):
        words = corpus[number] if number < len(corpus) else []
        if not 0 <= position < len(words) or not is_same_word(token, words[position]):
            found = f"is {words[position]!r:.80}" if 0 <= position < len(words) else "is missing"
            raise ValueError(
                f"{path}, sentence {number}: word {position} {found} in sentences, but "
                f"{token!r:.80} in the file. Pass the corpus that the file was extracted from."
            )
        rows.append(starts[number] + position)
    return np.array(rows, dtype=np.intp)


def _check_numbers(path: Path, numbers: list[int], n_expected: int, name: str) -> None:
    """Check that the sentences of a file are numbered 0, 1, ..., n_expected - 1."""
    missing = set(range(n_expected)).difference(numbers)
    if missing and len(numbers) == n_expected:
        raise ValueError(
            f"{path} has {count(n_expected, 'sentence')}, as {name}, but they are not numbered "
            f"from 0 to {n_expected - 1}: sentence {min(missing)} is missing in the file, which "
            f"contains sentence {max(numbers)}."
        )
    if missing or len(numbers) != n_expected:
        which = (
            f"sentence {min(missing)} is missing in the file"
            if missing
            else f"sentence {numbers[n_expected]} is missing in {name}"
        )
        raise ValueError(
            f"{path} has {count(len(numbers), 'sentence')}, but {name} has {n_expected}: {which}."
        )


def _check_same(path: Path, stored: dict[int, list[str]], corpus: Corpus) -> None:
    """Check that sentences of a file are those of a corpus."""
    for number, words in enumerate(corpus):
        found = stored.get(number, [])
        place = f"{path}, sentence {number} ({' '.join(words)[:80]!r})"
        for position, (token, word) in enumerate(zip(found, words, strict=False)):
            if not is_same_word(token, word):
                raise ValueError(
                    f"{place}: word {position} is {word!r:.80} in sentences, but {token!r:.80} in "
                    "the file. Pass the corpus that the file was extracted from."
                )
        if found and len(found) != len(words):
            raise ValueError(
                f"{place}: got {count(len(words), 'word')} in sentences, but "
                f"{count(len(found), 'row')} in the file. "
                "NeuroX cuts sentences that exceed the maximum length of the model: leave out "
                "such sentences, and extract the file again."
            )
    _check_numbers(path, list(stored), len(corpus), "sentences")


def _warn_of_words(path: Path, tokens: TokenActivations) -> None:
    odd = find_artifacts(tokens.words.tolist())
    if odd:
        warn(
            f"{path} contains {count(len(odd), 'word')} that no corpus contains; the first is "
            f"{_name(tokens, odd[0])}. NeuroX stores the tokens of the tokenizer: pass "
            "sentences=... to restore the words of the corpus."
        )


def _warn_of_zeros(path: Path, tokens: TokenActivations) -> None:
    zeros = np.flatnonzero(~(tokens.X != 0).any(axis=1))
    if zeros.size:
        warn(
            f"{path}: {len(zeros)} of {len(tokens)} rows are all zero; the first is "
            f"{_name(tokens, zeros[0])}. NeuroX writes zeros for words without tokens. "
            "tokens[tokens.X.any(axis=1)] leaves them out."
        )


def _name(tokens: TokenActivations, row: int) -> str:
    return (
        f"{tokens.words[row]!r:.80} (sentence {tokens.sentence_ids[row]}, word "
        f"{tokens.positions[row]})"
    )
