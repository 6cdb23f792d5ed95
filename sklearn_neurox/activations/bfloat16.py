"""Arrays of bfloat16, a dtype that NumPy does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from .._conversion import as_numpy
from .._device import as_tensor
from .._files import mapping_of, release
from ._block_array import BlockArray
from .dtypes import BFLOAT16

_AT_ONCE = 2**22  # values that are converted at a time


class Bfloat16Array:
    """An array of bfloat16.

    It supports only what is needed to select and store activations. Computations convert it to
    float32 first, in which all of its values are exact.

    Parameters
    ----------
    bits : ndarray or BlockArray of uint16
        The bits of the values, possibly a memory map.
    """

    dtype = BFLOAT16

    def __init__(self, bits: NDArray[np.uint16] | BlockArray):
        self.bits: Any = bits

    @classmethod
    def from_tensor(cls, tensor: torch.Tensor) -> Bfloat16Array:
        """Convert a tensor of any floating dtype; other dtypes are rounded to the nearest."""
        narrow = tensor.detach().to(torch.bfloat16).cpu().contiguous()
        return cls(narrow.view(torch.int16).numpy().view(np.uint16))

    @classmethod
    def from_rounding(cls, values: NDArray) -> Bfloat16Array:
        """Round an array of floating-point numbers to the nearest bfloat16.

        Raises
        ------
        ValueError
            If a finite value becomes infinite.
        """
        native = values.astype(values.dtype.newbyteorder("="), copy=False)
        rounded = cls.from_tensor(as_tensor(native))
        if (np.isinf(rounded.to_float32()) & np.isfinite(native)).any():
            raise ValueError("X has a finite value that exceeds the range of bfloat16.")
        return rounded

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return self.bits.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.bits.ndim

    @property
    def size(self) -> int:
        """Number of values."""
        return self.bits.size

    def __len__(self) -> int:
        return len(self.bits)

    def __getitem__(self, place: Any) -> Bfloat16Array:
        return Bfloat16Array(self.bits[place])

    def to_float32(self) -> NDArray[np.float32]:
        """Return the values as float32, which is exact. A memory map is read in chunks."""
        values = np.empty(self.shape, dtype=np.float32)
        if not values.size:
            return values
        bits, flat = self.bits, values.reshape(len(self), -1)
        if isinstance(bits, np.ndarray):
            bits = bits.reshape(flat.shape)
        n_rows = max(1, _AT_ONCE // flat.shape[1])
        blocks = bits.blocks if isinstance(bits, BlockArray) else [bits]
        mappings = [mapping_of(block) for block in blocks]
        for start in range(0, len(bits), n_rows):
            part = np.ascontiguousarray(bits[start : start + n_rows], dtype=np.uint16)
            narrow = as_tensor(part.view(np.int16)).view(torch.bfloat16)
            torch.from_numpy(flat[start : start + n_rows]).copy_(narrow)
            for mapping in mappings:
                release(mapping)
        return values


# Activations of any dtype of `DTYPES`.
Array: TypeAlias = NDArray | Bfloat16Array
# The same, or blocks of it that are in several files.
Rows: TypeAlias = Array | BlockArray


def as_activations(values: Any, *, name: str) -> Any:
    """Convert tensors to arrays as :func:`as_numpy` does, but do not convert bfloat16 to float32.

    Arrays of the package ``ml_dtypes`` are converted, too.

    Parameters
    ----------
    values : object
    name : str
        Name of the argument, for the error messages.
    """
    if isinstance(values, Bfloat16Array):
        return values
    if isinstance(values, torch.Tensor) and values.dtype == torch.bfloat16:
        as_numpy(values[:0], name=name)  # raises an error for sparse tensors and others
        return Bfloat16Array.from_tensor(values)
    if isinstance(values, np.ndarray) and values.dtype.name == BFLOAT16:
        return Bfloat16Array(values.view(np.uint16))
    return as_numpy(values, name=name)


def is_floating(array: Array) -> bool:
    """Return whether an array contains floating-point numbers."""
    return isinstance(array, Bfloat16Array) or array.dtype.kind == "f"


def to_numpy(array: Rows) -> NDArray:
    """Return a single array of NumPy, in which bfloat16 is converted to float32."""
    if isinstance(array, BlockArray):
        return array.to_array()
    return array.to_float32() if isinstance(array, Bfloat16Array) else array


def in_memory(array: Rows) -> Array:
    """Copy blocks to a single array, in their own dtype."""
    if isinstance(array, Bfloat16Array):
        return Bfloat16Array(np.asarray(array.bits))
    return np.asarray(array)


def name_of_dtype(array: Rows) -> str:
    """Return the name of the dtype of an array, such as "bfloat16"."""
    return BFLOAT16 if isinstance(array, Bfloat16Array) else array.dtype.name


def beside(arrays: Sequence[Rows]) -> Rows:
    """Join arrays of the same rows and dtype side by side. Blocks are not copied."""
    blocks = [array for array in arrays if isinstance(array, BlockArray)]
    if blocks:
        return BlockArray.beside(blocks)
    bits = [array.bits for array in arrays if isinstance(array, Bfloat16Array)]
    if bits and isinstance(bits[0], BlockArray):
        return Bfloat16Array(BlockArray.beside(bits))
    return concatenate([array for array in arrays if not isinstance(array, BlockArray)], axis=1)


def concatenate(arrays: Sequence[Array], *, axis: int = 0) -> Array:
    """Join arrays of the same dtype along an axis."""
    narrow = [array.bits for array in arrays if isinstance(array, Bfloat16Array)]
    if narrow and len(narrow) == len(arrays):
        return Bfloat16Array(np.concatenate(narrow, axis=axis))
    return np.concatenate([to_numpy(array) for array in arrays], axis=axis)


def bits_of(X: Any) -> NDArray[np.uint16]:
    """Return the bits of rows that are written to a store of bfloat16.

    Parameters
    ----------
    X : Bfloat16Array, tensor of bfloat16 or ndarray of float32
        float32 is rounded to the nearest.

    Raises
    ------
    TypeError
        If X is anything else.
    ValueError
        If a finite value becomes infinite.
    """
    X = as_activations(X, name="X")
    if isinstance(X, np.ndarray) and X.dtype.newbyteorder("=") == np.float32:
        X = Bfloat16Array.from_rounding(X)
    if not isinstance(X, Bfloat16Array):
        got = f"dtype {X.dtype}" if isinstance(X, np.ndarray) else type(X).__name__
        raise TypeError(
            f"X must be a tensor of bfloat16, or an array of float32, which is rounded, got {got}."
        )
    bits: NDArray[np.uint16] = X.bits
    return bits
