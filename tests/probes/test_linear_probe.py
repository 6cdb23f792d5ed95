"""What the linear probes share: weights, dtypes, starts, callbacks, devices, and bad input."""

import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_neurox import (
    GaussianProbeClassifier,
    LayerSelector,
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
    layerwise_scores,
)

# A few epochs, which do not reach the mean of y, are enough for what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:After the last epoch, the squared error")

FAST = dict(max_epochs=3, random_state=0, device="cpu")
RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)
NUMBERS = X @ RNG.normal(size=8) + RNG.normal(size=150)
WEIGHT = RNG.uniform(0.2, 3, size=150)
EACH_SOLVER = pytest.mark.parametrize("solver", ["adam", "owlqn"])


def test_weight_zero_equals_a_removed_row(classification):
    X, y = classification
    weight = np.arange(len(y)) % 3 != 0
    weighted = LinearProbeClassifier(**FAST).fit(X, y, sample_weight=weight.astype(float))
    removed = LinearProbeClassifier(**FAST).fit(X[weight], y[weight])
    np.testing.assert_array_equal(weighted.coef_, removed.coef_)


class TestWeights:
    @pytest.mark.parametrize("make", [LinearProbeClassifier, LinearProbeRegressor])
    def test_those_of_the_caller_are_not_changed(self, make):
        given = WEIGHT.copy()
        make(**FAST).fit(X, Y, given)
        np.testing.assert_array_equal(given, WEIGHT)

    @EACH_SOLVER
    def test_the_largest_do_not_overflow(self, solver):
        probe = LinearProbeClassifier(solver=solver, lambda_l1=0.01, **FAST)
        heavy = clone(probe).fit(X, Y, np.full(150, 1e308))
        np.testing.assert_array_equal(heavy.coef_, probe.fit(X, Y).coef_)


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
    assert peak < X.nbytes  # half the size of float32


def test_float16_predicts_as_float32():
    half = X.astype(np.float16)
    regressor = LinearProbeRegressor(**FAST).fit(half, NUMBERS + 5)
    np.testing.assert_allclose(
        regressor.predict(half), regressor.predict(half.astype(np.float32)), rtol=1e-4
    )
    classifier = LinearProbeClassifier(**FAST).fit(half, Y)
    np.testing.assert_allclose(
        classifier.decision_function(half),
        classifier.decision_function(half.astype(np.float32)),
        atol=1e-5,
    )


def test_memory_maps_and_views(classification, tmp_path):
    X, y = classification
    expected = LinearProbeClassifier(**FAST).fit(X, y).coef_
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(LinearProbeClassifier(**FAST).fit(mapped, y).coef_, expected)
    reverse = X[::-1][::-1]
    np.testing.assert_array_equal(LinearProbeClassifier(**FAST).fit(reverse, y).coef_, expected)
    flipped = LinearProbeClassifier(**FAST).fit(X[:, ::-1], y)
    assert np.isfinite(flipped.coef_).all()


def test_warm_start_continues(classification):
    X, y = classification
    probe = LinearProbeClassifier(warm_start=True, **FAST).fit(X, y)
    first = probe.objective_
    assert probe.fit(X, y).objective_ < first
    with pytest.raises(ValueError, match="requires the same classes"):
        probe.fit(X[y < 2], y[y < 2])
    with pytest.raises(
        ValueError, match="X has 5 features, but LinearProbeClassifier is expecting"
    ):
        probe.fit(X[:, :5], y)
    probe.predict(X)  # a fit that fails leaves the last one as it was
    regressor = LinearProbeRegressor(warm_start=True, **FAST).fit(X, X[:, :2])
    with pytest.raises(
        ValueError,
        match="requires the same number of outputs as in the last fit: expected 2, got 3",
    ):
        regressor.fit(X, X[:, :3])


class TestStarts:
    @pytest.mark.parametrize("l2", [0.0, 0.1])
    def test_a_warm_start_ends_at_zero_if_the_optimum_is_there(self, l2):
        probe = LinearProbeClassifier(solver="owlqn", lambda_l1=0.01, warm_start=True).fit(X, Y)
        probe.set_params(lambda_l1=1e9, lambda_l2=l2).fit(X, Y)
        assert not probe.coef_.any()

    def test_a_constant_neuron_loses_the_weight_of_a_warm_start(self):
        constant = np.c_[X, np.full(150, 0.5)]
        probe = LinearProbeClassifier(warm_start=True, lambda_l1=0.01, **FAST).fit(constant, Y)
        assert probe.coef_[:, -1].all()
        probe.set_params(solver="owlqn").fit(constant, Y)
        assert not probe.coef_[:, -1].any()


