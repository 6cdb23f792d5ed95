"""One self-contained HTML page that shows an analysis."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

import svgwrite

from ._xml import escape

_SMALL = 0.01
_STYLE = files(__package__).joinpath("report.css").read_text(encoding="utf-8")


class AnalysisReport:
    """A page of sections with text, tables and pictures, in one file that opens offline.

    Parameters
    ----------
    title : str
        Heading of the page.
    lead : str, default=""
        A sentence below it.

    Examples
    --------
    >>> from sklearn_neurox import AnalysisReport
    >>> report = AnalysisReport("Parts of speech in MiniLM", "What the layers know.")
    >>> report.add_section("Layers", "Where is it?").add_table(["layer", "score"], [[0, 0.75]])
    AnalysisReport('Parts of speech in MiniLM', 1 section)
    >>> report.to_html()[:15]
    '<!DOCTYPE html>'
    """

    def __init__(self, title: str, lead: str = ""):
        escape(title), escape(lead)  # an error now, not at the end
        self.title = title
        self.lead = lead
        self._cards: list[str] = []
        self._headings: list[str] = []
        self._body: list[str] = []

    def __repr__(self) -> str:
        n = len(self._headings)
        return f"{type(self).__name__}({self.title!r}, {n} section{'' if n == 1 else 's'})"

    def _repr_html_(self) -> str:
        source, title = escape(self.to_html()), escape(self.title)
        style = "width:100%;height:40rem;border:0"
        return f'<iframe title="{title}" srcdoc="{source}" style="{style}"></iframe>'

    def add_card(self, value: str, caption: str) -> AnalysisReport:
        """Add a number for the top of the page.

        Parameters
        ----------
        value : str
            The number, as it is to be read.
        caption : str
            What it says.

        Returns
        -------
        self : AnalysisReport
        """
        self._cards.append(
            f'<div class="card"><b>{escape(value)}</b><span>{escape(caption)}</span></div>'
        )
        return self

    def add_section(self, heading: str, text: str = "") -> AnalysisReport:
        """Begin a section.

        Parameters
        ----------
        heading : str
            Also in the list of contents.
        text : str, default=""
            A paragraph below it.

        Returns
        -------
        self : AnalysisReport
        """
        place = len(self._headings) + 1
        title = f'<h2 id="section-{place}">{escape(heading)}</h2>'
        self.add_text(text)  # an error leaves the page as it was
        self._body.insert(len(self._body) - bool(text), title)
        self._headings.append(heading)
        return self

    def add_heading(self, heading: str) -> AnalysisReport:
        """Add a heading within a section.

        Parameters
        ----------
        heading : str

        Returns
        -------
        self : AnalysisReport
        """
        self._body.append(f"<h3>{escape(heading)}</h3>")
        return self

    def add_text(self, text: str) -> AnalysisReport:
        """Add a paragraph.

        Parameters
        ----------
        text : str

        Returns
        -------
        self : AnalysisReport
        """
        if text:
            self._body.append(f"<p>{escape(text)}</p>")
        return self

    def add_code(self, code: str) -> AnalysisReport:
        """Add a listing.

        Parameters
        ----------
        code : str

        Returns
        -------
        self : AnalysisReport
        """
        self._body.append(f'<pre tabindex="0"><code>{escape(code)}</code></pre>')
        return self

    def add_table(
        self, header: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = ""
    ) -> AnalysisReport:
        """Add a table. Floats are shown with three decimals, small ones with three digits.

        Parameters
        ----------
        header : sequence of n_columns str
        rows : iterable of sequences of n_columns cells
        caption : str, default=""

        Returns
        -------
        self : AnalysisReport
        """
        rows = list(rows)
        for i, row in enumerate(rows):
            if isinstance(row, str):
                raise TypeError(f"A row of a table is a list of cells, but row {i} is {row!r}.")
            if len(row) != len(header):
                raise ValueError(
                    f"The table has {len(header)} columns, but row {i} has {len(row)} cells."
                )
        number = [all(_is_number(row[i]) for row in rows) for i in range(len(header))]
        head = "".join(
            _cell("th", name, n, ' scope="col"') for name, n in zip(header, number, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(_cell("td", cell, n) for cell, n in zip(row, number, strict=True))
            + "</tr>"
            for row in rows
        )
        title = f"<caption>{escape(caption)}</caption>" if caption else ""
        self._body.append(
            f'<div class="scroll" role="region" aria-label="{escape(caption or "Table")}" '
            f'tabindex="0"><table>{title}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )
        return self

    def add_frame(self, frame: Any, caption: str = "") -> AnalysisReport:
        """Add a table of pandas, as the ``to_frame()`` of a result, with its index.

        Parameters
        ----------
        frame : pandas.DataFrame
        caption : str, default=""

        Returns
        -------
        self : AnalysisReport
        """
        frame = frame.reset_index()
        return self.add_table(list(map(str, frame.columns)), frame.itertuples(index=False), caption)

    def add_figure(self, figure: Any, caption: str) -> AnalysisReport:
        """Add a picture.

        Parameters
        ----------
        figure : matplotlib Figure or Axes, display, svgwrite.Drawing, or object with _repr_html_
            What shows itself in a notebook, as a :class:`NeuronGrid`, goes in as its HTML.
        caption : str
            Also what a screen reader reads for a matplotlib figure.

        Returns
        -------
        self : AnalysisReport
        """
        figure = getattr(figure, "figure_", figure)  # of a display
        figure = getattr(figure, "figure", figure)  # of axes
        if isinstance(figure, svgwrite.Drawing):
            picture = figure.tostring()
        elif hasattr(figure, "savefig"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            data = base64.b64encode(buffer.getvalue()).decode()
            picture = f'<img alt="{escape(caption)}" src="data:image/svg+xml;base64,{data}">'
        elif hasattr(figure, "_repr_html_") and not isinstance(figure, type):
            picture = figure._repr_html_()
        else:
            raise TypeError(
                "Expected a figure of matplotlib, a drawing or an object with _repr_html_, got "
                f"{type(figure).__name__}."
            )
        label = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        self._body.append(f"<figure>{picture}{label}</figure>")
        return self

    def to_html(self) -> str:
        """Return the whole page.

        Returns
        -------
        str
            HTML with all styles and pictures inside.
        """
        links = "".join(
            f'<a href="#section-{i}">{escape(heading)}</a>'
            for i, heading in enumerate(self._headings, start=1)
        )
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{_STYLE}</style></head>\n<body><main>\n"
            f'<h1>{escape(self.title)}</h1>\n<p class="lead">{escape(self.lead)}</p>\n'
            f'<div class="cards">{"".join(self._cards)}</div>\n'
            f'<nav aria-label="Contents">{links}</nav>\n'
            + "\n".join(self._body)
            + "\n<footer>Made with sklearn-neurox.</footer>\n</main></body></html>\n"
        )

    def save(self, path: str | PathLike) -> Path:
        """Write the page.

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
        path.write_text(self.to_html(), encoding="utf-8")
        return path


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _cell(tag: str, value: Any, is_number: bool, attributes: str = "") -> str:
    is_float = _is_number(value) and not isinstance(value, Integral)
    text = str(value)
    if is_float:
        text = f"{value:.3g}" if 0 < abs(value) < _SMALL else f"{value:.3f}"
    css = ' class="number"' if is_number else ""
    return f"<{tag}{css}{attributes}>{escape(text)}</{tag}>"
