"""Rules that select tokens of a text: by role, by content, or by place."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ._input_rows import InputRow, attended_positions
from .texts import Message


class Tokens(Protocol):
    """What a rule reads: an encoded text, or a row of the inputs of a running network."""

    @property
    def index(self) -> int:
        """Number of the text or row."""

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""

    @property
    def is_special(self) -> NDArray[np.bool_]:
        """Whether each token is special."""

    @property
    def text(self) -> str:
        """The characters."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages of a conversation."""

    @property
    def n_prompt(self) -> int | None:
        """Number of tokens before the generated ones."""

    def within(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Return which tokens contain any of the characters from `start` to `stop`."""


class Where(ABC):
    """A rule that selects tokens of a text.

    Rules start with ``where``, which selects all tokens. Each method selects some of the tokens
    that the rule before it selects: ``where.role("assistant").last()`` is the last token among
    those of the assistant's messages. Rules are combined with ``&`` (tokens that both select),
    ``|`` (tokens that any of them selects) and ``~`` (all tokens that it does not select).

    In :func:`intervene`, a running network receives no text. There, only `first`, `last` and
    `special` are known, and all other rules raise an error.

    Examples
    --------
    >>> from sklearn_neurox import where
    >>> where.role("assistant").last()
    where.role('assistant').last()
    >>> where.span("Paris") & ~where.special()
    where.span('Paris') & ~where.special()
    """

    @abstractmethod
    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        """Return which tokens are selected."""

    def select(self, text: Tokens) -> NDArray[np.bool_]:
        """Return which tokens of an encoded text are selected.

        Parameters
        ----------
        text : EncodedText

        Returns
        -------
        ndarray of bool of shape (n_tokens,)

        Raises
        ------
        ValueError
            If the rule needs messages, characters or generated tokens that the text does not have.
        """
        return self._mask(text)

    def __call__(
        self, inputs: Mapping[str, Any], special_ids: Collection[int] = ()
    ) -> torch.Tensor:
        """Return which positions of the inputs of a running network are selected.

        Parameters
        ----------
        inputs : mapping
            Inputs of the network by name, with ``attention_mask`` or ``input_ids``.
        special_ids : collection of int
            Indices of special tokens in the vocabulary.

        Returns
        -------
        tensor of bool of shape (n_texts, n_positions)
            Padding is never selected.

        Raises
        ------
        ValueError
            If the rule needs the text, or there is neither an attention mask of two dimensions nor
            token indices.
        """
        attended = attended_positions(inputs)
        ids: Any = inputs.get("input_ids")
        selected = np.zeros(attended.shape, dtype=bool)
        for row, mask in enumerate(attended):
            own = np.flatnonzero(mask)
            found = None
            if isinstance(ids, torch.Tensor) and ids.shape[-1] <= len(mask):
                # With a cache of keys and values, only the last positions are passed.
                found = np.append(np.full(len(mask) - ids.shape[-1], -1), ids[row].cpu())[own]
            selected[row, own] = self._mask(InputRow(row, len(own), repr(self), found, special_ids))
        return torch.from_numpy(selected)

    def role(self, *roles: str) -> Where:
        """Select the tokens of the contents of messages, without the markup of the template.

        Parameters
        ----------
        *roles : str
            Roles, such as "user" and "assistant". Without any, the messages of all roles.
        """
        for role in roles:
            _check_string(role, "role")
        return self._and(_Role(roles))

    def turn(self, number: int) -> Where:
        """Select the tokens of the content of a message.

        Parameters
        ----------
        number : int
            Index of the message in its conversation. Negative numbers count from the end.
        """
        if not isinstance(number, int) or isinstance(number, bool):
            raise TypeError(f"number must be an integer, got {number!r:.60}.")
        return self._and(_Turn(number))

    def span(self, pattern: str | re.Pattern[str]) -> Where:
        """Select the tokens that contain a part of any occurrence of a text.

        Parameters
        ----------
        pattern : str or re.Pattern
            A text, or a regular expression that is compiled by ``re.compile``.
        """
        return self._and(_Span(_check_pattern(pattern)))

    def after(self, pattern: str | re.Pattern[str]) -> Where:
        """Select the tokens that begin after the end of the first occurrence of a text.

        If the rule selects some tokens only, such as those of a role, the first occurrence is that
        among these tokens.

        Parameters
        ----------
        pattern : str or re.Pattern
            As in :meth:`span`.
        """
        return _After(self, _check_pattern(pattern))

    def special(self) -> Where:
        """Select special tokens: those that the tokenizer adds, and those in a chat template."""
        return self._and(_Special())

    def generated(self) -> Where:
        """Select the tokens that the model has generated."""
        return self._and(_Generated())

    def first(self, n: int = 1) -> Where:
        """Select the first tokens among those that are selected so far.

        Parameters
        ----------
        n : int, default=1
            Number of tokens.
        """
        return _Ends(self, _check_number(n), at_end=False)

    def last(self, n: int = 1) -> Where:
        """Select the last tokens among those that are selected so far.

        Parameters
        ----------
        n : int, default=1
            Number of tokens.
        """
        return _Ends(self, _check_number(n), at_end=True)

    def _and(self, other: Where) -> Where:
        return other if isinstance(self, _All) else _Both(self, other, chained=True)

    def __and__(self, other: Where) -> Where:
        return _Both(self, other) if isinstance(other, Where) else NotImplemented

    def __or__(self, other: Where) -> Where:
        return _Either(self, other) if isinstance(other, Where) else NotImplemented

    def __invert__(self) -> Where:
        return _Not(self)

    def __bool__(self) -> bool:
        raise TypeError("A rule is neither true nor false. Combine rules by &, | and ~.")


@dataclass(frozen=True, repr=False)
class _All(Where):
    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        return np.ones(text.n_tokens, dtype=bool)

    def __repr__(self) -> str:
        return "where"


@dataclass(frozen=True, repr=False)
class _Role(Where):
    roles: tuple[str, ...]

    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        return _within_messages(
            text, [each for each in text.messages if not self.roles or each.role in self.roles]
        )

    def __repr__(self) -> str:
        return f"where.role({', '.join(map(repr, self.roles))})"


@dataclass(frozen=True, repr=False)
class _Turn(Where):
    number: int

    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        turns = text.messages
        exists = -len(turns) <= self.number < len(turns)
        return _within_messages(text, [turns[self.number]] if exists else [])

    def __repr__(self) -> str:
        return f"where.turn({self.number})"


@dataclass(frozen=True, repr=False)
class _Span(Where):
    pattern: str | re.Pattern[str]

    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        mask = np.zeros(text.n_tokens, dtype=bool)
        for start, stop in _occurrences(self.pattern, text.text):
            mask |= text.within(start, stop)
        return mask

    def __repr__(self) -> str:
        return f"where.span({self.pattern!r})"


@dataclass(frozen=True, repr=False)
class _After(Where):
    of: Where
    pattern: str | re.Pattern[str]

    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        selected = self.of._mask(text).copy()
        for start, stop in _occurrences(self.pattern, text.text):
            if selected[text.within(start, stop)].all():
                containing = np.flatnonzero(text.within(0, stop))
                selected[: containing[-1] + 1 if len(containing) else 0] = False
                return selected
        return np.zeros(text.n_tokens, dtype=bool)

    def __repr__(self) -> str:
        return f"{_enclosed(self.of, before_dot=True)}.after({self.pattern!r})"


@dataclass(frozen=True, repr=False)
class _Special(Where):
    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        return text.is_special

    def __repr__(self) -> str:
        return "where.special()"


@dataclass(frozen=True, repr=False)
class _Generated(Where):
    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        if text.n_prompt is None:
            raise ValueError(
                f"Text {text.index}: {self!r} selects tokens that the model has generated, but "
                "this text was passed as it is. Use ActivationExtractor.generate."
            )
        return np.arange(text.n_tokens) >= text.n_prompt

    def __repr__(self) -> str:
        return "where.generated()"


@dataclass(frozen=True, repr=False)
class _Ends(Where):
    of: Where
    n: int
    at_end: bool

    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        places = np.flatnonzero(self.of._mask(text))
        mask = np.zeros(text.n_tokens, dtype=bool)
        mask[places[-self.n :] if self.at_end else places[: self.n]] = True
        return mask

    def __repr__(self) -> str:
        name = "last" if self.at_end else "first"
        return f"{_enclosed(self.of, before_dot=True)}.{name}({'' if self.n == 1 else self.n})"


@dataclass(frozen=True, repr=False)
class _Both(Where):
    left: Where
    right: Where
    chained: bool = False

    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        return self.left._mask(text) & self.right._mask(text)

    def __repr__(self) -> str:
        if self.chained:
            return _enclosed(self.left, before_dot=True) + repr(self.right).removeprefix("where")
        return f"{_enclosed(self.left)} & {_enclosed(self.right)}"


@dataclass(frozen=True, repr=False)
class _Either(Where):
    left: Where
    right: Where

    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        return self.left._mask(text) | self.right._mask(text)

    def __repr__(self) -> str:
        return f"{_enclosed(self.left)} | {_enclosed(self.right)}"


@dataclass(frozen=True, repr=False)
class _Not(Where):
    of: Where

    def _mask(self, text: Tokens) -> NDArray[np.bool_]:
        return ~self.of._mask(text)

    def __repr__(self) -> str:
        return f"~{_enclosed(self.of)}"


def _within_messages(text: Tokens, messages: list[Message]) -> NDArray[np.bool_]:
    mask = np.zeros(text.n_tokens, dtype=bool)
    for message in messages:
        for start, stop in message.spans:
            mask |= text.within(start, stop)
    return mask


def _occurrences(pattern: str | re.Pattern[str], text: str) -> list[tuple[int, int]]:
    compiled = re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern
    return [match.span() for match in compiled.finditer(text)]


def _check_pattern(pattern: Any) -> str | re.Pattern[str]:
    is_regex = isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str)
    return pattern if is_regex else _check_string(pattern, "pattern", " or a compiled pattern")


def _check_string(value: Any, name: str, also: str = "") -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} must be a string that is not empty{also}, got {value!r:.60}.")
    return value


def _check_number(n: Any) -> int:
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n must be a positive integer, got {n!r:.60}.")
    return n


def _enclosed(rule: Where, *, before_dot: bool = False) -> str:
    """Return a rule as it is written within another one, in parentheses if necessary."""
    compound = isinstance(rule, _Either) or (isinstance(rule, _Both) and not rule.chained)
    return f"({rule!r})" if compound or (before_dot and isinstance(rule, _Not)) else repr(rule)


#: The rule that selects all tokens, from which other rules start.
where = _All()
