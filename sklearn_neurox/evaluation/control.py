"""Control tasks: what a probe reaches on random labels."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length, check_random_state, check_scalar, column_or_1d

from .._validation import check_words


@dataclass(frozen=True, eq=False, repr=False)
class ControlTask:
    """Random labels, the same for every occurrence of a word type.

    Parameters
    ----------
    labels : ndarray of shape (n_words,)
        Control label of each word.
    mapping : dict
        Control label of each word type.

    Examples
    --------
    >>> from sklearn_neurox import make_control_task
    >>> task = make_control_task(["a", "b", "a"], ["X", "Y", "X"], random_state=0)
    >>> task.mapping
    {'a': 'X', 'b': 'Y'}
    >>> task.transform(["b", "a"])
    array(['Y', 'X'], dtype='<U1')
    """

    labels: NDArray
    mapping: dict[Hashable, object]

    def __repr__(self) -> str:
        n_labels = len(np.unique(self.labels))
        return (
            f"{type(self).__name__}({len(self.labels):,} words, {len(self.mapping):,} word types, "
            f"{n_labels} labels)"
        )

    def transform(self, words: Sequence[Hashable]) -> NDArray:
        """Labels of other words of the same types.

        Parameters
        ----------
        words : sequence of n_words words

        Returns
        -------
        ndarray of shape (n_words,)

        Raises
        ------
        ValueError
            If a word type has no label, with the word.
        """
        words = check_words(words, name="words")
        for position, word in enumerate(words):
            if word not in self.mapping:
                raise ValueError(
                    f"The control task has no label for the word {word!r} at place {position}: it "
                    "was made without it. Make the task on all words, those of the test set too."
                )
        return np.array([self.mapping[word] for word in words], dtype=self.labels.dtype)


def make_control_task(
    words: Sequence[Hashable],
    y,
    *,
    n_labels: int | None = None,
    distribution: str = "empirical",
    random_state=None,
) -> ControlTask:
    """Make a control task of Hewitt and Liang: each word type gets a label by chance.

    A probe can only solve it by memorising word types. The accuracy on the real task minus that
    on the control task, its *selectivity*, tells what the activations say beyond the identity of
    the word. It takes word types that training and test words share.

    Parameters
    ----------
    words : sequence of n_words words
        Word types are told apart as they are written; case matters.
    y : array-like of shape (n_words,)
        Labels of the real task.
    n_labels : int, default=None
        Draw from the `n_labels` most frequent labels of y only. None draws from all.
    distribution : {"empirical", "uniform"}, default="empirical"
        Draw labels as often as they occur in y, or all alike.
    random_state : int, RandomState instance or None, default=None
        Source of chance.

    Returns
    -------
    ControlTask
        With ``labels`` for the words, the ``mapping`` from word types, and ``transform`` for
        other words.

    Raises
    ------
    ValueError
        If lengths differ, there are no words, `distribution` is unknown, `n_labels` is not
        between 2 and the number of labels, or all word types happen to draw the same label.

    References
    ----------
    .. [1] J. Hewitt and P. Liang (2019). Designing and Interpreting Probes with Control Tasks.
       EMNLP.

    Examples
    --------
    >>> from sklearn_neurox import make_control_task
    >>> words = ["the", "cat", "saw", "the", "dog"]
    >>> tags = ["DET", "NOUN", "VERB", "DET", "NOUN"]
    >>> task = make_control_task(words, tags, random_state=1)
    >>> task
    ControlTask(5 words, 4 word types, 2 labels)
    >>> bool(task.labels[0] == task.labels[3])
    True
    """
    words = check_words(words, name="words")
    y = column_or_1d(y)
    check_consistent_length(words, y)
    if not len(y):
        raise ValueError("A control task needs at least one word.")
    if distribution not in ("empirical", "uniform"):
        raise ValueError(f"distribution must be 'empirical' or 'uniform', got {distribution!r}.")
    classes, counts = np.unique(y, return_counts=True)
    if n_labels is not None:
        check_scalar(n_labels, "n_labels", Integral, min_val=2, max_val=len(classes))
        frequent = np.sort(np.argsort(-counts, kind="stable")[:n_labels])
        classes, counts = classes[frequent], counts[frequent]
    types = list(dict.fromkeys(words))
    share = counts / counts.sum() if distribution == "empirical" else None
    drawn = check_random_state(random_state).choice(classes, size=len(types), p=share)
    if (drawn == drawn[0]).all():
        raise ValueError(
            f"All {len(types)} word types drew the label {drawn.tolist()[0]!r}, which is no task. "
            "Give more words, another random_state, or distribution='uniform'."
        )
    mapping = dict(zip(types, drawn.tolist(), strict=True))
    return ControlTask(np.array([mapping[word] for word in words], dtype=classes.dtype), mapping)
