"""Reports of probes: the scores of scikit-learn, and intervals with the right coverage."""

import json

import numpy as np
import pytest
from scipy.stats import linregress
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    classification_report,
    confusion_matrix,
    f1_score,
    log_loss,
    mean_absolute_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import UnseenLabelsWarning, get_scorer
from sklearn_neurox._bootstrap import Resampling, draw_weights, kinds_of_sentences
from sklearn_neurox.evaluation._probe_scores import (
    LABEL_METRICS,
    REGRESSOR_METRICS,
    class_sums,
    resampled_scores,
)
from sklearn_neurox.evaluation._resampled_metrics import ERROR_METRICS, number_metrics
from sklearn_neurox.evaluation.metrics import compute_score
from sklearn_neurox.evaluation.probe_report import probe_report


class FirstColumnClassifier(ClassifierMixin, BaseEstimator):
    """Predict the class whose index is in the first column of X."""

    def __init__(self, classes=("a", "b", "c")):
        self.classes = classes

    def fit(self, X=None, y=None):
        self.classes_ = np.array(self.classes)
        return self

    def predict(self, X):
        return self.classes_[np.asarray(X)[:, 0].astype(int)]


class FirstColumnRegressor(RegressorMixin, BaseEstimator):
    def fit(self, X=None, y=None):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0]


def labels(seed=0, n=300, classes=("a", "b", "c"), right=0.6):
    rng = np.random.RandomState(seed)
    true, other = rng.randint(len(classes), size=(2, n))
    X = np.where(rng.uniform(size=n) < right, true, other)[:, None].astype(float)
    return FirstColumnClassifier(classes).fit(), X, np.array(classes)[true]


def numbers(seed=0, n=200):
    rng = np.random.RandomState(seed)
    y = rng.normal(size=n).round(1)  # with ties
    return FirstColumnRegressor().fit(), (y + rng.normal(size=n)).round(1)[:, None], y


def test_the_numbers_are_those_of_scikit_learn():
    probe, X, y = labels()
    report = probe_report(probe, X, y, random_state=0)
    expected = classification_report(y, probe.predict(X), output_dict=True)
    for each in report.per_class:
        theirs = expected[each.label]
        assert each.precision == pytest.approx(theirs["precision"])
        assert each.recall == pytest.approx(theirs["recall"])
        assert each.f1.value == pytest.approx(theirs["f1-score"])
        assert each.support == theirs["support"]
        assert each.f1.low < each.f1.value < each.f1.high
    assert report.score.value == expected["accuracy"]
    np.testing.assert_array_equal(report.confusion_matrix, confusion_matrix(y, probe.predict(X)))


def test_sums_of_the_confusion_matrix():
    probe, X, y = labels()
    report = probe_report(probe, X, y, n_bootstraps=10, random_state=0)
    matrix = report.confusion_matrix
    assert matrix.sum() == len(y)
    assert matrix.trace() / len(y) == pytest.approx(report.score.value)
    assert matrix.sum(axis=1).tolist() == [each.support for each in report.per_class]
    assert matrix.sum(axis=0).tolist() == [each.n_predicted for each in report.per_class]
    label, share = report.majority
    assert share == max((y == other).mean() for other in "abc") == (y == label).mean()


class Each(Resampling):
    """Draw each kind of sentence alone, and then all sentences, instead of at random."""

    def draw(self, cells, sentences, statistics):
        copies, counts = kinds_of_sentences(cells, sentences)
        return statistics(np.vstack([np.diag(copies), copies]).astype(float), counts)


def each_and_all(metric, y, predictions, sentences):
    """Return a metric of each kind of sentence, and of all sentences."""
    kinds = {}
    for sentence in np.unique(sentences):
        rows = sentences == sentence
        kind = tuple(sorted(zip(y[rows].tolist(), predictions[rows].tolist(), strict=True)))
        kinds.setdefault(kind, rows)
    return [metric(y[rows], predictions[rows]) for rows in kinds.values()], metric(y, predictions)


def plain(metric):
    if metric in ("f1_macro", "f1_weighted"):
        return lambda y, p: f1_score(y, p, average=metric[3:])
    return OF_NUMBERS.get(metric, lambda y, p: compute_score(y, p, metric))


