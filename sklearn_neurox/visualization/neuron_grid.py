"""Sentences by neurons: activations as colours behind the words, comparable down a column."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_scalar

from .._validation import check_vector
from ..activations import TokenActivations
from ._html import CELL, HtmlTable, count, table
from ._neurons import check_neurons, check_tokens
from ._scale import color_on_white, opacities
from ._xml import escape, printable

_DARKEN = 2  # as visualize_activations draws
_STEPS = np.linspace(-1, 1, 11)  # of a legend


class _Column(NamedTuple):
    """What is drawn of a neuron."""

    name: str
    activations: NDArray[np.float64]  # of all words
    middle: float  # the activation without colour
    limit: float  # the distance from it with the strongest colour


class NeuronGrid(HtmlTable):
    """A table of sentences and neurons, with activations as colours behind the words.

    All cells of a column share one scale, which its head shows: the strongest colour is the
    largest absolute activation of that neuron in the sentences drawn. Pointing at a word shows
    its activation, and below each sentence stands its strongest word.

    Shows itself in a notebook; :meth:`save` writes a page, ``AnalysisReport.add_figure`` takes it.

    Parameters
    ----------
    tokens : TokenActivations
        Activations of n_words words.
    neurons : int, str, or list of them
        Columns of X, or names such as "layer_3_neuron_17".
    sentences : list of int, default=None
        The sentences to draw, as numbered in ``tokens.sentence_ids``. None takes for each neuron
        those where it is most active, by its largest absolute activation.
    n_sentences : int, default=3
        Sentences taken for each neuron where `sentences` is None. One that is taken for two
        neurons is drawn once.
    center : bool, default=False
        Colour the distance from the neuron's mean over all words, for neurons that are never near
        0. The most active sentences are then those furthest from the mean.
    text_direction : {"auto", "ltr", "rtl"}, default="auto"
        Lines run from the left, from the right, or as the first letter of the sentence has it.

    Attributes
    ----------
    neuron_names_ : list of str
        Of the columns.
    sentence_ids_ : list of int
        Of the rows.

    Raises
    ------
    TypeError
        If `tokens` are no TokenActivations, a word is not a string, or a neuron or sentence is of
        a wrong type.
    ValueError
        If a neuron or sentence is not there or comes twice, X holds NaN or infinity in a neuron,
        or an option is out of range.

    See Also
    --------
    visualize_activations : One neuron over words, as SVG.

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
        neurons: Any,
        *,
        sentences: Iterable[int] | None = None,
        n_sentences: int = 3,
        center: bool = False,
        text_direction: str = "auto",
    ):
        tokens = check_tokens(tokens)
        places = check_neurons(tokens, neurons)
        check_scalar(n_sentences, "n_sentences", Integral, min_val=1)
        if text_direction not in ("auto", "ltr", "rtl"):
            raise ValueError(
                f"text_direction must be 'auto', 'ltr' or 'rtl', got {text_direction!r}."
            )
        names = tokens.neuron_names[places]
        X = tokens.X[:, places]  # one reading of a mapped file
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
        self._words = {i: printable(tokens.words[i]) for i in drawn}
        self._direction = text_direction
        self._center = center

    def __repr__(self) -> str:
        n_rows, n_columns = len(self.sentence_ids_), len(self._columns)
        return f"NeuronGrid({count(n_rows, 'sentence')}, {count(n_columns, 'neuron')})"

    def to_html(self) -> str:
        """Return the table, to put into a page.

        Returns
        -------
        str
            HTML without scripts or styles of its own.
        """
        what = "their distance from the mean of the neuron" if self._center else "activations"
        caption = (
            f"Words and {what}. A column has one scale, shown in its head; the strongest word is "
            "below each sentence."
        )
        heads = ["Sentence", *map(_head, self._columns)]
        body = [
            f'<th scope="row" style="{CELL}">{sentence}</th>'
            + "".join(self._cell(rows, column) for column in self._columns)
            for sentence, rows in zip(self.sentence_ids_, self._rows, strict=True)
        ]
        name = f"{count(len(self._columns), 'neuron')} over {count(len(body), 'sentence')}"
        return table(caption, heads, [body], name=name)

    def _cell(self, rows: NDArray, column: _Column) -> str:
        values = column.activations[rows]
        offsets = values - column.middle
        strengths = opacities(offsets, column.limit, _DARKEN)
        words = [self._words[i] for i in rows]
        text = " ".join(map(_word, words, values, offsets, strengths))
        best = int(np.abs(offsets).argmax())
        note = ""
        if offsets[best] != 0:  # colours say nothing to a screen reader
            note = f"strongest: <b><bdi>{escape(words[best])}</bdi></b> ({_number(values[best])})"
        return (
            f'<td style="{CELL};min-width:16em"><div dir="{self._direction}" '
            f'style="text-align:start">{text}</div>'
            f'<div style="font-size:.85em;color:#5a6675">{note}</div></td>'
        )


def _word(word: str, value: float, offset: float, strength: float) -> str:
    background = color_on_white(offset, strength)
    style = f"background:{background};padding:.1em .15em"
    title = escape(f"{word}: {_number(value)}")
    return f'<bdi title="{title}" style="{style}">{escape(word)}</bdi>'


def _head(column: _Column) -> str:
    """Name a neuron, and show the range of its colours."""
    low, high = column.middle - column.limit, column.middle + column.limit
    ends = [_number(value) for value in (low, column.middle, high)]
    if column.limit == 0:
        return f"{escape(column.name)}<br><small>{ends[1]} on all words</small>"
    colors = [
        color_on_white(step, strength)
        for step, strength in zip(_STEPS, opacities(_STEPS, 1.0, _DARKEN), strict=True)
    ]
    boxes = "".join(
        f'<rect x="{i}" y="0" width="1.02" height="1" fill="{color}"/>'
        for i, color in enumerate(colors)
    )
    labels = "".join(f"<span>{end}</span>" for end in ends)
    label = f"Colours from {ends[0]} (red) over {ends[1]} (white) to {ends[2]} (blue)"
    return (
        f'{escape(column.name)}<div style="width:12em"><svg role="img" aria-label="{label}" '
        f'viewBox="0 0 {len(_STEPS)} 1" preserveAspectRatio="none" style="display:block;width:100%;'
        f'height:.7em;border:1px solid #dde3ea;border-radius:0">{boxes}</svg>'
        '<div aria-hidden="true" style="display:flex;justify-content:space-between;'
        f'font-size:.8em;font-weight:400">{labels}</div></div>'
    )


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _most_active(ids: NDArray, distances: list[NDArray], n_sentences: int) -> list[int]:
    """Take the sentences where each neuron goes furthest, neuron by neuron."""
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
                f"A sentence id is an integer, got {type(sentence).__name__} {sentence!r}."
            )
        if sentence not in known:
            raise ValueError(
                f"There is no sentence {sentence}; the {count(len(known), 'sentence')} have ids "
                f"from {min(known)} to {max(known)}."
            )
        if sentence in chosen[:place]:
            raise ValueError(f"Sentence {sentence} comes twice.")
    return [int(sentence) for sentence in chosen]
