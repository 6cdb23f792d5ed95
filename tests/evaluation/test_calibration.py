"""Calibration curves are those of scikit-learn, with intervals over sentences."""

import numpy as np
import pytest
import sklearn.calibration
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

from sklearn_neurox import compare_scores, probe_report
from sklearn_neurox._warnings import UnseenLabelsWarning


class Probability(ClassifierMixin, BaseEstimator):
    """The probability of True is the first column."""

    def fit(self, X=None, y=None):
        self.classes_ = np.array([False, True])
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0], X[:, 0]])

    def predict(self, X):
        return X[:, 0] > 0.5


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("n_bins", [1, 4, 30])
def test_the_points_are_those_of_scikit_learn(strategy, n_bins):
    rng = np.random.RandomState(0)
    predicted = rng.beta(0.5, 2, size=300).round(2)  # with ties, also at the edges
    y = rng.uniform(size=300) < predicted
    report = probe_report(Probability().fit(), predicted[:, None], y, random_state=0)
    curve = report.calibration_curve(n_bins=n_bins, strategy=strategy)
    observed, mean = sklearn.calibration.calibration_curve(
        y, predicted, n_bins=n_bins, strategy=strategy
    )
    np.testing.assert_allclose([each.observed.value for each in curve.bins], observed)
    np.testing.assert_allclose([each.predicted for each in curve.bins], mean)
    assert sum(each.n for each in curve.bins) == 300
    errors = np.abs(observed - mean)
    assert curve.mean_error == pytest.approx(
        np.average(errors, weights=[each.n for each in curve.bins])
    )


@pytest.mark.slow
def test_coverage():
    """All samples of a group have the same probability, which the intervals contain."""
    hits = []
    for seed in range(200):
        rng = np.random.RandomState(seed)
        truth = np.repeat(rng.choice([0.2, 0.6], size=200), 5)
        # Labels of a group are correlated, and their mean is the probability.
        shared = np.repeat(rng.uniform(size=200), 5)
        own = rng.uniform(size=1000)
        is_shared = np.repeat(rng.uniform(size=200) < 0.5, 5)
        y = np.where(is_shared, shared, own) < truth
        report = probe_report(
            Probability().fit(), truth[:, None], y, sentence_ids=np.arange(1000) // 5,
            n_bootstraps=400, random_state=seed,
        )  # fmt: skip
        hits += [
            each.observed.low <= each.predicted <= each.observed.high
            for each in report.calibration_curve(n_bins=2).bins
        ]
    assert 0.92 <= np.mean(hits) <= 0.97


def test_a_class_of_several_and_few_groups(classification):
    X, y = classification
    report = probe_report(
        LogisticRegression().fit(X, y), X, y, sentence_ids=np.arange(len(y)) // 50, random_state=0
    )
    curve = report.calibration_curve(1, n_bins=3)
    assert curve.label == 1
    assert all(each.observed.low is None for each in curve.bins)  # three sentences
    frame = curve.to_frame()
    assert list(frame) == ["predicted", "estimate", "lower", "upper", "n", "n_groups"]
    assert frame["n"].sum() == len(y)
    assert "Observed frequency of 1 (95% interval)" in curve.methods()
    with pytest.raises(ValueError, match="Pass label, which must be one of the classes"):
        report.calibration_curve()
    with pytest.raises(ValueError, match="label must be one of the classes"):
        report.calibration_curve("x")


def test_numbers_have_a_curve():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(400, 1))
    y = 2 * X[:, 0] + rng.normal(size=400)
    probe = Ridge().fit(X, y)
    report = probe_report(probe, X, y, random_state=0)
    curve = report.calibration_curve(n_bins=5, strategy="quantile")
    assert [each.n for each in curve.bins] == [80] * 5
    low = probe.predict(X) <= np.quantile(probe.predict(X), 0.2)
    assert curve.bins[0].observed.value == pytest.approx(y[low].mean())
    assert curve.bins[0].observed.low < curve.bins[0].predicted < curve.bins[0].observed.high
    assert "mean target" in curve.methods()
    with pytest.raises(ValueError, match="label of the report of a regressor must be None"):
        report.calibration_curve("a")


def test_a_probe_without_probabilities(classification):
    X, y = classification
    report = probe_report(RidgeClassifier().fit(X, y), X, y, random_state=0)
    with pytest.raises(ValueError, match="requires a probe with predict_proba"):
        report.calibration_curve(1)


def test_labels_not_seen_during_training_have_no_probabilities(classification):
    X, y = classification
    probe = LogisticRegression().fit(X[y < 2], y[y < 2])
    with pytest.warns(UnseenLabelsWarning):
        report = probe_report(probe, X, y, random_state=0)
    curve = report.calibration_curve(n_bins=2)
    assert curve.label == 1
    assert sum(each.n for each in curve.bins) == len(y)
    with pytest.raises(ValueError, match=r"label must be one of the classes \[0, 1\], got 2"):
        report.calibration_curve(2)
    same = compare_scores(report, report, metric="log_loss", random_state=0)
    with pytest.warns(UnseenLabelsWarning):
        expected = probe_report(probe, X, y, metric="log_loss", random_state=0).score.value
    assert same.scores[0].value == pytest.approx(-expected)
