"""Labels and weights of the rows of texts, which are given per text, word or token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._labels import check_target
from .._weights import check_sample_weight
from ..datasets.sentences import check_word_labels
from ._text_labels import check_text_labels


@dataclass(frozen=True)
class RowLabels:
    """Labels and weights of all texts, words or tokens.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,) or None
        Sorted distinct labels that are kept, or None for continuous numbers.
    values : ndarray of shape (n_labels,)
        The class of each label as an index, or the numbers.
    kept : ndarray of bool of shape (n_labels,)
        Whether rows with this label are used.
    weight : ndarray of shape (n_labels,) or None
    lengths : ndarray of int of shape (n_texts,) or None
        Number of labels of each text, or None if a text has one label for all of its rows.
    """

    classes: NDArray | None
    values: NDArray
    kept: NDArray[np.bool_]
    weight: NDArray[np.float64] | None
    lengths: NDArray[np.intp] | None

    @classmethod
    def of(
        cls, texts: list[Any], labels: Any, sample_weight: Any, drop_label: Any, *, are_words: bool
    ) -> RowLabels:
        """Check labels and weights.

        Parameters
        ----------
        texts, labels, sample_weight, drop_label
            As passed to :func:`fit_stream`.
        are_words : bool
            Whether texts are sentences, whose labels are those of words.

        Raises
        ------
        TypeError, ValueError
            If labels or weights do not match the texts, or are not valid.
        """
        lengths, flat = None, check_word_labels(texts, labels) if are_words else None
        if flat is None:
            checked = check_text_labels(labels, len(texts))
            if isinstance(checked, list):
                lengths = np.array([len(own) for own in checked])
                checked = np.concatenate(checked)
            flat = checked
        else:
            lengths = np.array([len(words) for words in texts])
        kept = np.ones(len(flat), dtype=bool)
        if drop_label is not None:
            found = np.unique(flat)
            kept = flat != found[check_target(drop_label, found, name="drop_label")]
        weight = None
        if sample_weight is not None:
            given = sample_weight if lengths is None else _flat(sample_weight, lengths)
            weight = check_sample_weight(given, len(flat), relative=False)
            kept &= weight > 0
        if not kept.any():
            raise ValueError("No label is left: all are drop_label, or have the weight 0.")
        if flat.dtype.kind == "f" and (flat != np.floor(flat)).any():
            return cls(None, flat, kept, weight, lengths)
        classes = np.unique(flat[kept])
        codes = np.searchsorted(classes, flat).clip(0, len(classes) - 1).astype(np.int32)
        return cls(classes, codes, kept, weight, lengths)

    @property
    def per_text(self) -> NDArray | None:
        """The label of each text, or None if labels are those of words or tokens."""
        return self._labels(self.values) if self.lengths is None else None

    def places(self, text_ids: NDArray[np.intp], positions: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the place of the label of each row."""
        if self.lengths is None:
            return text_ids
        return (np.cumsum(self.lengths) - self.lengths)[text_ids] + positions

    def take(self, places: NDArray[np.intp]) -> tuple[NDArray, NDArray[np.float64] | None]:
        """Return the labels and the weights of rows."""
        weight = None if self.weight is None else self.weight[places]
        return self._labels(self.values[places]), weight

    def _labels(self, values: NDArray) -> NDArray:
        return values if self.classes is None else self.classes[values]

    def check_folds(self, folds: NDArray[np.intp]) -> None:
        """Raise an error if the training texts of a fold have no labels, or lack a class.

        Parameters
        ----------
        folds : ndarray of int of shape (n_texts,)
            The fold in which each text is held out.
        """
        of_labels = folds if self.lengths is None else np.repeat(folds, self.lengths)
        filled = np.unique(of_labels[self.kept])
        if len(filled) == 1:
            raise ValueError(
                "All labels, except for those that are drop_label or have the weight 0, are in "
                f"the texts of fold {filled[0]}, so the other folds, which its estimators are "
                "fitted on, do not have any. Use fewer folds or other groups."
            )
        if self.classes is None:
            return
        pairs = of_labels[self.kept] * len(self.classes) + self.values[self.kept]
        counts = np.bincount(pairs, minlength=(folds.max() + 1) * len(self.classes))
        counts = counts.reshape(-1, len(self.classes))
        missing = np.argwhere(counts == counts.sum(axis=0))
        if len(missing):
            fold, code = missing[0].tolist()
            raise ValueError(
                f"All labels {self.classes.tolist()[code]!r} are in the texts of fold {fold}, so "
                "the other folds, which its estimators are fitted on, do not have any. Use fewer "
                "folds, other groups, or drop_label."
            )


def _flat(sample_weight: Sequence[Any], lengths: NDArray[np.intp]) -> list[Any]:
    """Return weights in one list, if there are as many as labels of each text."""
    if isinstance(sample_weight, str) or not hasattr(sample_weight, "__len__"):
        raise TypeError(
            "sample_weight must contain a list of weights for each text, as labels, got "
            f"{type(sample_weight).__name__}."
        )
    if len(sample_weight) != len(lengths):
        raise ValueError(
            f"sample_weight must contain a list for each of the {len(lengths)} texts, got "
            f"{len(sample_weight)}."
        )
    for index, (own, length) in enumerate(zip(sample_weight, lengths.tolist(), strict=True)):
        if not hasattr(own, "__len__") or len(own) != length:
            raise ValueError(
                f"sample_weight[{index}] must contain {length} weights, one for each label of text "
                f"{index}, got {own!r:.60}."
            )
    return [weight for own in sample_weight for weight in own]
