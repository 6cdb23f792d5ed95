"""Encoded texts in a few arrays, because a Python object takes more memory than its tokens."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ._encoded_sentence import EncodedSentence


class _Lists:
    """Lists of integers of different lengths, one after the other."""

    def __init__(self) -> None:
        self.values = array("i")
        self.ends = array("q", [0])

    def append(self, values: Any) -> None:
        self.values.frombytes(np.asarray(values, dtype=np.intc).tobytes())
        self.ends.append(len(self.values))

    def __getitem__(self, place: int) -> array[int]:
        return self.values[self.ends[place] : self.ends[place + 1]]

    def lengths(self, places: range) -> NDArray[np.intp]:
        """Return the lengths of some of the lists."""
        ends, own = np.array(self.ends, dtype=np.intp), np.array(places, dtype=np.intp)
        return ends[own + 1] - ends[own]


class PackedSentences(Sequence[EncodedSentence]):
    """A list of encoded texts, which are built when they are read.

    Parts of it share its memory.
    """

    def __init__(self) -> None:
        self._ids = array("q")
        self._inputs: dict[str, _Lists] = {}
        self._words: list[str] = []
        self._known: dict[str, str] = {}  # a single object for each word
        self._positions, self._row_ids, self._pieces = _Lists(), _Lists(), _Lists()
        self._places: range | None = None  # of a part

    def append(self, sentence: EncodedSentence) -> None:
        """Add a text, whose pieces are given and all belong to rows.

        Raises
        ------
        ValueError
            If it has other inputs than the texts before it.
        """
        if not self._ids:
            self._inputs = {name: _Lists() for name in sentence.inputs}
        if sentence.inputs.keys() != self._inputs.keys():
            raise ValueError(
                f"Text {sentence.sentence_id} has the inputs {list(sentence.inputs)}, but those "
                f"before it have {list(self._inputs)}. All texts must have the same inputs."
            )
        self._ids.append(sentence.sentence_id)
        for name, ids in sentence.inputs.items():
            self._inputs[name].append(ids)
        self._words += [self._known.setdefault(word, word) for word in sentence.words]
        self._positions.append(sentence.positions)
        self._row_ids.append(sentence.row_ids)
        self._pieces.append(sentence.pieces)

    @property
    def n_subwords(self) -> NDArray[np.intp]:
        """Number of sub-words of each text."""
        return self._inputs["input_ids"].lengths(self._range())

    @property
    def n_rows(self) -> NDArray[np.intp]:
        """Number of rows of each text."""
        return self._positions.lengths(self._range())

    @property
    def input_ids(self) -> NDArray[np.intc]:
        """Sub-words of all texts, one after the other."""
        lists, places = self._inputs["input_ids"], self._range()
        start, stop = lists.ends[places.start], lists.ends[places.stop]
        return np.frombuffer(lists.values[start:stop], np.intc)

    def __len__(self) -> int:
        return len(self._range())

    @overload
    def __getitem__(self, place: int) -> EncodedSentence: ...
    @overload
    def __getitem__(self, place: slice) -> PackedSentences: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            if place.step not in (None, 1):
                raise ValueError(f"Only adjacent texts are a part, got the step {place.step}.")
            part = PackedSentences.__new__(PackedSentences)
            vars(part).update(vars(self), _places=self._range()[place])
            return part
        place = self._range()[place]
        rows = self._positions.ends
        row_ids: list[int | None] = [*self._row_ids[place]]
        return EncodedSentence(
            self._ids[place],
            self._words[rows[place] : rows[place + 1]],
            self._positions[place].tolist(),
            {name: np.frombuffer(ids[place], np.intc) for name, ids in self._inputs.items()},
            row_ids,
            self._pieces[place].tolist(),
        )

    def _range(self) -> range:
        return range(len(self._ids)) if self._places is None else self._places


def ids_of(encoded: Iterable[EncodedSentence]) -> Iterator[NDArray]:
    """Yield the sub-words of texts, in one or several arrays."""
    if isinstance(encoded, PackedSentences):
        yield encoded.input_ids
    else:
        yield from (np.asarray(sentence.inputs["input_ids"]) for sentence in encoded)


def n_subwords_of(encoded: Sequence[EncodedSentence]) -> list[int]:
    """Return the number of sub-words of each text."""
    if isinstance(encoded, PackedSentences):
        return encoded.n_subwords.tolist()
    return [sentence.n_subwords for sentence in encoded]


def n_rows_of(encoded: Sequence[EncodedSentence]) -> list[int]:
    """Return the number of rows of each text."""
    if isinstance(encoded, PackedSentences):
        return encoded.n_rows.tolist()
    return [sentence.n_rows for sentence in encoded]
