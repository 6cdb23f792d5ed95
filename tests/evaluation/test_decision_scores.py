"""Reports contain metrics of decision values and probabilities, with intervals over sentences."""

import json

import numpy as np
import pytest
import sklearn.metrics
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB

from sklearn_neurox import compare_scores, probe_report
from sklearn_neurox._bootstrap import draw_weights, kinds_of_sentences
from sklearn_neurox.evaluation._decision_scores import find_cells

ALL = ["roc_auc", "average_precision", "recall_at_fpr", "log_loss", "brier"]


class Decision(ClassifierMixin, BaseEstimator):
    """The decision value is the first column."""

    def fit(self, X=None, y=None):
        self.classes_ = np.array([False, True])
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return X[:, 0] > 0


def expected_scores(y, decisions, proba, weight=None):
    rates, recalls, _ = sklearn.metrics.roc_curve(y, decisions, sample_weight=weight)
    return {
        "roc_auc": sklearn.metrics.roc_auc_score(y, decisions, sample_weight=weight),
        "average_precision": sklearn.metrics.average_precision_score(
            y, decisions, sample_weight=weight
        ),
        "recall_at_fpr": recalls[rates <= 0.1 + 1e-9].max(),
        "log_loss": sklearn.metrics.log_loss(y, proba, sample_weight=weight),
        "brier": sklearn.metrics.brier_score_loss(y, proba, sample_weight=weight),
    }


@pytest.fixture
def binary(classification):
    X, y = classification
    X = X.round(1)
    return GaussianNB().fit(X, y == 2), X, y == 2


def test_scores_are_those_of_scikit_learn(binary):
    probe, X, y = binary
    report = probe_report(probe, X, y, metric=ALL, fpr=0.1, n_bootstraps=20, random_state=0)
    proba = probe.predict_proba(X)[:, 1]
    for name, value in expected_scores(y, proba, proba).items():
        assert report.scores[name].value == pytest.approx(value, abs=1e-12)
        assert report.scores[name].low <= value <= report.scores[name].high
    assert (report.metric, report.score) == ("roc_auc", report.scores["roc_auc"])
    json.dumps(report.to_dict())


def test_intervals_are_those_of_scikit_learn_in_the_same_resamples(binary):
    probe, X, y = binary
    sentences = np.arange(len(y)) // 6
    report = probe_report(
        probe, X, y, metric=ALL, fpr=0.1, sentence_ids=sentences, n_bootstraps=30, random_state=0
    )
    proba = probe.predict_proba(X)[:, 1]
    losses = [-np.log(np.where(y, proba, 1 - proba)), (y - proba) ** 2]
    cells, _ = find_cells([-proba, *losses, y])
    copies, _ = kinds_of_sentences(cells, sentences)
    assert (copies == 1).all()  # in the order of their best sample
    first = np.array([cells[sentences == i].min() for i in range(sentences[-1] + 1)])
    order = np.argsort(first)
    weights = draw_weights(np.random.RandomState(report.resampling.seed), copies, 30)
    drawn = [
        expected_scores(y, proba, proba, each[np.argsort(order)][sentences]) for each in weights
    ]
    for name in ALL:
        low, high = np.quantile([each[name] for each in drawn], [0.025, 0.975])
        assert report.scores[name][1:] == pytest.approx((low, high), abs=1e-10)


def test_more_classes_are_averaged(classification):
    X, y = classification
    probe = LogisticRegression().fit(X, y)
    proba, one_hot = probe.predict_proba(X), np.eye(3)[y]
    scores = probe_report(probe, X, y, metric=ALL, n_bootstraps=20, random_state=0).scores
    expected = {
        "roc_auc": sklearn.metrics.roc_auc_score(y, proba, multi_class="ovr"),
        "average_precision": sklearn.metrics.average_precision_score(one_hot, proba),
        "log_loss": sklearn.metrics.log_loss(y, proba),
        "brier": ((proba - one_hot) ** 2).sum(axis=1).mean(),
    }
    for name, value in expected.items():
        assert scores[name].value == pytest.approx(value, abs=1e-12)
    one = probe_report(probe, X, y, metric=ALL, pos_label=1, n_bootstraps=20, random_state=0)
    binary = expected_scores(y == 1, proba[:, 1], proba[:, 1])
    for name in ("roc_auc", "average_precision", "log_loss", "brier"):
        assert one.scores[name].value == pytest.approx(binary[name], abs=1e-12)


def test_rates_of_labels(classification):
    X, y = classification
    probe = RidgeClassifier().fit(X[:60], y[:60])
    names = ["recall", "precision", "false_positive_rate"]
    predicted = probe.predict(X)
    report = probe_report(probe, X, y, metric=names, pos_label=1, random_state=0)
    assert report.scores["recall"].value == pytest.approx((predicted == 1)[y == 1].mean())
    assert report.scores["precision"].value == pytest.approx((y == 1)[predicted == 1].mean())
    assert report.score.value == report.scores["recall"].value
    rate = (predicted == 1)[y != 1].mean()
    assert report.scores["false_positive_rate"].value == pytest.approx(rate)
    macro = probe_report(probe, X, y, metric=names, random_state=0).scores
    options = dict(average="macro", zero_division=0)
    expected = sklearn.metrics.recall_score(y, predicted, **options)
    assert macro["recall"].value == pytest.approx(expected)
    expected = sklearn.metrics.precision_score(y, predicted, **options)
    assert macro["precision"].value == pytest.approx(expected)


