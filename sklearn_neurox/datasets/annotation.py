"""Labels made of words, and labels made of labels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._labels import KINDS, kind_of
from .sentences import Sentence, check_corpus

Label = str | bool | float
Definition = Collection[str] | re.Pattern[str]

# Labels that an error lists, to tell a typo from a label of another corpus.
_N_LABELS_TOLD = 20
# What Python's float takes beyond this, such as "1_000", "infinity" or " 1 ", is no number in a
# file of labels.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def annotate(
    sentences: Sequence[Sentence],
    by: Definition | Callable[[str], Label] | Mapping[Label, Definition],
    *,
    default: Label | None = None,
) -> list[list[Any]]:
    r"""Label every word of a corpus by a set, a regular expression or a function.

    Words are compared as they stand: case matters, and so does the Unicode form (é as one
    character or as two).

    Parameters
    ----------
    sentences : sequence of str, or of sequences of str
        Each is a list of words, or a string to split on single spaces, as for
        :class:`~sklearn_neurox.ActivationExtractor`.
    by : set of str, re.Pattern, callable or mapping
        - A set of words: True for a word in it.
        - A compiled regular expression: True for a word that it matches from end to end.
        - A callable: the label that it returns for the word, a string, a boolean or a number. It is
          called for every word, in the order of the corpus.
        - A mapping from labels to sets or regular expressions: the label of the one that the word
          belongs to.
    default : str, bool or number, default=None
        With a mapping, the label of the words that belong to none. None makes them an error.

    Returns
    -------
    list of list
        A label for each word of each sentence.

    Raises
    ------
    TypeError
        If `sentences` is no corpus, `by` is none of the above (a string is not compiled for
        you), or labels are neither strings, booleans nor numbers, or not all of one kind.
    ValueError
        If a sentence or word is empty, a word has white space in it, a set is empty or has a word
        that no corpus can have; if two labels of a mapping claim the same word, or none does and
        there is no default; if `default` is a label of the mapping, or is given without a
        mapping; or if a number is NaN or infinite.

    See Also
    --------
    binarize_labels : Booleans from labels that are there.

    Examples
    --------
    >>> import re
    >>> from sklearn_neurox import annotate
    >>> sentences = [["In", "1998", "it", "rained"], ["It", "stopped", "in", "2004"]]
    >>> annotate(sentences, re.compile(r"\d{4}"))
    [[False, True, False, False], [False, False, False, True]]
    >>> annotate(sentences, {"year": re.compile(r"\d{4}"), "in": {"in", "In"}}, default="other")
    [['in', 'year', 'other', 'other'], ['other', 'other', 'in', 'year']]
    >>> annotate(sentences, len)
    [[2, 4, 2, 6], [2, 7, 2, 4]]
    """
    corpus = check_corpus(sentences)
    label = _labeller(by, default)
    labels = [
        [label(word, f"Sentence {i}, word {j} ({word!r})") for j, word in enumerate(words)]
        for i, words in enumerate(corpus)
    ]
    _check_kind(_flatten(labels))
    return labels


def binarize_labels(labels: Sequence | NDArray, positive: Label | Collection[Label]) -> Any:
    """Tell the words of one label, or of some, from all others.

    Parameters
    ----------
    labels : sequence of sequences, sequence, or array of shape (n_words,)
        Strings, numbers or booleans: a list of labels for each sentence, or a row of labels.
    positive : label or collection of labels
        The labels that become True.

    Returns
    -------
    list of list of bool, list of bool, or ndarray of bool of shape (n_words,)
        The shape of `labels`: an array for an array, lists for sequences.

    Raises
    ------
    TypeError
        If labels are neither strings, numbers nor booleans, or not all of one kind, `positive`
        included.
    ValueError
        If a positive label does not occur, there is no label, an array has not one dimension, or a
        number is NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import binarize_labels
    >>> binarize_labels([["DET", "NOUN"], ["PROPN"]], {"NOUN", "PROPN"})
    [[False, True], [True]]
    >>> binarize_labels(np.array(["DET", "NOUN", "PROPN"]), "NOUN")
    array([False,  True, False])
    """
    cells = _flatten(labels)
    chosen = _chosen_labels(positive, kind=_check_kind(cells))
    occurring = set(cells.values)
    missing = chosen - occurring
    if missing:
        told = ", ".join(map(repr, sorted(occurring)[:_N_LABELS_TOLD]))
        more = ", ..." if len(occurring) > _N_LABELS_TOLD else ""
        raise ValueError(
            f"positive asks for {' and '.join(map(repr, sorted(missing)))}, which no word has. The "
            f"labels are {told}{more}."
        )
    return cells.shape([label in chosen for label in cells.values])


def _chosen_labels(positive: Any, kind: str) -> set:
    one = kind_of(positive) in KINDS
    if not one and (isinstance(positive, Mapping) or not isinstance(positive, Collection)):
        raise TypeError(
            f"positive must be a label or a collection of labels, got {type(positive).__name__} "
            f"{positive!r:.60}."
        )
    chosen = [positive] if one else list(positive)
    if not chosen:
        raise ValueError("positive is empty: expected at least one label.")
    for label in chosen:
        if kind_of(label) != kind:
            raise TypeError(
                f"The labels are {kind}s, but positive asks for the {kind_of(label)} {label!r}."
            )
    return set(chosen)


def numeric_labels(labels: Sequence | NDArray) -> Any:
    """Turn labels read from a file into numbers, for a regression.

    Parameters
    ----------
    labels : sequence of sequences of str, sequence of str, or array of str of shape (n_words,)
        Decimal numbers with a point, as "3", "-0.5" or "1e-3".

    Returns
    -------
    list of list of float, list of float, or ndarray of float64 of shape (n_words,)
        The shape of `labels`: an array for an array, lists for sequences.

    Raises
    ------
    TypeError
        If a label is no string.
    ValueError
        With its sentence and word, if a string is no number, or is NaN or infinite; if there is no
        label, or an array has not one dimension.

    Examples
    --------
    >>> from sklearn_neurox import numeric_labels
    >>> numeric_labels([["3", "-0.5"], ["1e-3"]])
    [[3.0, -0.5], [0.001]]
    """
    cells = _flatten(labels)
    return cells.shape([_number(value, i, cells) for i, value in enumerate(cells.values)])


def _number(value: object, index: int, cells: _Cells) -> float:
    if not isinstance(value, str):
        raise TypeError(
            f"{cells.place(index)}: expected a string such as '0.5', got {type(value).__name__} "
            f"{value!r}."
        )
    number = float(value) if _NUMBER.fullmatch(value) else math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{cells.place(index)}: expected a finite number such as '0.5', got {value!r}."
        )
    return number


def _labeller(by: Any, default: Label | None) -> Callable[[str, str], Any]:
    """From a word, and where it stands, to its label."""
    if isinstance(by, Mapping):
        return _chooser(by, default)
    if default is not None:
        raise ValueError(
            f"default={default!r} is for words that belong to no label of a mapping, but by is "
            f"no mapping: {by!r:.60}."
        )
    if callable(by):
        return lambda word, place: by(word)
    is_member = _membership(by, "by")
    return lambda word, place: is_member(word)


def _chooser(by: Mapping, default: Label | None) -> Callable[[str, str], Any]:
    if not by:
        raise ValueError("by is empty: expected at least one label.")
    members = {label: _membership(by[label], f"by[{label!r}]") for label in by}
    _check_kind(_Cells([*by] if default is None else [*by, default], None, is_array=False))
    if default in by:
        raise ValueError(f"default={default!r} is also a label of the mapping.")

    def label(word: str, place: str) -> Any:
        claims = [label for label, is_member in members.items() if is_member(word)]
        if len(claims) > 1:
            raise ValueError(f"{place} belongs to {' and '.join(map(repr, claims))}.")
        if not claims and default is None:
            raise ValueError(
                f"{place} belongs to none of the labels. Give a default for such words."
            )
        return claims[0] if claims else default

    return label


def _membership(definition: Any, name: str) -> Callable[[str], bool]:
    if isinstance(definition, re.Pattern) and isinstance(definition.pattern, str):
        return lambda word: definition.fullmatch(word) is not None
    if isinstance(definition, str):
        raise TypeError(
            f"{name} is the string {definition!r}. Give a set of words, {{{definition!r}}}, or "
            f"compile the regular expression, re.compile({definition!r})."
        )
    if isinstance(definition, bytes | Mapping) or not isinstance(definition, Collection):
        raise TypeError(
            f"{name}: expected a set of words or a compiled regular expression (of str, not of "
            f"bytes), got {type(definition).__name__} {definition!r:.60}."
        )
    return _check_word_set(definition, name).__contains__


def _check_word_set(words: Collection, name: str) -> frozenset[str]:
    if not len(words):
        raise ValueError(f"{name} is an empty set: expected at least one word.")
    for word in words:
        if not isinstance(word, str):
            raise TypeError(
                f"{name}: expected a set of strings, got {type(word).__name__} {word!r:.60}."
            )
        if word.split() != [word]:
            raise ValueError(
                f"{name}: expected words without white space, as all words of a corpus are; got "
                f"{word!r}."
            )
    return frozenset(words)


@dataclass(frozen=True)
class _Cells:
    """Labels in a row, and the shape they came in."""

    values: list
    lengths: list[int] | None  # of the sentences, None if there are none
    is_array: bool

    def place(self, index: int) -> str:
        """Where a label stands."""
        if self.lengths is None:
            return f"Label {index}"
        ends = np.cumsum(self.lengths)
        sentence = int(np.searchsorted(ends, index, side="right"))
        return f"Sentence {sentence}, word {index - int(ends[sentence]) + self.lengths[sentence]}"

    def shape(self, values: list) -> Any:
        """Give other values the shape of these."""
        if self.is_array:
            return np.array(values)
        if self.lengths is None:
            return values
        cells = iter(values)
        return [[next(cells) for _ in range(length)] for length in self.lengths]


def _flatten(labels: Any) -> _Cells:
    if isinstance(labels, str) or not (isinstance(labels, Sequence) or hasattr(labels, "ndim")):
        raise TypeError(
            "labels must be a list of labels, or of lists of labels, or an array; got "
            f"{type(labels).__name__} {labels!r:.60}."
        )
    is_array = hasattr(labels, "ndim")
    if is_array and labels.ndim != 1:
        raise ValueError(f"labels must have one dimension, got {labels.ndim}.")
    rows = np.asarray(labels).tolist() if is_array else list(labels)
    nested = [isinstance(row, Sequence | np.ndarray) and not isinstance(row, str) for row in rows]
    if not any(nested):
        cells = _Cells(rows, None, is_array)
    elif not all(nested):
        odd = nested.index(False)
        raise TypeError(f"Sentence {odd}: expected a list of labels, got {rows[odd]!r:.60}.")
    else:
        rows = [row.tolist() if isinstance(row, np.ndarray) else list(row) for row in rows]
        values = [label for row in rows for label in row]
        cells = _Cells(values, [len(row) for row in rows], is_array=False)
    if not cells.values:
        raise ValueError("There is no label.")
    return cells


def _check_kind(cells: _Cells) -> str:
    """Check that labels are strings, booleans or finite numbers, and all of one kind."""
    first = kind_of(cells.values[0])
    for i, label in enumerate(cells.values):
        kind = kind_of(label)
        if kind not in KINDS:
            raise TypeError(
                f"{cells.place(i)}: expected a label that is a string, a boolean or a number, got "
                f"{kind} {label!r:.60}."
            )
        if kind != first:
            raise TypeError(
                f"Labels must be all of one kind: {cells.place(0)} has the {first} "
                f"{cells.values[0]!r}, {cells.place(i)} the {kind} {label!r}."
            )
        if kind == "number" and not -math.inf < label < math.inf:
            raise ValueError(f"{cells.place(i)}: expected a finite number, got {label!r}.")
    return first
