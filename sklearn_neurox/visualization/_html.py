"""Tables that show themselves where a page takes HTML."""

from __future__ import annotations

from abc import ABC, abstractmethod
from os import PathLike
from pathlib import Path

from ._xml import escape

# Styles stand on the elements: a notebook has rules of its own for tables, and they would win.
CELL = (
    "padding:.4em .8em;text-align:left;vertical-align:top;border-bottom:1px solid #dde3ea;"
    "background:#fff;color:#000"  # the same on a dark page
)
_TABLE = "border-collapse:collapse;margin:0;font:14px/1.6 system-ui,sans-serif"
_CAPTION = "caption-side:top;text-align:left;padding:.4em .8em;color:#5a6675"
_REGION = "overflow-x:auto;background:#fff"


class HtmlTable(ABC):
    """A table that a notebook and a report show, and a file holds."""

    _title: str

    @abstractmethod
    def to_html(self) -> str:
        """Return the table, to put into a page."""

    def _repr_html_(self) -> str:
        return self.to_html()

    def save(self, path: str | PathLike) -> Path:
        """Write a page that holds the table and opens offline.

        Parameters
        ----------
        path : str or path
            An ``.html`` file; its folder is made if it is missing.

        Returns
        -------
        Path
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        page = (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self._title)}</title></head>\n"
            '<body style="margin:1em;background:#fff">\n'
            f"<main>{self.to_html()}</main></body></html>\n"
        )
        path.write_text(page, encoding="utf-8")
        return path


def table(caption: str, columns: list[str], bodies: list[list[str]], *, name: str) -> str:
    """Put a table together.

    Parameters
    ----------
    caption : str
    columns : list of str
        HTML of the heads of the columns.
    bodies : list of lists of str
        HTML of the rows, in groups; a row is its cells.
    name : str
        What a screen reader calls the part of the page that scrolls.

    Returns
    -------
    str
    """
    heads = "".join(f'<th scope="col" style="{CELL}">{column}</th>' for column in columns)
    groups = "\n".join(
        "<tbody>" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "</tbody>" for rows in bodies
    )
    return (
        f'<div role="region" aria-label="{escape(name)}" tabindex="0" style="{_REGION}">'
        f'<table style="{_TABLE}"><caption style="{_CAPTION}">{escape(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n{groups}</table></div>"
    )


def count(number: int, noun: str) -> str:
    """Say how many there are."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
