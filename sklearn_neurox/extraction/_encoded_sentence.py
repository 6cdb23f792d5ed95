"""A tokenized sentence, and the rows of X that its sub-words belong to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..datasets.spacing import SpacedSentence, separators_of
from ._subwords import Subwords


class SharedWords(list[set[int]]):
    """The words of each sub-word, of which there may be several."""


# The word of each sub-word, or None if it does not belong to a word.
Owners: TypeAlias = list[int | None] | SharedWords


class EncodedSentence(NamedTuple):
    """A tokenized sentence, and the row of X that each of its pieces belongs to.

    A piece is a sub-word. By default, every sub-word is a piece once.
    """

    sentence_id: int
    words: list[str]  # one per row
    positions: list[int]  # of each row in the sentence, or -1 for a special token
    inputs: dict[str, Any]  # lists or arrays of input_ids, and token_type_ids if the model has them
    row_ids: list[int | None]  # one per piece
    pieces: list[int] | None = None  # the sub-word of each piece
    marked: Any = None  # an array: whether a rule for tokens selects each sub-word

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.words)

    @property
    def n_subwords(self) -> int:
        """Number of sub-words, including special tokens."""
        return len(self.inputs["input_ids"])

    def with_words(self, kept: NDArray[np.bool_]) -> EncodedSentence:
        """Return the sentence with the rows of some of its words only.

        Parameters
        ----------
        kept : ndarray of bool
            Whether to keep the row of each word of the sentence.
        """
        rows = [row for row, position in enumerate(self.positions) if kept[position]]
        numbers: dict[int | None, int] = {row: number for number, row in enumerate(rows)}
        return self._replace(
            words=[self.words[row] for row in rows],
            positions=[self.positions[row] for row in rows],
            row_ids=[numbers.get(row) for row in self.row_ids],
        )

    def select(self, places: Iterable[int]) -> EncodedSentence:
        """Return the sentence with some of its sub-words only, and with the rows of these alone."""
        places = list(places)
        own = range(self.n_subwords) if self.pieces is None else self.pieces
        new = {place: number for number, place in enumerate(places)}
        lost = {row for place, row in zip(own, self.row_ids, strict=True) if place not in new}
        kept = sorted({row for row in self.row_ids if row is not None} - lost)
        numbers: dict[int | None, int | None] = {row: number for number, row in enumerate(kept)}
        pieces = [
            (new[place], numbers.get(row))
            for place, row in zip(own, self.row_ids, strict=True)
            if place in new and (self.pieces is None or row in numbers)
        ]
        return EncodedSentence(
            self.sentence_id,
            [self.words[row] for row in kept],
            [self.positions[row] for row in kept],
            {name: [ids[place] for place in places] for name, ids in self.inputs.items()},
            [row for _, row in pieces],
            None if self.pieces is None else [place for place, _ in pieces],
        )


def word_offsets(
    corpus: list[list[str]], encoded: list[EncodedSentence]
) -> NDArray[np.intp] | None:
    """Return the characters of each row in the text of its sentence.

    They are None if no sentence says how its words are separated, or if some rows are not words.
    """
    if not any(isinstance(words, SpacedSentence) for words in corpus):
        return None
    offsets = []
    for sentence in encoded:
        words = corpus[sentence.sentence_id]
        lengths = np.array([len(word) for word in words])
        gaps = np.array([0, *map(len, separators_of(words))])
        starts = np.cumsum(gaps) + np.cumsum(lengths) - lengths
        if min(sentence.positions) < 0:
            return None
        places = np.stack([starts, starts + lengths], axis=1)
        offsets.append(places[sentence.positions])
    return np.concatenate(offsets)


class DroppedWord(NamedTuple):
    """A word without sub-words."""

    sentence: int
    position: int
    word: str

    def __str__(self) -> str:
        return f"sentence {self.sentence}, word {self.position} ({self.word!r:.60})"

    def message(self) -> str:
        """Return an error message."""
        return (
            f"Sentence {self.sentence}, word {self.position}: the tokenizer drops {self.word!r}, "
            "so it does not have an activation. Remove the word from the sentence, replace it, or "
            "set on_empty_word='drop' to leave out its row."
        )


def missing_words(words: list[str], owners: Owners) -> list[int]:
    """Return the positions of the words without sub-words."""
    found = set().union(*owners) if isinstance(owners, SharedWords) else set(owners)
    return sorted(set(range(len(words))) - found)


def sentence_of(
    words: list[str],
    index: int,
    subwords: Subwords,
    owners: Owners,
    missing: list[int],
    names: list[str] | None,
) -> EncodedSentence:
    """Return a sentence with one row per word.

    Parameters
    ----------
    words : list of str
    index : int
        Index of the sentence in the corpus.
    subwords : Subwords
    owners : list of (int or None), or SharedWords
        The word of each sub-word, or its words.
    missing : list of int
        Positions of words without sub-words, which do not have a row.
    names : list of str or None
        Names of the sub-words, to also create a row for each special token that the tokenizer adds.
    """
    if names is None and not missing and not isinstance(owners, SharedWords):
        return EncodedSentence(index, words, list(range(len(words))), subwords.inputs, owners)
    places: dict[tuple[int, int], list[int]] = {}  # of each row, by its first place and its word
    firsts: dict[int, int] = {}
    for place, own in enumerate(_as_sets(owners)):
        if names is not None and subwords.added[place]:
            places[place, -1] = [place]
        for word in sorted(own):
            places.setdefault((firsts.setdefault(word, place), word), []).append(place)
    rows = sorted(places)
    pieces = [(place, number) for number, row in enumerate(rows) for place in places[row]]
    listed = [names[place] if names and word < 0 else words[word] for place, word in rows]
    row_ids: list[int | None] = [number for _, number in pieces]
    shared: list[int] | None = [place for place, _ in pieces]
    if not isinstance(owners, SharedWords):
        row_ids, shared = [None] * len(owners), None
        for place, number in pieces:
            row_ids[place] = number
    return EncodedSentence(
        index, listed, [word for _, word in rows], subwords.inputs, row_ids, shared
    )


def _as_sets(owners: Owners) -> list[set[int]]:
    if isinstance(owners, SharedWords):
        return owners
    return [set() if word is None else {word} for word in owners]
