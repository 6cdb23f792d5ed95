"""The linear probe of labels: classes, their weights, and what bad input gets."""

import re

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sklearn_neurox import (
    LinearProbeClassifier,
)

# A few epochs, which do not reach the mean of y, are enough for what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:After the last epoch, the squared error")

FAST = dict(max_epochs=3, random_state=0, device="cpu")
LONG = dict(max_epochs=300, batch_size=1000, learning_rate=0.05, random_state=0, device="cpu")
RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)
EACH_SOLVER = pytest.mark.parametrize("solver", ["adam", "owlqn"])


def test_reaches_the_optimum_of_another_library(classification):
    """Squared L2, full batches: the objective of LogisticRegression."""
    X, y = classification
    lam = 0.01
    probe = LinearProbeClassifier(lambda_l2=lam, l2_penalty="squared", **LONG).fit(X, y)
    other = LogisticRegression(C=1 / (2 * lam * len(X)), tol=1e-10).fit(X, y)
    optimum = log_loss(y, other.predict_proba(X)) + lam * (other.coef_**2).sum()
    assert optimum <= probe.objective_ < 1.001 * optimum
    assert (probe.predict(X) == other.predict(X)).mean() > 0.98


def test_objective_is_the_formula(classification):
    X, y = classification
    weight = np.random.RandomState(0).uniform(0.5, 2, size=len(y))
    probe = LinearProbeClassifier(lambda_l1=0.01, lambda_l2=0.1, **FAST)
    probe.fit(X, y, sample_weight=weight)
    logits = X @ probe.coef_.T + probe.intercept_
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]
    expected = np.average(losses, weights=weight)
    expected += 0.01 * np.abs(probe.coef_).sum() + 0.1 * np.linalg.norm(probe.coef_)
    np.testing.assert_allclose(probe.objective_, expected)
    assert probe.n_iter_ == len(probe.loss_curve_) == 3


@pytest.mark.parametrize("labels", [["no", "yes", "zz"], [-5, 2, 7], [0.0, 1.0, 2.0]], ids=str)
def test_labels_of_any_kind(classification, labels):
    X, y = classification
    expected = LinearProbeClassifier(**FAST).fit(X, y).predict(X)
    labels = np.array(labels)
    predicted = LinearProbeClassifier(**FAST).fit(X, labels[y]).predict(X)
    np.testing.assert_array_equal(predicted, labels[expected])


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [3, 9]], ids=str)
def test_two_classes_have_one_row(classification, labels):
    X, y = classification
    X, y = X[y < 2], np.array(labels)[y[y < 2]]
    probe = LinearProbeClassifier(**FAST).fit(X, y)
    assert probe.coef_.shape == (1, 12)
    assert probe.intercept_.shape == (1,)
    decision = probe.decision_function(X)
    np.testing.assert_allclose(probe.predict_proba(X)[:, 1], expit(decision))
    np.testing.assert_array_equal(probe.predict(X), np.array(labels)[(decision > 0).astype(int)])
    # The net holds the softmax's two rows.
    weight = probe.net_.module_.weight[0].detach().numpy()
    np.testing.assert_allclose(probe.coef_[0], weight[1] - weight[0])


def test_class_weight_multiplies_sample_weight(classification):
    X, y = classification
    by_class = {0: 1.0, 1: 4.0, 2: 0.5}
    sample_weight = np.random.RandomState(0).uniform(size=len(y))
    one = LinearProbeClassifier(class_weight=by_class, **FAST).fit(X, y, sample_weight)
    other = LinearProbeClassifier(**FAST)
    other.fit(X, y, sample_weight * np.array([1.0, 4.0, 0.5])[y])
    np.testing.assert_allclose(one.coef_, other.coef_)


