"""Conversion of tensors and of other kinds of arrays to arrays of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ._dask_arrays import is_dask, read_dask

# All other floating dtypes, such as bfloat16, are exact in float32.
_NUMPY_FLOATS = (torch.float16, torch.float32, torch.float64)


def as_numpy(values: Any, *, name: str) -> Any:
    """Convert tensors, also those on a device or with a gradient, to arrays with the same values.

    bfloat16, which NumPy does not have, becomes float32. A masked array in which nothing is masked
    becomes a plain array, and a dask array is computed as by :func:`read_dask`. Anything but a
    tensor, a masked array, an object of dask, or a list of them is returned as it is.

    Parameters
    ----------
    values : object
    name : str
        Name of the argument, for the error messages.

    Raises
    ------
    TypeError
        If a tensor is sparse, nested, quantized or without values (on the device "meta"), or an
        object of dask is not an array.
    ValueError
        If a value is masked, because the value behind the mask would be used, or the sizes of the
        blocks of a dask array are unknown.
    """
    if isinstance(values, list | tuple) and any(map(_is_converted, values)):
        return [as_numpy(each, name=f"{name}[{row}]") for row, each in enumerate(values)]
    if isinstance(values, np.ma.MaskedArray):
        return _without_mask(values, name)
    if is_dask(values):
        return as_numpy(read_dask(values, name=name), name=name)
    if not isinstance(values, Tensor):
        return values
    is_dense = values.layout == torch.strided and not (values.is_nested or values.is_quantized)
    if not is_dense or values.is_meta:
        raise TypeError(
            f"{name} must be dense and have values, got a tensor of layout {values.layout}, dtype "
            f"{values.dtype} and device {str(values.device)!r}."
        )
    values = values.detach().cpu().resolve_conj().resolve_neg()
    if values.dtype.is_floating_point and values.dtype not in _NUMPY_FLOATS:
        values = values.float()
    return values.numpy()


def _is_converted(value: Any) -> bool:
    """Return whether an entry of a list is a tensor or a masked row. Labels are checked later."""
    return isinstance(value, Tensor) or (isinstance(value, np.ma.MaskedArray) and value.ndim > 0)


def _without_mask(values: np.ma.MaskedArray, name: str) -> np.ndarray:
    mask = np.ma.getmaskarray(values)
    if mask.any():
        place = ", ".join(map(str, np.argwhere(mask)[0].tolist()))
        cell = f"{name}[{place}]" if place else name
        raise ValueError(f"{name} must not have masked values, but {cell} is masked.")
    return np.asarray(values)
