"""Transfer: scores of scikit-learn on each pair of data sets, directions, and overlaps."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import UnseenLabelsWarning, transfer_scores

PROBE = make_pipeline(StandardScaler(), LogisticRegression())


@pytest.fixture(scope="module")
def datasets():
    """Three data sets with the same label in neuron 0, which the third encodes in neuron 1 too."""
    rng = np.random.RandomState(0)
    made = {}
    for name, n in [("films", 90), ("books", 120), ("names", 60)]:
        y = np.array(["no", "yes"])[rng.randint(2, size=n)]
        X = rng.normal(size=(n, 5)) * [1, 3, 1, 1, 0.1]
        X[:, 0] += 1.5 * (y == "yes")
        X[:, 1] += 9 * (y == "yes") * (name == "names")
        made[name] = X, y, np.arange(n) // 3
    return made


def test_scores_are_those_of_scikit_learn(datasets):
    result = transfer_scores(PROBE, datasets, leave_one_out=True, random_state=0)
    assert result.sources == ("films", "books", "names", "all others")
    for target, (X, y, groups) in datasets.items():
        for source, (X_train, y_train, _) in datasets.items():
            if source == target:
                predicted = cross_val_predict(PROBE, X, y, cv=GroupKFold(5), groups=groups)
                expected = (predicted == y).mean()
            else:
                expected = clone(PROBE).fit(X_train, y_train).score(X, y)
            score = result.scores[source, target]
            assert score.value == pytest.approx(expected)
            assert score.low <= score.value <= score.high
        others = [each[:2] for name, each in datasets.items() if name != target]
        left_out = clone(PROBE).fit(*map(np.concatenate, zip(*others, strict=True)))
        assert result.scores["all others", target].value == pytest.approx(left_out.score(X, y))
    frame = result.to_frame()
    assert len(frame) == 12
    assert frame.loc[("films", "names"), "n_groups"] == 20
    assert result.values.shape == (4, 3)
    assert repr(result).startswith("TransferScores(3 data sets, mean accuracy: within 0.")


def test_auc_is_that_of_scikit_learn(datasets):
    two = {name: (X, y) for name, (X, y, _) in datasets.items() if name != "names"}
    result = transfer_scores(PROBE, two, metric="roc_auc", cv=KFold(4), random_state=0)
    X, y = two["books"]
    decisions = clone(PROBE).fit(*two["films"]).decision_function(X)
    assert result.scores["films", "books"].value == pytest.approx(roc_auc_score(y, decisions))
    held_out = cross_val_predict(PROBE, X, y, cv=KFold(4), method="decision_function")
    assert result.scores["books", "books"].value == pytest.approx(roc_auc_score(y, held_out))


@pytest.mark.parametrize("is_scaled", [False, True])
def test_cosines_are_those_of_the_weights_for_x(datasets, is_scaled):
    probe = PROBE if is_scaled else LogisticRegression()
    result = transfer_scores(probe, datasets, random_state=0)
    gradients, parts = [], []
    for X, y, _ in datasets.values():
        fitted = clone(probe).fit(X, y)
        origin = fitted.decision_function(np.zeros((1, 5)))
        gradients.append(fitted.decision_function(np.eye(5)) - origin)
        parts.append(X - X.mean(axis=0))
    for i in range(3):
        for j in range(3):
            a, b = gradients[i], gradients[j]
            cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            assert result.cosine[i, j] == pytest.approx(cosine)
            both = parts[i] if i == j else np.concatenate([parts[i], parts[j]])
            correlation = np.corrcoef(both @ a, both @ b)[0, 1]
            assert result.mahalanobis_cosine[i, j] == pytest.approx(correlation)
    assert result.cosine[0, 1] > 0.5 > abs(result.cosine[0, 2])


def test_several_classes_and_models_without_weights(datasets):
    rng = np.random.RandomState(0)
    several = {name: (rng.normal(size=(60, 4)), np.arange(60) % 3) for name in "ab"}
    result = transfer_scores(LogisticRegression(), several, random_state=0)
    coefs = [LogisticRegression().fit(*each).coef_ for each in several.values()]
    unit = [coef / np.linalg.norm(coef, axis=1, keepdims=True) for coef in coefs]
    assert result.cosine[0, 1] == pytest.approx((unit[0] * unit[1]).sum(axis=1).mean())
    result = transfer_scores(KNeighborsClassifier(), datasets)
    assert result.cosine is None
    assert "cosine" not in result.to_frame()


def test_overlaps(datasets):
    texts = {
        name: [f"{name} {word} of a text with number {i}" for i, word in enumerate(each[1])]
        for name, each in datasets.items()
    }
    texts["books"][:30] = [text.upper() for text in texts["films"][:30]]
    result = transfer_scores(PROBE, datasets, texts=texts, threshold=1.0, shared_groups=True)
    assert result.text_overlap[0, 1] == pytest.approx(30 / 120)  # of the books
    assert result.text_overlap[1, 0] == pytest.approx(30 / 90)
    assert result.text_overlap[2, 0] == 0
    assert np.isnan(np.diag(result.text_overlap)).all()
    assert result.group_overlap[2, 1] == pytest.approx(60 / 120)  # groups 0 to 19 of 40
    assert "text_overlap" in result.to_frame()
    text = result.methods(sample="prompt", group="topic")
    assert "up to 33.3% of the prompts of a data set have a copy" in text
    assert "Bootstrap over topics" in text
    html = result._repr_html_()
    assert html.count("<table>") == 5


def test_comparison_of_the_training_sets(datasets):
    result = transfer_scores(PROBE, datasets, random_state=0)
    comparison = result.compare("names", random_state=0)
    assert [pair[:2] for pair in comparison.pairs] == [("names", "films"), ("names", "books")]
    difference = result.scores["names", "names"].value - result.scores["films", "names"].value
    assert comparison.pairs[0].difference.value == pytest.approx(difference)
    assert comparison.pairs[0].p_value < 0.05
    with pytest.raises(ValueError, match="name must be one of films, books, names"):
        result.compare("songs")


def test_numbers():
    rng = np.random.RandomState(0)
    made = {}
    for name in "ab":
        X = rng.normal(size=(80, 3))
        made[name] = X, X[:, 0] + 0.1 * rng.normal(size=80)
    result = transfer_scores(Ridge(), made, random_state=0)
    assert result.metric == "r2"
    X, y = made["b"]
    expected = Ridge().fit(*made["a"]).score(X, y)
    assert result.scores["a", "b"].value == pytest.approx(expected)
    assert result.cosine[0, 1] > 0.99


def test_labels_that_a_data_set_does_not_have(datasets):
    X, y, _ = datasets["films"]
    other = {"films": (X, y), "more": (X, np.where(np.arange(90) < 20, "maybe", y))}
    with pytest.warns(
        UnseenLabelsWarning, match=r"do not have: 'maybe' of 'more' \(missing in 'films'\)"
    ):
        result = transfer_scores(RidgeClassifier(), other)
    assert result.unseen_labels == {("films", "more"): ["maybe"]}
    assert result.rare_labels == {}
    assert "Labels that are missing in the training set, 'maybe' of 'more'" in result.methods()
    predicted = RidgeClassifier().fit(X, y).predict(X)
    expected = (predicted == other["more"][1]).mean()
    assert result.scores["films", "more"].value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda d: [*d.values()], TypeError, "datasets must be a dict of names"),
        (lambda d: {"a": d["films"]}, ValueError, "at least 2 data sets, got 1"),
        (lambda d: {"a": d["films"], 2: d["books"]}, TypeError, "must be strings, got 2"),
        (lambda d: {"a": d["films"], "b": d["books"][0]}, TypeError, "'b' must be a tuple"),
        (
            lambda d: {"a": d["films"], "b": (d["books"][0][:, 1:], d["books"][1])},
            ValueError,
            "'a' has 5 and 'b' has 4",
        ),
        (lambda d: {"a": d["films"], "all others": d["books"]}, ValueError, "Choose another name"),
        (
            lambda d: {"a": d["films"], "b": (d["books"][0], np.arange(120) % 2)},
            TypeError,
            "The labels of 'b'",
        ),
        (
            lambda d: {"a": d["films"], "b": (d["books"][0], d["books"][1][:9])},
            ValueError,
            "inconsistent numbers of samples",
        ),
    ],
)
def test_errors(datasets, change, error, message):
    with pytest.raises(error, match=message):
        transfer_scores(PROBE, change(datasets))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cv": ShuffleSplit(3, random_state=0)}, "exactly one fold of cv"),
        ({"texts": {"films": []}}, "texts must be a dict with the texts of each data set"),
        ({"metric": "rmse"}, "metric must be one of"),
        ({"n_bootstraps": 0}, "'n_bootstraps' parameter"),
    ],
)
def test_errors_of_options(datasets, options, message):
    without = {name: each[:2] for name, each in datasets.items()}
    with pytest.raises(ValueError, match=message):
        transfer_scores(PROBE, without, **options)
    with pytest.raises(ValueError, match="requires groups, but 'films' has none"):
        transfer_scores(PROBE, without, shared_groups=True)
