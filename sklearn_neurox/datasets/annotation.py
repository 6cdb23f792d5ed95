"""Labels derived from words, and labels derived from other labels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from .._labels import KINDS, kind_of
from ._label_cells import LabelCells, flatten_labels, to_plain
from .sentences import Sentence, check_corpus, find_fault

Label: TypeAlias = str | bool | float
Definition: TypeAlias = Collection[str] | re.Pattern[str]

# Number of labels listed in an error message, to help find typos.
_N_LABELS_SHOWN = 20
# Python's float also accepts "1_000", "infinity" and " 1 ", which are not numbers in a label file.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def annotate(
    sentences: Sequence[Sentence],
    by: Definition | Callable[[str], Label] | Mapping[Label, Definition],
    *,
    default: Label | None = None,
) -> list[list[Any]]:
    r"""Label every word of a corpus with a set, a regular expression or a function.

    Words are compared exactly: case matters, and so does the Unicode form (é as one character or
    as two).

    Parameters
    ----------
    sentences : sequence of str, or of sequences of str
        Each is a list of words, or a string to split on single spaces, as for
        :class:`~sklearn_neurox.ActivationExtractor`.
    by : set of str, re.Pattern, callable or mapping
        - A set of words: the label is True for a word in the set.
        - A compiled regular expression, of ``re`` or of the package regex: the label is True for a
          word that matches as a whole.
        - A callable: the label is what it returns for the word, a string, a boolean or a number.
          It is called for every word, in the order of the corpus.
        - A mapping from labels to sets or regular expressions: the label is the key of the one
          that the word belongs to.
    default : str, bool or number, default=None
        With a mapping, the label of words that do not match any key. If None, such words raise an
        error.

    Returns
    -------
    list of list
        A label for each word of each sentence.

    Raises
    ------
    TypeError
        If `sentences` is not a corpus, `by` is not one of the above (a string is not compiled), or
        labels are not all strings, all booleans or all numbers.
    ValueError
        If a sentence or word is empty, a word contains white space, a set is empty or contains a
        word that no corpus can contain, two labels of a mapping match the same word, no label
        matches a word and there is no default, `default` is a label of the mapping or is passed
        without a mapping, or a number is NaN or infinite. Also if a set or expression matches no
        word of the corpus, or every word: the labels of a part of a corpus, such as a test set, are
        a part of the labels of the whole corpus.

    See Also
    --------
    binarize_labels : Derive booleans from existing labels.

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
    label = _labeler(by, default)
    labels = [
        [label(word, f"Sentence {i}, word {j} ({word!r})") for j, word in enumerate(words)]
        for i, words in enumerate(corpus)
    ]
    cells = flatten_labels(labels)
    cells.check()
    if not callable(by):
        _check_matches(set(cells.values), by, len(cells.values))
    return labels


def _check_matches(found: set[Any], by: Any, n_words: int) -> None:
    """Check that definitions match some words, but not all, because of which labels are useless."""
    advice = "Words are compared exactly, including case."
    if not isinstance(by, Mapping):
        if len(found) == 1:
            which = _every if found == {True} else _none
            raise ValueError(
                f"by={by!r:.60} {which(n_words)}, so that all have the same label. {advice}"
            )
        return
    unused = [label for label in by if label not in found]
    if unused:
        raise ValueError(
            f"by[{unused[0]!r}] {_none(n_words)}. Leave out the label, or correct it. {advice}"
        )
    if len(found) == 1:
        raise ValueError(
            f"by[{next(iter(found))!r}] {_every(n_words)}, so that all have the same label."
        )


def _every(n_words: int) -> str:
    return f"matches every one of the {n_words} words" if n_words > 1 else "matches the only word"


def _none(n_words: int) -> str:
    return f"matches none of the {n_words} words" if n_words > 1 else "does not match the only word"


def binarize_labels(labels: Sequence | NDArray, positive: Label | Collection[Label]) -> Any:
    """Convert labels to booleans: True for one or several labels, False for all others.

    Parameters
    ----------
    labels : sequence of sequences, sequence, or array of shape (n_words,)
        Strings, numbers or booleans: a list of labels for each sentence, or one flat list.
    positive : label or collection of labels
        Labels to convert to True.

    Returns
    -------
    list of list of bool, list of bool, or ndarray of bool of shape (n_words,)
        Values in the shape of `labels`: an array for an array, and lists for sequences.

    Raises
    ------
    TypeError
        If the labels, including `positive`, are not all strings, all numbers or all booleans.
    ValueError
        If a positive label does not occur, all labels are positive, there are no labels, an array
        does not have one dimension, or a number is NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import binarize_labels
    >>> binarize_labels([["DET", "NOUN"], ["PROPN"]], {"NOUN", "PROPN"})
    [[False, True], [True]]
    >>> binarize_labels(np.array(["DET", "NOUN", "PROPN"]), "NOUN")
    array([False,  True, False])
    """
    cells = flatten_labels(labels)
    cells.check()
    chosen = _chosen_labels(positive, kind=kind_of(cells.values[0]))
    occurring = set(cells.values)
    missing = chosen - occurring
    if missing:
        shown = ", ".join(map(repr, sorted(occurring)[:_N_LABELS_SHOWN]))
        more = ", ..." if len(occurring) > _N_LABELS_SHOWN else ""
        raise ValueError(
            f"positive contains {' and '.join(map(repr, sorted(missing)))}, but no word has this "
            f"label. The labels are {shown}{more}."
        )
    if occurring == chosen:
        raise ValueError(
            f"positive contains every label, {', '.join(map(repr, sorted(occurring)))}, so that "
            "all words would have the label True."
        )
    return cells.nest([label in chosen for label in cells.values])


