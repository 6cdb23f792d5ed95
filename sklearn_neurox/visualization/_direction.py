"""The direction of text: from left to right, or from right to left."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal, TypeAlias

TextDirection: TypeAlias = Literal["auto", "ltr", "rtl"]


def check_direction(text_direction: str) -> None:
    """Raise an error if a direction is unknown."""
    if text_direction not in ("auto", "ltr", "rtl"):
        raise ValueError(f"text_direction must be 'auto', 'ltr' or 'rtl', got {text_direction!r}.")


def starts_rtl(texts: Iterable[str], *, default: bool) -> bool:
    """Return whether the first letter of some texts is written from right to left.

    Parameters
    ----------
    texts : iterable of str
        Words, or the characters of a word.
    default : bool
        Returned if there are no letters.

    Returns
    -------
    bool
    """
    kinds = (unicodedata.bidirectional(character) for text in texts for character in text)
    first = next((kind for kind in kinds if kind in ("L", "R", "AL")), None)
    return default if first is None else first != "L"
