"""The whole grid in one pass: the scores of GridSearchCV, its folds, and its results."""

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
)
from sklearn_neurox.probes import _linear_probe_cv

GRID = {"lambda_l1": [0.0, 0.003, 0.03], "lambda_l2": [0.0, 0.01]}
TWO = {"lambda_l1": [0.0, 0.03], "lambda_l2": [0.01]}  # pairs, where the folds are tested
LAMBDAS = {"lambdas_l1": GRID["lambda_l1"], "lambdas_l2": GRID["lambda_l2"]}
ADAM = dict(solver="adam", max_epochs=3, learning_rate=0.01, batch_size=16, random_state=0)
EXACT = dict(solver="owlqn", tol=1e-8, max_iter=20_000)

RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)
NUMBERS = X @ RNG.normal(size=8) + RNG.normal(size=150)
WEIGHT = RNG.uniform(0.2, 3, size=150)
FAST = dict(max_epochs=3, random_state=0, device="cpu")
SEARCH = dict(lambdas_l1=[0], lambdas_l2=[0], cv=2)


def search(**params):
    return LinearProbeClassifierCV(**(SEARCH | FAST | params))


@pytest.fixture
def samples():
    """Samples of four classes that overlap, in 30 sentences; and a number."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(150, 8)) + rng.normal(size=8)
    signal = X @ rng.normal(size=(8, 4)) + 2 * rng.gumbel(size=(150, 4))
    return X, signal.argmax(1), signal[:, 0], np.repeat(np.arange(30), 5)


def both(ours, plain, params, cv, X, y, *, scoring=None, lambdas=GRID, **fit_params):
    lambdas_of = {"lambdas_" + name[len("lambda_") :]: values for name, values in lambdas.items()}
    search = ours(**lambdas_of, cv=cv, scoring=scoring, device="cpu", **params)
    grid = GridSearchCV(plain(device="cpu", **params), lambdas, cv=cv, scoring=scoring)
    return search.fit(X, y, **fit_params), grid.fit(X, y, **fit_params)


def assert_same_results(search, grid, atol):
    for name in grid.cv_results_:
        if name.endswith("_time"):
            assert (search.cv_results_[name] >= 0).all()
            continue
        ours, theirs = search.cv_results_[name], grid.cv_results_[name]
        if name == "params":
            assert ours == theirs
        elif name.startswith("param_"):
            assert isinstance(ours, np.ma.MaskedArray)
            np.testing.assert_array_equal(ours, theirs.astype(float))
        else:
            np.testing.assert_allclose(ours, theirs, atol=atol)
    assert set(search.cv_results_) == set(grid.cv_results_)
    assert search.best_params_ == grid.best_params_
    assert search.best_index_ == grid.best_index_
    assert search.n_splits_ == grid.n_splits_
    assert (search.lambda_l1_, search.lambda_l2_) == tuple(grid.best_params_.values())
    np.testing.assert_allclose(search.best_score_, grid.best_score_, atol=atol)


@pytest.mark.parametrize("params", [ADAM, ADAM | {"shuffle": True}, EXACT], ids=repr)
@pytest.mark.parametrize("scoring", [None, "neg_log_loss", lambda probe, X, y: probe.score(X, y)])
def test_classifier_scores_as_grid_search(samples, params, scoring):
    X, y, _, _ = samples
    search, grid = both(
        LinearProbeClassifierCV, LinearProbeClassifier, params, 3, X, y, scoring=scoring
    )
    assert_same_results(search, grid, atol=1e-6)
    np.testing.assert_allclose(search.coef_, grid.best_estimator_.coef_, atol=1e-5)
    np.testing.assert_allclose(search.score(X, y), grid.score(X, y), atol=1e-6)


@pytest.mark.parametrize("params", [ADAM, EXACT], ids=repr)
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("n_neurons", [8, 120])
def test_regressor_scores_as_grid_search(samples, params, n_outputs, n_neurons):
    """From the moments of the folds or, if there are too many neurons, from the samples."""
    X, _, y, _ = samples
    X = np.c_[X, np.random.RandomState(1).normal(size=(150, n_neurons - 8))]
    y = y if n_outputs == 1 else np.c_[y, X[:, 0]]
    # Without penalty and with more neurons than samples there are many minimizers.
    lambdas = GRID if n_neurons == 8 else {"lambda_l1": [0.0, 0.1], "lambda_l2": [0.5]}
    search, grid = both(
        LinearProbeRegressorCV, LinearProbeRegressor, params, 3, X, y, lambdas=lambdas
    )
    assert_same_results(search, grid, atol=1e-6)
    assert search.coef_.shape == grid.best_estimator_.coef_.shape
    np.testing.assert_allclose(search.predict(X), grid.predict(X), atol=1e-5)


@pytest.mark.parametrize("params", [ADAM, EXACT], ids=repr)
@pytest.mark.parametrize(
    "cv",
    [
        KFold(4, shuffle=True, random_state=0),
        ShuffleSplit(3, test_size=0.3, random_state=0),
        PredefinedSplit(np.repeat([-1, 0, 1], 50)),
        [(np.arange(100), np.arange(100, 150)), (np.arange(50, 150), np.arange(60))],
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_folds_of_any_kind(samples, params, cv):
    X, classes, numbers, _ = samples
    for ours, plain, y in [
        (LinearProbeClassifierCV, LinearProbeClassifier, classes),
        (LinearProbeRegressorCV, LinearProbeRegressor, numbers),
    ]:
        assert_same_results(*both(ours, plain, params, cv, X, y, lambdas=TWO), atol=1e-6)


@pytest.mark.parametrize("params", [ADAM, EXACT], ids=repr)
def test_groups_and_weights(samples, params):
    X, classes, numbers, groups = samples
    weight = np.random.RandomState(0).randint(1, 4, size=150).astype(float)
    for ours, plain, y in [
        (LinearProbeClassifierCV, LinearProbeClassifier, classes),
        (LinearProbeRegressorCV, LinearProbeRegressor, numbers),
    ]:
        search, grid = both(
            ours, plain, params, GroupKFold(3), X, y, lambdas=TWO,
            groups=groups, sample_weight=weight,
        )  # fmt: skip
        assert_same_results(search, grid, atol=1e-6)
        lambdas = {"lambdas_l1": TWO["lambda_l1"], "lambdas_l2": TWO["lambda_l2"]}
        by_folds = ours(**lambdas, cv=3, device="cpu", **params).fit(X, y)
        assert not np.allclose(
            by_folds.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
        )


@pytest.mark.parametrize("search_class", [LinearProbeClassifierCV, LinearProbeRegressorCV])
@pytest.mark.parametrize(("cv", "n_splits"), [(3, 3), (np.int64(4), 4), (None, 5)])
def test_a_number_of_folds_keeps_groups_together(samples, search_class, cv, n_splits):
    X, classes, numbers, groups = samples
    y = classes if search_class is LinearProbeClassifierCV else numbers
    names = [f"sentence {group:02}" for group in groups]  # in the same order
    expected = search_class(**LAMBDAS, **ADAM, cv=GroupKFold(n_splits)).fit(X, y, groups=groups)
    expected = expected.cv_results_["mean_test_score"]
    search = search_class(**LAMBDAS, **ADAM, cv=cv)
    for given in (groups, names):
        found = clone(search).fit(X, y, groups=given).cv_results_["mean_test_score"]
        np.testing.assert_array_equal(found, expected)
    alone = clone(search).fit(X, y).cv_results_["mean_test_score"]
    assert not np.allclose(alone, expected)
    with config_context(enable_metadata_routing=True):
        routed = clone(search).fit(X, y, groups=groups).cv_results_["mean_test_score"]
        np.testing.assert_array_equal(routed, expected)
        without = clone(search).fit(X, y).cv_results_["mean_test_score"]
        np.testing.assert_array_equal(without, alone)


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored by KFold")
@pytest.mark.parametrize("cv", [KFold(4), [(np.arange(98), np.arange(98, 150))]], ids=type)
def test_folds_must_not_split_a_group(samples, cv):
    X, y, _, groups = samples
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, cv=cv)
    with pytest.raises(ValueError, match=r"Fold 0 of cv splits the group \d+ between training"):
        search.fit(X, y, groups=groups)


def test_metadata_are_routed(samples):
    X, y, _, groups = samples
    weight = np.random.RandomState(0).randint(1, 3, size=150).astype(float)
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, cv=GroupKFold(3), scoring=scorer)
        search.set_fit_request(sample_weight=True).fit(X, y, sample_weight=weight, groups=groups)
        plain = LinearProbeClassifier(**ADAM).set_fit_request(sample_weight=True)
        grid = GridSearchCV(plain, GRID, cv=GroupKFold(3), scoring=scorer)
        grid.fit(X, y, sample_weight=weight, groups=groups)
        assert_same_results(search, grid, atol=1e-9)
        search.set_score_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), search)
        result = cross_validate(
            pipeline, X, y, cv=GroupKFold(2), error_score="raise",
            params={"groups": groups, "sample_weight": weight},
        )  # fmt: skip
        assert len(result["test_score"]) == 2
    with pytest.raises(TypeError, match=r"fit accepts X, y, sample_weight and groups.*'colour'"):
        search.fit(X, y, colour=weight)


def test_a_random_state_starts_every_fold_and_candidate_alike(samples):
    X, y, _, _ = samples
    params = ADAM | {"random_state": np.random.RandomState(3), "shuffle": True}
    search, grid = both(LinearProbeClassifierCV, LinearProbeClassifier, params, 3, X, y)
    assert_same_results(search, grid, atol=1e-9)


def test_folds_as_lists_masks_and_views(samples):
    X, y, number, _ = samples
    expected = LinearProbeClassifierCV(**LAMBDAS, **ADAM, cv=KFold(3)).fit(X, y).cv_results_
    folds = list(KFold(3).split(X))
    for cv in (
        [(train.tolist(), test.tolist()) for train, test in folds],
        [(np.isin(np.arange(150), train), np.isin(np.arange(150), test)) for train, test in folds],
        [(train - 150, test - 150) for train, test in folds],
    ):
        search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, cv=cv)
        search.fit(X, y, sample_weight=np.ones(150))
        np.testing.assert_array_equal(
            search.cv_results_["mean_test_score"], expected["mean_test_score"]
        )
    backwards = [(train[::-1], test[::-1]) for train, test in folds]
    LinearProbeRegressorCV(**LAMBDAS, **EXACT, cv=backwards).fit(X, number)


def test_custom_net_params_score_as_grid_search(samples):
    X, y, _, _ = samples
    params = ADAM | {"net_params": {"optimizer": torch.optim.SGD, "lr": 0.1}, "shuffle": True}
    search, grid = both(LinearProbeClassifierCV, LinearProbeClassifier, params, 3, X, y)
    assert_same_results(search, grid, atol=1e-9)


def test_frames_do_not_warn(samples):
    pandas = pytest.importorskip("pandas")
    X, y, _, _ = samples
    frame = pandas.DataFrame(X, columns=[f"neuron_{i}" for i in range(8)])
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, scoring="accuracy").fit(frame, y)
    assert list(search.feature_names_in_) == list(frame.columns)
    assert search.score(frame, y) > 0.3


def test_weights_are_routed_to_the_scorer_by_default(samples):
    X, y, _, _ = samples
    with config_context(enable_metadata_routing=True):
        search = LinearProbeClassifierCV(**LAMBDAS, **ADAM).set_fit_request(sample_weight=True)
        search.set_score_request(sample_weight=True).fit(X, y, sample_weight=np.ones(150))
    assert search.best_score_ > 0.3


def test_single_precision_within_one_sample_in_a_thousand(samples):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(3000, 30)).astype(np.float32)
    y = (X[:, :5] @ rng.normal(size=(5, 4)) + rng.gumbel(size=(3000, 4))).argmax(1)
    search, grid = both(LinearProbeClassifierCV, LinearProbeClassifier, ADAM, 3, X, y)
    for fold in range(3):
        name = f"split{fold}_test_score"
        np.testing.assert_allclose(
            search.cv_results_[name], grid.cv_results_[name], atol=1.01 / 1000
        )
    assert search.coef_.dtype == np.float32


def test_without_refit_there_are_only_scores(samples):
    X, y, _, _ = samples
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, refit=False).fit(X, y)
    assert search.best_score_ > 0.3
    assert not hasattr(search, "coef_")
    with pytest.raises(AttributeError, match="refit=False"):
        search.predict(X)


def test_a_second_fit_without_refit_forgets_the_weights(samples):
    X, y, _, _ = samples
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM).fit(X, y)
    search.set_params(refit=False).fit(X, y)
    assert not hasattr(search, "coef_")


def test_a_warm_refit_starts_from_the_last_fit(samples):
    X, y, _, _ = samples
    search = LinearProbeClassifierCV(
        lambdas_l1=[0.01], lambdas_l2=[0.01], warm_start=True, **EXACT
    ).fit(X, y)
    cold = search.n_iter_
    search.set_params(tol=2e-8).fit(X, y)
    assert search.n_iter_ == 1 < cold


def test_callbacks_see_folds_and_refit(samples):
    X, y, _, _ = samples
    monitor = ScoringMonitor(scoring="accuracy")
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, cv=3).set_callbacks(monitor).fit(X, y)
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows].count("fold") == 3
    last = next(row for row in rows if row["task_name"] == "refit")
    assert last["accuracy"] == search.score(X, y)


def test_a_failed_search_changes_nothing(samples, monkeypatch):
    X, y, _, _ = samples
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, cv=3).fit(X, y)
    before = vars(search).copy()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_neurox.probes._adam_solver.train_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert vars(search).keys() == before.keys()
    assert all(vars(search)[name] is value for name, value in before.items())


def test_the_number_of_threads_is_restored(samples):
    X, y, _, _ = samples
    before = torch.get_num_threads()
    LinearProbeClassifierCV(**LAMBDAS, **ADAM).fit(X, y)
    assert torch.get_num_threads() == before


class TestScores:
    def test_nan_is_ranked_last_with_a_warning(self):
        def score(probe, X, y):
            return np.nan if probe.lambda_l1 == 0 else -probe.lambda_l1

        one = search(lambdas_l1=[0, 0.1, 0.01], scoring=score)
        with pytest.warns(UserWarning, match="The scores of 2 fits are not finite"):
            one.fit(X, Y)
        assert one.cv_results_["rank_test_score"].tolist() == [3, 2, 1]
        assert one.lambda_l1_ == 0.01

    @pytest.mark.parametrize("score", [None, {"a": 1.0}, "0.5"])
    def test_scores_must_be_numbers(self, score):
        with pytest.raises(ValueError, match="scoring must return a number, got"):
            search(scoring=lambda *_: score).fit(X, Y)

    @pytest.mark.parametrize("scoring", [None, "accuracy"])
    def test_the_score_of_a_fitted_search_uses_weights(self, scoring):
        one = search(scoring=scoring).fit(X, Y)
        weight = np.where(one.predict(X) == Y, 1.0, 3.0)
        expected = accuracy_score(Y, one.predict(X), sample_weight=weight)
        np.testing.assert_allclose(one.score(X, Y, weight), expected)

    @pytest.mark.parametrize("scoring", [None, "accuracy"])
    def test_a_search_without_refit_has_no_score(self, scoring):
        one = search(scoring=scoring, refit=False).fit(X, Y)
        with pytest.raises(AttributeError, match="fitted with refit=False, so it cannot predict"):
            one.score(X, Y)


class TestResults:
    def test_the_refit_uses_the_weights(self):
        one = search(lambdas_l1=[0.01]).fit(X, Y, sample_weight=WEIGHT)
        plain = LinearProbeClassifier(lambda_l1=0.01, **FAST).fit(X, Y, sample_weight=WEIGHT)
        np.testing.assert_allclose(one.coef_, plain.coef_)

    def test_zero_shares(self):
        one = search(lambdas_l1=[0, 1e9], cv=3, solver="owlqn").fit(X, Y)
        np.testing.assert_array_equal(one.zero_shares_, [[0, 0, 0], [1, 1, 1]])

    def test_a_fit_clears_the_attributes_of_an_earlier_one(self):
        one = search().fit(X, Y)
        one.set_params(refit=False).fit(X, Y)
        assert not [name for name in ("coef_", "n_iter_", "net_") if hasattr(one, name)]

    def test_times_are_shares_of_the_total(self, monkeypatch):
        train = _linear_probe_cv._train
        monkeypatch.setattr(_linear_probe_cv, "_train", lambda *a: (train(*a)[0], 1000.0))
        results = search(lambdas_l1=[0, 1e-3]).fit(X, Y).cv_results_
        np.testing.assert_allclose(results["mean_fit_time"], 1000 / 2)
        assert (results["mean_score_time"] < 100).all()

    def test_times_of_all_jobs_are_added_up(self, monkeypatch):
        train = _linear_probe_cv._train

        def timed(probes, *args):
            return train(probes, *args)[0], 10.0 if probes[0].lambda_l1 == 0 else 1.0

        monkeypatch.setattr(_linear_probe_cv, "_train", timed)
        monkeypatch.setattr(_linear_probe_cv, "_PROBES_OF_A_JOB", 1)
        results = search(lambdas_l1=[0, 1]).fit(X, Y).cv_results_
        np.testing.assert_allclose(results["mean_fit_time"], 11 / 2)

    def test_verbose_prints_each_fold(self, capsys):
        search(verbose=1).fit(X, Y)
        lines = capsys.readouterr().out.splitlines()
        assert [line.partition(": 1 pairs")[0] for line in lines] == [
            "[LinearProbeClassifierCV] fold 1 of 2", "[LinearProbeClassifierCV] fold 2 of 2"
        ]  # fmt: skip


class TestFolds:
    def test_negative_weights_raise_before_any_training(self, monkeypatch):
        def never(*_):
            raise AssertionError("trained")

        monkeypatch.setattr(_linear_probe_cv, "_train", never)
        with pytest.raises(ValueError, match="Negative values"):
            search().fit(X, Y, np.r_[-1, np.ones(149)])

    @pytest.mark.filterwarnings("ignore:.* labels that were not seen during training")
    def test_a_class_without_weight_is_ignored(self):
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

    def test_separable_classes_and_a_best_pair_without_penalty(self):
        line, classes = np.r_[-1 - np.arange(10), 1 + np.arange(10)][:, None], np.repeat([0, 1], 10)
        with pytest.warns(
            ConvergenceWarning, match="the objective does not have a minimizer"
        ) as caught:
            search(solver="owlqn", tol=1e-3).fit(line.astype(float), classes)
        assert {warning.filename for warning in caught} == {__file__}

    def test_warnings_of_a_fold_point_at_the_line_of_the_user(self):
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


class TestBadInput:
    @pytest.mark.parametrize("lambdas", [[], [-1.0], [[0.1]], [np.nan], [np.inf], ["much"]])
    def test_lambdas(self, samples, lambdas):
        X, y, _, _ = samples
        with pytest.raises(ValueError, match=r"lambdas_l2"):
            LinearProbeClassifierCV(lambdas_l2=lambdas).fit(X, y)

    def test_no_folds(self, samples):
        X, y, number, _ = samples
        with pytest.raises(ValueError, match="yields no folds"):
            LinearProbeClassifierCV(cv=[]).fit(X, y)
        with pytest.raises(ValueError, match="yields no folds"):
            LinearProbeRegressorCV(cv=[], solver="owlqn").fit(X, number)

    def test_scoring(self, samples):
        X, y, _, _ = samples
        with pytest.raises(ValueError, match="scoring"):
            LinearProbeClassifierCV(scoring="accurate").fit(X, y)

    def test_convergence_warnings(self, samples):
        X, y, _, _ = samples
        with pytest.warns(ConvergenceWarning, match="max_iter=3"):
            LinearProbeClassifierCV(**LAMBDAS, solver="owlqn", max_iter=3).fit(X, y)
