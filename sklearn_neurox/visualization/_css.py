"""Colors of CSS, which SVG images contain."""

from __future__ import annotations

import re
from typing import Any

from svgwrite.data.colors import colornames

_NAMES = {*colornames, "rebeccapurple", "transparent", "currentcolor"}
_HEX = re.compile("#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
# A function, such as rgb(0 0 255 / 50%). A browser checks its arguments.
_FUNCTION = re.compile(
    r"(?:rgba?|hsla?|hwb|(?:ok)?lab|(?:ok)?lch|color(?:-mix)?|var)\([-\w .,%/+#()]+\)", re.ASCII
)


def check_css_color(color: Any, name: str) -> None:
    """Raise a ValueError if `color` is not a color of CSS.

    Parameters
    ----------
    color : object
    name : str
        Name of the argument, for the error message.
    """
    shown = color.lower() if isinstance(color, str) else ""
    if shown not in _NAMES and not (_HEX.fullmatch(shown) or _FUNCTION.fullmatch(shown)):
        raise ValueError(
            f"{name} must be a CSS color, such as 'teal', '#00aad4' or 'rgb(0 170 212)', got "
            f"{color!r}."
        )
