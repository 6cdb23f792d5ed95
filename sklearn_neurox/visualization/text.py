"""SVG drawings of the activations of a neuron over text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import StringIO
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import svgwrite
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_scalar

from .._files import replace_file, resolve
from .._validation import check_vector, check_words
from ._cells import n_cells
from ._css import check_css_color
from ._direction import TextDirection, check_direction, starts_rtl
from ._scale import NEGATIVE, POSITIVE, opacities
from ._tokens import printable_word
from ._values import check_finite

FilterFunction: TypeAlias = Callable[[NDArray[np.float64]], ArrayLike]

_CELL_WIDTH = 0.6  # advance of the usual monospace fonts, relative to the font size
_LINE_HEIGHT = 1.5
_WHITE_SPACE = re.compile(r"\s")  # SVG would collapse white space and stretch the rest of the word
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


class TextDrawing(svgwrite.Drawing):
    """SVG drawing that also has an HTML representation, which galleries of examples use."""

    def _repr_html_(self) -> str:
        return self.tostring()

    def saveas(self, filename: str | PathLike[str], pretty: bool = False, indent: int = 2) -> None:
        """Save as an SVG file. An existing file is replaced only when the new one is complete.

        Parameters
        ----------
        filename : str or path-like
        pretty : bool, default=False
            Whether to put each element on its own line.
        indent : int, default=2
            Number of spaces for each level, if `pretty` is True.
        """
        super().saveas(resolve(filename), pretty, indent)  # which keeps the path

    def save(self, pretty: bool = False, indent: int = 2) -> None:
        """Save to the file of the last call of :meth:`saveas`, with the same parameters."""
        content = StringIO()
        self.write(content, pretty, indent)
        replace_file(Path(self.filename), content.getvalue().encode())


def visualize_activations(
    words: Sequence[str] | NDArray,
    activations: ArrayLike,
    *,
    darken: int = 2,
    colors: tuple[str, str] = (NEGATIVE, POSITIVE),
    text_direction: TextDirection = "auto",
    char_limit: int = 60,
    font_size: float = 20,
    filter_fn: Literal["top_words"] | FilterFunction | None = None,
) -> TextDrawing:
    """Draw the activations of one neuron as colors behind the words.

    The activation with the largest absolute value has the strongest color. Each word has a
    tooltip with its activation.

    Parameters
    ----------
    words : sequence of n_words str
        Words, which are drawn with spaces between them.
    activations : array-like of shape (n_words,)
        Activations of one neuron.
    darken : int, default=2
        How many times each color is painted over itself.
    colors : pair of str, default=("#d35f5f", "#00aad4")
        CSS colors of negative and positive activations.
    text_direction : {"auto", "ltr", "rtl"}, default="auto"
        Direction of the lines: left to right, right to left or the direction of the first letter.
    char_limit : int, default=60
        Maximum number of characters in a line. A wide character or an emoji counts as two. A longer
        word is drawn on a separate line.
    font_size : float, default=20
        Font size in pixels.
    filter_fn : callable or "top_words", default=None
        Function of the activations, whose result is drawn instead. It must return the same number
        of values. "top_words" keeps the activations above 80% of the largest absolute activation
        and sets the others to 0.

    Returns
    -------
    svgwrite.Drawing
        The drawing, which notebooks display. Use ``.saveas(path)`` or ``.tostring()`` to export it.

    Raises
    ------
    TypeError
        If a word is not a string.
    ValueError
        If the lengths differ, the activations contain NaN or infinity, or an option is invalid.

    Examples
    --------
    >>> from sklearn_neurox import visualize_activations
    >>> drawing = visualize_activations(["She", "runs"], [-0.2, 1.5])
    >>> drawing.tostring()[:4]
    '<svg'
    """
    shown = [printable_word(word, i) for i, word in enumerate(check_words(words, name="words"))]
    activations = check_vector(activations, name="activations").astype(np.float64)
    if len(shown) != len(activations):
        raise ValueError(
            f"words and activations must have the same length, got {len(shown)} words and "
            f"{len(activations)} activations."
        )
    check_direction(text_direction)
    _check_options(darken, colors, char_limit, font_size)
    is_rtl = text_direction == "rtl"
    if text_direction == "auto":
        is_rtl = starts_rtl(shown, default=False)
    values = _filter(activations, filter_fn)
    strengths = opacities(values, np.abs(values).max(initial=0.0), darken)

    widths = [n_cells(word) for word in shown]
    lines = _break_lines(widths, char_limit)
    line_cells = max([char_limit, *widths]) + 1
    cell, height = font_size * _CELL_WIDTH, font_size * _LINE_HEIGHT
    drawing = _canvas(line_cells * cell, max(len(lines), 1) * height, shown)
    for row, line in enumerate(lines):
        start = 0.5  # in cells, from the side where lines start
        for i in line:
            left = line_cells - start - widths[i] if is_rtl else start
            group = drawing.g()
            group.set_desc(title=f"{shown[i]}: {activations[i]:.4g}")
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
                    _WHITE_SPACE.sub(_NO_BREAK_SPACE, shown[i]),
                    insert=(left * cell, (row + 0.68) * height),
                    font_family="monospace",
                    font_size=font_size,
                    textLength=widths[i] * cell,  # fits the word to its background in any font
                    lengthAdjust="spacingAndGlyphs",
                    **_direction_of(shown[i], is_rtl),
                )
            )
            drawing.add(group)
            start += widths[i] + 1
    return drawing


def _check_options(darken: int, colors: tuple[str, str], char_limit: int, font_size: float) -> None:
    check_scalar(darken, "darken", Integral, min_val=1)
    check_scalar(char_limit, "char_limit", Integral, min_val=1)
    check_scalar(font_size, "font_size", Real, min_val=1)
    if not np.isfinite(font_size):
        raise ValueError(f"font_size must be finite, got {font_size}.")
    if isinstance(colors, str) or not isinstance(colors, Sequence) or len(colors) != 2:
        raise ValueError(f"colors must be two CSS colors, negative and positive, got {colors!r}.")
    for place, color in enumerate(colors):
        check_css_color(color, f"colors[{place}]")


def _canvas(width: float, height: float, words: list[str]) -> TextDrawing:
    drawing = TextDrawing(size=(width, height), debug=False)
    drawing.viewbox(0, 0, width, height)
    drawing.attribs["role"] = "img"
    drawing.attribs["aria-label"] = f"Activations over the text: {' '.join(words)}"
    drawing.attribs["style"] = "background:#fff"  # the words are black even on a dark page
    return drawing


def _filter(
    activations: NDArray[np.float64], filter_fn: str | FilterFunction | None
) -> NDArray[np.float64]:
    if filter_fn is None:
        return activations
    if isinstance(filter_fn, str) and filter_fn == "top_words":
        size = np.abs(activations)
        return np.where(size > 0.8 * size.max(initial=0.0), activations, 0.0)
    if not callable(filter_fn):
        raise ValueError(f"filter_fn must be 'top_words' or a function, got {filter_fn!r}.")
    filtered = check_finite(filter_fn(activations.copy()), "The result of filter_fn")
    if filtered.shape != activations.shape:
        raise ValueError(
            f"filter_fn must return {len(activations)} finite numbers, got an array of shape "
            f"{filtered.shape}."
        )
    return filtered


def _direction_of(word: str, is_rtl: bool) -> dict[str, str]:
    """Return the attributes of a word, which has the direction of its first letter.

    Punctuation is then on the correct side of the word.
    """
    # x is the left side of the word, which is its end if it is written from right to left.
    return {"direction": "rtl", "text_anchor": "end"} if starts_rtl(word, default=is_rtl) else {}


def _break_lines(widths: list[int], char_limit: int) -> list[list[int]]:
    """Return the positions of the words of each line."""
    lines: list[list[int]] = []
    free = 0
    for i, width in enumerate(widths):
        if not lines or width > free:
            lines.append([])
            free = char_limit
        lines[-1].append(i)
        free -= width + 1
    return lines
