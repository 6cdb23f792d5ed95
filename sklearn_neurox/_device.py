"""Where the torch work runs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

_THREADING_PAYS_FROM = 100_000_000
# Rows and columns. A second thread gains nothing there, and waits long for a busy core.
_MATRIX_FOR_ONE_THREAD = 512
# Of a CUDA device's free memory, what activations may take.
_SHARE_OF_MEMORY = 0.7


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn a ``device`` parameter into a device that is there.

    Parameters
    ----------
    device : str or torch.device
        "auto" (CUDA where there is a CUDA device, else the CPU), or anything that
        ``torch.device`` takes.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If the name is not a device's, or no such device is there.
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
    """View an array as a tensor; which is only read, so read-only memory maps are welcome."""
    if any(stride < 0 for stride in array.strides):
        array = array.copy()  # torch has no negative strides
    if array.flags.writeable:
        return torch.from_numpy(array)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a tensor to the device if it fits there beside the work; else leave it where it is."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if tensor.nbytes > _SHARE_OF_MEMORY * free:
            return tensor
    return tensor.to(device)


def like(tensor: Tensor, other: Tensor) -> Tensor:
    """Bring a tensor to the device and dtype of another, to CUDA through pinned memory."""
    if other.device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(other, non_blocking=True)


def gram(rows: Tensor) -> Tensor:
    """Products X'X of columns; on the CPU numpy's BLAS computes one half and mirrors it."""
    if rows.device.type != "cpu":
        return rows.mT @ rows
    array = rows.numpy()
    return torch.from_numpy(array.T @ array)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def blas_threads(size: int) -> Iterator[None]:
    """Let numpy's and scipy's products of matrices of this size use the threads they pay for."""
    if size > _MATRIX_FOR_ONE_THREAD:
        yield
        return
    with _blas().limit(limits=1, user_api="blas"):
        yield


@contextmanager
def torch_threads(multiply_adds: int) -> Iterator[None]:
    """Let torch use the CPU threads that steps of this size pay for, and put the number back.

    Parameters
    ----------
    multiply_adds : int
        Multiplications in one step. A small step gains little from a second thread on an idle
        machine; on a busy one the threads wait for each other at every operation, and a training
        thirty times slower has been seen.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if multiply_adds < _THREADING_PAYS_FROM else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
