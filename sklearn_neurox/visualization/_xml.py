"""Text that goes into SVG and HTML."""

from __future__ import annotations

import re
from html import escape as html_escape

# What XML 1.0 does not allow, and control characters, which have no shape.
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """Show what a page cannot hold as the replacement character.

    Raises
    ------
    TypeError
        If it is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"Expected a string, got {type(text).__name__} {text!r}.")
    return _NOT_PRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def escape(text: str) -> str:
    """Escape text for HTML, attributes too."""
    return html_escape(printable(text), quote=True)
