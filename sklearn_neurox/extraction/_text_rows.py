"""Which tokens of a text get a row, and the labels of these rows."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._labels import check_values
from ._encoded_sentence import EncodedSentence
from ._packed_sentences import PackedSentences
from ._spooling import Spool
from ._text_labels import Span
from .positions import Where, where
from .texts import EncodedText, Message

# The token of a prompt that gets a row: its place, a rule, or a function of the encoded text.
At: TypeAlias = str | int | Where | Callable[[EncodedText], int]

_NAMED = {"last": where.last(), "first": where.first(), "mean": ~where.special()}


class Row(NamedTuple):
    """A row of X: a token, or the mean of several."""

    places: Sequence[int]
    label: Any = None


@dataclass
class Rows:
    """Rows of texts, which are collected text by text."""

    sentences: PackedSentences | Spool = field(default_factory=PackedSentences)
    labels: list[Any] = field(default_factory=list)
    _offsets: array[int] = field(default_factory=lambda: array("q"))
    _has_offsets: bool = True  # of all texts

    def add(self, text: EncodedText, rows: Sequence[Row]) -> None:
        """Add the rows of a text, if there are any."""
        if not rows:
            return
        known = text.known_offsets
        sentence = with_rows(text, rows)
        firsts = sentence.positions
        self.sentences.append(sentence)
        self.labels += [row.label for row in rows]
        self._has_offsets &= known is not None
        if known is not None:
            ends = [row.places[-1] for row in rows]
            own = np.stack([known[firsts, 0], known[ends, 1]], axis=1)
            self._offsets.frombytes(own.astype(np.int64).tobytes())

    def all_offsets(self) -> NDArray[np.intp] | None:
        """Return the characters of each row, or None if they are not known for all texts."""
        return np.array(self._offsets, dtype=np.intp).reshape(-1, 2) if self._has_offsets else None

    def y(self) -> NDArray | None:
        """Return the labels of the rows, or None if they do not have any."""
        if all(label is None for label in self.labels):
            return None
        return check_values(self.labels, name="labels")


def with_rows(text: EncodedText, rows: Sequence[Row]) -> EncodedSentence:
    """Return a text with its rows, each of which has the place and the word of its first token."""
    firsts = [int(row.places[0]) for row in rows]
    return EncodedSentence(
        text.index,
        text.words(firsts),
        firsts,
        text.inputs,
        [number for number, row in enumerate(rows) for _ in row.places],
        [int(place) for row in rows for place in row.places],
    )


def check_at(at: Any) -> None:
    """Check which token of a prompt gets a row.

    Raises
    ------
    TypeError, ValueError
        If it is neither a known name, an integer, a Where, a function nor a dict of these.
    """
    for each in at.values() if isinstance(at, Mapping) else [at]:
        is_number = isinstance(each, Integral) and not isinstance(each, bool)
        if isinstance(each, str) and each not in _NAMED:
            raise ValueError(f"at must be one of {list(_NAMED)}, got {each!r:.60}.")
        if not (isinstance(each, str | Where) or is_number or callable(each)):
            raise TypeError(
                f"at must be one of {list(_NAMED)}, an integer, a Where such as where.span('Paris')"
                f" or a function of the encoded text, got {each!r:.60}."
            )
    if isinstance(at, Mapping) and not at:
        raise ValueError("at must name at least one token, got an empty dict.")


def check_where(rule: Any) -> None:
    """Check that a rule for tokens is a Where or None."""
    if rule is not None and not isinstance(rule, Where):
        raise TypeError(f"where must be a Where such as where.role('assistant'), got {rule!r:.60}.")


def prompt_row(text: EncodedText, at: At, among: Where | None) -> Row:
    """Return the row of a prompt.

    Parameters
    ----------
    text : EncodedText
    at : str, int, Where or callable
    among : Where or None
        The tokens that `at` selects from.

    Raises
    ------
    ValueError
        If `at` does not select exactly one token.
    """
    candidates = (where if among is None else among).select(text)
    if isinstance(at, str):
        found = candidates & _NAMED["mean"].select(text) if at == "mean" else candidates
        places = np.flatnonzero(found)
        if not len(places):
            raise _wrong_number(text, at if among is None else among, 0)
        return Row((places if at == "mean" else places[[0 if at == "first" else -1]]).tolist())
    if isinstance(at, int | np.integer):
        places = np.flatnonzero(candidates)
        if not -len(places) <= at < len(places):
            raise ValueError(
                f"Text {text.index} has {len(places)} tokens to select from, so it does not have "
                f"the token at={at}: {text.text!r:.80}."
            )
        return Row(places[[int(at)]].tolist())
    if isinstance(at, Where):
        places = np.flatnonzero(at.select(text) & candidates)
        if len(places) != 1:
            raise _wrong_number(text, at, len(places))
        return Row(places.tolist())
    place = _called(at, text)
    if not candidates[place]:
        raise ValueError(
            f"Text {text.index}: the function at returns {place}, the place of "
            f"{text.words([place])[0]!r}, which {among!r} does not select."
        )
    return Row([place])


def _called(at: Callable[[EncodedText], int], text: EncodedText) -> int:
    place = at(text)
    if not isinstance(place, Integral) or isinstance(place, bool):
        raise TypeError(
            f"Text {text.index}: the function at must return the index of a token, got "
            f"{place!r:.60}."
        )
    if not -text.n_tokens <= place < text.n_tokens:
        raise ValueError(
            f"Text {text.index} has {text.n_tokens} tokens, but the function at returns {place}."
        )
    return int(place) % text.n_tokens


def _wrong_number(text: EncodedText, rule: Any, n_selected: int) -> ValueError:
    found = "no token" if n_selected == 0 else f"{n_selected} tokens"
    advice = (
        "Use .first() or .last() to select one of them."
        if n_selected
        else "Change the rule, or leave out the text."
    )
    return ValueError(
        f"Text {text.index}: {rule!r} selects {found}, but a prompt has one row. {advice} The "
        f"text is {text.text!r:.200}.{roles_of(text.known_turns)}"
    )


def roles_of(turns: Iterable[Message]) -> str:
    """Return a sentence for messages with the roles of a conversation, if it is one."""
    roles = list(dict.fromkeys(turn.role for turn in turns))
    return f" Its messages have the roles {roles}." if roles else ""


def token_rows(
    text: EncodedText, rule: Where | None, spans: Sequence[Span] | None, outside: Any
) -> list[Row]:
    """Return one row per token.

    Parameters
    ----------
    text : EncodedText
    rule : Where or None
        The tokens that have a row. If None, all.
    spans : list of Span, default=None
        Labels of characters.
    outside : object
        Label of tokens outside of all spans. If None, they do not have a row.

    Raises
    ------
    ValueError
        If a span does not contain any token, or two spans label a token differently.
    """
    selected = (where if rule is None else rule).select(text)
    if spans is None:
        return [Row([place]) for place in np.flatnonzero(selected).tolist()]
    labels = _labels_of_tokens(text, spans)
    rows = []
    for place in np.flatnonzero(selected).tolist():
        label = labels[place].label if place in labels else outside
        if label is not None:
            rows.append(Row([place], label))
    return rows


def _labels_of_tokens(text: EncodedText, spans: Sequence[Span]) -> dict[int, Span]:
    found: dict[int, Span] = {}
    for span in spans:
        start, stop = _in_text(text, span)
        places = np.flatnonzero(text.within(start, stop))
        if not len(places):
            raise ValueError(
                f"spans[{span.number}]: the tokenizer drops the characters {start} to {stop} of "
                f"text {text.index}, {text.text[start:stop]!r:.60}, so no token has this label."
            )
        for place in places.tolist():
            other = found.setdefault(place, span)
            if other.label != span.label:
                raise ValueError(
                    f"spans[{other.number}] and spans[{span.number}] label the token "
                    f"{text.words([place])[0]!r} of text {text.index} as {other.label!r} and "
                    f"{span.label!r}."
                )
    return found


def _in_text(text: EncodedText, span: Span) -> tuple[int, int]:
    """Return the characters of a span in the whole text."""
    first, stop, of = 0, len(text.text), f"text {text.index}"
    in_text = 0  # where the characters from `first` to `stop` are in the text
    if span.message is not None:
        turns = text.messages
        if not 0 <= span.message < len(turns):
            raise ValueError(
                f"spans[{span.number}]: text {text.index} has {len(turns)} messages, so message "
                f"{span.message} does not exist."
            )
        message = turns[span.message]
        of = f"message {span.message} of text {text.index}"
        if not message.spans:
            raise ValueError(
                f"spans[{span.number}]: the chat template leaves out the content of {of}."
            )
        if message.first is None:
            raise ValueError(
                f"spans[{span.number}]: the chat template changes the content of {of}, so its "
                "characters cannot be found. Count characters in the whole text, which "
                "tokenizer.apply_chat_template returns."
            )
        in_text, end = message.spans[0]
        first, stop = message.first, message.first + end - in_text
    if not first <= span.start < span.stop <= stop:
        what = "the length of" if span.message is None else "the part that the template keeps of"
        raise ValueError(
            f"spans[{span.number}]: expected characters with {first} <= start < stop <= {stop}, "
            f"{what} {of}, got start={span.start} and stop={span.stop}."
        )
    return span.start + in_text - first, span.stop + in_text - first


def with_labels(text: EncodedText, rows: list[Row], labels: Any) -> list[Row]:
    """Add the label of the text, or those of its tokens, to its rows."""
    own = labels[text.index]
    if not isinstance(own, np.ndarray) or not own.ndim:
        return [row._replace(label=own) for row in rows]
    check_number_of_labels(text, len(own))
    return [row._replace(label=own[row.places[0]]) for row in rows]


def check_number_of_labels(text: EncodedText, n_labels: int) -> None:
    """Raise an error if the tokens of a text have another number of labels."""
    if n_labels != text.n_tokens:
        raise ValueError(f"Text {text.index} has {text.n_tokens} tokens, but {n_labels} labels.")


def rows_in(
    texts: Iterable[EncodedText], limit: int, *, drop: bool, n_new: int = 0
) -> Iterator[EncodedText]:
    """Yield the texts that do not exceed the limit of a model, together with `n_new` tokens.

    Raises
    ------
    ValueError
        If a text exceeds it, unless such texts are dropped, or no text is left.
    """
    n_kept = 0
    for text in texts:
        if text.n_tokens + n_new <= limit:
            n_kept += 1
            yield text
        elif n_new and not drop:
            raise ValueError(
                f"Text {text.index} has {text.n_tokens} tokens, which together with "
                f"max_new_tokens={n_new} exceed the limit of {limit}. Reduce max_new_tokens, or "
                "shorten the text."
            )
        elif not drop:
            raise ValueError(
                f"Text {text.index} has {text.n_tokens} tokens, which exceeds the limit of "
                f"{limit}. Shorten it, or set on_truncate='drop' to leave out such texts."
            )
    if not n_kept:
        raise ValueError(f"All texts exceed the limit of {limit} tokens. No text is left.")
