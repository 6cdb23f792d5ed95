"""Texts and conversations with labels, from JSON lines and tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any, NamedTuple

from .._json import load_json
from .._warnings import warn
from .._wording import count
from ._text_files import read_lines

_TEXT_COLUMNS = ("messages", "text")
_LABEL_COLUMNS = ("label", "labels")
_SPANS = "spans"
_SPAN_FORMS = "[start, stop, label] or [message, start, stop, label]"


class TextCorpus(NamedTuple):
    """Texts with their labels, as :func:`read_texts` returns them."""

    texts: list[Any]  # strings, conversations or lists of words
    labels: list[Any] | None  # one for each text, or a list for each text
    spans: list[tuple] | None  # (text, start, stop, label) or (text, message, start, stop, label)


def read_texts(
    source: Any,
    *,
    column: str | None = None,
    label: str | None = None,
    drop_unlabeled: bool = False,
) -> TextCorpus:
    r"""Read texts or conversations with their labels from a file of JSON lines or a table.

    Parameters
    ----------
    source : str, path-like, pandas.DataFrame or datasets.Dataset
        A UTF-8 file with one JSON object per line, or a table with one row per text.
    column : str, default=None
        Key or column of the texts: strings, conversations (lists of messages with "role" and
        "content") or lists of words. If None, "messages" or "text", of which each row has one.
    label : str, default=None
        Key or column of the labels: one for each text, or a list with one label for each of its
        tokens or words. If None, "label" or "labels" if there is one. If "spans", only spans are
        read.
    drop_unlabeled : bool, default=False
        Whether to leave out texts whose label is missing or null. Otherwise, it is an error if only
        some texts have a label.

    Returns
    -------
    corpus : NamedTuple
        ``texts``, ``labels`` and ``spans``, as :meth:`ActivationExtractor.extract_tokens` accepts
        them. Labels and spans are None if there are none. The key "spans" of a text is a list of
        [start, stop, label] or [message, start, stop, label], where the characters are counted in
        the text or in the content of a message.

    Raises
    ------
    ValueError
        If a line is not a JSON object, a text is missing or of another kind than the others, labels
        are missing, a span is not valid, or there are no texts. The message contains the line or
        the row.
    TypeError
        If `source` is neither a path nor a table.

    Warns
    -----
    UserWarning
        If conversations have "tools", which are not read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_neurox import read_texts
    >>> lines = [
    ...     '{"text": "Paris is in France.", "label": true, "spans": [[0, 5, "city"]]}',
    ...     '{"text": "Rome is in Spain.", "label": false}']
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "statements.jsonl"
    ...     _ = path.write_text("\n".join(lines), encoding="utf-8")
    ...     corpus = read_texts(path)
    >>> corpus.texts, corpus.labels
    (['Paris is in France.', 'Rome is in Spain.'], [True, False])
    >>> corpus.spans
    [(0, 0, 5, 'city')]
    """
    rows = list(_rows_of(source))
    if not rows:
        raise ValueError(f"{_name(source)} does not contain any texts.")
    keys = dict.fromkeys(key for _, row in rows for key in row)
    if column is not None or not keys.keys() & {*_TEXT_COLUMNS}:
        _check_column(keys, column, _name(source))
    label = _find_label(keys, label, _name(source))
    if label is not None:
        rows = _labeled(rows, label, drop=drop_unlabeled)
    elif drop_unlabeled:
        raise ValueError(
            "drop_unlabeled=True leaves out texts without a label, but no labels of texts are "
            f"read from {_name(source)}, whose keys are {list(keys)}."
        )
    texts = [_text_of(place, row, column) for place, row in rows]
    _check_one_kind(rows, texts)
    if "tools" in keys and any(_is_conversation(text) for text in texts):
        warn(
            f"The 'tools' of {_name(source)} are not read, but chat templates may show them. Pass "
            "them to ActivationExtractor as chat_template_kwargs={'tools': [...]}."
        )
    spans: list[tuple] | None = None
    if _SPANS in keys:
        spans = [
            _span(place, number, span)
            for number, (place, row) in enumerate(rows)
            for span in _listed(place, row.get(_SPANS))
        ]
    return TextCorpus(texts, None if label is None else [row[label] for _, row in rows], spans)


def is_table(source: Any) -> bool:
    """Return whether an object is a table of pandas or of the package ``datasets``."""
    return hasattr(source, "columns") or hasattr(source, "column_names")


def _rows_of(source: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place and the content of each row."""
    if isinstance(source, str | PathLike):
        yield from _rows_of_file(source)
        return
    names = getattr(source, "column_names", getattr(source, "columns", None))
    if names is None or isinstance(names, Mapping):
        raise TypeError(
            "source must be the path of a file of JSON lines, a pandas.DataFrame or a "
            f"datasets.Dataset, got {type(source).__name__} {source!r:.60}."
        )
    names = list(names)
    for number, values in enumerate(zip(*(source[name] for name in names), strict=True)):
        row = {str(name): _plain(value) for name, value in zip(names, values, strict=True)}
        yield f"row {number}", {key: value for key, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    """Convert arrays and scalars of NumPy, and the missing values of pandas."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    is_missing = isinstance(value, float) and value != value  # NaN
    return None if is_missing or type(value).__name__ in ("NAType", "NaTType") else value


def _rows_of_file(path: str | PathLike) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_lines(path), start=1):
        place = f"{os.fspath(path)}, line {number}"
        if not line.strip():
            continue
        try:
            row = load_json(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{place}: not valid JSON ({error}).") from error
        if isinstance(row, str | list):
            row = {"text" if isinstance(row, str) else "messages": row}
        if not isinstance(row, dict):
            raise ValueError(
                f"{place}: expected a JSON object with the key 'text' or 'messages', got "
                f"{line[:60]!r}."
            )
        yield place, {key: value for key, value in row.items() if value is not None}


def _name(source: Any) -> str:
    is_path = isinstance(source, str | PathLike)
    return str(os.fspath(source)) if is_path else f"The {type(source).__name__}"


def _check_column(keys: Mapping[str, None], name: str | None, source: str) -> None:
    if name is None:
        raise ValueError(
            f"{source} does not have the column 'text' or 'messages', only {list(keys)}. Pass "
            f"the one with the texts, such as column={next(iter(keys), 'prompt')!r}."
        )
    if name not in keys:
        raise ValueError(f"{source} does not have the column {name!r}, only {list(keys)}.")


def _find_label(keys: Mapping[str, None], name: str | None, source: str) -> str | None:
    """Return the column of the labels, or None if there is none."""
    if name is not None:
        _check_column(keys, name, source)
        return None if name == _SPANS else name
    found = [each for each in _LABEL_COLUMNS if each in keys]
    if len(found) > 1:
        raise ValueError(
            f"{source} has both 'label' and 'labels'. Pass label='label' or label='labels'."
        )
    return found[0] if found else None


def _labeled(
    rows: list[tuple[str, dict[str, Any]]], label: str, *, drop: bool
) -> list[tuple[str, dict[str, Any]]]:
    missing = [place for place, row in rows if label not in row]
    if missing and not drop:
        raise ValueError(
            f"{count(len(missing), 'text')} of {len(rows)} do not have a label ({label!r}); the "
            f"first is {missing[0]}. Set drop_unlabeled=True to leave them out."
        )
    return [(place, row) for place, row in rows if label in row]


def _text_of(place: str, row: Mapping[str, Any], column: str | None) -> Any:
    if column is None:
        found = [name for name in _TEXT_COLUMNS if name in row]
        if len(found) > 1:
            raise ValueError(
                f"{place}: both 'messages' and 'text'. Pass column='messages' or column='text'."
            )
        column = found[0] if found else "text"
    text = row.get(column)
    is_list = isinstance(text, list) and all(isinstance(each, str | dict) for each in text)
    if not text or not (isinstance(text, str) or is_list):
        raise ValueError(
            f"{place}: expected a text, a list of messages or a list of words as {column!r}, got "
            f"{text!r:.60}."
        )
    return text


def _is_conversation(text: Any) -> bool:
    return isinstance(text, list) and isinstance(text[0], Mapping)


def _check_one_kind(rows: list[tuple[str, dict[str, Any]]], texts: list[Any]) -> None:
    """Check that not only some texts are lists of words. Strings and conversations can be mixed."""
    has_words = [isinstance(text, list) and isinstance(text[0], str) for text in texts]
    if any(has_words) and not all(has_words):
        place = rows[has_words.index(not has_words[0])][0]
        raise ValueError(f"{place}: some texts are lists of words, and others are not.")


def _listed(place: str, spans: Any) -> list[Any]:
    if spans is None:
        return []
    if not isinstance(spans, list):
        raise ValueError(
            f"{place}: expected a list of {_SPAN_FORMS} as 'spans', got {spans!r:.60}."
        )
    return spans


def _span(place: str, number: int, span: Any) -> tuple:
    """Return a span of a text together with the number of this text."""
    span = _plain(span)
    if isinstance(span, Mapping):
        names = ("message", "start", "stop", "label") if "message" in span else (
            "start", "stop", "label"
        )  # fmt: skip
        span = [span.get(name) for name in names]
    is_list = isinstance(span, list | tuple) and len(span) in (3, 4)
    if not is_list or not all(type(each) is int for each in span[:-1]) or span[-1] is None:
        raise ValueError(f"{place}: expected a span {_SPAN_FORMS}, got {span!r:.60}.")
    return (number, *span)
