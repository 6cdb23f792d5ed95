"""The report is that of its probes, and the violation is the covariance of neurons and labels."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import DirectionProjector, LeaceEraser, NeuronAblator, erasure_report

RNG = np.random.RandomState(0)
Y = RNG.randint(3, size=900)
X = RNG.normal(size=(900, 6))
X[:, :3] += 2 * np.eye(3)[Y]
X[:, 5] += 4 * (RNG.randint(2, size=900) * 2 - 1) * (Y == 2)  # not linear
TRAIN, TEST = slice(0, 600), slice(600, None)
PROBES = dict(linear=LogisticRegression(), nonlinear=KNeighborsClassifier(15))


def report(eraser, y=Y, **options):
    return erasure_report(eraser, X[TRAIN], y[TRAIN], X[TEST], y[TEST], random_state=0, **options)


def test_the_scores_are_those_of_the_probes():
    eraser = LeaceEraser().fit(X[TRAIN], Y[TRAIN])
    found = report(eraser, **PROBES)
    assert found.is_erased
    assert found.optimality < 1e-12
    for name, probe in PROBES.items():
        for when, rows in (("before", X), ("after", eraser.transform(X))):
            expected = probe.fit(rows[TRAIN], Y[TRAIN]).score(rows[TEST], Y[TEST])
            assert found.reports[name, when].score.value == pytest.approx(expected)
    assert found.reports["linear", "before"].score.value > 0.7
    assert found.reports["linear", "after"].score.value < 0.45
    assert found.reports["nonlinear", "after"].score.value > 0.5
    moved = ((eraser.transform(X) - X)[TEST] ** 2).sum(axis=1).mean()
    assert found.distance == pytest.approx(moved / X[TRAIN].var(axis=0).sum())
    frame = found.to_frame()
    assert frame.loc[("linear", "after"), "score"] == found.reports["linear", "after"].score.value
    assert frame.shape == (5, 3)
    (frequent,) = np.flatnonzero(np.bincount(Y[TRAIN]) == np.bincount(Y[TRAIN]).max())
    assert frame.loc[("constant", "none"), "score"] == (Y[TEST] == frequent).mean()
    assert f"of a constant prediction {found.baseline.value:.3f}" in repr(found)
    assert "linear" in found._repr_html_()


def test_an_incomplete_erasure():
    found = report(DirectionProjector(np.eye(6)[0]), **PROBES)
    assert not found.is_erased
    erased = X[TRAIN].copy()
    erased[:, 0] = 0
    standard = StandardScaler().fit_transform(erased)
    expected = np.abs(standard.T @ (np.eye(3)[Y[TRAIN]] - np.eye(3)[Y[TRAIN]].mean(axis=0))) / 600
    assert found.optimality == pytest.approx(expected.max(), rel=1e-4)


def test_groups_determine_the_intervals():
    eraser = LeaceEraser().fit(X[TRAIN], Y[TRAIN])
    groups = np.repeat(np.arange(10), 30)
    single, grouped = report(eraser, **PROBES), report(eraser, groups=groups, **PROBES)
    key = ("linear", "before")
    assert single.reports[key].score.value == grouped.reports[key].score.value
    assert single.reports[key].score.low != grouped.reports[key].score.low


def test_numbers():
    numbers = X[:, 1] + 0.1 * RNG.normal(size=900)
    found = report(LeaceEraser().fit(X[TRAIN], numbers[TRAIN]), numbers)
    assert found.is_erased
    assert found.reports["linear", "before"].score.value > 0.9
    assert abs(found.reports["linear", "after"].score.value) < 0.05
    mean = numbers[TRAIN].mean()
    expected = 1 - np.square(numbers[TEST] - mean).mean() / numbers[TEST].var()
    assert found.baseline.value == pytest.approx(expected)


def test_invalid_input():
    with pytest.raises(NotFittedError):
        report(LeaceEraser())
    remove = NeuronAblator([1], mode="remove").fit(X)
    with pytest.raises(
        ValueError, match=r"must keep the shape of X, \(600, 6\), but NeuronAblator"
    ):
        report(remove)
    eraser = LeaceEraser().fit(X, Y)
    with pytest.raises(ValueError, match="y must contain one value for each of the 900 rows of X,"):
        erasure_report(eraser, X, Y[:5], X, Y)
    with pytest.raises(ValueError, match=r"y_test must contain .* 900 rows of X_test, got 5"):
        erasure_report(eraser, X, Y, X, Y[:5])
    with pytest.raises(ValueError, match=r"groups must contain .* 900 rows of X_test, got 600"):
        erasure_report(eraser, X, Y, X, Y, groups=np.arange(600))
