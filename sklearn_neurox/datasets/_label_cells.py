"""Labels in a flat list, with the sentence and word of each label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._labels import KINDS, kind_of


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

    def check_kind(self) -> str:
        """Check that the labels are strings, booleans or numbers, and return which.

        Raises
        ------
        TypeError
            If a label is something else, or labels of several kinds are mixed.
        """
        first = kind_of(self.values[0])
        for i, label in enumerate(self.values):
            kind = kind_of(label)
            if kind not in KINDS:
                raise TypeError(
                    f"{self.place(i)}: expected a string, a boolean or a number, got {kind} "
                    f"{label!r:.60}."
                )
            if kind != first:
                raise TypeError(
                    f"All labels must be of one kind, but {self.place(0)} has the {first} "
                    f"{self.values[0]!r} and {self.place(i)} has the {kind} {label!r}."
                )
        return first

    def check_finite(self) -> None:
        """Check that numeric labels are finite.

        Raises
        ------
        ValueError
            If a number is NaN or infinite.
        """
        for i, label in enumerate(self.values):
            if not -math.inf < label < math.inf:
                raise ValueError(f"{self.place(i)}: expected a finite number, got {label!r}.")


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
