"""Control tasks: random labels, which a probe can only memorize."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from numbers import Integral, Number
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._labels import check_labels
from .._validation import check_words, validate_params
from .._warnings import warn

# From this share of test words of unseen types, memorization is so rarely possible that the control
# score is the chance level, and the selectivity is the score above chance.
_TOO_MANY_UNSEEN = 0.9
_MANY_LABELS = 10
Context: TypeAlias = Literal["previous", "next"]


@dataclass(frozen=True, eq=False, repr=False)
class ControlTask:
    """Random labels, the same for every occurrence of a word type.

    Parameters
    ----------
    labels : ndarray of shape (n_words,)
        Control label of each word.
    types : ndarray of int of shape (n_words,)
        Word type of each word, as its position in `mapping`.
    mapping : dict
        Control label of each word type. With a `context`, the keys are pairs of a word type and of
        the class of the other word, 0 or 1.
    classes : ndarray of shape (n_labels,)
        The labels to draw from.
    probabilities : ndarray of shape (n_labels,)
        Probabilities of the labels.
    seed : int
        Seed for the labels of word types that are not in `mapping`, and for the classes of other
        words.
    context : {"previous", "next"} or None
        The other word on which the label of a word depends.

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
    context: Context | None = None

    def __repr__(self) -> str:
        n_labels = len(np.unique(self.labels))
        types = "word types" if self.context is None else f"word types by {self.context} word"
        return (
            f"{type(self).__name__}({len(self.labels):,} words, {len(self.mapping):,} {types}, "
            f"{n_labels} labels)"
        )

    def transform(
        self,
        words: Iterable[Hashable],
        *,
        sentence_ids: ArrayLike | None = None,
        on_unseen: Literal["error", "draw"] = "error",
    ) -> NDArray:
        """Return the control labels of other words.

        Parameters
        ----------
        words : iterable of n_words words
        sentence_ids : array-like of shape (n_words,), default=None
            Sentence of each word, which a task with a `context` requires.
        on_unseen : {"error", "draw"}, default="error"
            What to do with word types that are not in `mapping`. "draw" draws their labels from
            the same distribution; the label of a type depends only on the type and the seed.

        Returns
        -------
        ndarray of shape (n_words,)

        Raises
        ------
        ValueError
            If a word type does not have a label, `on_unseen` is unknown, or `sentence_ids` are
            missing.
        """
        if on_unseen not in ("error", "draw"):
            raise ValueError(f"on_unseen must be 'error' or 'draw', got {on_unseen!r}.")
        words = _keys(check_words(words, name="words"), self.context, sentence_ids, self.seed)
        drawn: dict[Hashable, object] = {}
        for position, word in enumerate(words):
            if word in self.mapping or word in drawn:
                continue
            if on_unseen == "error":
                raise ValueError(
                    f"The control task does not have a label for words[{position}] = {word!r}. "
                    "Create the task with all words, including those of the test set, or pass "
                    "on_unseen='draw'."
                )
            drawn[word] = self._draw(word)
        labels = {**self.mapping, **drawn}
        return np.array([labels[word] for word in words], dtype=self.labels.dtype)

    def _draw(self, word: Hashable) -> object:
        share = _share(self.seed, word)
        place = np.searchsorted(self.probabilities.cumsum(), share, side="right")
        # The probabilities may sum to slightly less than 1.
        return self.classes.tolist()[min(place, len(self.classes) - 1)]


