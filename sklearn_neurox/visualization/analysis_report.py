"""A self-contained HTML page that presents an analysis."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any, Self

import svgwrite

from .._html import element, escape, format_value, is_number, printable, table
from .._wording import count
from ._page import SavedAsPage, make_page

_STYLE = files(__package__).joinpath("analysis_report.css").read_text(encoding="utf-8")


class AnalysisReport(SavedAsPage):
    """HTML page with sections of text, tables and figures, in a single file for offline use.

    Parameters
    ----------
    title : str
        Heading of the page.
    lead : str, default=""
        A sentence below the heading.

    Examples
    --------
    >>> from sklearn_neurox import AnalysisReport
    >>> report = AnalysisReport("Parts of speech in MiniLM", "What the layers encode.")
    >>> report.add_section("Layers", "Scores by layer.").add_table(["layer", "score"], [[0, 0.75]])
    AnalysisReport('Parts of speech in MiniLM', 1 section)
    >>> report.to_html()[:15]
    '<!DOCTYPE html>'
    """

    def __init__(self, title: str, lead: str = "") -> None:
        # Escape now to raise errors here rather than when the page is created.
        self._header = (
            f"{element('h1', escape(title))}\n{element('p', escape(lead), class_='lead')}"
        )
        self.title = title
        self.lead = lead
        self._cards: list[str] = []
        self._headings: list[str] = []
        self._body: list[str] = []

    def __repr__(self) -> str:
        sections = count(len(self._headings), "section")
        return f"{type(self).__name__}({self.title!r}, {sections})"

    def _repr_html_(self) -> str:
        style = "width:100%;height:40rem;border:0"
        return element("iframe", "", title=self.title, srcdoc=self.to_html(), style=style)

    def add_card(self, value: str, caption: str) -> Self:
        """Add a number to the top of the page.

        Parameters
        ----------
        value : str
            The formatted number.
        caption : str
            Description of the number.

        Returns
        -------
        self : AnalysisReport
        """
        content = element("b", escape(value)) + element("span", escape(caption))
        self._cards.append(element("div", content, class_="card"))
        return self

    def add_section(self, heading: str, text: str = "") -> Self:
        """Start a new section.

        Parameters
        ----------
        heading : str
            Heading, which is also listed in the contents.
        text : str, default=""
            A paragraph below the heading.

        Returns
        -------
        self : AnalysisReport
        """
        section = element("h2", escape(heading), id=f"section-{len(self._headings) + 1}")
        self.add_text(text)  # if this raises an error, the page is unchanged
        self._body.insert(len(self._body) - bool(text), section)
        self._headings.append(heading)
        return self

    def add_heading(self, heading: str) -> Self:
        """Add a heading within a section.

        Parameters
        ----------
        heading : str

        Returns
        -------
        self : AnalysisReport
        """
        self._body.append(element("h3", escape(heading)))
        return self

    def add_text(self, text: str) -> Self:
        """Add a paragraph.

        Parameters
        ----------
        text : str

        Returns
        -------
        self : AnalysisReport
        """
        if text:
            self._body.append(element("p", escape(text)))
        return self

    def add_code(self, code: str) -> Self:
        """Add a code listing.

        Parameters
        ----------
        code : str

        Returns
        -------
        self : AnalysisReport
        """
        self._body.append(element("pre", element("code", escape(code)), tabindex=0))
        return self

    def add_table(
        self, header: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = ""
    ) -> Self:
        """Add a table.

        Floats are shown with three decimals, and small ones with three significant digits.

        Parameters
        ----------
        header : sequence of str of length n_columns
        rows : iterable of sequences of length n_columns
        caption : str, default=""

        Returns
        -------
        self : AnalysisReport
        """
        rows = list(rows)
        for i, row in enumerate(rows):
            if isinstance(row, str):
                raise TypeError(f"Each row must be a list of cells, got {row!r} in row {i}.")
            if len(row) != len(header):
                raise ValueError(
                    f"Each row must have {len(header)} cells, one for each column, got {len(row)} "
                    f"cells in row {i}."
                )
        classes = [
            "number" if all(is_number(row[i]) for row in rows) else None for i in range(len(header))
        ]
        head = [
            element("th", escape(name), scope="col", class_=kind)
            for name, kind in zip(header, classes, strict=True)
        ]
        body = [
            [
                element("td", escape(format_value(cell)), class_=kind)
                for cell, kind in zip(row, classes, strict=True)
            ]
            for row in rows
        ]
        label, scroll = caption or "Table", {"region": {"class_": "scroll"}}
        self._body.append(table(head, [body], caption=caption, label=label, attributes=scroll))
        return self

    def add_frame(self, frame: Any, caption: str = "") -> Self:
        """Add a DataFrame with its index, such as the ``to_frame()`` of a result.

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

    def add_figure(self, figure: Any, caption: str) -> Self:
        """Add a figure.

        Parameters
        ----------
        figure : matplotlib Figure or Axes, display, svgwrite.Drawing, or object with _repr_html_
            Objects with an HTML representation, such as :class:`NeuronGrid`, are added as HTML.
        caption : str
            Caption, which is also the text alternative of a matplotlib figure.

        Returns
        -------
        self : AnalysisReport
        """
        label = element("figcaption", escape(caption)) if caption else ""
        self._body.append(element("figure", _picture(figure, caption) + label))
        return self

    def to_html(self) -> str:
        """Return the whole page.

        Returns
        -------
        str
            HTML that contains all its styles and figures.
        """
        links = "".join(
            element("a", escape(heading), href=f"#section-{i}")
            for i, heading in enumerate(self._headings, start=1)
        )
        parts = [
            self._header,
            element("div", "".join(self._cards), class_="cards"),
            element("nav", links, aria_label="Contents"),
            *self._body,
            element("footer", "Made with sklearn-neurox."),
        ]
        return make_page(self.title, "\n".join(parts), style=_STYLE)

    def _page(self) -> str:
        return self.to_html()


def _picture(figure: Any, caption: str) -> str:
    """Return the HTML of a figure."""
    figure = getattr(figure, "figure_", figure)  # of a display
    figure = getattr(figure, "figure", figure)  # of axes
    if isinstance(figure, svgwrite.Drawing):
        return figure.tostring()
    if hasattr(figure, "savefig"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
        data = base64.b64encode(buffer.getvalue()).decode()
        return f'<img alt="{escape(caption)}" src="data:image/svg+xml;base64,{data}">'
    if hasattr(figure, "_repr_html_") and not isinstance(figure, type):
        return printable(figure._repr_html_())
    raise TypeError(
        "figure must be a matplotlib figure, a drawing or an object with _repr_html_, got "
        f"{type(figure).__name__}."
    )
