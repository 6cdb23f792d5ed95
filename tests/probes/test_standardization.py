"""A probe with ``standardize=True`` is the probe behind a StandardScaler, without a copy of X."""

import tracemalloc

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.callback import ScoringMonitor
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.dataset import ValidSplit
from torch.utils.data import DataLoader

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
    layerwise_scores,
)
from sklearn_neurox.probes._datafit import RowsDatafit
from sklearn_neurox.probes._standardization import Standardization, StandardizedDatafit

RNG = np.random.RandomState(0)
N, D = 300, 16
Z = RNG.normal(size=(N, D)) @ (np.eye(D) + 0.2 * RNG.normal(size=(D, D)))
X = Z * np.logspace(-2, 2, D)[RNG.permutation(D)]
X += X.std(axis=0) * RNG.uniform(-5, 5, size=D)
SIGNAL = Z @ RNG.normal(size=(D, 3)) + 3 * RNG.normal(size=(N, 3))
Y = np.array(["a", "b", "c"])[SIGNAL.argmax(axis=1)]
WEIGHT = RNG.uniform(0.1, 3, size=N) * (np.arange(N) % 7 > 0)
CLASSIFIER = LinearProbeClassifier(
    lambda_l1=1e-2, lambda_l2=1e-3, tol=1e-7, max_epochs=3, random_state=0, device="cpu"
)
REGRESSOR = LinearProbeRegressor(
    **{name: value for name, value in CLASSIFIER.get_params().items() if name != "class_weight"}
)
PROBES = {
    "three classes": (CLASSIFIER, Y),
    "two classes": (CLASSIFIER, Y == "a"),
    "numbers": (REGRESSOR, SIGNAL[:, 0]),
    "three numbers": (REGRESSOR, SIGNAL),
}


def outputs(probe, X):
    return probe.decision_function(X) if is_classifier(probe) else probe.predict(X)


def assert_same(ours, behind, X, scaler, atol):
    """Compare a probe with a probe behind a scaler."""
    rows = scaler.transform(X)
    np.testing.assert_allclose(ours.coef_ * scaler.scale_, behind.coef_, atol=atol)
    np.testing.assert_array_equal(ours.coef_ == 0, behind.coef_ == 0)
    np.testing.assert_allclose(outputs(ours, X), outputs(behind, rows), atol=10 * atol)
    np.testing.assert_allclose(ours.objective_, behind.objective_, rtol=atol)
    np.testing.assert_allclose(ours.loss_curve_[-1], behind.loss_curve_[-1], rtol=atol)


def fit_both(probe, X, y, sample_weight=None):
    """Fit a probe that standardizes, and one behind a scaler, and return the scaler as well."""
    scaler = StandardScaler()
    rows = scaler.fit_transform(X, sample_weight=sample_weight)
    ours = clone(probe).set_params(standardize=True)
    return (
        ours.fit(X, y, sample_weight=sample_weight),
        clone(probe).fit(rows, y, sample_weight=sample_weight),
        scaler,
    )


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("solver", ["adam", "owlqn"])
@pytest.mark.parametrize("kind", PROBES)
class TestProbes:
    def test_float64(self, kind, solver, weight):
        probe, y = PROBES[kind]
        probe = clone(probe).set_params(solver=solver)
        ours, behind, scaler = fit_both(probe, X, y, weight)
        assert_same(ours, behind, X, scaler, atol=1e-9)
        rows = scaler.transform(X)
        np.testing.assert_allclose(
            ours.optimality(X, y, weight), behind.optimality(rows, y, weight), rtol=1e-6, atol=1e-12
        )
        if solver == "owlqn":
            assert ours.optimality_ <= probe.tol
            assert (ours.coef_ == 0).any() or not is_classifier(probe)

    def test_float16(self, kind, solver, weight):
        probe, y = PROBES[kind]
        probe = clone(probe).set_params(solver=solver, tol=1e-6)
        half = (X * 30).astype(np.float16)  # the squares of some neurons overflow, others vanish
        assert np.abs(half).max() > 2**13
        assert half.std(axis=0, dtype=np.float64).min() < 1
        ours = clone(probe).set_params(standardize=True).fit(half, y, sample_weight=weight)
        single = half.astype(np.float32)
        _, behind, scaler = fit_both(probe, single, y, weight)
        assert_same(ours, behind, single, scaler, atol=1e-5)
        np.testing.assert_array_equal(half, single)


