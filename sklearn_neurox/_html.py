"""HTML: escaped text, elements, and the table that notebooks and pages show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape as html_escape
from numbers import Integral, Real
from typing import Any

# Characters that XML 1.0 does not allow, and control characters, which are invisible.
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Below this absolute value, three decimals would hide most digits of a number.
_SMALL = 0.01


def printable(text: str) -> str:
    """Replace characters that a page cannot contain with the replacement character.

    Raises
    ------
    TypeError
        If `text` is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"Expected a string, got {type(text).__name__} {text!r}.")
    return _NOT_PRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def escape(text: str) -> str:
    """Escape text for HTML elements and attributes."""
    return html_escape(printable(text), quote=True)


def is_number(value: Any) -> bool:
    """Return whether `value` is a number and not a boolean."""
    return isinstance(value, Real) and not isinstance(value, bool)


def format_value(value: Any) -> str:
    """Format a value for a table: floats are rounded, and None is shown as a dash.

    Floats are shown with three decimals, and small ones with three significant digits.
    """
    if value is None:
        return "–"
    if is_number(value) and not isinstance(value, Integral):
        return f"{value:.3g}" if 0 < abs(value) < _SMALL else f"{value:.3f}"
    return str(value)


def element(tag: str, content: str, **attributes: object) -> str:
    """Return an HTML element.

    Parameters
    ----------
    tag : str
    content : str
        HTML, already escaped.
    **attributes
        Values of the attributes, which are escaped. Attributes whose value is None are omitted. In
        names, underscores become hyphens and a trailing underscore is dropped: ``class_``,
        ``aria_label``.

    Returns
    -------
    str
    """
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{shown}>{content}</{tag}>"


def table(
    head: Sequence[str],
    bodies: Iterable[Iterable[Sequence[str]]],
    *,
    caption: str = "",
    label: str | None = None,
    attributes: Mapping[str, Mapping[str, object]] | None = None,
) -> str:
    """Return an HTML table.

    Parameters
    ----------
    head : sequence of str
        Header cells, each created with :func:`element` and the tag ``"th"``.
    bodies : iterable of groups of rows
        Each group becomes a ``tbody``. A row is a sequence of cells, each created with
        :func:`element`.
    caption : str, default=""
        Text of the caption. If empty, the table has no caption.
    label : str, default=None
        If given, wrap the table in a scrollable region that screen readers announce with this
        text.
    attributes : mapping of str to mapping, default=None
        Attributes of the elements "region", "table" and "caption", as in :func:`element`, such as
        ``{"table": {"style": "margin:0"}}``.

    Returns
    -------
    str
    """
    extra = attributes or {}
    title = element("caption", escape(caption), **extra.get("caption", {})) if caption else ""
    heads = element("thead", element("tr", "".join(head)))
    groups = "\n".join(
        element("tbody", "\n".join(element("tr", "".join(row)) for row in rows)) for rows in bodies
    )
    content = element("table", f"{title}{heads}\n{groups}", **extra.get("table", {}))
    if label is None:
        return content
    region = extra.get("region", {})
    return element("div", content, role="region", aria_label=label, tabindex=0, **region)
