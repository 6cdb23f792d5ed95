"""The dtypes of activations, in memory and in files."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

NUMPY_DTYPES = ("float16", "float32", "float64")
BFLOAT16 = "bfloat16"  # which NumPy does not have; see `Bfloat16Array`
DTYPES = (*NUMPY_DTYPES, BFLOAT16)


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
    if isinstance(dtype, str) and dtype == BFLOAT16:
        return dtype
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}.")
    return name


def stored_dtype(name: str) -> np.dtype:
    """Return the dtype of NumPy in which values of a dtype of `DTYPES` are stored.

    The bits of bfloat16 are stored as uint16.
    """
    return np.dtype("uint16" if name == BFLOAT16 else name)