def _chosen_labels(positive: Any, kind: str) -> set[Any]:
    one = kind_of(positive) in KINDS
    if not one and (isinstance(positive, Mapping) or not isinstance(positive, Collection)):
        raise TypeError(
            f"positive must be a label or a collection of labels, got {type(positive).__name__} "
            f"{positive!r:.60}."
        )
    chosen = [to_plain(each) for each in ([positive] if one else positive)]
    if not chosen:
        raise ValueError("positive is empty: expected at least one label.")
    for label in chosen:
        if kind_of(label) != kind:
            raise TypeError(
                f"The labels are {kind}s, but positive contains the {kind_of(label)} {label!r}."
            )
    return set(chosen)


def numeric_labels(labels: Sequence | NDArray) -> Any:
    """Convert labels that were read from a file to numbers, for regression.

    Parameters
    ----------
    labels : sequence of sequences of str, sequence of str, or array of str of shape (n_words,)
        Decimal numbers with a point, such as "3", "-0.5" or "1e-3".

    Returns
    -------
    list of list of float, list of float, or ndarray of float64 of shape (n_words,)
        Values in the shape of `labels`: an array for an array, and lists for sequences.

    Raises
    ------
    TypeError
        If a label is not a string.
    ValueError
        If a string is not a finite number (the message names the sentence and the word), there are
        no labels, or an array does not have one dimension.

    Examples
    --------
    >>> from sklearn_neurox import numeric_labels
    >>> numeric_labels([["3", "-0.5"], ["1e-3"]])
    [[3.0, -0.5], [0.001]]
    """
    cells = flatten_labels(labels)
    return cells.nest([_number(value, i, cells) for i, value in enumerate(cells.values)])


def _number(value: object, index: int, cells: LabelCells) -> float:
    if not isinstance(value, str):
        raise TypeError(
            f"{cells.place(index)}: expected a string such as '0.5', got {type(value).__name__} "
            f"{value!r}."
        )
    number = float(value) if _NUMBER.fullmatch(value) else math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{cells.place(index)}: expected a finite number such as '0.5', got {value!r:.60}."
        )
    return number


def _labeler(by: Any, default: Label | None) -> Callable[[str, str], Any]:
    """Return a function that maps a word, and its location for error messages, to a label."""
    if isinstance(by, Mapping):
        return _chooser(by, default)
    if default is not None:
        raise ValueError(
            f"default={default!r} can be used only if by is a mapping, got by={by!r:.60}."
        )
    if callable(by):
        return lambda word, place: by(word)
    is_member = _membership(by, "by")
    return lambda word, place: is_member(word)


def _chooser(by: Mapping[Label, Any], default: Label | None) -> Callable[[str, str], Any]:
    if not by:
        raise ValueError("by is empty: expected at least one label.")
    members = {label: _membership(by[label], f"by[{label!r}]") for label in by}
    LabelCells([*by] if default is None else [*by, default]).check()
    if default in by:
        raise ValueError(f"default={default!r} is also a label of the mapping.")

    def label(word: str, place: str) -> Any:
        matches = [label for label, is_member in members.items() if is_member(word)]
        if len(matches) > 1:
            raise ValueError(f"{place} matches several labels: {' and '.join(map(repr, matches))}.")
        if not matches and default is None:
            raise ValueError(f"{place} does not match any label. Pass a default for such words.")
        return matches[0] if matches else default

    return label


def _membership(definition: Any, name: str) -> Callable[[str], bool]:
    if _is_pattern(definition):
        return lambda word: definition.fullmatch(word) is not None
    if isinstance(definition, str):
        raise TypeError(
            f"{name} is the string {definition!r}. Pass a set of words, {{{definition!r}}}, or "
            f"a compiled regular expression, re.compile({definition!r})."
        )
    if isinstance(definition, bytes | Mapping) or not isinstance(definition, Collection):
        raise TypeError(
            f"{name}: expected a set of words or a compiled regular expression (of str, not "
            f"bytes), got {type(definition).__name__} {definition!r:.60}."
        )
    return _check_word_set(definition, name).__contains__


def _is_pattern(definition: Any) -> bool:
    """Return whether this is a compiled expression for str, of ``re`` or of the package regex."""
    return isinstance(getattr(definition, "pattern", None), str) and hasattr(
        definition, "fullmatch"
    )


def _check_word_set(words: Collection[Any], name: str) -> frozenset[str]:
    if not len(words):
        raise ValueError(f"{name} is an empty set: expected at least one word.")
    for word in words:
        if not isinstance(word, str):
            raise TypeError(
                f"{name}: expected a set of strings, got {type(word).__name__} {word!r:.60}."
            )
        if fault := find_fault(word):
            raise ValueError(
                f"{name}: expected words without {fault}, like all words of a corpus, got {word!r}."
            )
    return frozenset(words)
