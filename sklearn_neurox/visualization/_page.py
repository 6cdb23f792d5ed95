"""HTML pages that can be opened offline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from os import PathLike
from pathlib import Path

from .._files import replace_file
from .._html import element, escape


class SavedAsPage(ABC):
    """Base class of objects that can be saved as an HTML page."""

    @abstractmethod
    def _page(self) -> str:
        """Return the whole page."""

    def save(self, path: str | PathLike[str]) -> Path:
        """Save as an HTML page that can be opened offline.

        Parameters
        ----------
        path : str or path-like
            Path of the ``.html`` file. Missing folders are created. An existing file is replaced
            only when the new page is complete.

        Returns
        -------
        Path
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, self._page().encode())
        return path


def make_page(title: str, main: str, *, style: str = "", body_style: str | None = None) -> str:
    """Return an HTML page.

    Parameters
    ----------
    title : str
        Title of the window.
    main : str
        HTML of the content.
    style : str, default=""
        A style sheet.
    body_style : str, default=None
        Style attribute of the body.

    Returns
    -------
    str
    """
    sheet = f"\n<style>{style}</style>" if style else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>{sheet}</head>\n"
        f"{element('body', element('main', main), style=body_style)}</html>\n"
    )