def slope(y, p):
    return 0.0 if np.ptp(p) == 0 else linregress(p, y).slope


OF_NUMBERS = {
    "r2": r2_score,
    "rmse": root_mean_squared_error,
    "mae": mean_absolute_error,
    "bias": lambda y, p: (p - y).mean(),
    "slope": slope,
}


@pytest.mark.parametrize("metric", LABEL_METRICS)
def test_resamples_have_the_score_that_scikit_learn_gives_them(metric):
    probe, X, y = labels(classes=(0, 1), n=120)
    sentences = np.arange(120) // 4
    cells = y * 2 + probe.predict(X)
    sums = class_sums(cells, sentences, 2, Each(1, 0.95, 0))
    drawn = resampled_scores(metric, sums, probe.classes_)
    each, whole = each_and_all(plain(metric), y, probe.predict(X), sentences)
    assert min(each) < max(each)
    np.testing.assert_allclose(sorted(drawn[:-1]), sorted(each), atol=1e-12)
    assert drawn[-1] == pytest.approx(whole)


@pytest.mark.parametrize("metric", REGRESSOR_METRICS)
def test_resamples_of_numbers_have_the_score_that_scipy_gives_them(metric):
    probe, X, y = numbers(n=120)
    y[:4], X[4:8], y[8:12] = 0.3, 0.1, X[8:12, 0]  # constant, constant, perfect
    y[12:16] = X[12:16] = 0.7  # constant and perfect
    predictions, sentences = probe.predict(X), np.arange(120) // 4
    kinds, cells = np.unique(np.c_[y, predictions], axis=0, return_inverse=True)
    statistics = number_metrics([metric], *kinds.T)
    drawn = Each(1, 0.95, 0).draw(cells, sentences, statistics)[:, 0]
    each, whole = each_and_all(plain(metric), y, predictions, sentences)
    np.testing.assert_allclose(sorted(drawn[:-1]), sorted(each), atol=1e-9)
    assert drawn[-1] == pytest.approx(whole)


