"""The dtypes of activations, in memory and in files."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

DTYPES = ("float16", "float32", "float64")


def native_name(dtype: np.dtype) -> str:
    """Return the name of a dtype in native byte order."""
    return dtype.newbyteorder("=").name


def check_dtype(dtype: DTypeLike) -> str:
    """Return the name of a dtype, one of `DTYPES`.

    Raises
    ------
    ValueError
        If `dtype` is another dtype, or not a dtype.
    """
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}.")
    return name
