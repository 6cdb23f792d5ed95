"""Promises of the searches, each of which a small change of the code once broke unseen."""

import numpy as np
import pytest
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
)
from sklearn_neurox.probes import _linear_probe_cv
from sklearn_neurox.probes._second_moments import Moments

RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)
NUMBERS = X @ RNG.normal(size=8) + RNG.normal(size=150)
WEIGHT = RNG.uniform(0.2, 3, size=150)
FAST = dict(max_epochs=3, random_state=0, device="cpu")
SEARCH = dict(lambdas_l1=[0], lambdas_l2=[0], cv=2)


def search(**params):
    return LinearProbeClassifierCV(**(SEARCH | FAST | params))


class TestFoldsOfMoments:
    """A regression by owlqn takes a fold's training words as all words less the held-out ones."""

    OPTIONS = dict(solver="owlqn", l2_penalty="squared", tol=1e-8, device="cpu")

    def assert_scores_are_those_of_fits(self, X, folds, sample_weight=None):
        found = LinearProbeRegressorCV(
            lambdas_l1=[0.01], lambdas_l2=[0.1], cv=folds, **self.OPTIONS
        ).fit(X, NUMBERS, sample_weight)
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        for fold, (train, test) in enumerate(folds):
            probe = LinearProbeRegressor(lambda_l1=0.01, lambda_l2=0.1, **self.OPTIONS)
            probe.fit(X[train], NUMBERS[train], weight[train])
            np.testing.assert_allclose(
                found.cv_results_[f"split{fold}_test_score"][0],
                probe.score(X[test], NUMBERS[test], weight[test]),
                atol=1e-6,
            )

    @pytest.mark.parametrize("train", ["the rest", "part of the rest", "repeated"])
    def test_training_words_that_are_not_the_rest(self, train):
        folds = [
            {
                "the rest": (rest, test),
                "part of the rest": (rest[::2], test),
                "repeated": (np.concatenate([rest, rest[:40]]), test),
            }[train]
            for rest, test in KFold(3).split(X)
        ]
        self.assert_scores_are_those_of_fits(X, folds)

    @pytest.mark.parametrize("size", [1e6, 1e9, 1e100])
    def test_words_without_weight_may_hold_anything(self, size):
        weight = np.where(np.arange(150) % 10, WEIGHT, 0)
        far = np.where(weight[:, None] > 0, X, size)
        self.assert_scores_are_those_of_fits(far, list(KFold(3).split(X)), weight)

    def test_a_neuron_that_only_held_out_words_move(self):
        """What is left of its variance is the rounding of theirs."""
        train, test = np.arange(50, 150), np.arange(50)
        moved = np.c_[X, np.where(np.arange(150) < 50, 1e7 * X[:, 0], 0)]
        found = LinearProbeRegressorCV(lambdas_l1=[0], lambdas_l2=[0], cv=KFold(3), **self.OPTIONS)
        scores = found.fit(moved, NUMBERS).cv_results_["split0_test_score"]
        probe = LinearProbeRegressor(**self.OPTIONS).fit(moved[train], NUMBERS[train])
        np.testing.assert_allclose(scores, probe.score(moved[test], NUMBERS[test]), atol=1e-6)

    def test_constant_neurons_are_no_reason_to_read_the_words_again(self, monkeypatch):
        read, of = [], Moments.of

        def count(words, *args):
            read.append(len(words))
            return of(words, *args)

        monkeypatch.setattr(Moments, "of", count)
        constant = np.c_[X, np.full(150, 0.1), np.full(150, 1e9), np.zeros(150)]
        self.assert_scores_are_those_of_fits(constant, list(KFold(3).split(X)))
        assert read == [50] * 3 + [150] + [100] * 3  # the search, and the fits to compare with


class TestScores:
    def test_one_that_is_nan_comes_last_and_is_warned_of(self):
        def score(probe, X, y):
            return np.nan if probe.lambda_l1 == 0 else -probe.lambda_l1

        one = search(lambdas_l1=[0, 0.1, 0.01], scoring=score)
        with pytest.warns(UserWarning, match="Scores of 2 fits are not finite"):
            one.fit(X, Y)
        assert one.cv_results_["rank_test_score"].tolist() == [3, 2, 1]
        assert one.lambda_l1_ == 0.01

    @pytest.mark.parametrize("score", [None, {"a": 1.0}, "0.5"])
    def test_they_are_numbers(self, score):
        with pytest.raises(ValueError, match="scoring must return a number, got"):
            search(scoring=lambda *_: score).fit(X, Y)

    @pytest.mark.parametrize("scoring", [None, "accuracy"])
    def test_of_a_fitted_search_take_weights(self, scoring):
        one = search(scoring=scoring).fit(X, Y)
        weight = np.where(one.predict(X) == Y, 1.0, 3.0)
        expected = accuracy_score(Y, one.predict(X), sample_weight=weight)
        np.testing.assert_allclose(one.score(X, Y, weight), expected)

    @pytest.mark.parametrize("scoring", [None, "accuracy"])
    def test_without_a_refit_there_is_none_of_the_search(self, scoring):
        one = search(scoring=scoring, refit=False).fit(X, Y)
        with pytest.raises(AttributeError, match="fitted with refit=False: it has scores"):
            one.score(X, Y)


