"""A label without training samples in a fold: one warning, and its samples are errors."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    UnseenLabelsWarning,
    ablation_curve,
    audit_corpus,
    layerwise_scores,
    nested_layer_scores,
    selectivity_score,
    transfer_scores,
)

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
Y = np.array(["a", "b", "c"], dtype="U5")[X[:, :3].argmax(1)]
Y[[0, 45]] = "rare", "other"  # in the first and in the last of three folds
FOLDS = KFold(3)
MESSAGE = (
    "In 2 of 3 folds, test samples (2 in total) have labels that were not seen during training: "
    "'other' (fold 2), 'rare' (fold 0). They are scored as errors. Remove rare labels to avoid "
    "this."
)
WORDS = np.tile(np.arange(20), 3)
PAIR = dict(lambdas_l1=[0.01], lambdas_l2=[0.01], solver="owlqn", tol=1e-3, device="cpu")

FUNCTIONS = {
    "layerwise_scores": lambda cv: layerwise_scores(RidgeClassifier(), X, Y, n_layers=2, cv=cv),
    "ablation_curve": lambda cv: ablation_curve(
        RidgeClassifier(), X, Y, ranking=np.arange(4), cv=cv
    ),
    "selectivity_score": lambda cv: selectivity_score(
        RidgeClassifier(), X, Y, WORDS, cv=cv, random_state=0
    ),
    "nested_layer_scores": lambda cv: nested_layer_scores(
        RidgeClassifier(), X, Y, n_layers=2, cv=cv, inner_cv=KFold(2)
    ),
    "audit_corpus": lambda cv: audit_corpus(
        [f"text {i}" for i in range(60)], Y, cv=cv, n_bootstraps=5
    ),
    "transfer_scores": lambda cv: transfer_scores(
        RidgeClassifier(), {"one": (X, Y), "two": (X[60::-1], Y[60::-1])}, cv=cv, n_bootstraps=5
    ),
    "LinearProbeClassifierCV": lambda cv: LinearProbeClassifierCV(**PAIR, cv=cv).fit(X, Y),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_warning_names_label_and_fold(name):
    with pytest.warns(UnseenLabelsWarning) as caught:
        FUNCTIONS[name](FOLDS)
    first = str(caught[0].message)
    assert first == MESSAGE
    assert len(caught) == 1 + (name == "transfer_scores")  # one for each data set


@pytest.mark.parametrize("name", ["layerwise_scores", "nested_layer_scores", "ablation_curve"])
def test_results_list_them(name):
    with pytest.warns(UnseenLabelsWarning):
        found = FUNCTIONS[name](FOLDS)
    assert found.rare_labels == {"other": [2], "rare": [0]}
    if name != "ablation_curve":
        text = found.methods(n_bootstraps=5)
        assert (
            "Labels that are missing in the training set of a fold, 'other' (fold 2), 'rare' (fold "
            "0), are scored as errors." in text
        )


def test_a_search_over_penalties_agrees_with_scikit_learn():
    """GridSearchCV scores the samples as errors, too."""
    options = dict(solver="owlqn", tol=1e-6, device="cpu")
    grid = GridSearchCV(
        LinearProbeClassifier(lambda_l2=0.01, **options), {"lambda_l1": [1e-3, 0.03]}, cv=FOLDS
    )
    ours = LinearProbeClassifierCV(lambdas_l1=[1e-3, 0.03], lambdas_l2=[0.01], cv=FOLDS, **options)
    with pytest.warns(UnseenLabelsWarning):
        grid.fit(X, Y)
    with pytest.warns(UnseenLabelsWarning):
        ours.fit(X, Y)
    for name in ("split0_test_score", "split1_test_score", "split2_test_score"):
        np.testing.assert_array_equal(ours.cv_results_[name], grid.cv_results_[name])
    assert ours.cv_results_["split0_test_score"].max() <= 0.95
    assert ours.classes_.tolist() == ["a", "b", "c", "other", "rare"]


def test_a_weight_of_0_removes_the_training_samples():
    y = np.where(Y == "c", "c", "a")
    weight = np.where((y == "c") & (np.arange(60) >= 20), 0.0, 1.0)
    with pytest.warns(UnseenLabelsWarning, match=r"In 1 of 3 folds.*'c' \(fold 0\)"):
        LinearProbeClassifierCV(**PAIR, cv=FOLDS).fit(X, y, sample_weight=weight)


class TestStratifiedFolds:
    """A number of folds: the warning of scikit-learn would be the second one."""

    def test_a_single_sample(self):
        with pytest.warns(UnseenLabelsWarning, match="'other' .*'rare' ") as caught:
            layerwise_scores(RidgeClassifier(), X, Y, n_layers=2, cv=3)
        assert len(caught) == 1

    def test_two_samples_are_no_problem(self):
        y = np.where(np.isin(Y, ["rare", "other"]), "two", Y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = layerwise_scores(RidgeClassifier(), X, y, n_layers=2, cv=3)
        assert found.rare_labels == {}


class TestASingleLabelInTraining:
    """All samples of the other label are in one test set."""

    Y = np.where(np.arange(60) < 15, "first", "second")
    FOLDS = ((np.arange(20, 60), np.arange(20)), (np.r_[:10, 30:60], np.arange(10, 30)))

    @pytest.mark.parametrize(
        "probe",
        [
            LogisticRegression(),
            LinearProbeClassifier(**dict(max_epochs=20, learning_rate=0.1, random_state=0)),
        ],
        ids=type,
    )
    @pytest.mark.parametrize("scoring", [None, "roc_auc"])
    def test_it_is_predicted(self, probe, scoring):
        folds = self.FOLDS
        with pytest.warns(UnseenLabelsWarning, match=r"'first' \(fold 0\)"):
            found = layerwise_scores(probe, X, self.Y, n_layers=2, cv=folds, scoring=scoring)
        if scoring is None:
            np.testing.assert_array_equal(found.scores[:, 0], 5 / 20)
            np.testing.assert_array_equal(found.baseline_scores, [5 / 20, 15 / 20])
        else:
            np.testing.assert_array_equal(found.scores[:, 0], 0.5)

    def test_it_is_predicted_by_a_search(self):
        folds = self.FOLDS
        with pytest.warns(UnseenLabelsWarning, match=r"'first' \(fold 0\)"):
            found = LinearProbeClassifierCV(**PAIR, cv=folds).fit(X, self.Y)
        np.testing.assert_array_equal(found.cv_results_["split0_test_score"], 5 / 20)

    def test_a_single_label_in_all_samples_is_an_error(self):
        message = "requires at least 2 classes, got 1 class: all 60 samples have the label 'x'"
        y = ["x"] * 60
        with pytest.raises(ValueError, match=f"RidgeClassifier {message}"):
            layerwise_scores(RidgeClassifier(), X, y, n_layers=2)
        with pytest.raises(ValueError, match=f"LinearProbeClassifierCV {message}"):
            LinearProbeClassifierCV().fit(X, y)
        with pytest.raises(ValueError, match=message):
            transfer_scores(RidgeClassifier(), {"one": (X, y), "two": (X, y)})
