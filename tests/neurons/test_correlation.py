"""Correlation distances, against NumPy."""

import numpy as np
import pytest
from scipy.spatial.distance import squareform

from sklearn_neurox.neurons._correlation import UnitNeurons, correlation_distances


@pytest.mark.parametrize("n", [1, 2, 3, 8, 33])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_condensed_distances_agree_with_corrcoef(n, dtype):
    X = np.random.RandomState(0).normal(size=(50, n)).astype(dtype)
    expected = 1 - np.abs(np.atleast_2d(np.corrcoef(X.T)))
    np.testing.assert_allclose(
        correlation_distances(UnitNeurons(X), absolute=True),
        squareform(expected, checks=False).clip(0),
        atol=1e-12 if dtype == np.float64 else 1e-6,
    )
