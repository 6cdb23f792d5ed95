"""Table of the top words of neurons, with bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from numbers import Integral
from typing import Any

from sklearn.utils import check_scalar

from .._html import element, escape, printable
from .._optional import import_optional
from .._wording import count
from ..activations import TokenActivations
from ..neurons import top_words
from ._html_table import HtmlTable, styled_cell, styled_table
from ._scale import NEGATIVE, POSITIVE
from ._tokens import find_neurons

_HALF = 60  # half the width of the bars, in pixels


class TopWordsTable(HtmlTable):
    """Table of the words on which each neuron is furthest from its mean, with scores as bars.

    The table is displayed in a notebook, saved as a page by :meth:`save`, or added to a report by
    ``AnalysisReport.add_figure``.

    Parameters
    ----------
    tokens : TokenActivations
        Activations of n_words words.
    neurons : int, str, or list of them
        Columns of X, or names such as "layer_3_neuron_17".
    n_words : int, default=10
        Maximum number of word types for each neuron.
    min_score : float in [0, 1], default=0.0
        Threshold on the scores: show only word types with ``|score| > min_score``.
    min_count : int, default=1
        Minimum number of occurrences of a word type. The score of a word that occurs only once is
        unreliable.

    Attributes
    ----------
    rows_ : dict of str to list of (word, score, count)
        Top words by the names of the neurons, in the order and with the scores of
        :func:`top_words`. The list is empty if a neuron is constant or no word occurs often
        enough.

    Raises
    ------
    TypeError
        If `tokens` is not a TokenActivations, a neuron is neither an integer nor a string, or a
        word is not a string.
    ValueError
        If a neuron is not a column of X or is repeated, X contains NaN or infinity, or an option
        is out of range.

    See Also
    --------
    top_words : Returns the scores of one neuron.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import TokenActivations, TopWordsTable
    >>> tokens = TokenActivations(
    ...     X=np.array([[0.0], [5.0], [0.0], [-2.0]]), words=np.array(["the", "cat", "the", "dog"]),
    ...     sentence_ids=np.zeros(4, dtype=int), positions=np.arange(4), layers=(3,))
    >>> top = TopWordsTable(tokens, "layer_3_neuron_0", n_words=2)
    >>> top.rows_["layer_3_neuron_0"][0]
    ('cat', 1.0, 1)
    >>> top
    TopWordsTable(1 neuron, 2 words)
    """

    _title = "Top words"

    def __init__(
        self,
        tokens: TokenActivations,
        neurons: int | str | Iterable[int | str],
        *,
        n_words: int = 10,
        min_score: float = 0.0,
        min_count: int = 1,
    ) -> None:
        columns = find_neurons(tokens, neurons)
        check_scalar(n_words, "n_words", Integral, min_val=1)
        self.min_count = min_count
        counts = Counter(tokens.words.tolist())
        X = tokens.X[:, columns]  # so that a memory map is read only once
        self.rows_: dict[str, list[tuple[str, float, int]]] = {}
        for name, activations in zip(tokens.neurons[columns].names, X.T, strict=True):
            best = top_words(
                tokens.words, activations, n_words=n_words, min_score=min_score, min_count=min_count
            )
            self.rows_[name] = [(printable(word), score, counts[word]) for word, score in best]

    def __repr__(self) -> str:
        n_words = sum(map(len, self.rows_.values()))
        return f"TopWordsTable({count(len(self.rows_), 'neuron')}, {count(n_words, 'word')})"

    def to_html(self) -> str:
        """Return the table as HTML.

        Returns
        -------
        str
            HTML without scripts or style sheets.
        """
        caption = (
            "The words on which each neuron is furthest from its mean. Scores are distances from "
            "the mean, scaled to a maximum of 1: blue (+) is above the mean, and red (−) is below."
        )
        if self.min_count > 1:
            caption += f" Only words that occur at least {self.min_count} times."
        bodies = [_rows_of(name, rows) for name, rows in self.rows_.items()]
        headers = ["Neuron", "Word", "Score", "Occurrences"]
        label = f"Top words of {count(len(bodies), 'neuron')}"
        return styled_table(headers, bodies, caption=caption, label=label)

    def to_frame(self) -> Any:
        """Return the rows as a DataFrame.

        Returns
        -------
        pandas.DataFrame
            Columns neuron, word, score and count. A neuron without words has no rows.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        rows = [(name, *row) for name, rows in self.rows_.items() for row in rows]
        return pandas.DataFrame(rows, columns=["neuron", "word", "score", "count"])


def _rows_of(name: str, rows: list[tuple[str, float, int]]) -> list[list[str]]:
    head = styled_cell("th", escape(name), scope="rowgroup", rowspan=max(len(rows), 1))
    if not rows:
        return [[head, styled_cell("td", "no words", colspan=3)]]
    cells = [
        [
            styled_cell("td", element("bdi", escape(word))),
            styled_cell("td", f"{_bar(score)} {_signed(score)}", style="white-space:nowrap"),
            styled_cell("td", f"{times:,}", style="text-align:right"),
        ]
        for word, score, times in rows
    ]
    return [[head, *cells[0]], *cells[1:]]


def _signed(score: float) -> str:
    return f"{score:+.2f}".replace("-", "−")


def _bar(score: float) -> str:
    """Return a bar from the center to the right for a positive score, and to the left otherwise."""
    length = abs(score) * _HALF
    left = _HALF - length if score < 0 else _HALF
    color = NEGATIVE if score < 0 else POSITIVE
    return (
        f'<svg aria-hidden="true" width="{2 * _HALF}" height="12" viewBox="0 0 {2 * _HALF} 12" '
        'style="display:inline-block;max-width:none;vertical-align:middle;border-radius:0">'
        f'<rect x="{left:.2f}" y="1" width="{length:.2f}" height="10" fill="{color}"/>'
        f'<line x1="{_HALF}" x2="{_HALF}" y1="0" y2="12" stroke="#5a6675"/></svg>'
    )
