"""Tables that a notebook shows, and that can be put into a page or saved as one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from .._html import element, table
from ._page import SavedAsPage, make_page

# Styles are set on the elements, because a notebook's own style sheet for tables would win.
CELL = (
    "padding:.4em .8em;text-align:left;vertical-align:top;border-bottom:1px solid #dde3ea;"
    "background:#fff;color:#000"  # the same on a dark page
)
_STYLES = {
    "table": "border-collapse:collapse;margin:0;font:14px/1.6 system-ui,sans-serif",
    "caption": "caption-side:top;text-align:left;padding:.4em .8em;color:#5a6675",
    "region": "overflow-x:auto;background:#fff",
}


class HtmlTable(SavedAsPage):
    """Base class of the tables of neurons."""

    _title: str

    @abstractmethod
    def to_html(self) -> str:
        """Return the table, without scripts or style sheets, to put into a page."""

    def _repr_html_(self) -> str:
        return self.to_html()

    def _page(self) -> str:
        return make_page(self._title, self.to_html(), body_style="margin:1em;background:#fff")


def styled_cell(tag: str, content: str, style: str = "", **attributes: object) -> str:
    """Return a cell of a table. Further declarations may be added to its style."""
    declarations = f"{CELL};{style}" if style else CELL
    return element(tag, content, style=declarations, **attributes)


def styled_table(
    columns: Iterable[str], bodies: Iterable[Iterable[Sequence[str]]], *, caption: str, label: str
) -> str:
    """Return a table in a region that scrolls.

    Parameters
    ----------
    columns : iterable of str
        HTML of the column headers.
    bodies : iterable of groups of rows
        As in :func:`sklearn_neurox._html.table`.
    caption : str
    label : str
        What screen readers announce.

    Returns
    -------
    str
    """
    head = [styled_cell("th", column, scope="col") for column in columns]
    attributes = {tag: {"style": style} for tag, style in _STYLES.items()}
    return table(head, bodies, caption=caption, label=label, attributes=attributes)
