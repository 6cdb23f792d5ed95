"""What is drawn into axes, in styles that tell series apart in grey and for the colour-blind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# Okabe and Ito's colours, dark enough for white paper; markers and dashes tell them apart in grey.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#E69F00")
_MARKERS = "os^DvPX"
_LINES = ("-", "--", "-.", ":")


def style(place: int) -> dict[str, Any]:
    """Colour, marker and line of the series at a place."""
    return {
        "color": _COLORS[place % len(_COLORS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": _LINES[place % len(_LINES)],
    }


def plot_folds(ax, x, scores, label: str, place: int, **options) -> None:
    """Draw means over the folds; bars span one standard deviation to each side."""
    mean, std = scores.mean(axis=1), scores.std(axis=1)
    ax.errorbar(x, mean, std, label=label, capsize=3, **{**style(place), **options})


def plot_matrix(ax, values, rows, columns, label: str) -> None:
    """Draw numbers between 0 and 1 as a matrix of colours, and write them into it."""
    image = ax.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            color = "white" if value < 0.6 else "black"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    ax.set_yticks(range(len(rows)), rows)
    ax.figure.colorbar(image, ax=ax, label=label)


def spread_of(n_folds: int) -> str:
    """Tell what the bars are, for a label."""
    return f"mean ± std of {n_folds} folds"


def by_name(results: Any, kind: type) -> dict[str, Any]:
    """One result, or several by name, as a dict; a single one has no name.

    Raises
    ------
    TypeError
        If one of them is something else.
    ValueError
        If there are none.
    """
    named = dict(results) if isinstance(results, Mapping) else {"": results}
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
