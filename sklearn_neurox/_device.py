"""Devices, conversions to tensors, and numbers of threads."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

# Number of multiplications per step above which a second thread is faster.
_THREADING_PAYS_FROM = 100_000_000
# Rows and columns up to which a second thread gains nothing, but may wait for a busy core.
_MATRIX_FOR_ONE_THREAD = 512
# Share of the free memory of a CUDA device that activations may take.
_SHARE_OF_MEMORY = 0.7
# All other floating dtypes, such as bfloat16, are exact in float32.
_NUMPY_FLOATS = (torch.float16, torch.float32, torch.float64)


def resolve_device(device: str | torch.device) -> torch.device:
    """Resolve a `device` parameter to an available device.

    Parameters
    ----------
    device : str or torch.device
        "auto" (CUDA if a CUDA device is available, else the CPU), or anything that
        ``torch.device`` accepts.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If `device` is not the name of a device, or the device is not available.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is not the name of a device; expected 'auto', 'cpu', 'cuda' or "
            "'cuda:<index>'."
        ) from error
    if resolved.type == "cpu":
        return resolved
    try:
        torch.empty(1, device=resolved).item()  # a device without memory, "meta", fails here
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} is not available on this machine: {_first_sentence(error)}"
        ) from error
    return resolved


def _first_sentence(error: Exception) -> str:
    return str(error).partition("\n")[0].partition(". ")[0] + "."


def as_tensor(array: np.ndarray) -> Tensor:
    """View an array, possibly a read-only memory map, as a tensor that must not be written to."""
    if any(stride < 0 for stride in array.strides):
        array = array.copy()  # torch does not support negative strides
    if array.flags.writeable:
        return torch.from_numpy(array)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def as_numpy(values: Any) -> Any:
    """Convert tensors, also those on a device or with a gradient, to arrays with the same values.

    bfloat16, which NumPy does not have, becomes float32. Anything but a tensor, or a list of
    tensors with values, is returned as it is.

    Raises
    ------
    TypeError
        If a tensor is sparse, quantized or without values (on the device "meta").
    """
    if isinstance(values, list | tuple) and any(isinstance(each, Tensor) for each in values):
        return [as_numpy(each) for each in values]
    if not isinstance(values, Tensor):
        return values
    if values.layout != torch.strided or values.is_quantized or values.is_meta:
        raise TypeError(
            f"A tensor must be dense and have values, got layout {values.layout}, dtype "
            f"{values.dtype} and device {str(values.device)!r}."
        )
    values = values.detach().cpu().resolve_conj().resolve_neg()
    if values.dtype.is_floating_point and values.dtype not in _NUMPY_FLOATS:
        values = values.float()
    return values.numpy()


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a tensor to the device, if there is enough memory for it and for the computation."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if tensor.nbytes > _SHARE_OF_MEMORY * free:
            return tensor
    return tensor.to(device)


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """Convert a tensor to the device and dtype of another, through pinned memory for CUDA."""
    if other.device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(other, non_blocking=True)


def gram(rows: Tensor) -> Tensor:
    """Return X'X. On the CPU, NumPy's BLAS computes only half of the symmetric product."""
    if rows.device.type != "cpu":
        return rows.mT @ rows
    array = rows.numpy()
    return torch.from_numpy(array.T @ array)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def blas_threads(size: int) -> Iterator[None]:
    """Limit NumPy and SciPy to one thread if `size`, the number of rows and columns, is small."""
    if size > _MATRIX_FOR_ONE_THREAD:
        yield
        return
    with _blas().limit(limits=1, user_api="blas"):
        yield


@contextmanager
def torch_threads(multiply_adds: int) -> Iterator[None]:
    """Limit torch to one CPU thread if the steps are small, and restore the number afterwards.

    Parameters
    ----------
    multiply_adds : int
        Number of multiplications per step. On an idle machine, a small step gains little from a
        second thread. On a busy machine, the threads wait for each other at every operation, which
        was seen to make training thirty times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if multiply_adds < _THREADING_PAYS_FROM else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
