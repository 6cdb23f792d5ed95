"""Arrays of blocks are the arrays that they are made of."""

import numpy as np
import pytest
import torch

from sklearn_neurox.activations._block_array import BlockArray

from .small_stores import rows


def test_blocks_are_an_array():
    X = rows(7, 6)
    blocks = BlockArray([[X[:3, :2], X[3:, :2]], [X[:3, 2:], X[3:, 2:]]])
    assert blocks.shape == (7, 6)
    assert (blocks.size, len(blocks), blocks.ndim, blocks.dtype) == (42, 7, 2, X.dtype)
    np.testing.assert_array_equal(np.asarray(blocks), X)
    np.testing.assert_array_equal(np.asarray(blocks, dtype=np.float64), X.astype(np.float64))
    with pytest.raises(ValueError, match="cannot be converted to an array without a copy"):
        np.asarray(blocks, copy=False)
    for start in range(8):
        for stop in range(8):
            np.testing.assert_array_equal(blocks[start:stop].to_array(), X[start:stop])
    for start in range(6):
        for stop in range(start + 1, 7):
            np.testing.assert_array_equal(blocks[:, start:stop].to_array(), X[:, start:stop])
    assert np.shares_memory(blocks[3:5, 3:4].to_array(), X)
    assert torch.as_tensor(np.asarray(blocks)).shape == (7, 6)
    assert BlockArray.beside([blocks, blocks]).shape == (7, 12)
