"""A label without training samples in a fold: one warning, and its samples are errors."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold

from sklearn_neurox import (
    LayerwiseScoresDisplay,
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    UnseenLabelsWarning,
    ablation_curve,
    audit_corpus,
    layerwise_scores,
    nested_layer_scores,
    selectivity_curve,
    selectivity_score,
    transfer_scores,
)
from sklearn_neurox._results import make_splits

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


@pytest.mark.parametrize(
    "name", ["layerwise_scores", "nested_layer_scores", "ablation_curve", "selectivity_score"]
)
def test_results_list_them(name):
    with pytest.warns(UnseenLabelsWarning):
        found = FUNCTIONS[name](FOLDS)
    assert found.rare_labels == {"other": [2], "rare": [0]}
    if name == "selectivity_score":
        assert "rare labels 'other' (fold 2), 'rare' (fold 0))" in repr(found)
    elif name != "ablation_curve":
        text = found.methods(n_bootstraps=5)
        assert (
            "Labels that are missing in the training set of a fold, 'other' (fold 2), 'rare' (fold "
            "0), are scored as errors." in text
        )


def test_transfer_lists_them():
    with pytest.warns(UnseenLabelsWarning):
        found = FUNCTIONS["transfer_scores"](FOLDS)
    assert found.rare_labels == {
        "one": {"other": [2], "rare": [0]},
        "two": {"other": [0], "rare": [2]},
    }
    assert found.unseen_labels == {}
    text = found.methods()
    assert (
        "In 'one': Labels that are missing in the training set of a fold, 'other' (fold 2)" in text
    )
    y = Y.copy()
    y[y == "rare"] = "a"
    with pytest.warns(UnseenLabelsWarning) as caught:
        found = transfer_scores(
            RidgeClassifier(), {"one": (X, Y), "two": (X, y)}, cv=FOLDS, n_bootstraps=5
        )
    assert found.unseen_labels == {("two", "one"): ["rare"]}
    assert "'rare' of 'one' (missing in 'two')" in str(caught[0].message)


def test_a_selectivity_curve_lists_them():
    with pytest.warns(UnseenLabelsWarning):
        found = selectivity_curve(
            RidgeClassifier(), X, Y, WORDS, param_name="alpha", param_range=[1], cv=FOLDS,
            random_state=0,
        )  # fmt: skip
    assert found.rare_labels == {"other": [2], "rare": [0]}
    assert "'rare' (fold 0)" in repr(found)


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


class TestASingleLabelInATestSet:
    """A metric of ranks is undefined in the fold, which does not count."""

    Y = np.where(X[:, 0] > 0, "a", "b")
    Y[:20] = "a"
    MESSAGE = (
        "The metric 'roc_auc' is undefined in 1 of 3 folds: fold 0. All test samples have one "
        "label: 'a' (fold 0). They are not part of mean scores."
    )

    def run(self, function, *args, **params):
        """Return the result, and check that there is a single warning."""
        with pytest.warns(UndefinedMetricWarning) as caught:
            found = function(LogisticRegression(), X, self.Y, *args, cv=FOLDS, **params)
        assert [str(each.message) for each in caught] == [self.MESSAGE]
        return found

    def areas(self, columns):
        """Areas under the curve in the other two folds."""
        areas = []
        for train, test in list(FOLDS.split(X))[1:]:
            probe = LogisticRegression().fit(X[train][:, columns], self.Y[train])
            decisions = probe.decision_function(X[test][:, columns])
            areas.append(roc_auc_score(self.Y[test] == "b", decisions))
        return areas

    def test_layers(self):
        found = self.run(layerwise_scores, n_layers=2, scoring="roc_auc")
        expected = np.array([self.areas([0, 1]), self.areas([2, 3])])
        assert np.isnan(found.scores[:, 0]).all()
        np.testing.assert_allclose(found.scores[:, 1:], expected)
        np.testing.assert_allclose(found.to_frame()["score"], expected.mean(axis=1))
        np.testing.assert_allclose(found.to_frame()["std"], expected.std(axis=1))
        assert found.best_layer == 0
        assert found.best_layers(n_bootstraps=200, random_state=0) == (0,)
        compared = found.compare(n_bootstraps=200, random_state=0)
        np.testing.assert_allclose([each.value for each in compared.scores], expected.mean(axis=1))
        test = found.permutation_test(n_permutations=99, random_state=0)
        np.testing.assert_allclose(test.scores, expected.mean(axis=1))
        pyplot = pytest.importorskip("matplotlib.pyplot")
        line = LayerwiseScoresDisplay.from_result(found).ax_.lines[0]
        np.testing.assert_allclose(line.get_ydata(), expected.mean(axis=1))
        pyplot.close("all")

    def test_ablation(self):
        found = self.run(
            ablation_curve, ranking=np.arange(4), fractions=[1.0], keep=["top"], scoring="roc_auc"
        )
        assert found.to_frame().loc[4, "top"] == pytest.approx(np.mean(self.areas([0, 1, 2, 3])))

    def test_selectivity(self):
        found = self.run(selectivity_score, WORDS, scoring="roc_auc", random_state=0)
        assert f"task {np.mean(self.areas([0, 1, 2, 3])):.3f}" in repr(found)
        assert f"control {found.control[1:].mean():.3f}" in repr(found)

    def test_nested(self):
        found = self.run(nested_layer_scores, n_layers=2, inner_cv=KFold(2), scoring="roc_auc")
        assert f"mean roc_auc {np.mean(found.scores[1:]):.3f}" in repr(found)
        assert np.isfinite(found.inner_scores).all()

    @pytest.mark.filterwarnings("ignore:Only one class is present")  # of scikit-learn
    @pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss"])
    def test_a_search_over_penalties(self, scoring):
        search = LinearProbeClassifierCV(
            lambdas_l1=[0.01], lambdas_l2=[0.01, 0.1], solver="owlqn", device="cpu", cv=FOLDS,
            scoring=scoring,
        )  # fmt: skip
        with pytest.warns(
            UndefinedMetricWarning, match=f"The metric '{scoring}' is undefined in 1"
        ):
            search.fit(X, self.Y)
        scores = np.array([search.cv_results_[f"split{i}_test_score"] for i in range(3)])
        assert np.isnan(scores[0]).all()
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], scores[1:].mean(axis=0))

    def test_a_metric_that_is_undefined_in_all_folds(self):
        with pytest.warns(UndefinedMetricWarning, match=r"in 2 of 2 folds: .*No scores are left"):
            found = layerwise_scores(
                LogisticRegression(), X, self.Y, n_layers=2, cv=2, scoring=lambda *_: np.nan
            )
        assert found.to_frame()["score"].isna().all()


class TestFewerSamplesOfEachLabelThanFolds:
    """StratifiedKFold refuses such labels."""

    Y = np.repeat(np.arange(20), 3)

    def test_labels_are_spread_over_the_folds(self):
        splits = make_splits(X, self.Y, cv=5, classifier=True, groups=None)
        tested = np.concatenate([test for _, test in splits])
        assert sorted(tested) == list(range(60))
        assert [len(test) for _, test in splits] == [12] * 5
        for _, test in splits:  # no label is in a fold twice, so all are in the training set
            assert len(np.unique(self.Y[test])) == 12
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            layerwise_scores(RidgeClassifier(), X, self.Y, n_layers=2, cv=5)
            LinearProbeClassifierCV(**PAIR, cv=5).fit(X, self.Y)

    def test_single_samples(self):
        with pytest.warns(UnseenLabelsWarning, match="In 5 of 5 folds, test samples .60 in total"):
            found = layerwise_scores(RidgeClassifier(), X, np.arange(60), n_layers=2, cv=5)
        np.testing.assert_array_equal(found.scores, 0)

    def test_other_labels_are_split_as_in_scikit_learn(self):
        y = np.repeat([0, 1], [50, 10])
        expected = list(StratifiedKFold(5).split(X, y))
        splits = make_splits(X, y, cv=5, classifier=True, groups=None)
        for one, other in zip(splits, expected, strict=True):
            np.testing.assert_array_equal(one[1], other[1])

    def test_too_few_samples(self):
        with pytest.raises(ValueError, match="5 folds require at least 5 samples, got 4 samples"):
            layerwise_scores(RidgeClassifier(), X[:4], [0, 0, 1, 1], n_layers=2, cv=5)
