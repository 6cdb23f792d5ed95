"""Scorers: one number, by a name of NeuroX or of scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics
from sklearn import config_context
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import compute_score, get_scorer, layerwise_scores

OF_LABELS = ["accuracy", "f1", "accuracy_and_f1", "matthews_corrcoef"]
OF_NUMBERS = ["pearson", "spearman", "pearson_and_spearman"]


@pytest.mark.parametrize("metric", OF_LABELS)
def test_scorers_of_labels_in_a_search(metric):
    X, y = load_iris(return_X_y=True)
    y = (y == 2).astype(int)
    search = GridSearchCV(RidgeClassifier(), {"alpha": [1e-3, 1e5]}, scoring=get_scorer(metric))
    search.fit(X, y)
    assert search.best_params_ == {"alpha": 1e-3}
    fitted = RidgeClassifier().fit(X, y)
    assert get_scorer(metric)(fitted, X, y) == compute_score(y, fitted.predict(X), metric)


@pytest.mark.parametrize("metric", OF_NUMBERS)
def test_scorers_of_numbers_in_a_search(metric):
    X, y = load_diabetes(return_X_y=True)
    estimator = make_pipeline(StandardScaler(), Ridge())
    grid = {"ridge": [Ridge(1.0), DummyRegressor()]}  # the latter is constant
    search = GridSearchCV(estimator, grid, scoring=get_scorer(metric)).fit(X, y)
    assert search.best_index_ == 0
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"][1], 0.0)


def test_other_names_are_those_of_scikit_learn():
    X, y = load_iris(return_X_y=True)
    ours = get_scorer("f1", average="macro")
    scores = [cross_val_score(RidgeClassifier(), X, y, scoring=s) for s in (ours, "f1_macro")]
    np.testing.assert_array_equal(*scores)
    theirs = get_scorer("balanced_accuracy")
    assert theirs(RidgeClassifier().fit(X, y), X, y) > 0.8


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize(
    "labels", [["NOUN", "VERB"], [2, 5], [0, 1], [False, True], ["a", "b", "c"]], ids=str
)
def test_averages_for_any_classes(labels, average):
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.tile(labels, 60 // len(labels))
    fitted = LogisticRegression().fit(X, y)
    expected = f1_score(y, fitted.predict(X), average=average)
    assert get_scorer("f1", average=average)(fitted, X, y) == expected
    mean = get_scorer("accuracy_and_f1", average=average)
    assert mean(fitted, X, y) == pytest.approx((fitted.score(X, y) + expected) / 2)
    scores = [
        layerwise_scores(LogisticRegression(), X, y, layers=(0, 1), scoring=scoring).scores
        for scoring in (get_scorer("f1", average=average), f"f1_{average}")
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("metric", ["f1", "accuracy_and_f1"])
def test_the_positive_class_is_required_for_other_classes(metric):
    X, y = np.random.default_rng(0).normal(size=(60, 4)), ["NOUN", "VERB"] * 30
    with pytest.raises(
        ValueError,
        match=r"pos_label must be one of the labels \['NOUN', 'VERB'\], got 1. .* F1 is that of "
        "this class. Pass pos_label, or average='macro'",
    ):
        layerwise_scores(LogisticRegression(), X, y, layers=(0, 1), scoring=get_scorer(metric))
    scorer, fitted = get_scorer(metric, pos_label="VERB"), LogisticRegression().fit(X, y)
    expected = compute_score(y, fitted.predict(X), metric, pos_label="VERB")
    assert scorer(fitted, X, y) == expected


def test_weights_are_routed():
    X, y = np.random.RandomState(0).normal(size=(60, 3)), np.tile([0, 1, 1], 20)
    weight = np.random.RandomState(1).uniform(size=60)
    with config_context(enable_metadata_routing=True):
        probe = LogisticRegression().set_fit_request(sample_weight=False)
        found = [
            cross_validate(
                probe,
                X,
                y,
                scoring=scorer.set_score_request(sample_weight=True),
                params={"sample_weight": weight},
                cv=3,
            )["test_score"]
            for scorer in (get_scorer("accuracy"), sklearn.metrics.get_scorer("accuracy"))
        ]
    np.testing.assert_allclose(*found)


def test_unknown_names():
    with pytest.raises(
        ValueError, match=r"Unknown scorer 'rouge'. The metrics of NeuroX are accuracy, f1"
    ):
        get_scorer("rouge")
    with pytest.raises(TypeError, match=r"'f1' has the options average, .*, got beta"):
        get_scorer("f1", beta=2)
    with pytest.raises(TypeError, match="'r2' of scikit-learn does not have options, got a"):
        get_scorer("r2", a=1)
    with pytest.raises(TypeError, match="name must be a string, got NoneType"):
        get_scorer(None)


@pytest.mark.parametrize("scoring", [["accuracy", "f1_macro"], {"a": "accuracy"}], ids=type)
def test_there_is_one_metric(classification, function, untouched, scoring):
    with pytest.raises(ValueError, match="scoring must be one metric, a name or a callable"):
        function(untouched, *classification, scoring=scoring)


def test_the_estimator_must_predict(classification, function):
    with pytest.raises(TypeError, match="but PCA does not have the method predict"):
        function(PCA(), *classification)


def test_a_misspelled_name_is_corrected(classification, function, untouched):
    with pytest.raises(ValueError, match=r"Unknown scorer 'acuracy'\. Did you mean 'accuracy'"):
        function(untouched, *classification, scoring="acuracy")


def test_a_search_has_its_own_metric(classification):
    X, _ = classification
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}, scoring="neg_mean_squared_error", cv=2)
    result = layerwise_scores(make_pipeline(search), X, X[:, 0], n_layers=3, cv=2)
    assert result.metric == "neg_mean_squared_error"
    search.set_params(scoring=lambda *args: 0.0)
    assert layerwise_scores(search, X, X[:, 0], n_layers=3, cv=2).metric == "score"


def test_metrics_of_neurox_have_names(classification):
    X, _ = classification
    by_name = layerwise_scores(Ridge(), X, X[:, 0], n_layers=3, cv=2, scoring="pearson")
    by_scorer = layerwise_scores(
        Ridge(), X, X[:, 0], n_layers=3, cv=2, scoring=get_scorer("pearson")
    )
    np.testing.assert_array_equal(by_name.scores, by_scorer.scores)
    assert by_name.metric == "pearson"


def test_a_scorer_that_does_not_fit_the_baseline_fails_first(classification, untouched):
    def score(estimator, X, y):
        return float(estimator.decision_function(X)[0, 0])

    with pytest.raises(AttributeError, match="DummyClassifier"):
        layerwise_scores(untouched, *classification, n_layers=3, scoring=score)
