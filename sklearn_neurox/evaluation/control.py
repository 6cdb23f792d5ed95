"""Control tasks: what a probe reaches on random labels."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from numbers import Integral, Number

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length, check_random_state, check_scalar

from .._labels import check_labels
from .._validation import check_words
from .._warnings import warn

# From this share of unseen word types on, memory can help with so few test words that the control
# score is what guessing gives, and the selectivity is the score above guessing.
_TOO_MANY_UNSEEN = 0.9
_MANY_LABELS = 10


@dataclass(frozen=True, eq=False, repr=False)
class ControlTask:
    """Random labels, the same for every occurrence of a word type.

    Parameters
    ----------
    labels : ndarray of shape (n_words,)
        Control label of each word.
    types : ndarray of int of shape (n_words,)
        Word type of each word: its place in `mapping`.
    mapping : dict
        Control label of each word type.
    classes : ndarray of shape (n_labels,)
        The labels that are drawn from.
    probabilities : ndarray of shape (n_labels,)
        Their probabilities.
    seed : int
        Draws the labels of word types that come later.

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
    types: NDArray[np.intp]
    mapping: dict[Hashable, object]
    classes: NDArray
    probabilities: NDArray[np.float64]
    seed: int

    def __repr__(self) -> str:
        n_labels = len(np.unique(self.labels))
        return (
            f"{type(self).__name__}({len(self.labels):,} words, {len(self.mapping):,} word types, "
            f"{n_labels} labels)"
        )

    def transform(self, words: Sequence[Hashable], *, on_unseen: str = "error") -> NDArray:
        """Labels of other words.

        Parameters
        ----------
        words : sequence of n_words words
        on_unseen : {"error", "draw"}, default="error"
            What to do with word types that the task was made without. "draw" draws their labels
            as those of the others were drawn; a type gets the same label whenever and wherever
            it comes.

        Returns
        -------
        ndarray of shape (n_words,)

        Raises
        ------
        ValueError
            If a word type has no label, with the word; or `on_unseen` is unknown.
        """
        if on_unseen not in ("error", "draw"):
            raise ValueError(f"on_unseen must be 'error' or 'draw', got {on_unseen!r}.")
        words = check_words(words, name="words")
        drawn = {}
        for position, word in enumerate(words):
            if word in self.mapping or word in drawn:
                continue
            if on_unseen == "error":
                raise ValueError(
                    f"The control task has no label for the word {word!r} at place {position}: it "
                    "was made without it. Make the task on all words, those of the test set too, "
                    "or ask for on_unseen='draw'."
                )
            drawn[word] = self._draw(word)
        labels = {**self.mapping, **drawn}
        return np.array([labels[word] for word in words], dtype=self.labels.dtype)

    def _draw(self, word: Hashable):
        """Label by the seed and the word alone, so that order and company do not matter."""
        digest = blake2b(
            f"{self.seed} {_spelled(word)}".encode("utf-8", "surrogatepass"), digest_size=8
        )
        share = int.from_bytes(digest.digest(), "big") / 2**64
        place = np.searchsorted(self.probabilities.cumsum(), share, side="right")
        return self.classes.tolist()[min(place, len(self.classes) - 1)]  # the sum may round


def _spelled(word: Hashable) -> str:
    """Text that is the same for equal words, and in every process."""
    if isinstance(word, Number):
        return str(hash(word))  # 5, 5.0 and a 5 of numpy are equal
    if isinstance(word, tuple):
        return str([_spelled(part) for part in word])
    return str(word)


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
        Labels of the real task; or numbers, one of which each word type gets.
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

    Warns
    -----
    UserWarning
        If there are more labels than word types, as where words and y are swapped.

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
    y = check_labels(y, name="y")
    check_consistent_length(words, y)
    if distribution not in ("empirical", "uniform"):
        raise ValueError(f"distribution must be 'empirical' or 'uniform', got {distribution!r}.")
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"A control task needs two labels, but y has only {classes.tolist()[0]!r}."
        )
    if n_labels is not None:
        check_scalar(n_labels, "n_labels", Integral, min_val=2, max_val=len(classes))
        frequent = np.sort(np.argsort(-counts, kind="stable")[:n_labels])
        classes, counts = classes[frequent], counts[frequent]
    places: dict[Hashable, int] = {}
    types = np.array([places.setdefault(word, len(places)) for word in words])
    if y.dtype.kind == "U" and len(np.unique(y)) > max(len(places), _MANY_LABELS):
        warn(
            f"There are more labels than word types, {len(np.unique(y)):,} and {len(places):,}: "
            "are words and y in each other's place?",
        )
    weights = counts if distribution == "empirical" else np.ones(len(classes))
    probabilities = weights / weights.sum()
    random_state = check_random_state(random_state)
    drawn = random_state.choice(classes, size=len(places), p=probabilities)
    if (drawn == drawn[0]).all():
        raise ValueError(
            f"All {len(places)} word types drew the label {drawn.tolist()[0]!r}, which is no task. "
            "Give more words, another random_state, or distribution='uniform'."
        )
    mapping = dict(zip(places, drawn.tolist(), strict=True))
    seed = random_state.randint(2**31 - 1)
    return ControlTask(drawn[types], types, mapping, classes, probabilities, seed)


def oov_rates(types, splits) -> NDArray[np.float64]:
    """Share of the test words of each fold whose type is out of the training vocabulary."""
    return np.array(
        [np.isin(types[test], types[train], invert=True).mean() for train, test in splits]
    )


def warn_of_unseen_types(rates) -> None:
    """Warn where a control task cannot be learnt: hardly a test word is of a training type."""
    n_folds = int((rates >= _TOO_MANY_UNSEEN).sum())
    if n_folds:
        warn(
            f"On {n_folds} of {len(rates)} folds, {_TOO_MANY_UNSEEN:.0%} of the test words or "
            f"more (up to {rates.max():.1%}) are of word types that training has not. The "
            "control task cannot be learnt there, and the selectivity measures nothing but the "
            "score above guessing. Split by sentences, not by word types, for it.",
        )
