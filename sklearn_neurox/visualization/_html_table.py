"""HTML tables, which can be displayed in a notebook, added to a page, or saved as a page."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence

from .._html import element, table
from ._page import SavedAsPage, make_page

# Styles are set on the elements, because the style sheet of a notebook has precedence otherwise.
CELL = (
    "padding:.4em .8em;text-align:left;vertical-align:top;border-bottom:1px solid #dde3ea;"
    "background:#fff;color:#000"  # independent of a dark theme
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
        """Return the table as HTML without scripts or style sheets."""

    def _repr_html_(self) -> str:
        return self.to_html()

    def _page(self) -> str:
        return make_page(self._title, self.to_html(), body_style="margin:1em;background:#fff")


def styled_cell(tag: str, content: str, style: str = "", **attributes: object) -> str:
    """Return a cell of a table, with optional declarations added to its style."""
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
        Text that screen readers announce.

    Returns
    -------
    str
    """
    head = [styled_cell("th", column, scope="col") for column in columns]
    attributes = {tag: {"style": style} for tag, style in _STYLES.items()}
    return table(head, bodies, caption=caption, label=label, attributes=attributes)
