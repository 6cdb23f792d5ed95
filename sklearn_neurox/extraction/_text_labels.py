"""Labels of texts, of their tokens and of their characters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._labels import check_labels, check_values


class Span(NamedTuple):
    """Characters of a text with a label."""

    number: int  # among all spans, for error messages
    message: int | None
    start: int
    stop: int
    label: Any


def check_spans(spans: Any, n_texts: int | None) -> dict[int, list[Span]]:
    """Check labels of characters, and return those of each text.

    Parameters
    ----------
    spans : sequence of tuples
        (text, start, stop, label), or (text, message, start, stop, label).
    n_texts : int or None
        None if the number of texts is not known yet.

    Raises
    ------
    TypeError, ValueError
        If a span has another form, or its text does not exist.
    """
    if isinstance(spans, str | Mapping) or not isinstance(spans, Iterable):
        raise TypeError(f"spans must be a list of tuples, got {type(spans).__name__}.")
    by_text: dict[int, list[Span]] = defaultdict(list)
    labels = []
    for number, given in enumerate(spans):
        is_tuple = isinstance(given, Sequence) and not isinstance(given, str)
        if not is_tuple or len(given) not in (4, 5):
            raise ValueError(
                f"spans[{number}] must be (text, start, stop, label) or (text, message, start, "
                f"stop, label), got {given!r:.80}."
            )
        *places, label = given
        if not all(isinstance(place, Integral) and not isinstance(place, bool) for place in places):
            raise TypeError(
                f"spans[{number}]: the places must be integers, got {tuple(places)!r:.60}."
            )
        text, *message, start, stop = map(int, places)
        if n_texts is not None or text < 0:
            _check_text_of(number, text, n_texts)
        by_text[text].append(Span(number, message[0] if message else None, start, stop, label))
        labels.append(label)
    if not labels:
        raise ValueError("spans is empty: expected at least one labeled span.")
    check_values(labels, name="labels of spans")
    return by_text


def _check_text_of(number: int, text: int, n_texts: int | None) -> None:
    if text < 0 or (n_texts is not None and text >= n_texts):
        among = "" if n_texts is None else f", but there are {n_texts} texts, numbered from 0"
        raise ValueError(f"spans[{number}] is in text {text}{among}.")


def counted(
    texts: Iterable[Any],
    labels: Sequence[Any] | NDArray | None,
    spans: Mapping[int, list[Span]] | None,
) -> Iterator[Any]:
    """Yield texts whose number is not known, and check that it matches labels and spans.

    Raises
    ------
    ValueError
        If there are no texts, there is another number of labels, or the text of a span does not
        exist.
    """
    n_texts = 0
    for n_texts, text in enumerate(texts, start=1):
        if labels is not None and n_texts > len(labels):
            raise ValueError(f"Got labels for {len(labels)} texts, but more texts.")
        yield text
    if not n_texts:
        raise ValueError("Expected at least one text, got an empty iterable.")
    if labels is not None:
        _check_length(labels, n_texts)
    for text, own in (spans or {}).items():
        for span in own:
            _check_text_of(span.number, text, n_texts)


def check_text_labels(labels: Any, n_texts: int | None) -> NDArray | list[Any]:
    """Check labels of texts: one for each text, or a list with one for each token of a text.

    If `n_texts` is None, their number is not checked.

    Raises
    ------
    TypeError, ValueError
        If there is another number of labels, or they are not valid.
    """
    if hasattr(labels, "__len__") and not isinstance(labels, str | Mapping) and len(labels):
        first = labels.iloc[0] if hasattr(labels, "iloc") else labels[0]
        if isinstance(first, list | tuple | np.ndarray):
            _check_length(labels, n_texts)
            return [check_labels(each, name=f"labels[{i}]") for i, each in enumerate(labels)]
    y = check_labels(labels, name="labels")
    _check_length(y, n_texts)
    return y


def _check_length(labels: Sequence[Any] | NDArray, n_texts: int | None) -> None:
    if n_texts is not None and len(labels) != n_texts:
        raise ValueError(f"Got {n_texts} texts, but labels for {len(labels)}.")
