"""Drawing functions that several displays share.

Series differ in color, marker and line style, so that they can be distinguished in grayscale and
by color-blind readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._rare_labels import of_defined_folds
from .._wording import count
from ._drawn_text import literal
from ._style import Style, override

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE = "#0072B2", "#D55E00"
# The colors of Okabe and Ito that are dark enough for white paper.
_COLORS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#000000")
_MARKERS = "os^DvPX"
LINES = ("-", "--", "-.", ":")
# Relative luminance (WCAG 2) of a background on which black and white text have equal contrast.
_MIDDLE = 0.179
_MAX_CELLS = 150  # of a matrix whose numbers can be read
_LINE = 70  # characters that fit below an axis


def series_style(index: int) -> dict[str, Any]:
    """Return the color, marker and line style of a series."""
    return {
        "color": _COLORS[index % len(_COLORS)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def plot_folds(
    ax: Axes, x: ArrayLike, scores: NDArray, label: str, index: int, errorbar_kw: Style | None
) -> None:
    """Draw a series of means over the folds, with bars of one standard deviation."""
    style = override(
        {"label": literal(label), "capsize": 3, **series_style(index)}, errorbar_kw, "lines.Line2D"
    )
    scores = of_defined_folds(scores)
    ax.errorbar(x, scores.mean(axis=1), scores.std(axis=1), **style)


def plot_control_band(
    ax: Axes, x: ArrayLike, scores: NDArray | None, index: int, band_kw: Style | None
) -> None:
    """Draw the spread over several control tasks, (n_tasks, n_points, n_folds), as a band.

    It extends one standard deviation of their means over the folds to each side of the series.
    """
    if scores is None or len(scores) < 2:
        return
    means = of_defined_folds(scores).mean(axis=-1)
    middle, spread = means.mean(axis=0), means.std(axis=0, ddof=1)
    style = {
        "color": series_style(index)["color"],
        "alpha": 0.25,
        "linewidth": 0,
        "label": f"± 1 std over {len(scores)} control tasks",
    }
    style = override(style, band_kw, "collections.PolyCollection")
    ax.fill_between(x, middle - spread, middle + spread, **style)


def set_xticks(ax: Axes, labels: Sequence[object], at_most: int = 25) -> None:
    """Label the positions 0, 1, ... of the x axis, or every n-th of them if there are many.

    Labels that are too long to stand side by side are slanted.
    """
    step = -(-len(labels) // at_most)
    shown = [literal(label) for label in labels[::step]]
    slant: dict[str, Any] = {"rotation": 40, "ha": "right"} if sum(map(len, shown)) > _LINE else {}
    ax.set_xticks(range(0, len(labels), step), shown, **slant)


def space_below(columns: Iterable[object]) -> float:
    """Return the height of the names of columns below a matrix, in inches."""
    return 0.06 * max(len(literal(name)) for name in columns)


def plot_matrix(
    ax: Axes,
    values: NDArray,
    rows: Sequence[object],
    columns: Sequence[object],
    label: str,
    im_kw: Style | None,
    text_kw: Style | None,
    *,
    limit: float | None = None,
) -> None:
    """Draw numbers as a matrix of colors, and write them into the cells.

    Numbers are between 0 and 1, or, with `limit`, between -limit and limit. They are not written if
    there are too many to be read.
    """
    limits: dict[str, Any] = {"vmin": 0 if limit is None else -limit, "vmax": limit or 1}
    if im_kw and "norm" in im_kw:
        limits = {}
    cmap = "cividis" if limit is None else "RdBu_r"
    defaults = {"cmap": cmap, "aspect": "auto", **limits}
    image = ax.imshow(values, **override(defaults, im_kw, "image.AxesImage"))
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value) and (limit is None or values.size <= _MAX_CELLS):
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
