"""Devices, and conversions to tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from scipy.linalg import get_blas_funcs
from torch import Tensor

# Share of the free memory of a CUDA device that activations may take.
_SHARE_OF_MEMORY = 0.7
# Types of devices, each with an autocast of its own, as far as this torch has it.
_DEVICE_TYPES = tuple(
    kind for kind in ("cpu", "cuda", "mps", "xpu") if torch.amp.is_autocast_available(kind)
)


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


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute in the dtypes of tensors, also within a surrounding ``torch.autocast``."""
    with ExitStack() as disabled:
        for kind in _DEVICE_TYPES:
            if torch.is_autocast_enabled(kind):
                disabled.enter_context(torch.autocast(kind, enabled=False))
        yield


def as_tensor(array: np.ndarray) -> Tensor:
    """View an array, possibly a read-only memory map, as a tensor that must not be written to."""
    if any(stride < 0 for stride in array.strides):
        array = array.copy()  # torch does not support negative strides
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Alias(array)))


class _Alias:
    """The memory of a read-only array, declared writeable, because torch warns otherwise.

    The filter for its warning is a setting of the process that other threads may depend on.
    """

    def __init__(self, array: np.ndarray):
        self.array = array  # keeps the memory alive

    @property
    def __array_interface__(self) -> dict[str, Any]:
        interface = dict(self.array.__array_interface__)
        return interface | {"data": (interface["data"][0], False)}


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


def sum_of_grams(parts: Iterable[Tensor], total: Tensor) -> Tensor:
    """Add X'X of each part X to a symmetric matrix of the same dtype, in place.

    On the CPU, BLAS computes only one half of each symmetric product, and adds it to the sum.
    """
    if total.device.type != "cpu":
        for rows in parts:
            total.addmm_(rows.mT, rows)
        return total
    half = total.numpy().T
    syrk = get_blas_funcs("syrk", (half,))
    for rows in parts:
        syrk(1.0, rows.numpy().T, beta=1.0, c=half, lower=1, overwrite_c=1)
    upper = total.triu(1)
    return total.triu_().add_(upper.T)
