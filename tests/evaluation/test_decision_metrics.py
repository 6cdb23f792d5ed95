"""Scorers of decision values and probabilities."""

import numpy as np
import pytest
import sklearn.metrics
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB

from sklearn_neurox import compare_scores, get_scorer, layerwise_scores, recall_at_fpr
from sklearn_neurox.evaluation.decision_metrics import SCORERS, read_metric

BINARY = {
    "roc_auc": "roc_auc",
    "average_precision": "average_precision",
    "neg_log_loss": "neg_log_loss",
    "neg_brier_score": "neg_brier_score",
}


@pytest.fixture
def binary(classification):
    X, y = classification
    return X, np.where(y == 2, "yes", "no")


@pytest.mark.parametrize(("ours", "theirs"), BINARY.items())
def test_scorers_of_two_classes_are_those_of_scikit_learn(binary, ours, theirs):
    X, y = binary
    y = (y == "yes").astype(int)
    scores = [
        cross_val_score(GaussianNB(), X, y, scoring=scoring, cv=3)
        for scoring in (get_scorer(ours), theirs)
    ]
    np.testing.assert_allclose(*scores, atol=1e-12)


def test_scorers_of_more_classes(classification):
    X, y = classification
    probe = GaussianNB().fit(X, y)
    proba = probe.predict_proba(X)
    one_hot = np.eye(3)[y]
    expected = {
        "roc_auc": sklearn.metrics.roc_auc_score(y, proba, multi_class="ovr"),
        "average_precision": sklearn.metrics.average_precision_score(one_hot, proba),
        "neg_log_loss": -sklearn.metrics.log_loss(y, proba),
        "neg_brier_score": -((proba - one_hot) ** 2).sum(axis=1).mean(),
    }
    for name, value in expected.items():
        assert get_scorer(name)(probe, X, y) == pytest.approx(value, abs=1e-12)
    # A fold may lack a class, whose problem is then not averaged.
    some = y < 2
    two = [sklearn.metrics.roc_auc_score(y[some] == i, proba[some, i]) for i in range(2)]
    assert get_scorer("roc_auc")(probe, X[some], y[some]) == pytest.approx(np.mean(two))
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e3]}, scoring=get_scorer("brier"))
    assert search.fit(X, y).best_params_ == {"var_smoothing": 1e-9}


def test_a_class_that_training_lacks_is_an_error(classification):
    X, y = classification
    probe = GaussianNB().fit(X[y < 2], y[y < 2])
    smallest = np.log(np.finfo(float).eps)
    scores = get_scorer("log_loss")(probe, X, y)
    own = sklearn.metrics.log_loss(y[y < 2], probe.predict_proba(X[y < 2])) * (y < 2).sum()
    assert scores == pytest.approx((-own + smallest * (y == 2).sum()) / len(y))


def test_weights_are_those_of_scikit_learn(binary):
    X, y = binary[0], (binary[1] == "yes").astype(int)
    weight = np.random.RandomState(0).uniform(size=len(y))
    probe = GaussianNB().fit(X, y)
    for name in BINARY:
        expected = sklearn.metrics.get_scorer(name)(probe, X, y, sample_weight=weight)
        assert get_scorer(name)(probe, X, y, sample_weight=weight) == pytest.approx(expected)


def test_recall_at_a_false_positive_rate(binary):
    X, y = binary
    probe = RidgeClassifier().fit(X, y)
    rates, recalls, _ = sklearn.metrics.roc_curve(y == "yes", probe.decision_function(X))
    for fpr in (0, 0.01, 0.1, 0.5):
        expected = recalls[rates <= fpr].max()
        found = recall_at_fpr(y, probe.decision_function(X), fpr=fpr)
        assert found == pytest.approx(expected)
        assert get_scorer("recall_at_fpr", fpr=fpr)(probe, X, y) == pytest.approx(expected)
    reverse = recall_at_fpr(y, -probe.decision_function(X), fpr=0.1, pos_label="no")
    assert get_scorer("recall_at_fpr", fpr=0.1, pos_label="no")(probe, X, y) == reverse


