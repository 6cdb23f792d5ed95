"""Thresholds are chosen on training groups, and their rates are those of held-out groups."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, ShuffleSplit
from sklearn.svm import LinearSVC

from sklearn_neurox import operating_point, probe_report, tune_threshold
from sklearn_neurox._warnings import UnseenLabelsWarning


class FirstColumn(ClassifierMixin, BaseEstimator):
    """The decision value is the first column."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return self.classes_[(self.decision_function(X) > 0).astype(int)]


def simulate(rng, n_groups=150, size=8, shift=2.0, correlation=0.3):
    """Decision values with an intra-group correlation; those of positive samples are shifted."""
    groups = np.repeat(np.arange(n_groups), size)
    y = rng.uniform(size=len(groups)) < 0.3
    error = np.sqrt(correlation) * rng.normal(size=n_groups)[groups]
    error += np.sqrt(1 - correlation) * rng.normal(size=len(groups))
    return (error + shift * y)[:, np.newaxis], y, groups


def test_the_rates_are_those_of_the_thresholds_on_the_other_folds():
    X, y, groups = simulate(np.random.RandomState(0), n_groups=40)
    found = operating_point(
        FirstColumn(), X, y, fpr=0.1, groups=groups, cv=4, n_bootstraps=100, random_state=0
    )
    above, inside = np.zeros(len(y), dtype=bool), []
    for threshold, (train, test) in zip(
        found.thresholds, GroupKFold(4).split(X, y, groups), strict=True
    ):
        above[test] = X[test, 0] >= threshold
        inside.append((X[train, 0] >= threshold)[~y[train]].mean())
    assert found.rates["false_positive_rate"].value == pytest.approx(above[~y].mean())
    assert found.rates["recall"].value == pytest.approx(above[y].mean())
    assert found.rates["precision"].value == pytest.approx(y[above].mean())
    # The probe is not trained, so the training samples meet the rate.
    np.testing.assert_allclose(inside, 0.1, atol=0.015)
    frame = found.to_frame()
    assert list(frame) == ["estimate", "lower", "upper", "n", "n_groups"]
    assert frame["n"].tolist() == [(~y).sum(), y.sum(), above.sum()]
    assert frame["n_groups"].max() <= 40
    text = found.methods(sample="word", group="sentence")
    assert "for a false positive rate of 0.1." in text
    assert "4-fold by sentence, 40 sentences, 320 words" in text
    assert "random_state=0" in text
    assert "<table" in found._repr_html_()


@pytest.mark.slow
def test_the_interval_contains_the_rate_of_the_threshold():
    """The rate of a threshold t is 1 - Phi(t), whatever the correlation within groups."""
    hits, close = [], []
    for seed in range(250):
        X, y, groups = simulate(np.random.RandomState(seed))
        found = operating_point(
            FirstColumn(), X, y, fpr=0.1, groups=groups, cv=2, n_bootstraps=400, random_state=seed
        )
        folds = found.held_out.folds[~found.held_out.y]
        truth = norm.sf(found.thresholds)[folds].mean()
        rate = found.rates["false_positive_rate"]
        hits.append(rate.low <= truth <= rate.high)
        close.append(truth)
    assert 0.92 <= np.mean(hits) <= 0.98
    assert np.mean(close) == pytest.approx(0.1, abs=0.02)


def test_a_fold_without_positive_training_samples():
    X, y, groups = simulate(np.random.RandomState(0), n_groups=40)
    y = y & (groups < 10)
    cv = [(np.flatnonzero(groups >= 10), np.flatnonzero(groups < 10))]
    with pytest.warns(UnseenLabelsWarning, match=r"True \(fold 0\)"):
        found = operating_point(RidgeClassifier(), X, y, groups=groups, cv=cv, n_bootstraps=20)
    assert found.rates["recall"].value == found.rates["false_positive_rate"].value == 0
    assert found.thresholds.tolist() == [np.inf]


def test_groups_reach_a_search():
    X, y, groups = simulate(np.random.RandomState(0), n_groups=20, size=4)
    search = GridSearchCV(RidgeClassifier(), {"alpha": [1, 10]}, cv=3)
    probe = tune_threshold(search, X, y, fpr=0.1, groups=groups, cv=2)
    found = probe.estimator_
    assert isinstance(found.cv, GroupKFold)
    assert found.best_params_["alpha"] in (1, 10)


def test_a_rare_label_among_many(classification):
    X, y = classification
    labels = np.array(["a", "b", "c"])[y]
    probe = tune_threshold(LogisticRegression(), X, labels, fpr=0.2, pos_label="b", cv=3)
    assert probe.classes_.tolist() == [False, True]
    report = probe_report(probe, X, labels == "b", metric=["false_positive_rate", "recall"])
    predicted = probe.predict(X)
    assert report.score.value == pytest.approx(predicted[labels != "b"].mean())
    assert report.scores["recall"].value == pytest.approx(predicted[labels == "b"].mean())
    found = operating_point(
        LinearSVC(), X, labels, fpr=0.2, pos_label="b", cv=3, n_bootstraps=50, random_state=0
    )
    assert found.pos_label == "b"
    assert found.held_out.y.sum() == (labels == "b").sum()


def test_the_positive_class_may_be_the_first_one():
    X, y, _ = simulate(np.random.RandomState(0), n_groups=40)
    names = np.where(y, "a", "b")  # sorted before the other
    options = dict(fpr=0.1, cv=3, n_bootstraps=50, random_state=0)
    one = operating_point(RidgeClassifier(), X, y, **options)
    other = operating_point(RidgeClassifier(), X, names, pos_label="a", **options)
    for name, score in one.rates.items():
        assert other.rates[name].value == pytest.approx(score.value, abs=0.03)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (dict(y=[0, 1, 2] * 10), ValueError, r"Pass pos_label, which must be one of \[0, 1, 2\]"),
        (dict(pos_label="x"), ValueError, "pos_label must be one of the classes"),
        (dict(y=[1] * 30), ValueError, "requires 2 classes, but y contains only 1"),
        (dict(fpr=1.0), ValueError, r"'fpr' parameter .* in the range \[0.0, 1.0\)"),
        (dict(cv=ShuffleSplit(3, test_size=0.5)), ValueError, "test set of at most one fold"),
        (dict(X=np.zeros((29, 2))), ValueError, "inconsistent numbers of samples"),
    ],
)
def test_errors(changes, error, message, untouched):
    given = dict(X=np.zeros((30, 2)), y=[0, 1] * 15) | changes
    with pytest.raises(error, match=message):
        operating_point(untouched, given.pop("X"), given.pop("y"), **given)
