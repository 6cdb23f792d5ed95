"""Moments of classes: those of all samples, in any parts."""

import numpy as np
import pytest

from sklearn_neurox._class_moments import ClassMoments

RNG = np.random.RandomState(0)
N, D, C = 90, 5, 4
X = RNG.normal(size=(N, D)) * [1e-3, 1, 10, 1e4, 1] + [0, 1e6, 0, 0, -5]
CODES = RNG.randint(C - 1, size=N)  # the last class does not have samples
WEIGHT = RNG.uniform(0.5, 2, size=N)
KINDS = ["none", "squares", "within", "by_class"]


def expected(kind, rows=slice(None)):
    """Return size, means and scatter, from deviations about the weighted means of numpy."""
    size, means = np.zeros(C), np.zeros((C, D))
    scatter = np.zeros((C, D, D))
    for c in np.unique(CODES[rows]):
        own = CODES[rows] == c
        weight = WEIGHT[rows][own]
        size[c], means[c] = weight.sum(), np.average(X[rows][own], axis=0, weights=weight)
        centered = X[rows][own] - means[c]
        scatter[c] = (weight[:, np.newaxis] * centered).T @ centered
    within = scatter.sum(axis=0)
    of_kind = {"none": np.zeros(0), "squares": within.diagonal(), "within": within}
    return size, means, of_kind.get(kind, scatter)


def moments(kind, rows=slice(None), cells=X):
    return ClassMoments.of(cells[rows], CODES[rows], WEIGHT[rows], C, kind)


def assert_close(found, size, means, scatter):
    np.testing.assert_allclose(found.size, size)
    np.testing.assert_allclose(found.means, means, rtol=1e-12, atol=1e-12)
    scale = np.abs(scatter).max(initial=1)
    np.testing.assert_allclose(found.scatter / scale, scatter / scale, atol=1e-13)
    diagonals = (
        np.einsum("...jj->...j", each) if each.ndim > 1 else each
        for each in (found.scatter, scatter)
    )
    np.testing.assert_allclose(*diagonals, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_those_of_numpy(kind):
    assert_close(moments(kind), *expected(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_parts", [2, 9, N])
def test_parts_add_up(kind, n_parts):
    parts = np.array_split(RNG.permutation(N), n_parts)
    total = moments(kind, parts[0])
    for rows in parts[1:]:
        before = {name: array.copy() for name, array in vars(total).items()}
        added = total + moments(kind, rows)
        assert all(np.array_equal(before[name], array) for name, array in vars(total).items())
        total = added
    assert_close(total, *expected(kind))
    np.testing.assert_array_equal(total.low, X.min(axis=0))
    np.testing.assert_array_equal(total.high, X.max(axis=0))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_variances(kind):
    mean = np.average(X, axis=0, weights=WEIGHT)
    variance = np.average((X - mean) ** 2, axis=0, weights=WEIGHT)
    np.testing.assert_allclose(moments(kind).variance, variance, rtol=1e-9)
    constant = np.c_[X, np.full(N, 0.1)]
    assert moments(kind, cells=constant).std[-1] == 0
    assert moments(kind, cells=constant).varies.tolist() == [True] * D + [False]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_ranges_have_the_dtype_of_x(dtype):
    cells = RNG.normal(size=(N, D)).astype(dtype)
    found = moments("squares", slice(0, 40), cells)
    assert found.low.dtype == found.high.dtype == dtype
    wider = found + moments("squares", slice(40, N), cells.astype(np.float64))
    assert wider.low.dtype == np.float64
    np.testing.assert_array_equal(wider.reach, np.abs(cells.astype(np.float64)).max(axis=0))


@pytest.mark.parametrize("kind", ["squares", "within"])
def test_squares_out_of_range(kind):
    with pytest.raises(ValueError, match="neuron 3 overflows"):
        moments(kind, cells=X * [1, 1, 1, 1e160, 1])
    with pytest.raises(ValueError, match="whose square underflows"):
        moments(kind, cells=(X - X.mean(axis=0)) * 1e-200)
