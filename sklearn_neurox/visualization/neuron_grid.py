"""Table of sentences by neurons, with activations as colors behind the words."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_scalar

from .._html import element, escape
from .._validation import check_vector
from .._wording import count
from ..activations import TokenActivations
from ._direction import TextDirection, check_direction
from ._html_table import HtmlTable, styled_cell, styled_table
from ._scale import color_on_white, opacities
from ._tokens import find_neurons, printable_word

_DARKEN = 2  # the default of visualize_activations
_STEPS = np.linspace(-1, 1, 11)  # the colors of a legend


class _Column(NamedTuple):
    """A neuron to draw."""

    name: str
    activations: NDArray[np.float64]  # of all words
    middle: float  # the activation that is shown in white
    limit: float  # the distance from it that has the strongest color


class NeuronGrid(HtmlTable):
    """Table of sentences by neurons, with activations as colors behind the words.

    All cells of a column share one color scale, which is shown in the header: the strongest color
    is the largest absolute activation of that neuron in the sentences shown. Each word has a
    tooltip with its activation, and the word with the largest absolute activation is named below
    each sentence.

    The table is displayed in a notebook, saved as a page by :meth:`save`, or added to a report by
    ``AnalysisReport.add_figure``.

    Parameters
    ----------
    tokens : TokenActivations
        Activations of n_words words.
    neurons : int, str, or list of them
        Columns of X, or names such as "layer_3_neuron_17".
    sentences : list of int, default=None
        The sentences to show, as numbered in ``tokens.sentence_ids``. If None, select for each
        neuron the sentences with its largest absolute activations.
    n_sentences : int, default=3
        Number of sentences for each neuron if `sentences` is None. A sentence that is selected for
        several neurons is shown once.
    center : bool, default=False
        Whether colors show the distance from the mean of the neuron over all words. Use True for
        neurons whose activations are never close to 0. Sentences are then also selected by this
        distance.
    text_direction : {"auto", "ltr", "rtl"}, default="auto"
        Direction of the sentences: left to right, right to left or, for each sentence, the
        direction of its first letter.

    Attributes
    ----------
    neuron_names_ : list of str
        Names of the columns.
    sentence_ids_ : list of int
        Sentences of the rows.

    Raises
    ------
    TypeError
        If `tokens` is not a TokenActivations, a word is not a string, or a neuron or sentence has
        the wrong type.
    ValueError
        If a neuron or sentence does not exist or is repeated, the activations of a neuron contain
        NaN or infinity, or an option is invalid.

    See Also
    --------
    visualize_activations : Draws one neuron over words, as SVG.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import NeuronGrid, TokenActivations
    >>> tokens = TokenActivations(
    ...     X=np.array([[0.1, -2.0], [1.7, 0.3], [-0.9, 0.0]]),
    ...     words=np.array(["Kettles", "sulk", "Enough"]), sentence_ids=np.array([0, 0, 1]),
    ...     positions=np.array([0, 1, 0]), layers=(2,))
    >>> grid = NeuronGrid(tokens, ["layer_2_neuron_1", 0])
    >>> grid
    NeuronGrid(2 sentences, 2 neurons)
    >>> NeuronGrid(tokens, 1, n_sentences=1).sentence_ids_
    [0]
    """

    _title = "Neurons over sentences"

    def __init__(
        self,
        tokens: TokenActivations,
        neurons: int | str | Iterable[int | str],
        *,
        sentences: Iterable[int] | None = None,
        n_sentences: int = 3,
        center: bool = False,
        text_direction: TextDirection = "auto",
    ) -> None:
        columns = find_neurons(tokens, neurons)
        check_scalar(n_sentences, "n_sentences", Integral, min_val=1)
        check_direction(text_direction)
        names = tokens.neurons[columns].names
        X = tokens.X[:, columns]  # so that a memory map is read only once
        values = [
            check_vector(X[:, i], name=name).astype(np.float64) for i, name in enumerate(names)
        ]
        middles = [float(column.mean()) if center else 0.0 for column in values]
        distances = [np.abs(v - middle) for v, middle in zip(values, middles, strict=True)]
        ids = np.asarray(tokens.sentence_ids)
        self.sentence_ids_ = (
            _most_active(ids, distances, n_sentences)
            if sentences is None
            else _check_sentences(ids, sentences)
        )
        self.neuron_names_ = list(names)
        rows = [np.flatnonzero(ids == sentence) for sentence in self.sentence_ids_]
        drawn = np.concatenate(rows)
        self._columns = [
            _Column(name, v, middle, float(d[drawn].max()))
            for name, v, middle, d in zip(names, values, middles, distances, strict=True)
        ]
        self._rows = rows
        self._words = {i: printable_word(tokens.words[i], i) for i in drawn}
        self._direction = text_direction
        self._center = center

    def __repr__(self) -> str:
        n_rows, n_columns = len(self.sentence_ids_), len(self._columns)
        return f"NeuronGrid({count(n_rows, 'sentence')}, {count(n_columns, 'neuron')})"

    def to_html(self) -> str:
        """Return the table as HTML.

        Returns
        -------
        str
            HTML without scripts or style sheets.
        """
        shown = "the distance of each activation from the mean of the neuron"
        caption = (
            f"Colors show {shown if self._center else 'activations'}. Each column has one color "
            "scale, shown in its header. The word with the strongest color is named below each "
            "sentence."
        )
        headers = ["Sentence", *map(_header, self._columns)]
        body = [
            [
                styled_cell("th", str(sentence), scope="row"),
                *(self._cell(rows, column) for column in self._columns),
            ]
            for sentence, rows in zip(self.sentence_ids_, self._rows, strict=True)
        ]
        label = f"{count(len(self._columns), 'neuron')} over {count(len(body), 'sentence')}"
        return styled_table(headers, [body], caption=caption, label=label)

    def _cell(self, rows: NDArray[np.intp], column: _Column) -> str:
        values = column.activations[rows]
        offsets = values - column.middle
        strengths = opacities(offsets, column.limit, _DARKEN)
        words = [self._words[i] for i in rows]
        text = " ".join(map(_word, words, values, offsets, strengths))
        best = int(np.abs(offsets).argmax())
        note = ""
        if offsets[best] != 0:  # screen readers do not announce colors
            strongest = element("b", element("bdi", escape(words[best])))
            note = f"strongest: {strongest} ({_number(values[best])})"
        sentence = element("div", text, dir=self._direction, style="text-align:start")
        small = element("div", note, style="font-size:.85em;color:#5a6675")
        return styled_cell("td", sentence + small, style="min-width:16em")


def _word(word: str, value: float, offset: float, strength: float) -> str:
    style = f"background:{color_on_white(offset, strength)};padding:.1em .15em"
    return element("bdi", escape(word), title=f"{word}: {_number(value)}", style=style)


def _header(column: _Column) -> str:
    """Return the name of a neuron with its color scale."""
    low, high = column.middle - column.limit, column.middle + column.limit
    ends = [_number(value) for value in (low, column.middle, high)]
    if column.limit == 0:
        return f"{escape(column.name)}<br>{element('small', f'{ends[1]} on all words')}"
    colors = [
        color_on_white(step, strength)
        for step, strength in zip(_STEPS, opacities(_STEPS, 1.0, _DARKEN), strict=True)
    ]
    boxes = "".join(
        f'<rect x="{i}" y="0" width="1.02" height="1" fill="{color}"/>'
        for i, color in enumerate(colors)
    )
    scale = element(
        "svg",
        boxes,
        role="img",
        aria_label=f"Colors from {ends[0]} (red) through {ends[1]} (white) to {ends[2]} (blue)",
        viewBox=f"0 0 {len(_STEPS)} 1",
        preserveAspectRatio="none",
        style="display:block;width:100%;height:.7em;border:1px solid #dde3ea;border-radius:0",
    )
    numbers = element(
        "div",
        "".join(element("span", end) for end in ends),
        aria_hidden="true",
        style="display:flex;justify-content:space-between;font-size:.8em;font-weight:400",
    )
    return escape(column.name) + element("div", scale + numbers, style="width:12em")


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _most_active(ids: NDArray, distances: list[NDArray[np.float64]], n_sentences: int) -> list[int]:
    """Return the sentences with the largest distances of each neuron, neuron by neuron."""
    known, codes = np.unique(ids, return_inverse=True)
    found: dict[int, None] = {}
    for distance in distances:
        peaks = np.zeros(len(known))
        np.maximum.at(peaks, codes, distance)
        best = np.argsort(-peaks, kind="stable")[:n_sentences]
        found.update(dict.fromkeys(known[best].tolist()))
    return list(found)


def _check_sentences(ids: NDArray, sentences: Iterable[int]) -> list[int]:
    if isinstance(sentences, str) or not isinstance(sentences, Iterable):
        raise TypeError(f"sentences must be a list of sentence ids, got {sentences!r}.")
    chosen = list(sentences)
    if not chosen:
        raise ValueError("sentences is empty: expected at least one sentence id.")
    known = set(ids.tolist())
    for place, sentence in enumerate(chosen):
        if isinstance(sentence, bool) or not isinstance(sentence, Integral):
            raise TypeError(
                f"sentences must contain integers, got {type(sentence).__name__} {sentence!r}."
            )
        if sentence not in known:
            raise ValueError(
                f"tokens does not contain sentence {sentence}. The ids of its "
                f"{count(len(known), 'sentence')} range from {min(known)} to {max(known)}."
            )
        if sentence in chosen[:place]:
            raise ValueError(f"Each sentence can be listed only once; {sentence} is repeated.")
    return [int(sentence) for sentence in chosen]
