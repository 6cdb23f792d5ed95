"""Results of other estimators: rankings, weights, predictions, folds and scores."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import KFold

import sklearn_neurox as snx
from sklearn_neurox._results import check_permutation, check_score, check_splits

RNG = np.random.RandomState(0)
Y = np.arange(60) % 3
X = RNG.normal(size=(60, 6))
X[:, 4] += Y
X[:, 5] -= 2 * Y


class Fitted(ClassifierMixin, BaseEstimator):
    """A classifier whose fitted attributes and predictions are given."""

    def __init__(self, attributes=None, predictions=None, probabilities=None):
        self.attributes = attributes
        self.predictions = predictions
        self.probabilities = probabilities

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        for name, value in (self.attributes or {}).items():
            setattr(self, name, value)
        return self

    def predict(self, X):
        return self.predictions

    def predict_proba(self, X):
        shape = (len(X), len(self.classes_))
        return np.full(shape, 1 / 3) if self.probabilities is None else self.probabilities


class TestRankings:
    def test_ranks_are_an_error(self):
        rfe = RFE(LogisticRegression(), n_features_to_select=1)
        with pytest.raises(ValueError, match=r"ranking_ of RFE must .* It appears to contain the"):
            snx.ablation_curve(RidgeClassifier(), X, Y, ranking=rfe, fractions=[0.2])
        with pytest.raises(ValueError, match="Use a selector whose ranking_ is np"):
            snx.ablation_curve(RidgeClassifier(), X, Y, ranking=rfe, fractions=[0.2])
        with pytest.raises(ValueError, match=r"best one. np.argsort\(ranks, kind='stable'\) conv"):
            snx.ablation_curve(RidgeClassifier(), X, Y, ranking=rfe.fit(X, Y).ranking_)
        # The advice is right: the ranks of the two informative neurons are 1 and 2.
        ranking = np.argsort(rfe.fit(X, Y).ranking_, kind="stable")
        assert set(ranking[:2]) == {4, 5}
        assert check_permutation(ranking, 6, name="ranking").tolist() == ranking.tolist()

    @pytest.mark.parametrize(
        "ranking",
        [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 4], [0.0, 1, 2, 3, 4, 5], np.eye(6), None, ["a"] * 6],
        ids=str,
    )
    def test_other_arrays_are_an_error(self, ranking):
        estimator = Fitted({"ranking_": ranking})
        with pytest.raises(ValueError, match="ranking_ of Fitted must contain each of the 6"):
            snx.ablation_curve(RidgeClassifier(), X, Y, ranking=estimator)
        with pytest.raises(
            TypeError,
            match=r"'other' \(Fitted\) does not have a valid ranking_ after fit\. ranking_ of Fitted",
        ):
            snx.VotingSelector([("other", estimator)]).fit(X, Y)

    @pytest.mark.parametrize(
        "ranking",
        [snx.mean_difference_scores(X, Y), [[0, 1], [2]], (np.arange(6), np.arange(3))],
        ids=["scores", "lists", "arrays"],
    )
    def test_arrays_of_different_shapes_are_no_ranking(self, ranking):
        message = " must contain each of the 6 neurons once, .* lists of different shapes"
        with pytest.raises(ValueError, match=message):
            snx.ablation_curve(RidgeClassifier(), X, Y, ranking=ranking)
        with pytest.raises(ValueError, match=f"{message}.*converts scores"):
            snx.ablation_curve(
                RidgeClassifier(), X, Y, ranking=Fitted({"ranking_": ranking}), fractions=[0.5]
            )

    def test_a_ranking_may_be_a_tensor(self):
        assert check_permutation(torch.tensor([1, 0]), 2, name="ranking").tolist() == [1, 0]


@pytest.mark.parametrize(
    ("coef", "error", "message"),
    [
        ([[1.0] * 5 + [np.nan]], ValueError, r"coef_ of Fitted .* coef_\[0, 5\] = nan"),
        ([["1"] * 6], TypeError, "coef_ of Fitted must contain rows of numbers"),
        (np.ones((3, 1, 6)), TypeError, r"got an array of shape \(3, 1, 6\)"),
        (np.ones((3, 5)), ValueError, "has weights for 5 neurons, but X has 6"),
        (None, TypeError, "coef_ of Fitted must contain rows of numbers"),
    ],
    ids=str,
)
def test_weights_that_cannot_rank_neurons(coef, error, message):
    with pytest.raises(error, match=message):
        snx.WeightMassSelector(Fitted({"coef_": coef})).fit(X, Y)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predictions": Y[:-1]}, "one prediction for each of the 60 samples, got 59"),
        ({"predictions": [*Y[:-1], np.nan]}, r"predict\(X\)\[59\] = nan"),
        ({"predictions": [None] * 60}, r"predict\(X\)\[0\] = None"),
        ({"predictions": Y > 0}, r"predict\(X\) contains labels that were not seen.* False"),
        ({"predictions": Y + 1}, r"predict\(X\) contains labels that were not seen.* 3 \(20 "),
        ({"probabilities": np.full((60, 3), np.nan)}, "non-negative probabilities that sum to 1"),
        ({"probabilities": np.full((60, 2), 0.5)}, r"\(60, 3\), got shape \(60, 2\)"),
        ({"attributes": {"classes_": [0, 1, 1]}}, "classes_ of Fitted must be distinct"),
        ({"attributes": {"classes_": [0, 1, None]}}, "classes_ of Fitted must contain labels of"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_predictions_that_cannot_be_scored(changes, message):
    probe = Fitted(**{"predictions": Y} | changes).fit(X, Y)
    with pytest.raises((TypeError, ValueError), match=message):
        snx.probe_report(probe, X, Y)


class Predictor(Fitted):
    """A classifier whose predictions are computed from the number of samples."""

    def predict(self, X):
        return self.predictions(len(X))


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (lambda n: None, r"predict\(X\) must be a list with one entry per sample, got None"),
        (lambda n: np.zeros(n - 1, int), r"predict\(X\) must contain one prediction for each of"),
        (lambda n: np.array(["a"] * n), r"predict\(X\) contains string labels, but the classes"),
        (lambda n: np.full(n, np.nan), r"predict\(X\) must not contain NaN or infinity"),
        (lambda n: np.zeros((n, 2)), r"predict\(X\) must have shape \(n_samples,\), got \("),
        (lambda n: [None] * n, r"predict\(X\)\[0\] = None"),
    ],
    ids=["none", "short", "strings", "nan", "columns", "nones"],
)
@pytest.mark.parametrize(
    "evaluate",
    [
        lambda probe: snx.layerwise_scores(probe, X, Y, n_layers=2),
        lambda probe: snx.ablation_curve(probe, X, Y, ranking=np.arange(6)),
        lambda probe: snx.selectivity_score(probe, X, Y, np.arange(60) % 4, random_state=0),
    ],
    ids=["layers", "ablation", "selectivity"],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_predictions_that_no_scorer_accepts(evaluate, predict, message):
    with pytest.raises((TypeError, ValueError), match=message):
        evaluate(Predictor(predictions=predict))


def test_other_errors_of_scorers_are_unchanged():
    def scoring(estimator, X, y):
        raise ValueError("no score")

    with pytest.raises(ValueError, match=r"^no score$"):
        snx.layerwise_scores(RidgeClassifier(), X, Y, n_layers=2, scoring=scoring)


@pytest.mark.parametrize(
    "score", [{"a": 1.0}, None, np.ones(2), "0.5", [0.5], 1j], ids=lambda s: type(s).__name__
)
@pytest.mark.parametrize(
    "evaluate",
    [
        lambda scoring: snx.layerwise_scores(RidgeClassifier(), X, Y, n_layers=2, scoring=scoring),
        lambda scoring: snx.ablation_curve(
            RidgeClassifier(), X, Y, ranking=np.arange(6), scoring=scoring
        ),
        lambda scoring: snx.selectivity_score(
            RidgeClassifier(), X, Y, np.arange(60) % 4, random_state=0, scoring=scoring
        ),
        lambda scoring: snx.LinearProbeClassifierCV(
            lambdas_l1=[0], lambdas_l2=[0.1], scoring=scoring, max_epochs=1, device="cpu"
        ).fit(X, Y),
    ],
    ids=["layers", "ablation", "selectivity", "cv"],
)
def test_a_score_is_a_number(evaluate, score):
    with pytest.raises(ValueError, match=r"scoring must return a number, got"):
        evaluate(lambda estimator, X, y: score)


def test_scores_become_floats():
    for score in (1, True, np.float32(1), np.ones(1), np.array(1.0), torch.tensor(1.0)):
        assert type(check_score(score)) is float
        assert check_score(score) == 1.0
    assert np.isnan(check_score(np.nan))


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (np.ma.masked, "The score must not have masked values"),
        (np.ma.array([1.0], mask=[True]), "The score must not have masked values"),
        (10**400, "scoring must return a number that fits into a float"),
        (Fraction(10**400, 3), "scoring must return a number that fits into a float"),
        (torch.empty((), device="meta"), "The score must be dense and have values"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_scores_that_are_not_floats(score, message):
    with pytest.raises((TypeError, ValueError), match=message):
        snx.layerwise_scores(RidgeClassifier(), X, Y, n_layers=2, cv=3, scoring=lambda *args: score)
    with pytest.raises((TypeError, ValueError), match=message):
        snx.LinearProbeClassifierCV(
            cv=3, scoring=lambda *args: score, max_epochs=1, device="cpu"
        ).fit(X, Y)


class TestFolds:
    @pytest.mark.parametrize(
        ("fold", "message"),
        [
            (([0, 1], [60]), "from 0 to 59, but fold 0 does not: index 60 is out of bounds"),
            (([0, 1], []), "Fold 0 of cv does not have any test samples"),
            ((np.zeros(60, bool), [1]), "Fold 0 of cv does not have any training samples"),
            (([0.5], [1]), "Each fold of cv must contain the indices"),
        ],
        ids=str,
    )
    def test_invalid_folds(self, fold, message):
        with pytest.raises(ValueError, match=message):
            snx.layerwise_scores(RidgeClassifier(), X, Y, n_layers=2, cv=[fold])
        with pytest.raises(ValueError, match=message):
            snx.LinearProbeClassifierCV(cv=[fold], device="cpu").fit(X, Y)

    def test_masks_become_indices(self):
        mask = np.arange(4) < 3
        ((train, test),) = check_splits([(mask, ~mask)], 4, cv=2)
        assert (train.tolist(), test.tolist()) == ([0, 1, 2], [3])

    def test_a_group_is_not_split(self):
        groups = np.repeat(["a", "b", "c"], 20)
        with pytest.raises(ValueError, match=r"Fold \d of cv splits the group 'a' between"):
            snx.layerwise_scores(
                RidgeClassifier(),
                X,
                Y,
                n_layers=2,
                groups=groups,
                cv=list(KFold(5, shuffle=True, random_state=0).split(X)),
            )

    @pytest.mark.parametrize("missing", [None, np.nan])
    def test_groups_are_labels(self, missing):
        groups = [missing, *["a", "b"] * 29, "c"]
        for evaluate in (
            lambda: snx.layerwise_scores(RidgeClassifier(), X, Y, n_layers=2, groups=groups),
            lambda: snx.codelength(snx.GaussianProbeClassifier(), X, Y, groups=groups),
            lambda: snx.LinearProbeClassifierCV(device="cpu").fit(X, Y, groups=groups),
        ):
            with pytest.raises((TypeError, ValueError), match=r"groups must .*groups\["):
                evaluate()


class OnlyFor(RidgeClassifier):
    """A classifier that can only be trained on these labels."""

    def __init__(self, labels=()):
        super().__init__()
        self.labels = labels

    def fit(self, X, y):
        if list(y) != list(self.labels):
            raise ValueError("other labels")
        return super().fit(X, y)


@pytest.mark.filterwarnings("ignore:In 1 of 1 folds")
class TestPlacesOfErrors:
    """An error of a fold says for which of the data it occurred."""

    Y = np.array([0, 1] * 6)
    CV = ((np.arange(8), np.arange(8, 12)),)

    def test_the_control_task(self):
        task = snx.make_control_task(np.arange(12), self.Y, random_state=0)
        for control, name in ((task, ""), ({"types": task}, " 'types'")):
            with pytest.raises(ValueError, match="other labels") as error:
                snx.layerwise_scores(
                    OnlyFor([0, 1] * 4), X[:12], self.Y, n_layers=2, cv=self.CV, control=control
                )
            expected = f"in fold 0, for the random labels of the control task{name}."
            assert error.value.__notes__ == [f"The error occurred {expected}"]

    def test_selectivity(self):
        with pytest.raises(ValueError, match="other labels") as error:
            snx.selectivity_score(
                OnlyFor([0, 1] * 4), X[:12], self.Y, np.arange(12), random_state=0, cv=self.CV
            )
        (note,) = error.value.__notes__
        assert note.endswith("in fold 0, for the random labels of the control task.")
