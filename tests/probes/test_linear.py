"""The estimators: labels in, labels out, and what bad input gets."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.dataset import ValidSplit
from torch import nn

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    layerwise_scores,
)
from sklearn_neurox.probes._adam import LinearProbeBank, make_dataset, make_net, train_epoch

# A few epochs, which do not reach the mean of y, are enough for what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:After the last epoch the squared error")

FAST = dict(max_epochs=3, random_state=0, device="cpu")
LONG = dict(max_epochs=300, batch_size=1000, learning_rate=0.05, random_state=0, device="cpu")


def test_reaches_the_optimum_of_another_library(classification):
    """Squared L2, full batches: the objective of LogisticRegression."""
    X, y = classification
    lam = 0.01
    probe = LinearProbeClassifier(lambda_l2=lam, l2_penalty="squared", **LONG).fit(X, y)
    other = LogisticRegression(C=1 / (2 * lam * len(X)), tol=1e-10).fit(X, y)
    optimum = log_loss(y, other.predict_proba(X)) + lam * (other.coef_**2).sum()
    assert optimum <= probe.objective_ < 1.001 * optimum
    assert (probe.predict(X) == other.predict(X)).mean() > 0.98


def test_regressor_reaches_ridge():
    X, Y = make_regression(200, 10, n_targets=3, noise=1, random_state=0)
    Y = Y / Y.std(axis=0)
    lam = 0.1
    probe = LinearProbeRegressor(lambda_l2=lam, l2_penalty="squared", **LONG).fit(X, Y)
    ridge = Ridge(alpha=lam * 3 * len(X)).fit(X, Y)  # mean over 3 outputs and n words
    np.testing.assert_allclose(probe.coef_, ridge.coef_, atol=5e-3)
    assert probe.coef_.shape == (3, 10)
    np.testing.assert_allclose(probe.predict(X), ridge.predict(X), atol=0.02)


def test_objective_is_the_formula(classification):
    X, y = classification
    weight = np.random.RandomState(0).uniform(0.5, 2, size=len(y))
    probe = LinearProbeClassifier(lambda_l1=0.01, lambda_l2=0.1, **FAST)
    probe.fit(X, y, sample_weight=weight)
    logits = X @ probe.coef_.T + probe.intercept_
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]
    expected = np.average(losses, weights=weight)
    expected += 0.01 * np.abs(probe.coef_).sum() + 0.1 * np.linalg.norm(probe.coef_)
    np.testing.assert_allclose(probe.objective_, expected)
    assert probe.n_iter_ == len(probe.loss_curve_) == 3


@pytest.mark.parametrize("labels", [["no", "yes", "zz"], [-5, 2, 7], [0.0, 1.0, 2.0]], ids=str)
def test_labels_of_any_kind(classification, labels):
    X, y = classification
    expected = LinearProbeClassifier(**FAST).fit(X, y).predict(X)
    labels = np.array(labels)
    predicted = LinearProbeClassifier(**FAST).fit(X, labels[y]).predict(X)
    np.testing.assert_array_equal(predicted, labels[expected])


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [3, 9]], ids=str)
def test_two_classes_have_one_row(classification, labels):
    X, y = classification
    X, y = X[y < 2], np.array(labels)[y[y < 2]]
    probe = LinearProbeClassifier(**FAST).fit(X, y)
    assert probe.coef_.shape == (1, 12)
    assert probe.intercept_.shape == (1,)
    decision = probe.decision_function(X)
    np.testing.assert_allclose(probe.predict_proba(X)[:, 1], expit(decision))
    np.testing.assert_array_equal(probe.predict(X), np.array(labels)[(decision > 0).astype(int)])
    # The net holds the softmax's two rows.
    weight = probe.net_.module_.weight[0].detach().numpy()
    np.testing.assert_allclose(probe.coef_[0], weight[1] - weight[0])


def test_weight_zero_equals_a_removed_row(classification):
    X, y = classification
    weight = np.arange(len(y)) % 3 != 0
    weighted = LinearProbeClassifier(**FAST).fit(X, y, sample_weight=weight.astype(float))
    removed = LinearProbeClassifier(**FAST).fit(X[weight], y[weight])
    np.testing.assert_array_equal(weighted.coef_, removed.coef_)


def test_class_weight_multiplies_sample_weight(classification):
    X, y = classification
    by_class = {0: 1.0, 1: 4.0, 2: 0.5}
    sample_weight = np.random.RandomState(0).uniform(size=len(y))
    one = LinearProbeClassifier(class_weight=by_class, **FAST).fit(X, y, sample_weight)
    other = LinearProbeClassifier(**FAST)
    other.fit(X, y, sample_weight * np.array([1.0, 4.0, 0.5])[y])
    np.testing.assert_allclose(one.coef_, other.coef_)


def test_balanced_classes_count_their_weights(classification):
    """As if the rows were repeated."""
    X, y = classification
    times = 1 + (y == 1) * np.random.RandomState(0).randint(4, size=len(y))
    options = {**FAST, "batch_size": 1000, "class_weight": "balanced"}
    weighted = LinearProbeClassifier(**options).fit(X, y, sample_weight=times)
    repeated = LinearProbeClassifier(**options).fit(X.repeat(times, axis=0), y.repeat(times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_)


def test_a_class_of_weight_zero_is_removed(classification):
    X, y = classification
    weighted = LinearProbeClassifier(class_weight={0: 1, 1: 1, 2: 0}, **FAST).fit(X, y)
    removed = LinearProbeClassifier(**FAST).fit(X[y < 2], y[y < 2])
    assert weighted.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(weighted.coef_, removed.coef_)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(classification, dtype):
    X, y = classification
    probe = LinearProbeClassifier(**FAST).fit(X.astype(dtype), y)
    assert probe.coef_.dtype == probe.intercept_.dtype == dtype
    assert probe.predict_proba(X.astype(dtype)).dtype == dtype
    regressor = LinearProbeRegressor(**FAST).fit(X.astype(dtype), y)
    assert regressor.predict(X.astype(dtype)).dtype == dtype


def test_float16_is_trained_in_float32(classification):
    X, y = classification
    half = LinearProbeClassifier(**FAST).fit(X.astype(np.float16), y)
    single = LinearProbeClassifier(**FAST).fit(X.astype(np.float16).astype(np.float32), y)
    assert half.coef_.dtype == np.float32
    np.testing.assert_array_equal(half.coef_, single.coef_)


@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_float16_is_not_copied_to_float32(tmp_path, solver):
    rng = np.random.RandomState(0)
    stored = np.memmap(tmp_path / "X", dtype=np.float16, mode="w+", shape=(20_000, 500))
    stored[:] = rng.normal(size=stored.shape)
    y = stored[:, 0] > 0
    stored.flush()
    X = np.memmap(tmp_path / "X", dtype=np.float16, mode="r", shape=stored.shape)
    probe = LinearProbeClassifier(
        solver=solver, max_epochs=2, lambda_l1=0.05, tol=1e-2, random_state=0
    )
    tracemalloc.start()  # sees the arrays of numpy; torch's are chunks
    try:
        probe.fit(X, y)
        accuracy = probe.score(X, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert accuracy > 0.9
    assert peak < X.nbytes  # half of what float32 takes


def test_memory_maps_and_views_are_read_as_they_are(classification, tmp_path):
    X, y = classification
    expected = LinearProbeClassifier(**FAST).fit(X, y).coef_
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(LinearProbeClassifier(**FAST).fit(mapped, y).coef_, expected)
    reverse = X[::-1][::-1]
    np.testing.assert_array_equal(LinearProbeClassifier(**FAST).fit(reverse, y).coef_, expected)
    flipped = LinearProbeClassifier(**FAST).fit(X[:, ::-1], y)
    assert np.isfinite(flipped.coef_).all()


def test_warm_start_goes_on(classification):
    X, y = classification
    probe = LinearProbeClassifier(warm_start=True, **FAST).fit(X, y)
    first = probe.objective_
    assert probe.fit(X, y).objective_ < first
    with pytest.raises(ValueError, match="needs the same classes"):
        probe.fit(X[y < 2], y[y < 2])
    with pytest.raises(
        ValueError, match="X has 5 features, but LinearProbeClassifier is expecting"
    ):
        probe.fit(X[:, :5], y)
    probe.predict(X)  # a fit that fails leaves the last one as it was
    regressor = LinearProbeRegressor(warm_start=True, **FAST).fit(X, X[:, :2])
    with pytest.raises(ValueError, match="needs as many outputs: expected 2, got 3"):
        regressor.fit(X, X[:, :3])


def test_warm_start_of_two_classes_predicts_the_same(classification):
    X, y = classification
    X, y = X[y < 2], y[y < 2]
    probe = LinearProbeClassifier(warm_start=True, learning_rate=1e-12, **FAST).fit(X, y)
    before = probe.decision_function(X)
    np.testing.assert_allclose(probe.fit(X, y).decision_function(X), before, atol=1e-6)


def test_the_same_random_state_gives_the_same_bits(classification):
    X, y = classification
    probes = [LinearProbeClassifier(shuffle=True, **FAST).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(probes[0].coef_, probes[1].coef_)
    other = LinearProbeClassifier(shuffle=True, **{**FAST, "random_state": 1}).fit(X, y)
    assert (other.coef_ != probes[0].coef_).any()


def test_regressor_keeps_the_shape_of_y(classification):
    X, _ = classification
    y = X[:, 0]
    one = LinearProbeRegressor(**FAST).fit(X, y)
    column = LinearProbeRegressor(**FAST).fit(X, y[:, np.newaxis])
    assert one.coef_.shape == (12,)
    assert one.predict(X).shape == (150,)
    assert column.predict(X).shape == (150, 1)  # NeuroX broadcasts it to 150 x 150
    np.testing.assert_array_equal(one.coef_, column.coef_[0])


def test_verbose_prints_each_epoch(classification, capsys):
    LinearProbeClassifier(verbose=1, **FAST).fit(*classification)
    assert capsys.readouterr().out.count("[LinearProbeClassifier] epoch") == 3
    LinearProbeClassifier(**FAST).fit(*classification)
    assert capsys.readouterr().out == ""


class TestCallbacks:
    def test_progress_bar_in_a_pipeline(self, classification, capsys):
        from sklearn.callback import ProgressBar
        from sklearn.pipeline import make_pipeline

        from sklearn_neurox import LayerSelector, NeuronAblator, WeightMassSelector

        pipeline = make_pipeline(
            LayerSelector(0, n_layers=2),
            NeuronAblator([0]),
            WeightMassSelector(LinearProbeClassifier(**FAST), n_neurons=2),
            LinearProbeClassifier(**FAST),
        )
        pipeline.set_callbacks(ProgressBar(max_propagation_depth=None))
        pipeline.fit(*classification)  # a warning that a step knows no callbacks is an error
        out = capsys.readouterr().out
        for step in (*pipeline, pipeline[2].estimator_):
            assert f"{type(step).__name__} - fit" in out

    def test_scoring_monitor_sees_every_epoch(self, classification):
        from sklearn.callback import ScoringMonitor

        X, y = classification
        monitor = ScoringMonitor(scoring="accuracy")
        probe = LinearProbeClassifier(**FAST).set_callbacks(monitor).fit(X, y)
        epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
        assert len(epochs) == 3
        assert epochs[-1]["accuracy"] == probe.score(X, y)

    def test_a_callback_stops_training(self, classification):
        class Stop:
            def setup(self, estimator, context): ...
            def teardown(self, estimator, context): ...
            def on_fit_task_begin(self, estimator, context): ...
            def on_fit_task_end(self, estimator, context):
                return context.task_name == "epoch" and context.task_id == 1

        probe = LinearProbeClassifier(**FAST).set_callbacks(Stop()).fit(*classification)
        assert probe.n_iter_ == 2


class TestBadInput:
    def test_one_class(self, classification):
        X, _ = classification
        with pytest.raises(ValueError, match=r"at least 2 classes, got 1 class: all 150 .* 'NOUN'"):
            LinearProbeClassifier().fit(X, ["NOUN"] * len(X))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_not_finite(self, classification, value):
        X, y = classification
        X = X.copy()
        X[3, 4] = value
        with pytest.raises(ValueError, match=r"contains NaN|contains infinity"):
            LinearProbeClassifier().fit(X, y)

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("lambda_l1", -1e-3),
            ("lambda_l2", -1),
            ("l2_penalty", "ridge"),
            ("solver", "sgd"),
            ("max_epochs", 0),
            ("batch_size", 0),
            ("learning_rate", 0.0),
            ("class_weight", "equal"),
        ],
    )
    def test_parameters(self, classification, parameter, value):
        with pytest.raises(ValueError, match=f"The '{parameter}' parameter"):
            LinearProbeClassifier(**{parameter: value}).fit(*classification)

    @pytest.mark.parametrize("device", ["gpu0", "cuda:99", "meta:1:2", "meta"])
    def test_device(self, classification, device):
        with pytest.raises(ValueError, match=f"device='{device}' is not"):
            LinearProbeClassifier(device=device).fit(*classification)

    @pytest.mark.parametrize(
        "weights", [{0: -1, 1: -1, 2: -1}, {0: 1, 1: -1}, dict.fromkeys(range(3), 0)]
    )
    def test_class_weights(self, classification, weights):
        with pytest.raises(
            ValueError, match="class_weight must be finite, not negative, and not 0 for all"
        ):
            LinearProbeClassifier(class_weight=weights).fit(*classification)

    def test_a_failed_fit_changes_no_label(self, classification):
        X, y = classification
        probe = LinearProbeClassifier(**FAST).fit(X, y)
        expected = probe.predict(X)
        with pytest.raises(ValueError, match=r"class_weight has \['x'\], which are no labels of y"):
            probe.set_params(class_weight={"x": 1}).fit(X, np.array(["a", "b", "c"])[y])
        np.testing.assert_array_equal(probe.predict(X), expected)
        with pytest.raises(ValueError, match="left the range"):
            probe.set_params(class_weight=None, learning_rate=1e300).fit(
                X, np.array(["a", "b", "c"])[y]
            )
        np.testing.assert_array_equal(probe.predict(X), expected)

    def test_training_that_overflows(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match=r"left the range of float32.* learning_rate"):
            LinearProbeClassifier(**{**FAST, "learning_rate": 1e38}).fit(X.astype(np.float32), y)
        with pytest.raises(ValueError, match=r"left the range of float32"):
            LinearProbeRegressor(**FAST).fit(X.astype(np.float32), 1e30 * X[:, 0])
        with pytest.raises(ValueError, match=r"y reaches .*e\+300, past the range of X's float32"):
            LinearProbeRegressor(**FAST).fit(X.astype(np.float32), 1e300 * X[:, 0] / abs(X[:, 0]))

    def test_negative_weights(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match="Negative values"):
            LinearProbeClassifier().fit(X, y, sample_weight=-np.ones(len(y)))

    def test_labels_as_numbers(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match=r"needs numbers, got y of dtype <U1: \['b'"):
            LinearProbeRegressor().fit(X, np.array(["b", "b", "b"])[y])

    def test_numbers_as_labels(self, classification):
        X, _ = classification
        with pytest.raises(ValueError, match="Unknown label type"):
            LinearProbeClassifier().fit(X, X[:, 0])

    def test_lengths(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            LinearProbeClassifier().fit(X, y[:-1])

    def test_width(self, classification):
        X, y = classification
        probe = LinearProbeClassifier(**FAST).fit(X, y)
        with pytest.raises(ValueError, match="X has 11 features, but LinearProbeClassifier is exp"):
            probe.predict(X[:, :11])


@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_a_failed_or_interrupted_fit_changes_nothing(classification, solver, monkeypatch):
    X, y = classification
    probe = LinearProbeClassifier(solver=solver, lambda_l2=0.1, **FAST).fit(X, y)
    before = vars(probe).copy()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with pytest.raises(ValueError, match="at least 2 classes"):
        probe.fit(X[:, :5], np.ones(len(X)))
    monkeypatch.setattr("sklearn_neurox.probes._adam_solver.train_epoch", interrupt)
    monkeypatch.setattr("sklearn_neurox.probes._owlqn_solver.Minimization", interrupt)
    with pytest.raises(KeyboardInterrupt):
        probe.fit(X[:, :5], y)
    assert vars(probe) == before
    fresh = LinearProbeClassifier(solver=solver, **FAST)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X, y)
    assert vars(fresh) == vars(LinearProbeClassifier(solver=solver, **FAST))


class TestNetParams:
    def test_the_stock_step_takes_the_same_way(self, classification):
        X, y = classification
        fast = LinearProbeClassifier(lambda_l1=0.01, lambda_l2=0.01, **FAST).fit(X, y)
        stock = LinearProbeClassifier(
            lambda_l1=0.01, lambda_l2=0.01, net_params={"optimizer": torch.optim.Adam}, **FAST
        ).fit(X, y)
        np.testing.assert_allclose(stock.coef_, fast.coef_, atol=1e-10)
        np.testing.assert_allclose(stock.loss_curve_, fast.loss_curve_)

    def test_optimizer(self, classification):
        X, y = classification
        params = {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "lr": 0.1}
        probe = LinearProbeClassifier(net_params=params, **FAST).fit(X, y)
        assert isinstance(probe.net_.optimizer_, torch.optim.SGD)
        assert probe.score(X, y) > 0.9

    def test_callbacks(self, classification):
        X, y = classification
        params = {"callbacks": [LRScheduler("StepLR", step_size=1, gamma=0.1)]}
        probe = LinearProbeClassifier(net_params=params, **FAST).fit(X, y)
        rate = probe.net_.optimizer_.param_groups[0]["lr"]
        np.testing.assert_allclose(rate, 1e-3 * 0.1**3)

    def test_early_stopping_on_words_held_out(self, classification):
        X, y = classification
        y = np.random.RandomState(0).permutation(y)  # nothing to learn
        params = {"callbacks": [EarlyStopping(patience=2)], "train_split": ValidSplit(5)}
        probe = LinearProbeClassifier(
            max_epochs=50, learning_rate=0.1, net_params=params, random_state=0
        ).fit(X, y)
        assert 2 < probe.n_iter_ < 50
        assert "valid_loss" in probe.net_.history[-1]

    def test_module(self, classification):
        class Dropped(LinearProbeBank):
            def forward(self, X):
                return super().forward(nn.functional.dropout(X, 0.5, self.training))

        X, y = classification
        torch.manual_seed(0)
        probe = LinearProbeClassifier(net_params={"module": Dropped}, **FAST).fit(X, y)
        plain = LinearProbeClassifier(**FAST).fit(X, y)
        assert isinstance(probe.net_.module_, Dropped)
        assert not np.allclose(probe.coef_, plain.coef_)

    def test_a_module_of_another_shape(self, classification):
        class Deep(nn.Module):
            def __init__(self, **_):
                super().__init__()
                self.weight = nn.Parameter(torch.zeros(2, 2))

        with pytest.raises(ValueError, match=r"parameter `weight` of shape \(1, 3, 12\).*Deep has"):
            LinearProbeClassifier(net_params={"module": Deep}, **FAST).fit(*classification)

    def test_batch_size(self, classification):
        with pytest.raises(ValueError, match="batch_size in net_params must be at least 1, got 0"):
            LinearProbeClassifier(net_params={"batch_size": 0}, **FAST).fit(*classification)

    @pytest.mark.parametrize(
        ("params", "error", "message"),
        [
            ({"optimiser": torch.optim.SGD}, ValueError, "net_params.*unexpected.*optimiser"),
            ({"criterion": None}, TypeError, r"net_params \['criterion'\]: 'NoneType' object"),
            ({"max_epochs": 3}, ValueError, r"\['max_epochs'\]: set these parameters of the probe"),
            ({"device": "cpu"}, ValueError, r"\['device'\]: set these parameters of the probe"),
        ],
    )
    def test_what_a_net_does_not_take(self, classification, params, error, message):
        with pytest.raises(error, match=message):
            LinearProbeClassifier(net_params=params, **FAST).fit(*classification)

    def test_the_exact_solver_has_no_net(self, classification):
        with pytest.raises(ValueError, match="net_params are for solver=\"adam\"; 'owlqn' has no"):
            LinearProbeClassifier(net_params={"lr": 0.1}, solver="owlqn").fit(*classification)


def test_a_pickle_has_no_net(classification):
    X, y = classification
    probe = LinearProbeClassifier(**FAST).fit(X, y)
    copy = pickle.loads(pickle.dumps(probe))
    assert hasattr(probe, "net_")
    assert not hasattr(copy, "net_")
    assert len(pickle.dumps(probe)) < 3000
    np.testing.assert_array_equal(copy.predict(X), probe.predict(X))


@pytest.mark.cuda
@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("solver", ["adam", "owlqn"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_activations_that_do_not_fit_stream_to_cuda(
    classification, fits, solver, dtype, monkeypatch
):
    X, y = classification
    if not fits:
        monkeypatch.setattr("sklearn_neurox._device._SHARE_OF_MEMORY", 0.0)
    options = FAST | {"solver": solver, "lambda_l1": 0.01, "tol": 1e-4}
    cpu = LinearProbeClassifier(**options).fit(X.astype(dtype), y)
    cuda = LinearProbeClassifier(**{**options, "device": "cuda"}).fit(X.astype(dtype), y)
    np.testing.assert_allclose(cuda.objective_, cpu.objective_, rtol=1e-3)
    np.testing.assert_allclose(cuda.predict_proba(X), cpu.predict_proba(X), atol=1e-2)


@pytest.mark.cuda
@pytest.mark.parametrize("solver", ["adam", "owlqn"])
def test_searches_and_layers_on_cuda(classification, solver):
    X, y = classification
    options = FAST | {"solver": solver, "tol": 1e-6}
    results = [
        LinearProbeClassifierCV(
            lambdas_l1=[1e-3, 1e-2], lambdas_l2=[1e-2], cv=3, **{**options, "device": device}
        ).fit(X, y).cv_results_["mean_test_score"]
        for device in ("cpu", "cuda")
    ]  # fmt: skip
    np.testing.assert_allclose(*results, atol=1 / 50)
    on_layers = [
        layerwise_scores(
            LinearProbeClassifier(**{**options, "device": device}), X, y, n_layers=3, cv=3
        ).scores
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*on_layers, atol=1 / 50)


@pytest.mark.cuda
def test_an_epoch_does_not_wait_for_cuda(classification):
    X, y = classification
    probe = LinearProbeClassifier(**{**FAST, "device": "cuda"}).fit(X, y)  # warm up
    words = make_dataset(X, np.eye(3)[y], np.ones(len(y)), torch.device("cuda"))
    net = make_net(
        np.zeros((1, 3, 12)), np.zeros((1, 3)), loss="softmax_cross_entropy", lambda_l1=[0.1],
        lambda_l2=[0.1], l2_penalty="norm", batch_size=32, learning_rate=0.01, shuffle=None,
        device=torch.device("cuda"),
    )  # fmt: skip
    train_epoch(net, words)
    torch.cuda.set_sync_debug_mode("error")
    try:
        net.steps_.train(net.get_iterator(words, training=True))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert probe.score(X, y) > 0.5


@pytest.mark.cuda
def test_on_cuda_as_on_the_cpu(classification):
    X, y = classification
    cpu = LinearProbeClassifier(**FAST).fit(X, y)
    cuda = LinearProbeClassifier(**{**FAST, "device": "cuda"}).fit(X, y)
    np.testing.assert_allclose(cuda.coef_, cpu.coef_, atol=1e-8)
    assert all(p.device == torch.device("cpu") for p in cuda.net_.module_.parameters())


@pytest.mark.filterwarnings("default:After the last epoch the squared error")
class TestFarNumbers:
    """Adam moves by small steps: a mean far from 0 is not reached, and that is said."""

    def data(self, mean):
        rng = np.random.RandomState(0)
        X = rng.normal(size=(200, 5))
        return X, X[:, 0] + mean

    def test_worse_than_the_mean(self):
        probe = LinearProbeRegressor(max_epochs=2, random_state=0)
        X, y = self.data(mean=100)
        with pytest.warns(ConvergenceWarning, match="always saying the mean of y is 1") as caught:
            probe.fit(X, y)
        assert probe.score(X, y) < 0  # which is what it says
        assert caught[0].filename == __file__

    @pytest.mark.parametrize(
        "probe",
        [
            LinearProbeRegressor(solver="owlqn"),
            TransformedTargetRegressor(
                LinearProbeRegressor(learning_rate=0.05, random_state=0),
                transformer=StandardScaler(),
            ),
        ],
        ids=["owlqn", "standardised"],
    )
    def test_what_is_told_to_do_helps(self, probe):
        X, y = self.data(mean=100)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert probe.fit(X, y).score(X, y) > 0.9

    def test_a_bank_is_warned_of_if_no_layer_is_better(self):
        X, y = self.data(mean=100)
        probe = LinearProbeRegressor(max_epochs=2, random_state=0)
        with pytest.warns(ConvergenceWarning, match="After the last epoch"):
            layerwise_scores(probe, X, y, n_layers=5, cv=2)