@pytest.mark.parametrize("metric", ["accuracy", "spearman"])
def test_an_interval_is_that_of_resampled_sentences(metric):
    probe, X, y = labels(n=120) if metric == "accuracy" else numbers(n=120)
    given = dict(sentence_ids=np.arange(120) // 3, metric=metric, n_bootstraps=4000)
    score = probe_report(probe, X, y, random_state=0, **given).score
    check_interval(score, plain(metric), y, probe.predict(X), n_sentences=40)


@pytest.mark.parametrize("many", [False, True])
def test_both_ways_to_draw_have_one_distribution(many):
    """On average, a kind is drawn as often as it occurs, with a binomial variance."""
    copies = np.array([1, 2, 3]) if many else np.array([20, 40, 60])
    assert bool(len(copies) * 8 >= copies.sum()) is many
    weights = draw_weights(np.random.RandomState(0), copies, 20_000)
    share = copies / copies.sum()
    np.testing.assert_array_equal(weights.sum(axis=1), copies.sum())
    np.testing.assert_allclose(weights.mean(axis=0), copies, rtol=0.02)
    np.testing.assert_allclose(weights.var(axis=0), copies * (1 - share), rtol=0.05)


@pytest.mark.parametrize("padding", [0, 8])
def test_kinds_of_sentences_are_sorted_by_their_cells(padding, monkeypatch):
    monkeypatch.setattr("sklearn_neurox._bootstrap._LARGEST_PADDING", padding)
    rng = np.random.RandomState(0)
    cells, sentences = rng.randint(3, size=60), rng.randint(30, size=60)
    copies, counts = kinds_of_sentences(cells, sentences)
    kinds = sorted(tuple(sorted(cells[sentences == i])) for i in np.unique(sentences))
    expected = sorted(set(kinds))
    assert copies.tolist() == [kinds.count(kind) for kind in expected]
    found = counts.toarray().astype(int)
    assert [tuple(np.repeat(range(3), row)) for row in found] == expected


def check_interval(score, metric, y, predictions, n_sentences):
    rng = np.random.RandomState(1)
    rows = np.arange(len(y)).reshape(n_sentences, -1)
    draws = [rows[rng.randint(n_sentences, size=n_sentences)].ravel() for _ in range(1500)]
    low, high = np.quantile([metric(y[draw], predictions[draw]) for draw in draws], [0.025, 0.975])
    assert score.value == pytest.approx(metric(y, predictions))
    assert score.low < score.value < score.high
    assert [score.low, score.high] == pytest.approx([low, high], abs=0.12 * (high - low))


@pytest.mark.parametrize("make", [labels, numbers])
def test_a_sentence_of_each_word_is_the_bootstrap_of_words(make):
    probe, X, y = make()
    alone = probe_report(probe, X, y, random_state=0)
    each = probe_report(probe, X, y, sentence_ids=np.arange(len(y))[::-1], random_state=0)
    assert alone.scores == each.scores
    assert alone.per_class == each.per_class


def test_sentences_that_are_right_or_wrong_as_a_whole_widen_the_interval():
    probe, X, y = (
        FirstColumnClassifier().fit(),
        np.repeat(np.arange(50) % 2, 20)[:, None],
        np.repeat("a", 1000),
    )
    words = probe_report(probe, X, y, random_state=0).score
    whole = probe_report(probe, X, y, sentence_ids=np.repeat(range(50), 20), random_state=0).score
    # the standard deviation grows with the root of the 20 words
    assert (whole.high - whole.low) / (words.high - words.low) == pytest.approx(20**0.5, rel=0.15)


def test_coverage():
    """If sentences are independent, 80 % of the intervals at 80 % contain the truth."""
    rng, probe, sentences = (
        np.random.RandomState(0),
        FirstColumnClassifier().fit(),
        np.repeat(np.arange(60), 5),
    )
    wrong = np.where(rng.uniform(size=(300, 60)) < 0.5, 0.1, 0.5)  # a sentence is easy or difficult
    hits = 0
    for errors in wrong:
        X = (rng.uniform(size=300) < np.repeat(errors, 5)).astype(float)[:, None]
        report = probe_report(
            probe,
            X,
            ["a"] * 300,
            sentence_ids=sentences,
            n_bootstraps=200,
            confidence=0.8,
            random_state=rng,
        )
        hits += report.score.low <= 0.7 <= report.score.high
    assert hits / 300 == pytest.approx(0.8, abs=0.07)  # three standard errors


@pytest.mark.parametrize("make", [labels, numbers])
def test_the_order_of_words_is_only_the_order_of_rows(make):
    probe, X, y = make()
    words, sentences = np.arange(len(y)) % 50, np.arange(len(y)) // 7
    order = np.random.RandomState(1).permutation(len(y))
    given = dict(words=words, sentence_ids=sentences, train_words=range(20), random_state=0)
    one = probe_report(probe, X, y, **given)
    given |= dict(words=words[order], sentence_ids=sentences[order])
    other = probe_report(probe, X[order], y[order], **given)
    for name, score in one.scores.items():
        assert other.scores[name] == pytest.approx(score)
    assert other.per_class == one.per_class
    assert other.seen.score == pytest.approx(one.seen.score)
    frame = one.to_frame().iloc[order].reset_index(drop=True)
    assert other.to_frame().equals(frame)


def test_seen_and_unseen_add_up():
    probe, X, y = labels()
    words = [f"w{i % 40}" for i in range(len(y))]
    types = {f"w{i}" for i in range(10)} | {"never met"}
    report = probe_report(probe, X, y, words=words, train_words=types, random_state=0)
    seen, unseen = report.seen, report.unseen
    assert (seen.n_types, unseen.n_types) == (10, 30)
    assert seen.n_words + unseen.n_words == len(y)
    total = seen.n_words * seen.score.value + unseen.n_words * unseen.score.value
    assert total / len(y) == pytest.approx(report.score.value)
    rows = [word in types for word in words]
    assert seen.score.value == accuracy_score(y[rows], probe.predict(X)[rows])
    nothing = probe_report(probe, X, y, words=words, train_words=[], random_state=0)
    assert nothing.seen == (0, 0, None)
    assert nothing.unseen.score == report.score


def test_classes_without_words_have_no_score():
    report = probe_report(
        FirstColumnClassifier().fit(), [[0], [2], [1], [1]], ["a", "a", "b", "b"], random_state=0
    )
    a, b, c = report.per_class
    assert (a.precision, a.recall) == (1.0, 0.5)
    assert (b.precision, b.recall) == (1.0, 1.0)
    assert c == ("c", None, None, None, 0, 1)
    never = probe_report(
        FirstColumnClassifier().fit(), [[0], [0], [0]], ["a", "a", "b"], random_state=0
    )
    assert never.per_class[1][1:3] == (None, 0.0)
    assert never.per_class[1].f1.value == 0.0
    assert json.loads(json.dumps(never.to_dict()))["per_class"][2]["f1"] is None


def test_a_class_for_each_word():
    probe, X, y = (
        FirstColumnClassifier(tuple(range(40))).fit(),
        np.arange(40)[:, None],
        np.arange(40),
    )
    report = probe_report(probe, X, y, metric="f1_macro", n_bootstraps=20, random_state=0)
    assert report.score == (1.0, 1.0, 1.0)
    assert [each.f1 for each in report.per_class] == [(1.0, None, None)] * 40  # one sample each


def test_one_sentence_has_no_interval():
    report = probe_report(
        FirstColumnClassifier().fit(), [[0], [1]], ["a", "a"], sentence_ids=[7, 7]
    )
    assert report.score == (0.5, None, None)
    assert repr(report) == "ProbeReport(2 samples, accuracy 0.500)"
    assert report.per_class[0].f1.low is None


def test_a_frame_a_dict_and_a_page():
    X, y = load_iris(return_X_y=True)
    y = np.array(["<b>", "&", "c"])[y]
    probe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    words, ids = [f"w{i}" for i in range(150)], np.arange(150) // 10
    report = probe_report(probe, X, y, words=words, sentence_ids=ids, random_state=0)
    frame = report.to_frame()
    assert list(frame) == ["word", "sentence_id", "label", "prediction", "probability"]
    np.testing.assert_allclose(frame["probability"], probe.predict_proba(X).max(axis=1))
    assert frame["prediction"].tolist() == probe.predict(X).tolist()
    found = json.loads(json.dumps(report.to_dict()))
    assert found["predictions"]["word"] == words
    assert found["scores"]["accuracy"]["value"] == report.score.value
    page = report._repr_html_()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert '<th scope="row">&amp;</th>' in page
    assert list(probe_report(probe, X, y).to_frame()) == ["label", "prediction", "probability"]


def test_many_classes_are_shown_by_their_mistakes():
    probe, X, y = labels(classes=tuple(range(30)), right=0.5)
    page = probe_report(probe, X, y, n_bootstraps=10)._repr_html_()
    assert "20 of 30 classes" in page
    assert "Most frequent mistakes" in page


def test_a_constant_target():
    report = probe_report(FirstColumnRegressor().fit(), [[1.0], [2.0]], [3, 3], random_state=0)
    of_errors = {
        name: score.value for name, score in report.scores.items() if name in ERROR_METRICS
    }
    assert of_errors == {"rmse": pytest.approx(2.5**0.5), "mae": 1.5, "bias": -1.5, "slope": 0}
    correlations = [name for name in REGRESSOR_METRICS if name not in ERROR_METRICS]
    assert {name: report.scores[name] for name in correlations} == dict.fromkeys(
        correlations, (0.0, 0.0, 0.0)
    )
    json.dumps(report.to_dict())
    assert "r2" in report._repr_html_()
    far = numbers()[2] + 1e9
    assert probe_report(FirstColumnRegressor().fit(), far[:, None], far).score.low == pytest.approx(
        1
    )


def test_the_largest_errors_and_the_baseline_of_numbers():
    report = probe_report(FirstColumnRegressor().fit(), [[1.0], [5.0], [3.5]], [1, 2, 3])
    assert report.largest_errors(2) == [(1, 2.0, 5.0), (2, 3.0, 3.5)]
    assert report.majority == (2.0, pytest.approx((2 / 3) ** 0.5))
    assert "rmse of always predicting 2" in report._repr_html_()
    assert "Largest errors" in report._repr_html_()
    probe, X, y = labels()
    with pytest.raises(ValueError, match=r"requires the report of a regressor.* Use mistakes"):
        probe_report(probe, X, y, n_bootstraps=2).largest_errors()


def test_equal_samples_and_sentences_have_equal_intervals():
    probe, X, y = labels(n=30)
    again = probe_report(probe, np.tile(X, (3, 1)), np.tile(y, 3), n_bootstraps=50, random_state=0)
    ids = np.tile(np.arange(30), 3)  # sentences of three equal samples
    repeated = dict(sentence_ids=ids, random_state=0, n_bootstraps=50)
    one = probe_report(probe, X, y, n_bootstraps=50, random_state=0)
    other = probe_report(probe, np.tile(X, (3, 1)), np.tile(y, 3), **repeated)
    assert other.score == pytest.approx(one.score)
    assert again.score.high - again.score.low < one.score.high - one.score.low


def test_the_callers_arrays_are_not_changed():
    probe, X, y = numbers()
    X.setflags(write=False)
    y.setflags(write=False)
    report = probe_report(probe, X, y, n_bootstraps=5)
    np.testing.assert_array_equal(report.predictions, X[:, 0])


@pytest.mark.parametrize("estimator", [LogisticRegression(), Ridge(), FirstColumnClassifier()])
def test_an_estimator_that_is_not_fitted(estimator):
    with pytest.raises(NotFittedError, match=r"This \w+ is not fitted.*Call fit"):
        probe_report(estimator, [[0.0]], [0])


def test_labels_that_the_probe_does_not_know():
    """They are errors, and are listed after the classes of the probe."""
    y, predicted = ["a", "X", "Y", "X", "b"], [0, 0, 1, 1, 1]
    probe = FirstColumnClassifier().fit()
    message = r"3 of 5 samples have labels that were not seen during training: 'X', 'Y'\. They are"
    with pytest.warns(UnseenLabelsWarning, match=message):
        report = probe_report(probe, np.array(predicted)[:, None], y, metric="f1_macro")
    labels = ["a", "b", "c", "X", "Y"]
    assert [each.label for each in report.per_class] == labels
    assert [each.support for each in report.per_class] == [1, 1, 0, 2, 1]
    assert [each.recall for each in report.per_class] == [1, 1, None, 0, 0]
    np.testing.assert_array_equal(
        report.confusion_matrix, confusion_matrix(y, report.predictions, labels=labels)
    )
    assert report.scores["accuracy"].value == 2 / 5
    assert report.score.value == pytest.approx(f1_score(y, report.predictions, average="macro"))
    assert report.mistakes()[0] in [("X", "a", 1), ("X", "b", 1), ("Y", "b", 1)]


def test_labels_of_another_kind():
    with pytest.raises(ValueError, match=r"not seen during training: 1 \(4 samples\)"):
        probe_report(FirstColumnClassifier(("1", "2")).fit(), [[0]] * 4, [1] * 4)


class TestEveryMetricScoresUnseenLabelsAsErrors:
    """The values are those of scikit-learn with the label as a class of its own."""

    RNG = np.random.RandomState(0)
    X = RNG.normal(size=(80, 3))
    PROBE = LogisticRegression().fit(X, (X[:, 0] > 0).astype(int))
    Y = np.where(np.arange(80) % 10 == 0, 7, (X[:, 0] + RNG.normal(size=80) > 0).astype(int))

    def report(self, metric, probe=PROBE, y=Y, **params):
        with pytest.warns(UnseenLabelsWarning, match="8 of 80 samples .*: 7"):
            return probe_report(probe, self.X, y, metric=metric, random_state=0, **params)

    def expected(self, metric):
        predicted, probabilities = self.PROBE.predict(self.X), self.PROBE.predict_proba(self.X)
        probabilities = np.column_stack([probabilities, np.zeros(80)])
        codes = np.where(self.Y == 7, 2, self.Y)
        each = {
            "f1": lambda: f1_score(self.Y, predicted, labels=[1], average="macro"),
            "accuracy_and_f1": lambda: (self.expected("f1") + (predicted == self.Y).mean()) / 2,
            "recall": lambda: recall_score(self.Y, predicted, average="macro"),
            "precision": lambda: precision_score(
                self.Y, predicted, average="macro", zero_division=0
            ),
            "false_positive_rate": lambda: np.mean(
                [(predicted[label != self.Y] == label).mean() for label in (0, 1, 7)]
            ),
            "roc_auc": lambda: roc_auc_score(codes, probabilities, multi_class="ovr"),
            "average_precision": lambda: average_precision_score(np.eye(3)[codes], probabilities),
            "log_loss": lambda: log_loss(codes, probabilities),
            "brier": lambda: ((probabilities - np.eye(3)[codes]) ** 2).sum(axis=1).mean(),
        }
        return each[metric]()

    @pytest.mark.filterwarnings("ignore:The y_prob values do not sum to one")
    @pytest.mark.parametrize(
        "metric",
        [
            "f1", "accuracy_and_f1", "recall", "precision", "false_positive_rate", "roc_auc",
            "average_precision", "log_loss", "brier",
        ],
    )  # fmt: skip
    def test_value(self, metric):
        report = self.report(metric)
        assert report.score.value == pytest.approx(self.expected(metric))
        assert report.score.low < report.score.value < report.score.high
        assert report.classes == [0, 1, 7]
        assert report.per_class[2].recall == 0

    def test_a_label_between_the_classes(self):
        """The order of the classes does not matter."""
        names = np.array(["a", "z", "m"])
        probe = LogisticRegression().fit(self.X, names[(self.X[:, 0] > 0).astype(int)])
        y = names[np.where(self.Y == 7, 2, self.Y)]
        for metric in ("roc_auc", "log_loss", "recall_at_fpr"):
            with pytest.warns(UnseenLabelsWarning, match="'m'"):
                report = probe_report(probe, self.X, y, metric=metric, random_state=0)
            assert report.score.value == pytest.approx(self.report(metric).score.value, rel=1e-3)
            with pytest.warns(UnseenLabelsWarning):
                curve = probe_report(probe, self.X, y, metric="roc_auc", pos_label="z")
            positive = roc_auc_score(y == "z", probe.decision_function(self.X))
            assert curve.score.value == pytest.approx(positive)

    def test_as_in_a_fold(self):
        """The scorer of the cross-validated functions gives the same value."""
        for metric in ("roc_auc", "average_precision", "recall_at_fpr"):
            value = get_scorer(metric)(self.PROBE, self.X, self.Y)
            assert self.report(metric).score.value == pytest.approx(value)
        for metric in ("log_loss", "brier"):
            value = -get_scorer(metric)(self.PROBE, self.X, self.Y)
            assert self.report(metric).score.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (dict(estimator=KMeans()), TypeError, "must be a classifier or a regressor, got KMeans"),
        (dict(y=["a"]), ValueError, "inconsistent numbers of samples"),
        (dict(y=["a", None]), TypeError, r"y must contain labels of one kind.* y\[1\] = None"),
        (dict(X=np.empty((0, 1)), y=[]), ValueError, "y is empty"),
        (dict(words=["x"]), ValueError, "inconsistent numbers of samples"),
        (dict(words="xy"), TypeError, "words must be a list of words"),
        (dict(words=["x", "y"], train_words="xy"), TypeError, "train_words must be a list"),
        (dict(train_words=["x"]), ValueError, "train_words requires words"),
        (dict(sentence_ids=[0.0, np.nan]), ValueError, r"sentence_ids\[1\] = nan"),
        (dict(metric="r2"), ValueError, "metric of a classifier must be one of accuracy"),
        (dict(metric="f1"), ValueError, "'f1' requires 2 classes.*'f1_macro'"),
        (
            dict(n_bootstraps=0),
            ValueError,
            r"'n_bootstraps' parameter .* must be an int in the range \[1, inf\). Got 0",
        ),
        (
            dict(n_bootstraps=1.5),
            TypeError,
            r"'n_bootstraps' parameter .* must be an int in the range \[1, inf\). Got 1.5",
        ),
        (
            dict(confidence=1),
            ValueError,
            r"'confidence' parameter .* must be a float in the range \(0.0, 1.0\). Got 1",
        ),
        (
            dict(estimator=FirstColumnRegressor().fit(), y=[1, 2], metric="accuracy"),
            ValueError,
            "metric of a regressor must be one of r2",
        ),
        (
            dict(estimator=FirstColumnRegressor().fit()),
            TypeError,
            r"y must contain numbers, but y\[0\] = 'a'",
        ),
        (
            dict(estimator=FirstColumnRegressor().fit(), y=[1], X=[[1]]),
            ValueError,
            "require at least 2 samples, got 1",
        ),
    ],
)
def test_errors(changes, error, message):
    given = dict(estimator=FirstColumnClassifier().fit(), X=[[0.0], [1.0]], y=["a", "b"]) | changes
    with pytest.raises(error, match=message):
        probe_report(given.pop("estimator"), given.pop("X"), given.pop("y"), **given)