@pytest.mark.parametrize("scoring", SCORERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_scores_of_layers_are_those_of_their_held_out_predictions(
    classification, scoring, n_classes
):
    """`compare` computes them again, and raises an error if they differ."""
    X, y = classification
    y = np.minimum(y, n_classes - 1)
    result = layerwise_scores(
        LogisticRegression(), X, y, n_layers=3, scoring=scoring, groups=np.arange(len(y)) // 2
    )
    comparison = result.compare(n_bootstraps=200, against="baseline", random_state=0)
    assert comparison.metric == result.metric == scoring
    assert comparison.scores[0].low <= result.scores[0].mean() <= comparison.scores[0].high
    test = result.permutation_test(n_permutations=20, random_state=0)
    np.testing.assert_allclose(test.scores, result.scores.mean(axis=1), atol=1e-9)


def test_another_false_positive_rate_of_layers(binary):
    X, y = binary
    scorer = get_scorer("recall_at_fpr", fpr=0.25)
    result = layerwise_scores(LogisticRegression(), X, y, n_layers=3, scoring=scorer)
    assert result.metric == "recall_at_fpr(fpr=0.25)"
    assert read_metric(result.metric) == ("recall_at_fpr", 0.25)
    assert len(result.compare(n_bootstraps=200, random_state=0).pairs) == 3


def test_arrays_of_probabilities_are_compared(binary):
    X, y = binary
    one, other = (GaussianNB().fit(X[:, i:], y).predict_proba(X[:, i:])[:, 1] for i in (0, 6))
    comparison = compare_scores(
        one, other, y=y, metric="neg_log_loss", n_bootstraps=50, random_state=0
    )
    expected = [-sklearn.metrics.log_loss(y, each) for each in (one, other)]
    np.testing.assert_allclose([score.value for score in comparison.scores], expected)


def test_a_single_class_is_undefined(binary):
    X, y = binary
    probe = RidgeClassifier().fit(X, y)
    with pytest.warns(UndefinedMetricWarning, match="roc_auc is undefined, because y has a single"):
        assert np.isnan(get_scorer("roc_auc")(probe, X[y == "no"], y[y == "no"]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda X, y: get_scorer("roc_auc", fpr=0.1), TypeError, "'roc_auc' has the options pos_l"),
        (
            lambda X, y: get_scorer("recall_at_fpr", fpr=1),
            ValueError,
            r"fpr must be .* in \[0, 1\)",
        ),
        (lambda X, y: recall_at_fpr([0, 1, 2], [1, 2, 3]), ValueError, "requires 2 classes"),
        (lambda X, y: recall_at_fpr([0, 1], [1, 2], pos_label=2), ValueError, "pos_label must be"),
        (lambda X, y: recall_at_fpr([0, 1], [1, np.nan]), ValueError, r"y_score\[1\] = nan"),
        (
            lambda X, y: get_scorer("brier")(RidgeClassifier().fit(X, y), X, y),
            TypeError,
            "must have the method predict_proba",
        ),
        (
            lambda X, y: get_scorer("roc_auc")(Ridge().fit(X, y == "no"), X, y),
            TypeError,
            "requires a classifier, got Ridge",
        ),
        (
            lambda X, y: compare_scores(X[:, 0] * 9, X[:, 1], y=y, metric="neg_log_loss"),
            ValueError,
            r"requires probabilities, but a is not in \[0, 1\]",
        ),
        (
            lambda X, y: layerwise_scores(
                LogisticRegression(), X, y, n_layers=3, scoring="roc_auc"
            ).compare(metric="neg_log_loss"),
            ValueError,
            "requires probabilities. They are kept if .* scoring='neg_log_loss'",
        ),
    ],
)
def test_errors(binary, call, error, message):
    with pytest.raises(error, match=message):
        call(*binary)