class TestResults:
    def test_the_refit_takes_the_weights(self):
        one = search(lambdas_l1=[0.01]).fit(X, Y, sample_weight=WEIGHT)
        plain = LinearProbeClassifier(lambda_l1=0.01, **FAST).fit(X, Y, sample_weight=WEIGHT)
        np.testing.assert_allclose(one.coef_, plain.coef_)

    def test_zero_shares(self):
        one = search(lambdas_l1=[0, 1e9], cv=3, solver="owlqn").fit(X, Y)
        np.testing.assert_array_equal(one.zero_shares_, [[0, 0, 0], [1, 1, 1]])

    def test_nothing_of_an_earlier_fit_stays(self):
        one = search().fit(X, Y)
        one.set_params(refit=False).fit(X, Y)
        assert not [name for name in ("coef_", "n_iter_", "net_") if hasattr(one, name)]

    def test_times_are_shares_of_what_was_spent(self, monkeypatch):
        train = _linear_probe_cv._train
        monkeypatch.setattr(_linear_probe_cv, "_train", lambda *a: (train(*a)[0], 1000.0))
        results = search(lambdas_l1=[0, 1e-3]).fit(X, Y).cv_results_
        np.testing.assert_allclose(results["mean_fit_time"], 1000 / 2)
        assert (results["mean_score_time"] < 100).all()

    def test_times_of_all_jobs_are_added_up(self, monkeypatch):
        train = _linear_probe_cv._train

        def timed(probes, *args):
            return train(probes, *args)[0], 10.0 if probes[0].lambda_l1 == 0 else 1.0

        def in_this_process(**_):
            return lambda jobs: (job(*args, **params) for job, args, params in jobs)

        monkeypatch.setattr(_linear_probe_cv, "_train", timed)
        monkeypatch.setattr(_linear_probe_cv, "Parallel", in_this_process)
        results = search(lambdas_l1=[0, 1], n_jobs=2).fit(X, Y).cv_results_
        np.testing.assert_allclose(results["mean_fit_time"], 11 / 2)

    def test_verbose_tells_of_each_fold(self, capsys):
        search(verbose=1).fit(X, Y)
        lines = capsys.readouterr().out.splitlines()
        assert [line.partition(": 1 pairs")[0] for line in lines] == [
            "[LinearProbeClassifierCV] fold 1 of 2", "[LinearProbeClassifierCV] fold 2 of 2"
        ]  # fmt: skip


class TestFolds:
    def test_negative_weights_are_refused_before_any_training(self, monkeypatch):
        def never(*_):
            raise AssertionError("trained")

        monkeypatch.setattr(_linear_probe_cv, "_train", never)
        with pytest.raises(ValueError, match="Negative values"):
            search().fit(X, Y, np.r_[-1, np.ones(149)])

    @pytest.mark.filterwarnings("ignore:.* labels that training had not")
    def test_a_class_without_any_weight_is_no_class(self):
        weight = (Y != 1).astype(float)
        options = dict(solver="owlqn", lambda_l2=0.01, tol=1e-8)
        grid = GridSearchCV(
            LinearProbeClassifier(**options), {"lambda_l1": [0.01, 0.1]}, cv=KFold(3)
        ).fit(X, Y, sample_weight=weight)
        one = LinearProbeClassifierCV(
            lambdas_l1=[0.01, 0.1], lambdas_l2=[0.01], cv=KFold(3), solver="owlqn", tol=1e-8
        ).fit(X, Y, sample_weight=weight)
        assert len(one.classes_) == 2
        np.testing.assert_allclose(
            one.score(X, Y, weight), grid.best_estimator_.score(X, Y, weight)
        )

    def test_a_best_pair_without_penalty_is_warned_of_if_classes_are_separated(self):
        line, classes = np.r_[-1 - np.arange(10), 1 + np.arange(10)][:, None], np.repeat([0, 1], 10)
        with pytest.warns(ConvergenceWarning, match="no minimiser") as caught:
            search(solver="owlqn", tol=1e-3).fit(line.astype(float), classes)
        assert {warning.filename for warning in caught} == {__file__}

    def test_what_a_fold_warns_of_points_at_the_line_of_the_user(self):
        for one in (
            search(solver="owlqn", lambdas_l1=[0.01], max_iter=3),
            LinearProbeRegressorCV(lambdas_l1=[0], lambdas_l2=[0], cv=2, max_epochs=1),
        ):
            with pytest.warns(ConvergenceWarning) as caught:
                one.fit(X, NUMBERS > 0 if one.solver == "owlqn" else NUMBERS + 100)
            assert {warning.filename for warning in caught} == {__file__}

    def test_callbacks_of_a_search_without_a_refit(self):
        monitor = ScoringMonitor(scoring="accuracy")
        search(refit=False).set_callbacks(monitor).fit(X, Y)
