"""How wide a word is in a monospace font."""

from __future__ import annotations

import unicodedata

_ZERO_WIDTH_JOINER = "\N{ZERO WIDTH JOINER}"
# What makes a picture, two cells wide, of the sign before it: a selector, and colours of skin.
_MAKES_A_PICTURE = ("\N{VARIATION SELECTOR-16}", *map(chr, range(0x1F3FB, 0x1F400)))
# Vowels and final consonants of Hangul, drawn into the syllable that they follow.
_HANGUL_PARTS = (range(0x1160, 0x1200), range(0xD7B0, 0xD800))


def n_cells(word: str) -> int:
    """Count the cells of a word: 2 for a wide character or an emoji, 0 for what joins another.

    Parameters
    ----------
    word : str

    Returns
    -------
    int
        At least 1.
    """
    widths: list[int] = []
    before = ""
    for character in word:
        if widths and character in _MAKES_A_PICTURE:
            widths[-1] = 2
        elif not _joins(widths[-1] if widths else 0, before, character):
            widths.append(2 if unicodedata.east_asian_width(character) in "WF" else 1)
        before = character
    return max(sum(widths), 1)


def _joins(width: int, before: str, character: str) -> bool:
    """Tell whether a character is drawn into what is there, of so many cells."""
    category = unicodedata.category(character)
    if before == _ZERO_WIDTH_JOINER and category == "So":  # between letters it shapes, not joins
        return width == 2
    is_hangul_part = any(ord(character) in part for part in _HANGUL_PARTS)
    return category in ("Mn", "Me", "Cf") or (is_hangul_part and width == 2)
