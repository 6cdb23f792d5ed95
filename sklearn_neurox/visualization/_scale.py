"""Colors of activations: red below and blue above a center, more intense with the distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEGATIVE, POSITIVE = "#d35f5f", "#00aad4"  # also differ in lightness, for color-blind readers


def opacities(values: NDArray[np.float64], limit: float, darken: int) -> NDArray[np.float64]:
    """Return the opacity of the color of each value.

    Parameters
    ----------
    values : ndarray of float64
        Values, whose absolute values are at most `limit`.
    limit : float
        Absolute value of the strongest color.
    darken : int
        How many times the color is painted over itself.

    Returns
    -------
    ndarray of float64 of the shape of `values`
        Opacities in [0, 1].
    """
    shares = np.abs(values) / limit if limit > 0 else np.zeros_like(values)
    return 1 - (1 - shares) ** darken


def color_on_white(value: float, opacity: float) -> str:
    """Return the color of a value on a white background.

    Parameters
    ----------
    value : float
        Its sign determines the color.
    opacity : float
        From :func:`opacities`.

    Returns
    -------
    str
        The color as ``#rrggbb``.
    """
    color = bytes.fromhex((NEGATIVE if value < 0 else POSITIVE)[1:])
    return "#" + "".join(f"{round(255 + (part - 255) * opacity):02x}" for part in color)
