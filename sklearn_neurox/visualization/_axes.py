"""What is drawn into axes, in styles that tell series apart in grey and for the colour-blind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# Those of Okabe and Ito's colours that are dark enough for white paper; markers and dashes tell
# them apart in grey.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
_MARKERS = "os^DvPX"
LINES = ("-", "--", "-.", ":")


def style(place: int) -> dict[str, Any]:
    """Colour, marker and line of the series at a place."""
    return {
        "color": _COLORS[place % len(_COLORS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": LINES[place % len(LINES)],
    }


def plain(text) -> str:
    """Text that matplotlib draws as it is: no formula, and no label that legends leave out."""
    text = str(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def plot_folds(ax, x, scores, label: str, place: int) -> None:
    """Draw means over the folds; bars span one standard deviation to each side."""
    mean, std = scores.mean(axis=1), scores.std(axis=1)
    ax.errorbar(x, mean, std, label=plain(label), capsize=3, **style(place))


def set_xticks(ax, labels, at_most: int = 25) -> None:
    """Label the places 0, 1, ... of the x axis, of many every second, third, ..."""
    step = -(-len(labels) // at_most)
    ax.set_xticks(range(0, len(labels), step), [plain(label) for label in labels[::step]])


def plot_matrix(ax, values, rows, columns, label: str) -> None:
    """Draw numbers between 0 and 1 as a matrix of colours, and write them into it."""
    image = ax.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            color = "white" if value < 0.45 else "black"  # the better contrast
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(len(columns)), map(plain, columns), rotation=40, ha="right")
    ax.set_yticks(range(len(rows)), map(plain, rows))
    ax.figure.colorbar(image, ax=ax, label=label)


def spread_of(n_folds: int) -> str:
    """Tell what the bars are, for a label."""
    return f"mean ± std of {n_folds} fold{'' if n_folds == 1 else 's'}"


def check_result(result: Any, kind: type) -> None:
    """Refuse what is not a result of a kind.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(result, kind):
        raise TypeError(f"Expected a {kind.__name__}, got {type(result).__name__}.")


def by_name(results: Any, kind: type) -> dict[str, Any]:
    """One result, or several by name, as a dict; a single one has no name.

    Raises
    ------
    TypeError
        If one of them is something else.
    ValueError
        If there are none.
    """
    several = isinstance(results, Mapping)
    named = {str(name): result for name, result in results.items()} if several else {"": results}
    if not named:
        raise ValueError(f"There is nothing to plot: no {kind.__name__} was given.")
    for name, result in named.items():
        if not isinstance(result, kind):
            about = f" as {name!r}" if name else ""
            raise TypeError(
                f"Expected a {kind.__name__}, or a dict of names to some; got "
                f"{type(result).__name__}{about}."
            )
    return named
