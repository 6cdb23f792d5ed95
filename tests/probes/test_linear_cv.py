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

GRID = {"lambda_l1": [0.0, 0.003, 0.03], "lambda_l2": [0.0, 0.01]}
LAMBDAS = {"lambdas_l1": GRID["lambda_l1"], "lambdas_l2": GRID["lambda_l2"]}
ADAM = dict(solver="adam", max_epochs=3, learning_rate=0.01, batch_size=16, random_state=0)
EXACT = dict(solver="owlqn", tol=1e-8, max_iter=20_000)


@pytest.fixture
def words():
    """Words of four classes that overlap, in 30 sentences; and a number."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(150, 8)) + rng.normal(size=8)
    signal = X @ rng.normal(size=(8, 4)) + 2 * rng.gumbel(size=(150, 4))
    return X, signal.argmax(1), signal[:, 0], np.repeat(np.arange(30), 5)


def both(ours, plain, params, cv, X, y, *, scoring=None, **fit_params):
    search = ours(**LAMBDAS, cv=cv, scoring=scoring, device="cpu", **params)
    grid = GridSearchCV(plain(device="cpu", **params), GRID, cv=cv, scoring=scoring)
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
def test_classifier_scores_as_grid_search(words, params, scoring):
    X, y, _, _ = words
    search, grid = both(
        LinearProbeClassifierCV, LinearProbeClassifier, params, 3, X, y, scoring=scoring
    )
    assert_same_results(search, grid, atol=1e-6)
    np.testing.assert_allclose(search.coef_, grid.best_estimator_.coef_, atol=1e-5)
    np.testing.assert_allclose(search.score(X, y), grid.score(X, y), atol=1e-6)


@pytest.mark.parametrize("params", [ADAM, EXACT], ids=repr)
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("n_neurons", [8, 120])
def test_regressor_scores_as_grid_search(words, params, n_outputs, n_neurons):
    """From the moments of the folds, and where there are too many neurons from the words."""
    X, _, y, _ = words
    X = np.c_[X, np.random.RandomState(1).normal(size=(150, n_neurons - 8))]
    y = y if n_outputs == 1 else np.c_[y, X[:, 0]]
    params = params | ({"tol": 1e-6} if n_neurons > 8 and "tol" in params else {})
    search, grid = both(LinearProbeRegressorCV, LinearProbeRegressor, params, 3, X, y)
    if n_neurons == 8:
        assert_same_results(search, grid, atol=1e-6)
    else:  # without penalty there are many minimisers
        means = (each.cv_results_["mean_test_score"][1:] for each in (search, grid))
        np.testing.assert_allclose(*means, atol=1e-4)
    assert search.coef_.shape == grid.best_estimator_.coef_.shape
    np.testing.assert_allclose(search.predict(X), grid.predict(X), atol=1e-2)


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
def test_folds_of_any_kind(words, params, cv):
    X, classes, numbers, _ = words
    assert_same_results(
        *both(LinearProbeClassifierCV, LinearProbeClassifier, params, cv, X, classes), atol=1e-6
    )
    assert_same_results(
        *both(LinearProbeRegressorCV, LinearProbeRegressor, params, cv, X, numbers), atol=1e-6
    )


@pytest.mark.parametrize("params", [ADAM, EXACT], ids=repr)
def test_groups_and_weights(words, params):
    X, classes, numbers, groups = words
    weight = np.random.RandomState(0).randint(1, 4, size=150).astype(float)
    for ours, plain, y in [
        (LinearProbeClassifierCV, LinearProbeClassifier, classes),
        (LinearProbeRegressorCV, LinearProbeRegressor, numbers),
    ]:
        search, grid = both(
            ours, plain, params, GroupKFold(3), X, y, groups=groups, sample_weight=weight
        )
        assert_same_results(search, grid, atol=1e-6)
        by_folds = ours(**LAMBDAS, cv=3, device="cpu", **params).fit(X, y)
        assert not np.allclose(
            by_folds.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
        )


def test_metadata_are_routed(words):
    X, y, _, groups = words
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
    with pytest.raises(TypeError, match=r"fit takes X, y, sample_weight and groups.*'colour'"):
        search.fit(X, y, colour=weight)


def test_a_random_state_starts_every_fold_and_candidate_alike(words):
    X, y, _, _ = words
    params = ADAM | {"random_state": np.random.RandomState(3), "shuffle": True}
    search, grid = both(LinearProbeClassifierCV, LinearProbeClassifier, params, 3, X, y)
    assert_same_results(search, grid, atol=1e-9)


@pytest.mark.parametrize("params", [ADAM, EXACT], ids=repr)
def test_jobs_change_nothing(words, params):
    X, y, number, _ = words
    for search, target in [
        (LinearProbeClassifierCV(**LAMBDAS, **params, cv=3), y),
        (LinearProbeRegressorCV(**LAMBDAS, **params, cv=3), number),
    ]:
        serial = clone(search).fit(X, target)
        parallel = clone(search).set_params(n_jobs=2).fit(X, target)
        np.testing.assert_allclose(
            parallel.cv_results_["mean_test_score"],
            serial.cv_results_["mean_test_score"],
            atol=1e-6,
        )
        assert parallel.cv_results_["params"] == serial.cv_results_["params"]


def test_folds_as_lists_masks_and_views(words):
    X, y, number, _ = words
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


def test_a_training_of_ones_own_scores_as_grid_search(words):
    X, y, _, _ = words
    params = ADAM | {"net_params": {"optimizer": torch.optim.SGD, "lr": 0.1}, "shuffle": True}
    search, grid = both(LinearProbeClassifierCV, LinearProbeClassifier, params, 3, X, y)
    assert_same_results(search, grid, atol=1e-9)


def test_frames_do_not_warn(words):
    pandas = pytest.importorskip("pandas")
    X, y, _, _ = words
    frame = pandas.DataFrame(X, columns=[f"neuron_{i}" for i in range(8)])
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, scoring="accuracy").fit(frame, y)
    assert list(search.feature_names_in_) == list(frame.columns)
    assert search.score(frame, y) > 0.3


def test_weights_are_routed_to_the_scorer_by_default(words):
    X, y, _, _ = words
    with config_context(enable_metadata_routing=True):
        search = LinearProbeClassifierCV(**LAMBDAS, **ADAM).set_fit_request(sample_weight=True)
        search.set_score_request(sample_weight=True).fit(X, y, sample_weight=np.ones(150))
    assert search.best_score_ > 0.3


def test_single_precision_within_a_word_in_a_thousand(words):
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


def test_without_refit_there_are_scores_only(words):
    X, y, _, _ = words
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, refit=False).fit(X, y)
    assert search.best_score_ > 0.3
    assert not hasattr(search, "coef_")
    with pytest.raises(AttributeError, match="refit=False"):
        search.predict(X)


def test_a_second_fit_without_refit_forgets_the_weights(words):
    X, y, _, _ = words
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM).fit(X, y)
    search.set_params(refit=False).fit(X, y)
    assert not hasattr(search, "coef_")


def test_refit_goes_on_from_the_last_fit(words):
    X, y, _, _ = words
    search = LinearProbeClassifierCV(
        lambdas_l1=[0.01], lambdas_l2=[0.01], warm_start=True, **EXACT
    ).fit(X, y)
    cold = search.n_iter_
    search.set_params(tol=2e-8).fit(X, y)
    assert search.n_iter_ == 1 < cold


def test_callbacks_see_folds_and_refit(words):
    X, y, _, _ = words
    monitor = ScoringMonitor(scoring="accuracy")
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, cv=3).set_callbacks(monitor).fit(X, y)
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows].count("fold") == 3
    last = next(row for row in rows if row["task_name"] == "refit")
    assert last["accuracy"] == search.score(X, y)


def test_a_failed_search_changes_nothing(words, monkeypatch):
    X, y, _, _ = words
    search = LinearProbeClassifierCV(**LAMBDAS, **ADAM, cv=3).fit(X, y)
    before = vars(search).copy()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_neurox.probes._adam_solver.train_epoch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert vars(search).keys() == before.keys()
    assert all(vars(search)[name] is value for name, value in before.items())


def test_the_number_of_threads_is_put_back(words):
    X, y, _, _ = words
    before = torch.get_num_threads()
    LinearProbeClassifierCV(**LAMBDAS, **ADAM).fit(X, y)
    assert torch.get_num_threads() == before


class TestBadInput:
    @pytest.mark.parametrize("lambdas", [[], [-1.0], [[0.1]], [np.nan], [np.inf], ["much"]])
    def test_lambdas(self, words, lambdas):
        X, y, _, _ = words
        with pytest.raises(ValueError, match=r"lambdas_l2"):
            LinearProbeClassifierCV(lambdas_l2=lambdas).fit(X, y)

    def test_a_fold_without_a_class_is_named(self, words):
        X, y, _, _ = words
        names = np.array(["NOUN", "VERB", "ADJ", "X"])[y]
        rest = np.flatnonzero(names != "X")
        with pytest.raises(ValueError, match="Fold 1 has no training word of the class 'X'"):
            LinearProbeClassifierCV(cv=[(np.arange(150), rest), (rest, np.arange(9))]).fit(X, names)
        weight = (names != "VERB").astype(float)
        weight[0 if names[0] == "VERB" else np.flatnonzero(names == "VERB")[0]] = 1
        with pytest.raises(ValueError, match="has no training word of the class 'VERB'"):
            LinearProbeClassifierCV(cv=3).fit(X, names, sample_weight=weight)

    def test_no_folds(self, words):
        X, y, number, _ = words
        with pytest.raises(ValueError, match="gives no folds"):
            LinearProbeClassifierCV(cv=[]).fit(X, y)
        with pytest.raises(ValueError, match="gives no folds"):
            LinearProbeRegressorCV(cv=[], solver="owlqn").fit(X, number)

    def test_scoring(self, words):
        X, y, _, _ = words
        with pytest.raises(ValueError, match="scoring"):
            LinearProbeClassifierCV(scoring="accurate").fit(X, y)

    def test_warnings_come_once_a_bank(self, words):
        X, y, _, _ = words
        with pytest.warns(ConvergenceWarning, match="max_iter=3"):
            LinearProbeClassifierCV(**LAMBDAS, solver="owlqn", max_iter=3).fit(X, y)
