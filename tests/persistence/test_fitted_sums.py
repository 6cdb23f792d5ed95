"""Sums that no samples have, and states that no solver has, are neither saved nor loaded."""

import numpy as np
import pytest

import sklearn_neurox as snx

RNG = np.random.RandomState(0)
X, CODES = RNG.normal(size=(60, 4)), np.arange(60) % 3
NUMBERS = X @ RNG.normal(size=4)


def mean_difference():
    probe = snx.MeanDifferenceClassifier(whiten=True)
    return probe.partial_fit(X, CODES, classes=range(3))


def gaussian():
    return snx.GaussianProbeClassifier().partial_fit(X, CODES, classes=range(3))


def regressor():
    return snx.LinearProbeRegressor(solver="owlqn", device="cpu").partial_fit(X, NUMBERS)


def eraser():
    return snx.LeaceEraser().partial_fit(X, CODES)


def adam():
    return snx.LinearProbeClassifier(device="cpu").partial_fit(X, CODES, classes=range(3))


def with_value(array, place, value):
    changed = array.copy()
    changed[place] = value
    return changed


CHANGES = [
    (gaussian, "scatter", lambda a: -a, "not negative on the diagonal"),
    (gaussian, "scatter", lambda a: with_value(a, (0, 0, 1), 99.0), "must be symmetric"),
    (gaussian, "scatter", lambda a: with_value(a, (0, 0, 0), np.nan), "array of finite float64"),
    (gaussian, "scatter", lambda a: a[:2], "must be the moments of samples"),
    (gaussian, "size", lambda a: 0 * a, "must be the moments of samples"),
    (gaussian, "size", lambda a: -a, "must be the moments of samples"),
    (gaussian, "means", lambda a: a[:2], r"must not have shape \(2, 4\)"),
    (gaussian, "means", lambda a: a.astype(np.float32), "array of finite float64"),
    (gaussian, "means", lambda a: a.tolist(), "array of finite float64"),
    (gaussian, "low", lambda a: a + 100, "must be at most high"),
    (mean_difference, "scatter", lambda a: a[:, :3], "must be the moments of samples"),
    (mean_difference, "high", lambda a: a.astype(int), "floats of the dtype of X"),
    (regressor, "products", lambda a: a[1:, 1:], r"must not have shape \(5, 5\)"),
    (regressor, "products", lambda a: a + np.eye(6, k=1), "must be symmetric"),
    (regressor, "origin", lambda a: np.full_like(a, np.inf), "array of finite float64"),
    (eraser, "origin", lambda a: a[:2], "_sums"),
]


@pytest.mark.parametrize(("make", "name", "change", "message"), CHANGES)
def test_sums(make, name, change, message, tmp_path):
    estimator = make()
    snx.save(estimator, tmp_path / "estimator.skops")
    estimator._sums = estimator._sums | {name: change(estimator._sums[name])}
    with pytest.raises(TypeError, match=message):
        snx.save(estimator, tmp_path / "changed.skops")


@pytest.mark.parametrize("sums", [{}, [], {"size": np.ones(3)}], ids=str)
def test_sums_of_another_kind(sums, tmp_path):
    estimator = gaussian()
    estimator._sums = sums
    with pytest.raises(TypeError, match="must not be"):
        snx.save(estimator, tmp_path / "changed.skops")


@pytest.mark.parametrize("n_samples", [0, True, 1.5, None])
def test_numbers_of_samples(n_samples, tmp_path):
    estimator = gaussian()
    estimator.n_samples_seen_ = n_samples
    with pytest.raises(TypeError, match=r"n_samples_seen_ .*must be a positive integer"):
        snx.save(estimator, tmp_path / "changed.skops")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mean", lambda a: a[1:], r"must have shape \(15,\)"),
        ("square", lambda a: a - 1, "must not have negative squares"),
        ("weight", lambda a: a[:2], r"must have shape \(3, 4\)"),
        ("bias", lambda a: a * np.nan, "must contain arrays of finite floats"),
        ("count", lambda a: a[np.newaxis], r"must have shape \(\)"),
    ],
)
def test_states_of_adam(name, change, message, tmp_path):
    probe = adam()
    snx.save(probe, tmp_path / "probe.skops")
    probe._state = probe._state | {name: change(probe._state[name])}
    with pytest.raises(TypeError, match=message):
        snx.save(probe, tmp_path / "changed.skops")
