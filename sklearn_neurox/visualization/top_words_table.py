"""The words that drive neurons, as a table with bars."""

from __future__ import annotations

from collections import Counter
from numbers import Integral
from typing import Any

from sklearn.utils import check_scalar

from .._optional import import_optional
from ..activations import TokenActivations
from ..neurons import top_words
from ._html import CELL, HtmlTable, count, table
from ._neurons import check_neurons, check_tokens
from ._scale import NEGATIVE, POSITIVE
from ._xml import escape, printable

_HALF = 60  # of the width of a bar, in pixels


class TopWordsTable(HtmlTable):
    """The words that drive each neuron furthest from its mean, with bars for their scores.

    Shows itself in a notebook; :meth:`save` writes a page, ``AnalysisReport.add_figure`` takes it.

    Parameters
    ----------
    tokens : TokenActivations
        Activations of n_words words.
    neurons : int, str, or list of them
        Columns of X, or names such as "layer_3_neuron_17".
    n_words : int, default=10
        Word types shown of a neuron, at most.
    min_score : float in [0, 1], default=0.0
        Show word types with ``|score| > min_score``.
    min_count : int, default=1
        Leave out word types that occur less often. A word that comes once may be high by chance.

    Attributes
    ----------
    rows_ : dict of str to list of (word, score, count)
        Names of the neurons, and the words of each as :func:`top_words` orders and scores them.
        Empty for a neuron that is constant, or without a word that occurs often enough.

    Raises
    ------
    TypeError
        If `tokens` are no TokenActivations, a neuron is neither an integer nor a string, or a word
        is not a string.
    ValueError
        If a neuron is not in X or comes twice, X holds NaN or infinity, or an option is out of
        range.

    See Also
    --------
    top_words : The scores, for one neuron.

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
        neurons: Any,
        *,
        n_words: int = 10,
        min_score: float = 0.0,
        min_count: int = 1,
    ):
        tokens = check_tokens(tokens)
        columns = check_neurons(tokens, neurons)
        check_scalar(n_words, "n_words", Integral, min_val=1)
        self.min_count = min_count
        counts = Counter(tokens.words.tolist())
        X = tokens.X[:, columns]  # one reading of a mapped file
        self.rows_: dict[str, list[tuple[str, float, int]]] = {}
        for place, column in enumerate(columns):
            best = top_words(
                tokens.words, X[:, place], n_words=n_words, min_score=min_score, min_count=min_count
            )
            self.rows_[tokens.neuron_names[column]] = [
                (printable(word), score, counts[word]) for word, score in best
            ]

    def __repr__(self) -> str:
        n_words = sum(map(len, self.rows_.values()))
        return f"TopWordsTable({count(len(self.rows_), 'neuron')}, {count(n_words, 'word')})"

    def to_html(self) -> str:
        """Return the table, to put into a page.

        Returns
        -------
        str
            HTML without scripts or styles of its own.
        """
        caption = (
            "The words that drive each neuron furthest from its mean. Score: 1 is the furthest; "
            "blue (+) is above the mean, red (−) below."
        )
        if self.min_count > 1:
            caption += f" Only words that occur at least {self.min_count} times."
        bodies = [_rows_of(name, rows) for name, rows in self.rows_.items()]
        heads = ["Neuron", "Word", "Score", "Occurrences"]
        return table(caption, heads, bodies, name=f"Top words of {count(len(bodies), 'neuron')}")

    def to_frame(self) -> Any:
        """Return the rows as a table of pandas.

        Returns
        -------
        pandas.DataFrame
            Columns neuron, word, score and count; nothing for a neuron without words.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        rows = [(name, *row) for name, rows in self.rows_.items() for row in rows]
        return pandas.DataFrame(rows, columns=["neuron", "word", "score", "count"])


def _rows_of(name: str, rows: list[tuple[str, float, int]]) -> list[str]:
    head = f'<th scope="rowgroup" rowspan="{max(len(rows), 1)}" style="{CELL}">{escape(name)}</th>'
    if not rows:
        return [f'{head}<td colspan="3" style="{CELL}">no words</td>']
    cells = [
        f'<td style="{CELL}"><bdi>{escape(word)}</bdi></td>'
        f'<td style="{CELL};white-space:nowrap">{_bar(score)} {_signed(score)}</td>'
        f'<td style="{CELL};text-align:right">{times:,}</td>'
        for word, score, times in rows
    ]
    return [head + cells[0], *cells[1:]]


def _signed(score: float) -> str:
    return f"{score:+.2f}".replace("-", "−")


def _bar(score: float) -> str:
    """Draw a score from the middle, to the right if it is positive; the number stands beside."""
    length = abs(score) * _HALF
    left = _HALF - length if score < 0 else _HALF
    color = NEGATIVE if score < 0 else POSITIVE
    return (
        f'<svg aria-hidden="true" width="{2 * _HALF}" height="12" viewBox="0 0 {2 * _HALF} 12" '
        'style="display:inline-block;max-width:none;vertical-align:middle;border-radius:0">'
        f'<rect x="{left:.2f}" y="1" width="{length:.2f}" height="10" fill="{color}"/>'
        f'<line x1="{_HALF}" x2="{_HALF}" y1="0" y2="12" stroke="#5a6675"/></svg>'
    )
