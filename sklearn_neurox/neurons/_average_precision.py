"""Average precisions of neurons as detectors of classes, with one sort per neuron."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._row_copies import read_columns

# Keys in the order of the activations, classes, and numbers of samples.
Cells: TypeAlias = tuple[NDArray, NDArray, NDArray[np.float64]]


def average_precisions(
    X: NDArray, codes: NDArray[np.intp], n_classes: int, min_activation: float, signed: bool
) -> NDArray[np.float64]:
    """Compute average precisions of validated samples.

    Returns
    -------
    ndarray of shape (n_classes, n_neurons)
        Negative if the neuron detects the class by low activations.
    """
    sizes = np.bincount(codes, minlength=n_classes)
    scores = np.empty((n_classes, X.shape[1]))
    for neuron, column in enumerate(read_columns(X)):
        activations = column
        if min_activation:
            magnitudes = np.abs(column.astype(np.result_type(column, np.float32)))
            activations = np.where(magnitudes < min_activation, 0, column)
        scores[:, neuron] = _of_cells(*_cells(activations, codes, n_classes), sizes, signed)
    return scores


def _cells(activations: NDArray, codes: NDArray[np.intp], n_classes: int) -> Cells:
    """Count the samples with the same activation and class, in the order of both.

    Sorting integers that hold both is several times as fast as sorting indices, and equal integers
    are counted together.
    """
    keys = _ordered(activations)
    is_small = keys.itemsize == 2 and n_classes <= 1 << 16
    n_bits = 16 if is_small else 32
    dtype: type[np.unsignedinteger] = np.uint32 if is_small else np.uint64
    together = (keys.astype(dtype) << n_bits) | codes.astype(dtype)
    together.sort()
    starts = np.flatnonzero(np.concatenate([[True], together[1:] != together[:-1]]))
    cells = together[starts]
    classes = (cells & ((1 << n_bits) - 1)).astype(np.min_scalar_type(n_classes))
    return cells >> n_bits, classes, np.diff(starts, append=len(together)).astype(float)


def _ordered(activations: NDArray) -> NDArray[np.unsignedinteger]:
    """Return unsigned integers of at most 32 bits in the order of the activations.

    The bits of a float are its sign and its magnitude. Positive and negative zeros are equal.
    """
    if activations.itemsize > 4:
        return np.unique(activations, return_inverse=True)[1].astype(np.uint32)
    bits = activations.view(f"u{activations.itemsize}")
    sign = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    return np.where(bits >= sign, -bits, bits + sign)


def _of_cells(
    keys: NDArray,
    classes: NDArray,
    counts: NDArray[np.float64],
    sizes: NDArray[np.intp],
    signed: bool,
) -> NDArray[np.float64]:
    """Compute the average precisions of one neuron for all classes.

    The precision at a cell is the number of samples of its class with at least its activation,
    divided by the number of all samples with at least its activation.
    """
    by_class = np.argsort(classes, kind="stable")  # in O(n), as the integers are small
    own = counts[by_class]
    n_cells = np.bincount(classes, minlength=len(sizes))
    starts = np.cumsum(n_cells) - n_cells
    through = np.cumsum(own) - np.repeat(np.cumsum(sizes) - sizes, n_cells)
    before_all, through_all = _bounds(keys, counts)

    above = np.repeat(sizes, n_cells) - through + own
    precisions = own * above / (sizes.sum() - before_all[by_class])
    scores = np.add.reduceat(precisions, starts)
    if signed:
        of_low = np.add.reduceat(own * through / through_all[by_class], starts)
        scores = np.where(of_low > scores, -of_low, scores)
    return scores / sizes


def _bounds(
    keys: NDArray, counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the samples with a smaller activation, and those with at most the same activation."""
    through = np.cumsum(counts)
    before = through - counts
    changes = keys[1:] != keys[:-1]
    if not changes.all():
        # All cells with the same activation have the numbers of the first or the last of them.
        before[1:] *= changes
        np.maximum.accumulate(before, out=before)
        through[:-1][~changes] = np.inf
        np.minimum.accumulate(through[::-1], out=through[::-1])
    return before, through
