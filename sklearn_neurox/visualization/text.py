"""The activations of a neuron drawn over text, as SVG."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from numbers import Integral, Real

import numpy as np
import svgwrite
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_scalar

from .._validation import check_vector, check_words
from ._cells import n_cells
from ._scale import NEGATIVE, POSITIVE, opacities
from ._xml import printable

FilterFunction = Callable[[NDArray], ArrayLike]

_CELL_WIDTH = 0.6  # of the font size: the advance of the usual monospace fonts
_LINE_HEIGHT = 1.5
_WHITE_SPACE = re.compile(r"\s")  # SVG would fold it, and stretch the rest of the token
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


class TextDrawing(svgwrite.Drawing):
    """A drawing that also shows itself where a page takes HTML, as in a gallery of examples."""

    def _repr_html_(self) -> str:
        return self.tostring()


def visualize_activations(
    tokens: Sequence[str] | NDArray,
    activations,
    *,
    darken: int = 2,
    colors: tuple[str, str] = (NEGATIVE, POSITIVE),
    text_direction: str = "ltr",
    char_limit: int = 60,
    font_size: int = 20,
    filter_fn: str | FilterFunction | None = None,
) -> TextDrawing:
    """Draw the activations of one neuron as colours behind the words.

    The strongest activation, of either sign, has the strongest colour. Pointing at a word shows
    its activation.

    Parameters
    ----------
    tokens : sequence of n_tokens str
        Words, drawn with a space in between.
    activations : array-like of shape (n_tokens,)
        Activations of one neuron.
    darken : int, default=2
        How often each colour is laid over itself.
    colors : pair of str, default=("#d35f5f", "#00aad4")
        CSS colours of negative and positive activations.
    text_direction : {"ltr", "rtl"}, default="ltr"
        Lines run from the left, or from the right.
    char_limit : int, default=60
        Characters in a line; a wide character or an emoji counts two. A longer token has a line
        of its own.
    font_size : int, default=20
        In pixels.
    filter_fn : callable or "top_tokens", default=None
        Changes the activations before they are drawn, n_tokens to n_tokens. "top_tokens" draws
        only those of more than 80 % of the largest absolute activation.

    Returns
    -------
    svgwrite.Drawing
        Shows itself in a notebook; ``.saveas(path)`` and ``.tostring()`` export it.

    Raises
    ------
    TypeError
        If a token is not a string.
    ValueError
        If lengths differ, activations hold NaN or infinity, or an option is unknown.

    Examples
    --------
    >>> from sklearn_neurox import visualize_activations
    >>> drawing = visualize_activations(["She", "runs"], [-0.2, 1.5])
    >>> drawing.tostring()[:4]
    '<svg'
    """
    words = [printable(token) for token in check_words(tokens, name="tokens")]
    activations = check_vector(activations, name="activations").astype(np.float64)
    if len(words) != len(activations):
        raise ValueError(
            f"Every token needs one activation: got {len(words)} tokens and {len(activations)} "
            "activations."
        )
    _check_options(darken, colors, text_direction, char_limit, font_size)
    values = _filter(activations, filter_fn)
    strengths = opacities(values, np.abs(values).max(initial=0.0), darken)

    widths = [n_cells(word) for word in words]
    lines = _break_lines(widths, char_limit)
    line_cells = max([char_limit, *widths]) + 1
    cell, height = font_size * _CELL_WIDTH, font_size * _LINE_HEIGHT
    drawing = _canvas(line_cells * cell, max(len(lines), 1) * height, words)
    for row, line in enumerate(lines):
        place = 0.5  # cells from the side where lines begin
        for i in line:
            left = place if text_direction == "ltr" else line_cells - place - widths[i]
            group = drawing.g()
            group.set_desc(title=f"{words[i]}: {activations[i]:.4g}")
            group.add(
                drawing.rect(
                    insert=(left * cell, (row + 0.1) * height),
                    size=(widths[i] * cell, 0.8 * height),
                    fill=colors[0] if values[i] < 0 else colors[1],
                    opacity=round(float(strengths[i]), 4),
                )
            )
            group.add(
                drawing.text(
                    _WHITE_SPACE.sub(_NO_BREAK_SPACE, words[i]),
                    insert=(left * cell, (row + 0.68) * height),
                    font_family="monospace",
                    font_size=font_size,
                    textLength=widths[i] * cell,  # whatever the font, a word keeps to its colour
                    lengthAdjust="spacingAndGlyphs",
                    **_direction_of(words[i], text_direction),
                )
            )
            drawing.add(group)
            place += widths[i] + 1
    return drawing


def _check_options(darken, colors, text_direction, char_limit, font_size) -> None:
    if text_direction not in ("ltr", "rtl"):
        raise ValueError(f"text_direction must be 'ltr' or 'rtl', got {text_direction!r}.")
    check_scalar(darken, "darken", Integral, min_val=1)
    check_scalar(char_limit, "char_limit", Integral, min_val=1)
    check_scalar(font_size, "font_size", Real, min_val=1)
    if not np.isfinite(font_size):
        raise ValueError(f"font_size must be finite, got {font_size}.")
    if isinstance(colors, str) or len(colors) != 2:
        raise ValueError(f"colors must be two CSS colours, negative and positive, got {colors!r}.")


def _canvas(width: float, height: float, words: list[str]) -> TextDrawing:
    drawing = TextDrawing(size=(width, height), debug=False)
    drawing.viewbox(0, 0, width, height)
    drawing.attribs["role"] = "img"
    drawing.attribs["aria-label"] = f"Activations over the text: {' '.join(words)}"
    drawing.attribs["style"] = "background:#fff"  # the words are black, also on a dark page
    return drawing


def _filter(activations: NDArray, filter_fn: str | FilterFunction | None) -> NDArray[np.float64]:
    if filter_fn is None:
        return activations
    if isinstance(filter_fn, str) and filter_fn == "top_tokens":
        size = np.abs(activations)
        return np.where(size > 0.8 * size.max(initial=0.0), activations, 0.0)
    if not callable(filter_fn):
        raise ValueError(f"filter_fn must be 'top_tokens' or a function, got {filter_fn!r}.")
    filtered = np.asarray(filter_fn(activations.copy()), dtype=float)
    if filtered.shape != activations.shape or not np.isfinite(filtered).all():
        raise ValueError(
            f"filter_fn must return {len(activations)} finite numbers, got an array of shape "
            f"{filtered.shape}."
        )
    return filtered


def _direction_of(word: str, text_direction: str) -> dict[str, str]:
    """Let the first letter decide where a word begins, so that its punctuation stands right."""
    kinds = [unicodedata.bidirectional(character) for character in word]
    letters = [kind for kind in kinds if kind in ("L", "R", "AL")]
    from_right = letters[0] != "L" if letters else text_direction == "rtl"
    # x is the left side of the word, where one that runs from the right ends.
    return {"direction": "rtl", "text_anchor": "end"} if from_right else {}


def _break_lines(widths: list[int], char_limit: int) -> list[list[int]]:
    """Places of the tokens of each line."""
    lines: list[list[int]] = []
    room = 0
    for i, width in enumerate(widths):
        if not lines or width > room:
            lines.append([])
            room = char_limit
        lines[-1].append(i)
        room -= width + 1
    return lines
