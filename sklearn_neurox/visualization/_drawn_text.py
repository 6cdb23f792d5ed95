"""Text that matplotlib draws: names, labels and metrics."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from itertools import accumulate

from .._html import printable
from .._optional import import_optional

_MAX_CELLS = 32  # at the default sizes, longer text would leave no space for the axes
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_WHITE_SPACE = re.compile(r"\s")


def literal(text: object) -> str:
    r"""Return text that matplotlib draws verbatim on a single line, including in a legend.

    - Characters that cannot be drawn become the replacement character, and line breaks and tabs
      become spaces.
    - Text that is longer than 32 characters is shortened in the middle. A wide character counts as
      two.
    - Dollar signs, which would start a formula, become ``\$``, from which matplotlib removes the
      backslash.
    - Text that is empty or starts with an underscore, which a legend ignores, is preceded by a
      space.

    Parameters
    ----------
    text : object
        Converted to a string.

    Returns
    -------
    str
    """
    shown = _shorten(_WHITE_SPACE.sub(" ", printable(str(text))))
    if import_optional("matplotlib", extra="plot", purpose="Plotting").rcParams["text.parse_math"]:
        shown = shown.replace("$", r"\$")
    return f" {shown}" if not shown or shown.startswith("_") else shown


def _shorten(text: str) -> str:
    if len(_start(text, _MAX_CELLS)) == len(text):
        return text
    half = (_MAX_CELLS - 1) // 2
    return f"{_start(text, half)}{_ELLIPSIS}{_start(text[::-1], half)[::-1]}"


def _start(text: str, n_cells: int) -> str:
    """Return the longest start of a text that takes at most `n_cells` cells."""
    ends = accumulate(
        2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text[:n_cells]
    )
    return text[: bisect_right(list(ends), n_cells)]
