"""Rules for tokens, as they are written on the command line."""

from __future__ import annotations

import re
from functools import reduce
from operator import and_

from ..extraction import Where, where

# Names of rules, and whether their argument is a number, a text, or missing.
_NUMBERS = ("turn", "first", "last")
_TEXTS = ("role", "span", "after")
_NAMES = (*_NUMBERS, *_TEXTS, "special")
# An ampersand within a regular expression is not followed by the name of a rule.
_AND = re.compile(rf"&(?=~?(?:{'|'.join(_NAMES)})(?:[:&]|$))")


def parse_rule(text: str, *, option: str) -> Where:
    """Return the rule that a text such as ``role:assistant&~special`` describes.

    Parameters
    ----------
    text : str
        Rules joined with ``&``: ``role:NAME``, ``turn:N``, ``span:REGEX``, ``after:REGEX``,
        ``special``, ``first``, ``first:N``, ``last`` and ``last:N``. ``~`` negates a rule.
    option : str
        Name of the option, for the error message.

    Raises
    ------
    ValueError
        If a rule is unknown, or its argument is missing or not valid.
    """
    rules = (
        ~_parse_one(part[1:], option) if part.startswith("~") else _parse_one(part, option)
        for part in _AND.split(text)
    )
    return reduce(and_, rules)


def parse_at(text: str) -> str | int | Where:
    """Return the value of ``at`` that a text describes: a name, an index or a rule."""
    if text in ("last", "first", "mean"):
        return text
    if re.fullmatch("-?[0-9]+", text):
        return int(text)
    return parse_rule(text, option="--at")


def _parse_one(text: str, option: str) -> Where:
    name, colon, value = text.partition(":")
    is_number = re.fullmatch("-?[0-9]+", value) is not None
    if name in _NUMBERS and (is_number or (not colon and name != "turn")):
        return getattr(where, name)(int(value) if colon else 1)
    if name in _TEXTS and value:
        return getattr(where, name)(value if name == "role" else _compiled(value, option))
    if name == "special" and not colon:
        return where.special()
    raise ValueError(
        f"{option}: {text!r:.60} is not a rule. Expected role:NAME, turn:N, span:REGEX, "
        "after:REGEX, special, first, first:N, last or last:N, joined with '&'."
    )


def _compiled(pattern: str, option: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"{option}: {pattern!r:.60} is not a regular expression ({error})."
        ) from None
