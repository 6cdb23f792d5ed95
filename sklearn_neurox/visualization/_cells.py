"""The width of a word in a monospace font."""

from __future__ import annotations

import unicodedata

_ZERO_WIDTH_JOINER = "\N{ZERO WIDTH JOINER}"
# Characters that turn the preceding one into an emoji of two cells: a selector and skin tones.
_MAKES_AN_EMOJI = ("\N{VARIATION SELECTOR-16}", *map(chr, range(0x1F3FB, 0x1F400)))
# Vowels and final consonants of Hangul, drawn as part of the syllable that they follow.
_HANGUL_PARTS = (range(0x1160, 0x1200), range(0xD7B0, 0xD800))


def n_cells(word: str) -> int:
    """Return the number of cells of a word.

    A wide character or an emoji has 2 cells, and a character that combines with the preceding one
    has 0.

    Parameters
    ----------
    word : str

    Returns
    -------
    int
        At least 1.
    """
    widths: list[int] = []
    previous = ""
    for character in word:
        if widths and character in _MAKES_AN_EMOJI:
            widths[-1] = 2
        elif not _combines(widths[-1] if widths else 0, previous, character):
            widths.append(2 if unicodedata.east_asian_width(character) in "WF" else 1)
        previous = character
    return max(sum(widths), 1)


def _combines(width: int, previous: str, character: str) -> bool:
    """Return whether a character combines with the preceding one, which is `width` cells wide."""
    category = unicodedata.category(character)
    if (
        previous == _ZERO_WIDTH_JOINER and category == "So"
    ):  # between letters, it only affects their shape
        return width == 2
    is_hangul_part = any(ord(character) in part for part in _HANGUL_PARTS)
    return category in ("Mn", "Me", "Cf") or (is_hangul_part and width == 2)