def test_the_interval_of_a_class_is_that_of_resamples_with_it():
    # Five of forty sentences have the class "b", ten others are predicted as "b".
    y = np.array([*"b" * 5, *"a" * 35])
    X = np.repeat([1, 0], [15, 25])[:, np.newaxis]
    report = probe_report(
        FirstColumnClassifier(classes=("a", "b")).fit(), X, y, sentence_ids=np.arange(40), random_state=0,
        n_bootstraps=20_000, confidence=0.98,
    )  # fmt: skip
    low = report.per_class[1].f1.low
    assert 0 < low < report.per_class[1].f1.value == 1 / 2  # resamples without it are not 0


def test_a_class_in_few_sentences_has_no_interval():
    y = np.array([*"b" * 8, *"a" * 12])
    X = np.repeat([1, 0], [8, 12])[:, np.newaxis]
    probe = FirstColumnClassifier(classes=("a", "b")).fit()
    for n_sentences, is_sure in ((4, False), (5, True)):
        sentences = np.r_[np.arange(8) % n_sentences, np.arange(12) + 10]
        score = probe_report(probe, X, y, sentence_ids=sentences, random_state=0).per_class[1].f1
        assert score.value == 1.0
        assert (score.low is not None) == is_sure


def test_the_most_frequent_mistakes():
    y = np.array([*"aaaaabbbcc"])
    X = np.array([[0, 1, 1, 1, 2, 1, 0, 0, 2, 2]]).T
    report = probe_report(FirstColumnClassifier().fit(), X, y, random_state=0)
    assert report.mistakes() == [("a", "b", 3), ("b", "a", 2), ("a", "c", 1)]
    assert report.mistakes(1) == [("a", "b", 3)]
    numbers = probe_report(FirstColumnRegressor().fit(), X, np.arange(10.0), random_state=0)
    with pytest.raises(
        ValueError,
        match="requires the report of a classifier, but this is the report of a regressor",
    ):
        numbers.mistakes()


def test_a_step_may_work_in_place(classification):
    X, y = classification
    X = 3 * X + 5
    before = X.copy()
    reports = [
        probe_report(
            make_pipeline(StandardScaler(copy=copy), LogisticRegression()).fit(X.copy(), y),
            X,
            y,
            random_state=0,
        )
        for copy in (True, False)
    ]
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(reports[0].probabilities, reports[1].probabilities)


def test_a_report_does_not_change_with_y(classification):
    X, y = classification
    y = y.copy()
    report = probe_report(RidgeClassifier().fit(X, y), X, y, random_state=0)
    y[:] = 0
    assert set(report.labels) == {0, 1, 2}


def test_numbers_stored_as_objects_are_numbers(classification):
    X, y = classification
    probe = RidgeClassifier().fit(X, y)
    expected = probe_report(probe, X, y, random_state=0)
    found = probe_report(probe, X, y.astype(object), random_state=0)
    assert found.to_dict() == expected.to_dict()
