"""The colours of activations: red below, blue above, stronger with the distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEGATIVE, POSITIVE = "#d35f5f", "#00aad4"  # apart in hue and in lightness, for the colour-blind


def opacities(values: NDArray[np.float64], limit: float, darken: int) -> NDArray[np.float64]:
    """Give each value the strength of its colour.

    Parameters
    ----------
    values : ndarray of float64
        None beyond `limit`.
    limit : float
        The absolute value of full strength.
    darken : int
        How often the colour is laid over itself.

    Returns
    -------
    ndarray of float64 of the shape of values
        In [0, 1].
    """
    shares = np.abs(values) / limit if limit > 0 else np.zeros_like(values)
    return 1 - (1 - shares) ** darken


def color_on_white(value: float, opacity: float) -> str:
    """Mix the colour of a value with white.

    Parameters
    ----------
    value : float
        Its sign tells the colour.
    opacity : float
        From :func:`opacities`.

    Returns
    -------
    str
        As ``#rrggbb``, which every page understands.
    """
    color = bytes.fromhex((NEGATIVE if value < 0 else POSITIVE)[1:])
    return "#" + "".join(f"{round(255 + (part - 255) * opacity):02x}" for part in color)
