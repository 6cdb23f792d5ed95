"""Activations as one array per text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from .._wording import count


class TextActivations(Sequence[NDArray]):
    """A sequence of arrays of shape (n_rows_of_the_text, n_neurons), one per text.

    It is returned by :meth:`TokenActivations.by_text`. The arrays are read from the activations
    when they are accessed, so a store is not loaded into memory.

    Parameters
    ----------
    tokens : TokenActivations
    rows : list of ndarray of int
        The rows of each text.

    Attributes
    ----------
    text_ids : ndarray of int of shape (n_texts,)
        Number of each text in the corpus, the ``sentence_ids`` of its rows.
    y : ndarray of shape (n_texts,) or None
        The label of each text, or None if the rows of a text have different labels or none.
    """

    def __init__(self, tokens: Any, rows: list[NDArray[np.intp]]):
        self._tokens = tokens
        self._places = rows

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, text: int) -> NDArray: ...
    @overload
    def __getitem__(self, text: slice) -> TextActivations: ...
    def __getitem__(self, text: Any) -> Any:
        if isinstance(text, slice):
            return TextActivations(self._tokens, self._places[text])
        return self.tokens(text).X

    def __repr__(self) -> str:
        tokens = self._tokens
        return (
            f"{type(self).__name__}({count(len(self), 'text')} with "
            f"{count(sum(map(len, self._places)), 'row')}, {count(len(tokens.neurons), 'neuron')})"
        )

    @property
    def text_ids(self) -> NDArray[np.intp]:
        """Number of each text in the corpus."""
        return self._tokens.sentence_ids[self._firsts]

    @property
    def y(self) -> NDArray | None:
        """The label of each text, or None if the rows of a text have different labels or none."""
        y = self._tokens.y
        if y is None or any((y[rows] != y[rows[0]]).any() for rows in self._places):
            return None
        return y[self._firsts]

    def tokens(self, text: int) -> Any:
        """Return the rows of a text with their words and labels.

        Parameters
        ----------
        text : int
            Index of the text in this sequence.

        Returns
        -------
        TokenActivations
        """
        rows = self._places[text]
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
            return self._tokens[rows[0] : rows[-1] + 1]
        return self._tokens[rows]

    @property
    def _firsts(self) -> NDArray[np.intp]:
        return np.array([rows[0] for rows in self._places], dtype=np.intp)


def rows_by_text(sentence_ids: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the rows of each text, in the order in which the texts first occur."""
    if not len(sentence_ids):
        return []
    order = np.argsort(sentence_ids, kind="stable")
    starts = np.flatnonzero(np.diff(sentence_ids[order])) + 1
    return sorted(np.split(order, starts), key=lambda rows: rows[0])
