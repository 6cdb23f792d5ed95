"""Indices of neurons and layers, and masks built from them."""

import numpy as np
import pytest

from sklearn_neurox import ProbelessSelector
from sklearn_neurox._indices import check_indices, index_mask


@pytest.mark.parametrize("values", [[4, 1], (4, 1), np.array([4, 1], dtype=np.uint8)])
def test_indices_keep_their_order(values):
    indices = check_indices(values, 5, what="neuron")
    assert indices.dtype == np.intp
    assert indices.tolist() == [4, 1]


def test_no_indices():
    assert check_indices([], 5, what="neuron").tolist() == []


@pytest.mark.parametrize(
    ("values", "size", "error", "message"),
    [
        (
            [5],
            5,
            ValueError,
            "There are 5 layers, so layer indices must be integers from 0 to 4, got 5",
        ),
        ([-1], None, ValueError, "^layer indices must be non-negative integers, got -1"),
        ([0, 2, 0], 5, ValueError, "Each layer can be listed only once; 0 is repeated"),
        ([0, True], 5, TypeError, "got booleans among them"),
        ([2**63], None, ValueError, "must be non-negative integers, got 9223372036854775808"),
        (ProbelessSelector(), 5, TypeError, r"Pass its attribute ranking_ or its get_support"),
        ([0.0], 5, TypeError, r"\(integers from 0 to 4\), got an array of dtype float64"),
        ([True], 5, TypeError, "dtype bool .* Use np.flatnonzero to convert a mask"),
        ([[0, 1]], 5, TypeError, r"with 2 dimension\(s\)"),
        (3, 5, TypeError, r"Expected a list of layer indices \(integers from 0 to 4\), got 3"),
    ],
)
def test_errors(values, size, error, message):
    with pytest.raises(error, match=message):
        check_indices(values, size, what="layer")


def test_masks():
    indices = np.array([2, 0])
    assert index_mask(indices, 4).tolist() == [True, False, True, False]
    assert index_mask(indices, 4, invert=True).tolist() == [False, True, False, True]
