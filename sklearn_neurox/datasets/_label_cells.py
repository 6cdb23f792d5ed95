"""Labels in a flat list, with the sentence and word of each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._labels import check_listed, check_values


@dataclass(frozen=True)
class LabelCells:
    """Labels in a flat list, and the shape in which they were passed.

    Parameters
    ----------
    values : list
    lengths : list of int or None
        Number of labels of each sentence, or None if the labels are not nested.
    is_array : bool, default=False
        Whether the labels were passed as an array.
    """

    values: list[Any]
    lengths: list[int] | None = None
    is_array: bool = False

    def place(self, index: int) -> str:
        """Return the location of a label, for an error message."""
        if self.lengths is None:
            return f"Label {index}"
        ends = np.cumsum(self.lengths)
        sentence = int(np.searchsorted(ends, index, side="right"))
        return f"Sentence {sentence}, word {index - int(ends[sentence]) + self.lengths[sentence]}"

    def nest(self, values: list[Any]) -> Any:
        """Return other values in the shape of the labels."""
        if self.is_array:
            return np.array(values)
        if self.lengths is None:
            return values
        cells = iter(values)
        return [[next(cells) for _ in range(length)] for length in self.lengths]

    def check(self) -> None:
        """Check the labels as those of estimators; messages contain the sentence and the word."""
        check_listed(self.values, name="labels", place=self._place_inside)

    def to_array(self) -> NDArray:
        """Check the labels as :meth:`check`, and return an array of exactly these labels."""
        return check_values(self.values, name="labels", place=self._place_inside)

    def _place_inside(self, index: int) -> str:
        """Return the location of a label, for the middle of an error message."""
        return self.place(index).lower()


def to_plain(label: Any) -> Any:
    """Convert a scalar of NumPy to one of Python, whose repr is the one in messages."""
    return label.item() if isinstance(label, np.generic) else label


def flatten_labels(labels: Any) -> LabelCells:
    """Flatten labels that are passed as a list, a list of lists, or an array.

    Raises
    ------
    TypeError
        If `labels` is something else, or only some sentences have a list.
    ValueError
        If there are no labels, or an array does not have one dimension.
    """
    is_array = hasattr(labels, "ndim")
    if isinstance(labels, str) or not (isinstance(labels, Sequence) or is_array):
        raise TypeError(
            "labels must be a list of labels, a list of lists of labels, or an array, got "
            f"{type(labels).__name__} {labels!r:.60}."
        )
    if is_array and labels.ndim != 1:
        raise ValueError(f"labels must have one dimension, got {labels.ndim}.")
    rows = np.asarray(labels).tolist() if is_array else list(labels)
    nested = [
        isinstance(row, Sequence | np.ndarray) and not isinstance(row, str | bytes) for row in rows
    ]
    if not any(nested):
        cells = LabelCells([to_plain(label) for label in rows], is_array=is_array)
    elif not all(nested):
        odd = nested.index(False)
        raise TypeError(f"Sentence {odd}: expected a list of labels, got {rows[odd]!r:.60}.")
    else:
        rows = [row.tolist() if isinstance(row, np.ndarray) else list(row) for row in rows]
        cells = LabelCells(
            [to_plain(label) for row in rows for label in row], [len(row) for row in rows]
        )
    if not cells.values:
        raise ValueError("labels is empty: expected at least one label.")
    return cells
