"""Texts with labels of the texts or of their words, their folds and their control tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import type_of_target

from .._labels import check_labels
from .._results import make_splits
from .._wording import count
from ..datasets.sentences import (
    Sentence,
    check_corpus,
    check_texts,
    check_word_labels,
    is_sentence,
)
from ..evaluation.control import make_control_task
from ._recipes import Recipe

# The labels of the rows of each text: one, or one per word.
LabelsByText: TypeAlias = list[NDArray]
Split: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]

_MAX_TRIES = 100  # for control labels of more than one class in each training set


@dataclass(frozen=True)
class LabeledTexts:
    """Texts, and the labels of each text or of each of its words.

    Parameters
    ----------
    texts : list of sentences
    labels : list of ndarray or None
        The labels of each text: a single one, or one for each word.
    has_words : bool
        Whether the labels are those of words.
    groups : ndarray of shape (n_texts,) or None
    """

    texts: list[Any]
    labels: LabelsByText | None
    has_words: bool
    groups: NDArray | None

    def by_text(self, encoded: Sequence[Any]) -> LabelsByText | None:
        """Return the labels of the rows of encoded texts, which may be truncated."""
        if self.labels is None:
            return None
        own = [self.labels[text.sentence_id] for text in encoded]
        if not self.has_words:  # the positions of texts are those of the tokens that are pooled
            return own
        return [each[text.positions] for each, text in zip(own, encoded, strict=True)]

    def groups_of(self, encoded: Sequence[Any]) -> NDArray | None:
        """Return the groups of the rows of encoded texts. Without groups, words are of texts."""
        if self.groups is None and not self.has_words:
            return None
        groups = np.arange(len(self.texts)) if self.groups is None else self.groups
        return np.repeat(
            groups[[text.sentence_id for text in encoded]], [text.n_rows for text in encoded]
        )

    def splits(self, cv: Any, recipe: Recipe) -> list[Split]:
        """Return the training and test texts of each fold: all texts for a fixed edit.

        Raises
        ------
        ValueError
            As in ``make_splits``, or if a text is in several test sets.
        """
        n_texts = len(self.texts)
        if recipe.is_fixed:
            return [(np.arange(n_texts), np.arange(n_texts))]
        y, is_class = np.zeros(n_texts), False
        if self.labels is not None and not self.has_words:
            y = np.concatenate(self.labels)
            is_class = type_of_target(y) != "continuous"
        splits = make_splits(
            np.zeros((n_texts, 1)), y, cv=cv, classifier=is_class, groups=self.groups
        )
        tested = np.concatenate([test for _, test in splits])
        repeated = np.flatnonzero(np.bincount(tested) > 1)
        if len(repeated):
            raise ValueError(
                f"cv={cv!r} must contain each text in at most one test set, but text "
                f"{repeated[0]} is in several."
            )
        for fold, (train, test) in enumerate(splits):
            shared = np.intersect1d(train, test)
            if len(shared):
                raise ValueError(
                    f"Fold {fold} of cv contains text {shared[0]} both in training and in test."
                )
        return splits

    def places_of(self, encoded: Sequence[Any]) -> NDArray[np.intp]:
        """Return the places of the labels of the rows of encoded texts among those of all texts."""
        assert self.labels is not None
        starts = np.cumsum([0] + [len(labels) for labels in self.labels])
        if not self.has_words:
            return starts[[text.sentence_id for text in encoded]]
        return np.concatenate([starts[text.sentence_id] + text.positions for text in encoded])

    def control_labels(self, n_draws: int, splits: Sequence[Split], *, seed: int) -> list[NDArray]:
        """Draw the labels of control tasks: random labels, the same for each type.

        The types are the words; the groups if the labels do not differ within groups; or the texts.

        Returns
        -------
        list of n_draws ndarray of shape (n_labels,)
            The labels of all texts.

        Raises
        ------
        ValueError
            If training labels of several classes cannot be drawn.
        """
        if not n_draws:
            return []
        assert self.labels is not None
        random = RandomState(seed)
        y, types = np.concatenate(self.labels), self._types()
        sizes = [len(labels) for labels in self.labels]
        return [self._draw(types, y, sizes, splits, random) for _ in range(n_draws)]

    def _draw(
        self,
        types: list[Any],
        y: NDArray,
        sizes: list[int],
        splits: Sequence[Split],
        random: RandomState,
    ) -> NDArray:
        owners = np.repeat(np.arange(len(sizes)), sizes)
        for _ in range(_MAX_TRIES):
            seed = random.randint(2**31 - 1)
            try:
                drawn = make_control_task(types, y, random_state=seed).labels
            except ValueError:  # all types drew the same label
                continue
            if all(len(np.unique(drawn[np.isin(owners, train)])) > 1 for train, _ in splits):
                return drawn
        raise ValueError(
            f"The labels of a control task could not be drawn: with {len(set(types))} types, all "
            "training labels of a fold are usually the same. Use more texts, or leave out the "
            "placebo 'control_task'."
        )

    def _types(self) -> list[Any]:
        assert self.labels is not None
        if self.has_words:
            return [word for text in check_corpus(self.texts) for word in text]
        y = np.concatenate(self.labels)
        if self.groups is not None and len(np.unique(self.groups)) < len(y):
            codes = np.unique(self.groups, return_inverse=True)[1]
            pairs = set(zip(codes.tolist(), y.tolist(), strict=True))
            if len(pairs) == codes.max() + 1:
                return codes.tolist()
        return [text if isinstance(text, str) else " ".join(map(str, text)) for text in self.texts]


def read_labels(texts: Any, labels: Any, groups: ArrayLike | None, recipe: Recipe) -> LabeledTexts:
    """Check texts, their labels and their groups.

    Parameters
    ----------
    texts : sequence of sentences
    labels : array-like or sequence of sequences, or None
    groups : array-like or None
    recipe : Recipe
        How the edit is made from the labels.

    Raises
    ------
    TypeError, ValueError
        If they are invalid or do not fit, or required labels are missing.
    """
    checked = check_texts(texts)
    has_words = labels is not None and _is_nested(labels)
    if labels is None and recipe.uses_labels:
        raise ValueError(
            f"{recipe.name} is fitted on labels, so labels must contain one label for each text, "
            "or for each word of each text."
        )
    by_text: LabelsByText | None = None
    if has_words:
        other = next((i for i, text in enumerate(checked) if not is_sentence(text)), None)
        if other is not None:
            raise ValueError(
                f"labels contains labels of words, but text {other} is not a string or a list of "
                "words. Pass one label for each text."
            )
        flat = check_word_labels(check_corpus(checked), labels)
        ends = np.cumsum([len(each) for each in labels])
        by_text = np.split(flat, ends[:-1])
    elif labels is not None:
        by_text = list(_one_per_text(labels, checked, "labels")[:, np.newaxis])
    found = None if groups is None else _one_per_text(groups, checked, "groups")
    return LabeledTexts(checked, by_text, has_words, found)


def _one_per_text(values: Any, texts: list[Sentence], name: str) -> NDArray:
    array = check_labels(values, name=name)
    if len(array) != len(texts):
        raise ValueError(
            f"{name} must contain one value for each of the {count(len(texts), 'text')}, got "
            f"{len(array)}."
        )
    return array


def _is_nested(labels: Any) -> bool:
    """Return whether labels are those of words, in one list for each text."""
    if not isinstance(labels, list | tuple) or not len(labels):
        return False
    first = labels[0]
    return isinstance(first, list | tuple) or getattr(first, "ndim", 0) > 0
