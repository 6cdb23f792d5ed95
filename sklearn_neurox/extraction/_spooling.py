"""Encoded texts in a temporary file, for corpora that do not fit in memory."""

from __future__ import annotations

import pickle
import weakref
from array import array
from collections.abc import Iterator, Sequence
from tempfile import TemporaryFile
from typing import Any, overload

from ._encoded_sentence import EncodedSentence


class Spool(Sequence[EncodedSentence]):
    """A list of encoded sentences that keeps them in a temporary file.

    The file is removed when the list is not used anymore, or the process ends.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 -- closed together with this object
        weakref.finalize(self, self._file.close)
        self._starts = array("Q")

    def append(self, sentence: EncodedSentence) -> None:
        """Write a sentence to the end of the file."""
        self._starts.append(self._file.seek(0, 2))
        pickle.dump(tuple(sentence), self._file, protocol=pickle.HIGHEST_PROTOCOL)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, place: int) -> EncodedSentence: ...
    @overload
    def __getitem__(self, place: slice) -> list[EncodedSentence]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        self._file.seek(self._starts[place])
        # The file was written by this object, and does not have a name.
        return EncodedSentence(*pickle.load(self._file))

    def __iter__(self) -> Iterator[EncodedSentence]:
        return (self[i] for i in range(len(self)))