def test_scores_on_seen_types(binary):
    probe, X, y = binary
    words = np.arange(len(y)) % 30
    report = probe_report(
        probe, X, y, words=words, train_words=range(20), metric="roc_auc", random_state=0
    )
    proba, seen = probe.predict_proba(X)[:, 1], words < 20
    expected = sklearn.metrics.roc_auc_score(y[seen], proba[seen])
    assert report.seen.score.value == pytest.approx(expected)
    assert report.n_groups_of_parts == (seen.sum(), (~seen).sum())
    only = probe_report(
        probe, X, y, words=np.where(y, "a", "b"), train_words=["a"], metric="roc_auc"
    )
    assert only.seen.score is None  # of a single class


def test_reports_are_compared_by_their_decision_values(binary):
    probe, X, y = binary
    other = GaussianNB().fit(X[:30], y[:30])
    reports = [probe_report(each, X, y, metric=ALL, random_state=0) for each in (probe, other)]
    for name in ALL:
        comparison = compare_scores(*reports, metric=name, n_bootstraps=50, random_state=0)
        sign = -1 if name in ("log_loss", "brier") else 1
        expected = [sign * report.scores[name].value for report in reports]
        np.testing.assert_allclose([each.value for each in comparison.scores], expected)
    plain = probe_report(probe, X, y, random_state=0)
    with pytest.raises(ValueError, match="requires reports with decision values: pass metric='roc"):
        compare_scores(plain, plain, metric="roc_auc")


def test_a_summary_for_a_table(binary):
    probe, X, y = binary
    ids = np.arange(len(y)) // 5
    words = [f"w{i % 9}" for i in range(len(y))]
    report = probe_report(
        probe, X, y, metric=["roc_auc", "brier"], sentence_ids=ids, words=words,
        train_words=["w1", "w2"], random_state=7,
    )  # fmt: skip
    frame = report.summary()
    assert list(frame) == ["estimate", "lower", "upper", "n", "n_groups"]
    assert frame.index.tolist() == [
        "roc_auc", "brier", "accuracy", "roc_auc, seen types", "roc_auc, unseen types",
    ]  # fmt: skip
    assert frame.loc["brier"].tolist() == [*report.scores["brier"], len(y), 30]
    assert "\\begin{tabular}" in frame.to_latex(float_format="%.3f")
    text = report.methods(sample="word", group="sentence")
    assert text.startswith("AUROC .")
    assert "30 sentences, 150 words. Bootstrap over sentences, 1,000 resamples" in text
    assert "random_state=7" in text
    assert "Estimator: GaussianNB()." in text
    again = probe_report(probe, X, y, sentence_ids=ids, random_state=report.random_state)
    assert again.scores["accuracy"] == report.scores["accuracy"]


@pytest.mark.slow
def test_coverage_of_the_area_under_the_curve():
    """The intervals over groups contain the truth in 95 %, those over samples do not."""
    truth = norm.cdf(1 / np.sqrt(2))  # of scores that differ by 1 standard deviation
    hits = np.zeros((200, 2))
    for seed, found in enumerate(hits):
        rng = np.random.RandomState(seed)
        groups = np.repeat(np.arange(150), 6)
        y = (rng.uniform(size=150) < 0.5)[groups]  # all samples of a group have one label
        error = np.sqrt(0.3) * rng.normal(size=150)[groups]
        error += np.sqrt(0.7) * rng.normal(size=900)
        X = (y + error)[:, np.newaxis]
        for i, ids in enumerate((groups, None)):
            score = probe_report(
                Decision().fit(), X, y, metric="roc_auc", sentence_ids=ids, n_bootstraps=400,
                random_state=seed,
            ).score  # fmt: skip
            found[i] = score.low <= truth <= score.high
    of_groups, of_samples = hits.mean(axis=0)
    assert 0.92 <= of_groups <= 0.98
    assert of_samples < 0.85


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (dict(metric=[]), ValueError, "metric is empty"),
        (dict(metric=["accuracy", "r2"]), ValueError, "metric of a classifier must be one of"),
        (dict(pos_label="x"), ValueError, "pos_label must be one of the classes"),
        (dict(fpr=1.5), ValueError, r"fpr must be a number in \[0, 1\)"),
        (dict(metric="brier"), TypeError, "Decision must have the method predict_proba"),
        (dict(y=[True] * 4), ValueError, "'roc_auc' requires samples of the positive class"),
    ],
)
def test_errors(changes, error, message):
    given = dict(X=np.arange(4.0)[:, None], y=[True, False, True, False], metric="roc_auc")
    given |= changes
    with pytest.raises(error, match=message):
        probe_report(Decision().fit(), given.pop("X"), given.pop("y"), **given)