def _share(seed: int, word: Hashable) -> float:
    """Return a pseudo-random number in [0, 1) that depends only on the seed and the word."""
    digest = blake2b(f"{seed} {_spelled(word)}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64


def _keys(
    words: list[Any], context: Context | None, sentence_ids: ArrayLike | None, seed: int
) -> list[Any]:
    """Return what the label of each word depends on: its type, and the class of another word."""
    if context is None:
        return words
    if sentence_ids is None:
        raise ValueError(
            f"context={context!r} requires sentence_ids, because words of other sentences are not "
            "the context of a word."
        )
    ids = check_labels(sentence_ids, name="sentence_ids")
    check_consistent_length(words, ids)
    step = 1 if context == "next" else -1
    classes: dict[Hashable, int] = {}
    keys = []
    for i, word in enumerate(words):
        j = i + step
        is_inside = 0 <= j < len(words) and ids[j] == ids[i]
        # The class of the end of a sentence is that of an empty tuple, which is not a word.
        other = words[j] if is_inside else ()
        if other not in classes:
            classes[other] = int(_share(seed, ("context", other)) >= 0.5)
        keys.append((word, classes[other]))
    return keys


def _spelled(word: Hashable) -> str:
    """Return a text that is the same for equal words and in every process."""
    if isinstance(word, Number):
        return str(hash(word))  # 5, 5.0 and np.int64(5) are equal
    if isinstance(word, tuple):
        return str([_spelled(part) for part in word])
    return str(word)


@validate_params(
    {
        "n_labels": [Interval(Integral, 2, None, closed="left"), None],
        "distribution": [StrOptions({"empirical", "uniform"})],
        "context": [StrOptions({"previous", "next"}), None],
        "sentence_ids": ["array-like", None],
        "random_state": ["random_state"],
    }
)
def make_control_task(
    words: Sequence[Hashable],
    y: ArrayLike,
    *,
    n_labels: int | None = None,
    distribution: Literal["empirical", "uniform"] = "empirical",
    context: Context | None = None,
    sentence_ids: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> ControlTask:
    """Make a control task [1]_, in which each word type has a random label.

    A probe can solve it only by memorizing word types. The accuracy on the real task minus the
    accuracy on the control task, its *selectivity*, measures what the activations encode beyond
    the identity of the word. Training and test words must share word types.

    With a `context`, each word type has two random labels, and a random class of the previous or of
    the next word decides which of them applies. The label of a word then changes if the words of a
    sentence are put in another order. A probe that reads only the identity of the word cannot solve
    this task. A high score shows that the activations also identify the neighboring word, and that
    the probe has the capacity to memorize both.

    Parameters
    ----------
    words : sequence of n_words words
        Word types are distinguished by their spelling, including case.
    y : array-like of shape (n_words,)
        Labels of the real task. If they are numbers, one of them is assigned to each word type.
    n_labels : int, default=None
        Number of labels to draw from, the most frequent ones in y. If None, draw from all labels.
    distribution : {"empirical", "uniform"}, default="empirical"
        Whether to draw labels with their frequency in y, or with equal probability.
    context : {"previous", "next"}, default=None
        Whether the label of a word also depends on the previous or on the next word of its
        sentence, or on the end of the sentence.
    sentence_ids : array-like of shape (n_words,), default=None
        Sentence of each word. The words of a sentence must be complete, in order and next to each
        other. Required if there is a `context`.
    random_state : int, RandomState instance or None, default=None
        Controls the random labels. Pass an int for reproducible output across multiple function
        calls.

    Returns
    -------
    ControlTask
        With the ``labels`` of the words, the ``mapping`` from word types to labels, and a method
        ``transform`` for other words.

    Raises
    ------
    ValueError
        If lengths differ, there are no words, `distribution` is unknown, `n_labels` is not
        between 2 and the number of labels, all word types happen to draw the same label, or there
        is a `context` without `sentence_ids`.

    Warns
    -----
    UserWarning
        If there are more labels than word types, which may mean that words and y are swapped.

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
    >>> make_control_task(words, tags, context="next", sentence_ids=[0] * 5, random_state=2)
    ControlTask(5 words, ... word types by next word, ... labels)
    """
    words = check_words(words, name="words")
    y = check_labels(y, name="y")
    check_consistent_length(words, y)
    classes, counts = _classes(y, n_labels)
    generator = check_random_state(random_state)
    # Without a context, the seed is drawn after the labels, which need no seed.
    seed = None if context is None else generator.randint(2**31 - 1)
    words = _keys(words, context, sentence_ids, seed or 0)
    places: dict[Hashable, int] = {}
    types = np.array([places.setdefault(word, len(places)) for word in words])
    if y.dtype.kind == "U" and len(np.unique(y)) > max(len(places), _MANY_LABELS):
        warn(
            f"There are more labels ({len(np.unique(y)):,}) than word types ({len(places):,}). "
            "Are words and y swapped?"
        )
    weights = counts if distribution == "empirical" else np.ones(len(classes))
    probabilities = weights / weights.sum()
    drawn = generator.choice(classes, size=len(places), p=probabilities)
    if (drawn == drawn[0]).all():
        raise ValueError(
            f"All {len(places)} word types drew the label {drawn.tolist()[0]!r}, so there is "
            "nothing to learn. Use more words, another random_state, or distribution='uniform'."
        )
    mapping = dict(zip(places, drawn.tolist(), strict=True))
    seed = generator.randint(2**31 - 1) if seed is None else seed
    return ControlTask(drawn[types], types, mapping, classes, probabilities, seed, context)


@validate_params({"n_tasks": [Interval(Integral, 1, None, closed="left")]})
def make_control_tasks(
    words: Sequence[Hashable],
    y: ArrayLike,
    *,
    n_tasks: int = 5,
    random_state: int | np.random.RandomState | None = None,
    **options: Any,
) -> tuple[ControlTask, ...]:
    """Make several control tasks on the same words.

    The score of a probe depends on the labels that were drawn. The spread of the scores on several
    control tasks shows how much.

    Parameters
    ----------
    words, y
        As in :func:`make_control_task`.
    n_tasks : int, default=5
        Number of control tasks.
    random_state : int, RandomState instance or None, default=None
        Controls the random labels. The first task is that of :func:`make_control_task` with the
        same int.
    **options
        Other parameters of :func:`make_control_task`.

    Returns
    -------
    tuple of ControlTask

    Raises
    ------
    TypeError, ValueError
        As in :func:`make_control_task`.

    Examples
    --------
    >>> from sklearn_neurox import make_control_tasks
    >>> words = ["the", "cat", "saw", "the", "dog"]
    >>> tags = ["DET", "NOUN", "VERB", "DET", "NOUN"]
    >>> [task.mapping["the"] for task in make_control_tasks(words, tags, random_state=1)]
    ['NOUN', ...]
    """
    generator = check_random_state(random_state)
    return tuple(
        make_control_task(words, y, random_state=generator, **options) for _ in range(n_tasks)
    )


def check_tasks(tasks: Any, n_samples: int, *, name: str) -> tuple[ControlTask, ...]:
    """Return one or several control tasks as a tuple.

    Raises
    ------
    TypeError
        If there is something else than control tasks.
    ValueError
        If there are no tasks, or they are of another number of words.
    """
    listed = (tasks,) if isinstance(tasks, ControlTask) else tuple(tasks)
    if not listed:
        raise ValueError(f"{name} is empty: expected at least one control task.")
    for task in listed:
        if not isinstance(task, ControlTask):
            raise TypeError(f"{name} must contain control tasks, got {type(task).__name__}.")
        if len(task.labels) != n_samples:
            raise ValueError(f"{name} has {len(task.labels)} words, but X has {n_samples} samples.")
    return listed


def are_tasks(value: Any) -> bool:
    """Return whether a value is a control task, or a list or tuple that begins with one."""
    if isinstance(value, list | tuple):
        return bool(value) and isinstance(value[0], ControlTask)
    return isinstance(value, ControlTask)


def _classes(y: NDArray, n_labels: int | None) -> tuple[NDArray, NDArray[np.intp]]:
    """Return the most frequent labels, sorted, and how often each occurs."""
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            "A control task requires at least 2 labels, but y contains only "
            f"{classes.tolist()[0]!r}."
        )
    if n_labels is None:
        return classes, counts
    if n_labels > len(classes):
        raise ValueError(
            f"n_labels must be at most the number of labels in y, {len(classes)}, got {n_labels}."
        )
    frequent = np.sort(np.argsort(-counts, kind="stable")[:n_labels])
    return classes[frequent], counts[frequent]


def unseen_rates(types: NDArray[np.intp], splits: Sequence[tuple[Any, Any]]) -> NDArray[np.float64]:
    """Return the share of the test words of each fold whose type is missing in training."""
    return np.array(
        [np.isin(types[test], types[train], invert=True).mean() for train, test in splits]
    )


def warn_about_unseen_types(rates: NDArray[np.float64]) -> None:
    """Warn if a control task cannot be learned because almost all test types are unseen."""
    n_folds = int((rates >= _TOO_MANY_UNSEEN).sum())
    if n_folds:
        warn(
            f"In {n_folds} of {len(rates)} folds, {_TOO_MANY_UNSEEN:.0%} of the test words or "
            f"more (up to {rates.max():.1%}) are of word types that were not seen during "
            "training. In these folds, the control task cannot be learned, and the selectivity "
            "only measures the score above chance. Split by sentences instead of word types."
        )