@pytest.mark.parametrize("penalty", ["norm", "squared"])
@pytest.mark.parametrize("y", [Y, Y == "a"], ids=["three classes", "two classes"])
def test_working_sets_and_steps_are_those_of_standardized_neurons(y, penalty):
    rng = np.random.RandomState(1)
    wide = np.hstack([X, rng.normal(3, 10.0 ** rng.uniform(-2, 2, 400), size=(N, 400))])
    probe = LinearProbeClassifier(
        lambda_l1=1e-2, lambda_l2=1e-2, l2_penalty=penalty, solver="owlqn", tol=1e-8
    )
    ours, behind, scaler = fit_both(probe, wide, y)
    assert_same(ours, behind, wide, scaler, atol=1e-6)
    assert 0.5 < (ours.coef_ == 0).mean() < 1
    assert ours.n_iter_ < 1.2 * behind.n_iter_ + 5


@pytest.mark.parametrize("make", [LinearProbeClassifier, LinearProbeRegressor])
@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_means_that_exceed_the_standard_deviation(make, solver):
    """In float32, products with such neurons would lose three digits if they were not centered."""
    rows = (Z + 1000 * (np.arange(D) % 2)).astype(np.float32)
    rows = np.hstack([rows, rows[::-1, :4]])
    y = Y if make is LinearProbeClassifier else SIGNAL
    probe = make(
        lambda_l2=0.2, l2_penalty="squared", solver=solver, tol=2e-6, max_epochs=9, random_state=0
    )
    ours, behind, scaler = fit_both(probe, rows, y)
    np.testing.assert_allclose(ours.coef_ * scaler.scale_, behind.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.objective_, behind.objective_, rtol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_class_weights_do_not_change_the_standardization(solver):
    probe = clone(CLASSIFIER).set_params(solver=solver, class_weight={"a": 5, "b": 1, "c": 0.2})
    ours, behind, scaler = fit_both(probe, X, Y, WEIGHT)
    assert_same(ours, behind, X, scaler, atol=1e-9)


@pytest.mark.parametrize("make", [LinearProbeClassifier, LinearProbeRegressor])
def test_units_do_not_matter(make):
    """The exact solver predicts the same for neurons in other units."""
    y = Y if make is LinearProbeClassifier else SIGNAL
    probe = make(lambda_l1=1e-2, lambda_l2=1e-3, standardize=True, solver="owlqn", tol=1e-9)
    unit, shift = 10.0 ** RNG.uniform(-6, 6, size=D), RNG.normal(size=D)
    other = (X + shift) * unit * np.where(np.arange(D) % 2, 1, -1)
    found = outputs(clone(probe).fit(X, y), X)
    np.testing.assert_allclose(outputs(clone(probe).fit(other, y), other), found, atol=1e-6)
    raw = clone(probe).set_params(standardize=False)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(outputs(raw.fit(X * 10, y), X * 10), found, atol=1e-3)


@pytest.mark.parametrize("value", [0, 2.3, -1e4])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_constant_neurons(value, dtype):
    """The exact solver gives them the weight 0, and Adam leaves them where it starts."""
    rows = X.astype(dtype)
    rows[:, 3] = value
    exact = clone(CLASSIFIER).set_params(solver="owlqn", standardize=True, tol=1e-5)
    assert not exact.fit(rows, Y).coef_[:, 3].any()
    scaler = StandardScaler()
    behind = clone(CLASSIFIER).fit(scaler.fit_transform(rows.astype(float)), Y)
    ours = clone(CLASSIFIER).set_params(standardize=True).fit(rows, Y)
    np.testing.assert_allclose(ours.coef_ * scaler.scale_, behind.coef_, atol=1e-5)


@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_a_memory_map_is_neither_copied_nor_changed(tmp_path, solver):
    rng = np.random.RandomState(0)
    stored = np.memmap(tmp_path / "X", dtype=np.float16, mode="w+", shape=(20_000, 500))
    stored[:] = rng.normal(2, 10.0 ** rng.uniform(-1, 2, size=500), size=stored.shape)
    y = stored[:, 0] > 2
    stored.flush()
    mapped = np.memmap(tmp_path / "X", dtype=np.float16, mode="r", shape=stored.shape)
    probe = LinearProbeClassifier(
        solver=solver, standardize=True, max_epochs=2, lambda_l1=0.05, tol=1e-2, random_state=0
    )
    tracemalloc.start()  # sees the arrays of numpy; torch's are chunks
    try:
        probe.fit(mapped, y)
        accuracy = probe.score(mapped, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert accuracy > 0.9
    assert peak < mapped.nbytes  # half the size of float32
    in_memory = clone(probe).fit(np.array(mapped), y)
    np.testing.assert_array_equal(in_memory.coef_, probe.coef_)


class TestSearches:
    @pytest.mark.parametrize("weight", [None, WEIGHT + 0.1], ids=["unweighted", "weighted"])
    @pytest.mark.parametrize("solver", ["adam", "owlqn"])
    @pytest.mark.parametrize("kind", PROBES)
    def test_each_fold_is_standardized_by_itself(self, kind, solver, weight):
        probe, y = PROBES[kind]
        make = LinearProbeClassifierCV if is_classifier(probe) else LinearProbeRegressorCV
        probe = clone(probe).set_params(solver=solver)
        search = make(lambdas_l1=[0, 0.02, 0.1], lambdas_l2=[1e-3], cv=KFold(3), standardize=True)
        shared = search.get_params().keys() & probe.get_params().keys() - {"standardize"}
        search.set_params(**{name: getattr(probe, name) for name in shared})
        search.fit(X, y, sample_weight=weight)
        with config_context(enable_metadata_routing=True):
            steps = make_pipeline(
                StandardScaler().set_fit_request(sample_weight=True),
                probe.set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
            )
            name = f"{type(probe).__name__.lower()}__lambda_l1"
            grid = GridSearchCV(steps, {name: [0, 0.02, 0.1]}, cv=KFold(3))
            grid.fit(X, y, sample_weight=weight)
        for fold in range(3):
            key = f"split{fold}_test_score"
            np.testing.assert_allclose(search.cv_results_[key], grid.cv_results_[key], atol=1e-9)
        scaler, behind = (step for _, step in grid.best_estimator_.steps)
        assert_same(search, behind, X, scaler, atol=1e-9)

    def test_whether_to_standardize_can_be_searched(self):
        grid = GridSearchCV(
            LinearProbeClassifier(lambda_l1=0.05, solver="owlqn"), {"standardize": [False, True]}
        )
        assert grid.fit(X, Y).best_params_ == {"standardize": True}


@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_layers(solver):
    probe = clone(CLASSIFIER).set_params(solver=solver)
    ours = clone(probe).set_params(standardize=True)
    steps = make_pipeline(StandardScaler(), probe)
    scores = [layerwise_scores(each, X, Y, n_layers=4, cv=3).scores for each in (ours, steps)]
    np.testing.assert_array_equal(*scores)


def test_layers_and_pairs_of_a_bank():
    lambdas = [(0.0, 0.0), (0.05, 0.2)]
    probe = clone(CLASSIFIER).set_params(standardize=True)
    fitted = probe._fit_bank(X, Y, None, lambdas, n_layers=2)
    for layer in range(2):
        for k, pair in enumerate(lambdas):
            (alone,) = probe._fit_bank(X[:, 8 * layer : 8 * layer + 8], Y, None, [pair])
            for name in ("coef_", "intercept_"):
                np.testing.assert_allclose(fitted[2 * layer + k][name], alone[name], atol=1e-12)


class TestStarts:
    @pytest.mark.parametrize("kind", PROBES)
    def test_adam_continues_as_behind_a_scaler(self, kind):
        probe, y = PROBES[kind]
        ours, behind, scaler = fit_both(probe.set_params(warm_start=True), X, y)
        ours.fit(X, y)
        behind.fit(scaler.transform(X), y)
        assert_same(ours, behind, X, scaler, atol=1e-9)
        probe.set_params(warm_start=False)

    def test_the_exact_solver_starts_at_its_optimum(self):
        probe = clone(CLASSIFIER).set_params(solver="owlqn", standardize=True, warm_start=True)
        first = probe.fit(X, Y).n_iter_
        assert probe.fit(X, Y).n_iter_ == 1 < first

    def test_a_start_on_other_samples_makes_the_same_predictions(self):
        """The initial weights are those of the last fit, for X as it is."""
        probe = clone(CLASSIFIER).set_params(standardize=True, warm_start=True)
        before = probe.fit(X, Y).decision_function(X)
        probe.set_params(learning_rate=1e-300, max_epochs=1).fit(X[:100] * 2 + 1, Y[:100])
        np.testing.assert_allclose(probe.decision_function(X), before, atol=1e-9)


@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_callbacks_see_the_weights_for_x_as_it_is(solver):
    monitor = ScoringMonitor(scoring="accuracy")
    probe = clone(CLASSIFIER).set_params(solver=solver, standardize=True)
    probe.set_callbacks(monitor).fit(X, Y)
    name = "epoch" if solver == "adam" else "iteration"
    steps = [row for row in monitor.get_logs().data if row["task_name"] == name]
    assert steps[-1]["accuracy"] == probe.score(X, Y) > 0.4


class TestNet:
    def test_the_net_expects_standardized_neurons(self):
        probe = clone(CLASSIFIER).set_params(standardize=True).fit(X, Y)
        with torch.no_grad():
            rows = torch.from_numpy(StandardScaler().fit_transform(X))
            found = probe.net_.module_(rows)[:, 0]
        np.testing.assert_allclose(found, probe.decision_function(X), atol=1e-9)

    @pytest.mark.parametrize(
        "params",
        [
            {"optimizer": torch.optim.SGD},
            {"train_split": ValidSplit(5)},
            {"iterator_train": DataLoader, "iterator_train__shuffle": False},
        ],
        ids=["optimizer", "validation", "loader"],
    )
    def test_training_steps_of_skorch(self, params):
        class Loader(DataLoader):
            """A DataLoader whose batches have the structure of those of the net."""

            def __iter__(self):
                for rows, *rest in super().__iter__():
                    yield rows, tuple(rest)

        if "iterator_train" in params:
            params = params | {"iterator_train": Loader}
        probe = clone(CLASSIFIER).set_params(net_params=params)
        ours, behind, scaler = fit_both(probe, X, Y)
        np.testing.assert_allclose(ours.coef_ * scaler.scale_, behind.coef_, atol=1e-9)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_the_datafit_is_that_of_standardized_samples(loss):
    share = torch.from_numpy(WEIGHT / WEIGHT.sum())
    targets = torch.from_numpy(np.eye(3)[np.unique(Y, return_inverse=True)[1]].T.copy())
    standardization = Standardization.of(X, WEIGHT)
    rows = StandardScaler().fit(X, sample_weight=WEIGHT).transform(X)
    ours = StandardizedDatafit(
        RowsDatafit(torch.from_numpy(X), targets, share, loss), standardization
    )
    theirs = RowsDatafit(torch.from_numpy(rows), targets, share, loss)
    kept = torch.tensor([0, 3, 4, 11])
    for one, other in ((ours, theirs), (ours.restrict(kept), theirs.restrict(kept))):
        for name in ("mean", "variance", "curvature", "null_bias"):
            torch.testing.assert_close(
                getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-9
            )
        assert (one.lever, one.n_rows, one.has_free_shift) == (
            other.lever,
            other.n_rows,
            other.has_free_shift,
        )
        weight = torch.from_numpy(RNG.normal(size=(2, 3, len(one.mean))))
        bias = torch.from_numpy(RNG.normal(size=(2, 3)))
        for found, expected in zip(
            (*one.evaluate(weight, bias), one.hessian(weight, bias)),
            (*other.evaluate(weight, bias), other.hessian(weight, bias)),
            strict=True,
        ):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_weights_that_exceed_the_dtype_of_x_are_an_error():
    tiny = X.astype(np.float32) * np.float32(1e-42)
    with pytest.raises(ValueError, match=r"Training exceeded the range of float32\. Scale X"):
        clone(CLASSIFIER).set_params(standardize=True).fit(tiny, Y)