def test_balanced_classes_count_their_weights(classification):
    """As if the rows were repeated."""
    X, y = classification
    times = 1 + (y == 1) * np.random.RandomState(0).randint(4, size=len(y))
    options = {**FAST, "batch_size": 1000, "class_weight": "balanced"}
    weighted = LinearProbeClassifier(**options).fit(X, y, sample_weight=times)
    repeated = LinearProbeClassifier(**options).fit(X.repeat(times, axis=0), y.repeat(times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_)


def test_a_class_of_weight_zero_is_removed(classification):
    X, y = classification
    weighted = LinearProbeClassifier(class_weight={0: 1, 1: 1, 2: 0}, **FAST).fit(X, y)
    removed = LinearProbeClassifier(**FAST).fit(X[y < 2], y[y < 2])
    assert weighted.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(weighted.coef_, removed.coef_)


class TestWeights:
    @EACH_SOLVER
    def test_a_class_of_weight_zero_is_not_balanced(self, solver):
        probe = LinearProbeClassifier(
            class_weight="balanced", solver=solver, lambda_l1=0.01, **FAST
        )
        weighted = clone(probe).fit(X, Y, (Y != 1).astype(float))
        np.testing.assert_array_equal(weighted.coef_, probe.fit(X[Y != 1], Y[Y != 1]).coef_)

    def test_samples_without_weight_do_not_hide_separable_classes(self):
        line = np.r_[np.linspace(-2, -1, 10), np.linspace(1, 2, 10), 3][:, None]
        classes, weight = np.r_[np.zeros(10), np.ones(10), 0].astype(int), np.r_[np.ones(20), 0]
        with pytest.warns(
            ConvergenceWarning, match="the objective does not have a minimizer"
        ) as caught:
            LinearProbeClassifier(solver="owlqn").fit(line, classes, weight)
        assert caught[0].filename == __file__


def test_warm_start_of_two_classes_predicts_the_same(classification):
    X, y = classification
    X, y = X[y < 2], y[y < 2]
    probe = LinearProbeClassifier(warm_start=True, learning_rate=1e-12, **FAST).fit(X, y)
    before = probe.decision_function(X)
    np.testing.assert_allclose(probe.fit(X, y).decision_function(X), before, atol=1e-6)


class TestBadInput:
    def test_one_class(self, classification):
        X, _ = classification
        with pytest.raises(ValueError, match=r"got 1 class: all 150 samples have the label 'NOUN'"):
            LinearProbeClassifier().fit(X, ["NOUN"] * len(X))
        labels = np.repeat(["NOUN", "VERB"], [100, 50])
        message = "got 1 class: all 100 samples with a positive weight have the label 'NOUN'"
        with pytest.raises(ValueError, match=message):
            LinearProbeClassifier().fit(X, labels, sample_weight=labels == "NOUN")
        with pytest.raises(ValueError, match=message):
            LinearProbeClassifier(class_weight={"NOUN": 1, "VERB": 0}).fit(X, labels)

    @pytest.mark.parametrize(
        "weights", [{0: -1, 1: -1, 2: -1}, {0: 1, 1: -1}, dict.fromkeys(range(3), 0)]
    )
    def test_class_weights(self, classification, weights):
        with pytest.raises(
            ValueError,
            match="class_weight must be finite, non-negative, and positive for at least one class",
        ):
            LinearProbeClassifier(class_weight=weights).fit(*classification)

    @pytest.mark.parametrize("weight", ["a", "1", None, 1j, [1]], ids=str)
    def test_class_weights_are_numbers(self, classification, weight):
        message = re.escape(f"class_weight must contain numbers, but class_weight[1] = {weight!r}.")
        with pytest.raises(TypeError, match=message):
            LinearProbeClassifier(class_weight={0: 1, 1: weight}).fit(*classification)

    def test_a_failed_fit_changes_no_label(self, classification):
        X, y = classification
        probe = LinearProbeClassifier(**FAST).fit(X, y)
        expected = probe.predict(X)
        with pytest.raises(
            ValueError,
            match=r"class_weight contains \['x'\], which are not labels in y, but does not contain",
        ):
            probe.set_params(class_weight={"x": 1}).fit(X, np.array(["a", "b", "c"])[y])
        np.testing.assert_array_equal(probe.predict(X), expected)
        with pytest.raises(ValueError, match="exceeded the range"):
            probe.set_params(class_weight=None, learning_rate=1e300).fit(
                X, np.array(["a", "b", "c"])[y]
            )
        np.testing.assert_array_equal(probe.predict(X), expected)

    def test_numbers_as_labels(self, classification):
        X, _ = classification
        with pytest.raises(ValueError, match="Unknown label type"):
            LinearProbeClassifier().fit(X, X[:, 0])