def test_the_same_random_state_gives_the_same_bits(classification):
    X, y = classification
    probes = [LinearProbeClassifier(shuffle=True, **FAST).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(probes[0].coef_, probes[1].coef_)
    other = LinearProbeClassifier(shuffle=True, **{**FAST, "random_state": 1}).fit(X, y)
    assert (other.coef_ != probes[0].coef_).any()


def test_verbose_prints_each_epoch(classification, capsys):
    LinearProbeClassifier(verbose=1, **FAST).fit(*classification)
    assert capsys.readouterr().out.count("[LinearProbeClassifier] epoch") == 3
    LinearProbeClassifier(**FAST).fit(*classification)
    assert capsys.readouterr().out == ""


class TestCallbacks:
    def test_progress_bar_in_a_pipeline(self, classification, capsys):
        from sklearn.callback import ProgressBar

        from sklearn_neurox import NeuronAblator, WeightMassSelector

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


class TestBadInput:
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

    def test_training_that_overflows(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match=r"exceeded the range of float32.* learning_rate"):
            LinearProbeClassifier(**{**FAST, "learning_rate": 1e38}).fit(X.astype(np.float32), y)
        with pytest.raises(ValueError, match=r"exceeded the range of float32"):
            LinearProbeRegressor(**FAST).fit(X.astype(np.float32), 1e30 * X[:, 0])
        with pytest.raises(
            ValueError, match=r"y contains .*e\+300, which exceeds the range of float32"
        ):
            LinearProbeRegressor(**FAST).fit(X.astype(np.float32), 1e300 * X[:, 0] / abs(X[:, 0]))

    def test_negative_weights(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match="Negative values"):
            LinearProbeClassifier().fit(X, y, sample_weight=-np.ones(len(y)))

    def test_lengths(self, classification):
        X, y = classification
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            LinearProbeClassifier().fit(X, y[:-1])

    def test_width(self, classification):
        X, y = classification
        probe = LinearProbeClassifier(**FAST).fit(X, y)
        with pytest.raises(ValueError, match="X has 11 features, but LinearProbeClassifier is exp"):
            probe.predict(X[:, :11])

    @pytest.mark.parametrize("make", [LinearProbeClassifier, GaussianProbeClassifier])
    def test_text_for_activations(self, make):
        with pytest.raises(ValueError, match=r"X must contain numbers, but contains text: .*NOUN"):
            make().fit([["NOUN", "VERB"]] * 150, Y)

    def test_tokens_for_their_activations(self):
        class Tokens:
            X = X

        for use in (
            LinearProbeClassifier().fit,
            LinearProbeClassifierCV().fit,
            GaussianProbeClassifier().fit,
            lambda X, y: layerwise_scores(LinearProbeClassifier(), X, y, n_layers=2),
        ):
            with pytest.raises(
                TypeError, match=r"X must be an array, got Tokens. Pass its attribute X instead"
            ):
                use(Tokens(), Y)


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


@EACH_SOLVER
@pytest.mark.parametrize(
    "kind",
    [
        LinearProbeClassifier,
        LinearProbeRegressor,
        LinearProbeClassifierCV,
        LinearProbeRegressorCV,
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_surrounding_autocast_changes_nothing(kind, solver, dtype):
    random_state = np.random.RandomState(0)
    X = random_state.normal(size=(60, 5)).astype(dtype)
    y = X[:, 0] + random_state.normal(size=60)
    y = y > 0 if "Classifier" in kind.__name__ else y
    options = dict(lambdas_l1=[0.01], lambdas_l2=[0.01, 0.1]) if "CV" in kind.__name__ else {}
    probe = kind(solver=solver, max_epochs=5, random_state=0, **options)
    expected = clone(probe).fit(X, y)
    with torch.autocast("cpu", torch.bfloat16):
        actual = clone(probe).fit(X, y)
        predicted = actual.predict(X)
    np.testing.assert_array_equal(actual.coef_, expected.coef_)
    np.testing.assert_array_equal(actual.intercept_, expected.intercept_)
    np.testing.assert_array_equal(predicted, expected.predict(X))
