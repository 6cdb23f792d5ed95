"""Drawing functions that several displays share.

Series differ in color, marker and line style, so that they can be distinguished in grayscale and
by color-blind readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._optional import import_optional
from ._wording import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Style: TypeAlias = Mapping[str, Any]  # keyword arguments for matplotlib

BLUE, ORANGE = "#0072B2", "#D55E00"
# The colors of Okabe and Ito that are dark enough for white paper.
_COLORS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#000000")
_MARKERS = "os^DvPX"
LINES = ("-", "--", "-.", ":")
# Relative luminance (WCAG 2) of a background on which black and white text have equal contrast.
_MIDDLE = 0.179


def series_style(index: int) -> dict[str, Any]:
    """Return the color, marker and line style of a series."""
    return {
        "color": _COLORS[index % len(_COLORS)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def override(defaults: Mapping[str, Any], user: Style | None, artist: str) -> dict[str, Any]:
    """Merge keyword arguments for matplotlib, with those of the user overriding the defaults.

    Parameters
    ----------
    defaults : mapping
        Default keyword arguments.
    user : mapping or None
        Keyword arguments of the user, which may be aliases, such as ``lw`` for ``linewidth``.
    artist : str
        Module and class of the styled artist, such as "lines.Line2D".

    Returns
    -------
    dict
    """
    module, name = artist.split(".")
    cbook, artists = (
        import_optional(f"matplotlib.{each}", extra="plot", purpose="Plotting")
        for each in ("cbook", module)
    )
    kind = getattr(artists, name)
    ours, theirs = (cbook.normalize_kwargs(each, kind) for each in (defaults, user))
    if "fmt" in theirs:  # shorthand for the three styles
        ours = {key: ours[key] for key in ours if key not in ("color", "marker", "linestyle")}
    return {**ours, **theirs}


def literal(text: object) -> str:
    """Escape text so that matplotlib draws it verbatim, including in a legend.

    A dollar sign would start a formula, and a legend ignores labels that start with an underscore.
    """
    shown = str(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def plot_folds(
    ax: Axes, x: ArrayLike, scores: NDArray, label: str, index: int, errorbar_kw: Style | None
) -> None:
    """Draw a series of means over the folds, with bars of one standard deviation."""
    style = override(
        {"label": literal(label), "capsize": 3, **series_style(index)}, errorbar_kw, "lines.Line2D"
    )
    ax.errorbar(x, scores.mean(axis=1), scores.std(axis=1), **style)


def set_xticks(ax: Axes, labels: Sequence[object], at_most: int = 25) -> None:
    """Label the positions 0, 1, ... of the x axis, or every n-th of them if there are many."""
    step = -(-len(labels) // at_most)
    ax.set_xticks(range(0, len(labels), step), [literal(label) for label in labels[::step]])


def plot_matrix(
    ax: Axes,
    values: NDArray,
    rows: Sequence[object],
    columns: Sequence[object],
    label: str,
    im_kw: Style | None,
    text_kw: Style | None,
) -> None:
    """Draw numbers between 0 and 1 as a matrix of colors, and write them into the cells."""
    limits = {} if im_kw and "norm" in im_kw else {"vmin": 0, "vmax": 1}
    defaults = {"cmap": "cividis", "aspect": "auto", **limits}
    image = ax.imshow(values, **override(defaults, im_kw, "image.AxesImage"))
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            color = _text_color(image.to_rgba(value))
            style = {"ha": "center", "va": "center", "color": color, "fontsize": 8}
            ax.text(column, row, f"{value:.2f}", **override(style, text_kw, "text.Text"))
    ax.set_xticks(range(len(columns)), [literal(each) for each in columns], rotation=40, ha="right")
    ax.set_yticks(range(len(rows)), [literal(each) for each in rows])
    ax.figure.colorbar(image, ax=ax, label=label)


def _text_color(background: Iterable[float]) -> str:
    """Return black or white, whichever has the better contrast."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in list(background)[:3]
    )
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _MIDDLE else "white"


def spread_of(n_folds: int) -> str:
    """Return a description of points and bars for the label of an axis."""
    return f"mean ± std of {count(n_folds, 'fold')}"


def distance_label(absolute: bool) -> str:
    """Return the formula of the distance of two neurons."""
    return f"(1 − {'|correlation|' if absolute else 'correlation'})"
