"""Adam says that it stopped too early, and only then."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from skorch.callbacks import Callback

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    ablation_curve,
    layerwise_scores,
)
from sklearn_neurox.probes._adam_progress import Progress, learnable_layers, null_objective
from sklearn_neurox.probes._solver import Problem, TrainingSet

IRIS, WINE, CANCER, DIGITS = (
    load(return_X_y=True) for load in (load_iris, load_wine, load_breast_cancer, load_digits)
)
STOPPED = "Adam stopped while the objective was still decreasing"
EXACT = LinearProbeClassifier(solver="owlqn", lambda_l2=0.01, device="cpu")


def probe(**params):
    return LinearProbeClassifier(**{"random_state": 0, "device": "cpu", **params})


def fit_messages(estimator, X, y, **params):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y, **params)
    assert all(issubclass(each.category, ConvergenceWarning) for each in caught)
    return [str(each.message) for each in caught]


def scaled(data):
    return scale(data[0]), data[1]


def prompts(scale=1.0):
    """300 prompts, 768 neurons, and a signal along one direction."""
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=300)
    direction = rng.normal(size=768)
    direction *= 3 / np.linalg.norm(direction)
    X = rng.normal(size=(300, 768)) + (y[:, None] - 0.5) * direction
    return (scale * X).astype(np.float32), y


class TestDataSets:
    """The warning separates fits far from the optimum from those that are nearly as good."""

    @pytest.mark.parametrize(
        "data",
        [IRIS, scaled(IRIS), WINE, scaled(WINE), CANCER, prompts(0.1)],
        ids=["iris", "scaled iris", "wine", "scaled wine", "cancer", "small activations"],
    )
    def test_far_from_done(self, data):
        (message,) = fit_messages(probe(), *data)
        assert message.startswith(STOPPED)
        remedies = ("Set standardize=True, increase learning_rate or max_epochs", 'solver="owlqn"')
        assert all(remedy in message for remedy in remedies)

    @pytest.mark.parametrize(
        "data",
        [DIGITS, scaled(DIGITS), scaled(CANCER), prompts()],
        ids=["digits", "scaled digits", "scaled cancer", "prompts"],
    )
    def test_nearly_done(self, data):
        assert fit_messages(probe(), *data) == []

    @pytest.mark.parametrize("data", [scaled(IRIS), scaled(WINE)], ids=["iris", "wine"])
    def test_the_remedies_help(self, data):
        assert fit_messages(probe(learning_rate=0.1), *data) == []
        assert fit_messages(probe(max_epochs=1000), *data) == []

    def test_standardize(self):
        """The same fit as on standardized samples, whose message does not advise it."""
        for data in (IRIS, WINE):
            (ours,) = fit_messages(probe(standardize=True), *data)
            (theirs,) = fit_messages(probe(), *scaled(data))
            assert ours.split("Increase")[0] == theirs.split("Set standardize")[0]
        assert fit_messages(probe(standardize=True), *CANCER) == []
        strong = {"lambda_l1": 0.7, "standardize": True}  # W = 0 is optimal, as below
        assert fit_messages(probe(**strong), *IRIS) == []

    def test_what_the_warning_is_worth(self):
        """The default probe is far worse than the exact one where it warns."""
        with pytest.warns(ConvergenceWarning, match=STOPPED):
            of_iris = cross_val_score(probe(), *scaled(IRIS)).mean()
        assert of_iris < cross_val_score(EXACT, *scaled(IRIS)).mean() - 0.3
        of_digits = cross_val_score(probe(), *scaled(DIGITS)).mean()
        assert of_digits > cross_val_score(EXACT, *scaled(DIGITS)).mean() - 0.04


class TestNothingToLearn:
    @pytest.mark.parametrize("shape", [(100, 3), (200, 5), (300, 60), (500, 20)])
    def test_random_labels(self, shape):
        for seed in range(10):
            rng = np.random.RandomState(seed)
            X, y = rng.normal(size=shape), rng.randint(3, size=shape[0])
            assert fit_messages(probe(random_state=seed), X, y) == []

    def test_the_curve_alone_would_warn(self):
        """The random initial weights are unlearned slowly, although there is nothing to learn."""
        rng = np.random.RandomState(0)
        X, y = rng.normal(size=(200, 5)), rng.randint(3, size=200)
        progress = Progress.of(probe().fit(X, y).loss_curve_, np.log(3))
        assert progress.is_unfinished
        X[:, 0] += y
        assert fit_messages(probe(), X, y)

    def test_random_numbers(self):
        rng = np.random.RandomState(0)
        model = LinearProbeRegressor(random_state=0, device="cpu")
        assert fit_messages(model, rng.normal(size=(800, 5)), rng.normal(size=800)) == []

    def test_constant_neurons(self):
        y = np.random.RandomState(0).randint(3, size=200)
        assert fit_messages(probe(), np.ones((200, 4)), y) == []

    @pytest.mark.parametrize(
        "penalties",
        [{"lambda_l1": 0.7}, {"lambda_l2": 1.0}, {"lambda_l1": 0.7, "l2_penalty": "squared"}],
        ids=str,
    )
    def test_penalties_that_keep_all_weights_at_0(self, penalties):
        X, y = scaled(IRIS)
        exact = LinearProbeClassifier(solver="owlqn", device="cpu", **penalties).fit(X, y)
        assert not exact.coef_.any()
        assert fit_messages(probe(**penalties), X, y) == []

    @pytest.mark.parametrize(
        "penalties", [{"lambda_l1": 0.1}, {"lambda_l2": 0.1}, {"lambda_l2": 0.5}], ids=str
    )
    def test_penalties_that_do_not(self, penalties):
        X, y = scaled(IRIS)
        exact = LinearProbeClassifier(solver="owlqn", device="cpu", **penalties).fit(X, y)
        assert exact.coef_.any()
        assert len(fit_messages(probe(**penalties), X, y)) == 1


class TestTheChoiceOfTheUser:
    def test_few_epochs(self):
        assert fit_messages(probe(max_epochs=9), *IRIS) == []
        assert len(fit_messages(probe(max_epochs=10), *IRIS)) == 1

    def test_a_warm_start(self):
        warm = probe(warm_start=True)
        assert len(fit_messages(warm, *IRIS)) == 1
        assert fit_messages(warm, *IRIS) == []

    def test_a_callback_that_stops(self):
        class AfterTwelve(Callback):
            def on_epoch_end(self, net, **kwargs):
                if len(net.history) == 12:
                    raise KeyboardInterrupt

        stopped = probe(max_epochs=20, net_params={"callbacks": [AfterTwelve()]})
        assert fit_messages(stopped, *IRIS) == []
        assert stopped.n_iter_ == 12
        whole = probe(max_epochs=12, net_params={"callbacks": []})
        assert len(fit_messages(whole, *IRIS)) == 1

    def test_the_random_numbers_of_the_user_are_not_used(self):
        given, expected = np.random.RandomState(0), np.random.RandomState(0)
        assert len(fit_messages(probe(random_state=given), *IRIS)) == 1
        expected.uniform(size=3 * 4 + 3)  # the initial weights
        assert given.randint(10**9) == expected.randint(10**9)

    def test_x_is_not_changed(self):
        X = IRIS[0].copy()
        assert len(fit_messages(probe(), X, IRIS[1])) == 1
        np.testing.assert_array_equal(X, IRIS[0])


class TestSearches:
    @pytest.mark.parametrize("refit", [True, False])
    def test_a_search_warns_once(self, refit):
        search = LinearProbeClassifierCV(refit=refit, random_state=0, device="cpu")
        (message,) = fit_messages(search, *WINE)
        assert message.startswith(STOPPED)

    def test_a_search_that_is_done_does_not(self):
        search = LinearProbeClassifierCV(
            lambdas_l1=[0, 1e-3], lambdas_l2=[0], cv=2, random_state=0, device="cpu"
        )
        assert fit_messages(search, *scaled(DIGITS)) == []

    def test_layers(self):
        X = np.hstack([scale(DIGITS[0]), 0.01 * scale(DIGITS[0])])
        with pytest.warns(ConvergenceWarning) as caught:
            layerwise_scores(probe(), X, DIGITS[1], n_layers=2, cv=2)
        (warning,) = caught  # one for all folds
        assert str(warning.message).startswith(f"{STOPPED} in 1 of 2 layers: by ")
        assert warning.filename == __file__

    @pytest.mark.parametrize("verbose", [0, 1])  # with a progress bar
    def test_functions_with_many_fits_warn_once(self, verbose):
        with pytest.warns(ConvergenceWarning) as caught:
            ablation_curve(
                probe(), *IRIS, ranking=np.arange(4), mode="remove", cv=3, verbose=verbose
            )
        (warning,) = caught
        assert warning.filename == __file__


class TestRegression:
    def test_slow(self):
        X, y = load_diabetes(return_X_y=True)
        model = LinearProbeRegressor(random_state=0, device="cpu")
        (message,) = fit_messages(model, scale(X) / 10, scale(y))
        assert message.startswith(STOPPED)
        assert fit_messages(model.set_params(learning_rate=0.05), scale(X), scale(y)) == []

    def test_far_targets_have_their_own_message(self):
        X, y = load_diabetes(return_X_y=True)
        (message,) = fit_messages(LinearProbeRegressor(random_state=0, device="cpu"), X, y)
        assert "larger than the" in message


class TestCovariances:
    """The gradient at W = 0 and the test against permuted targets, from one pass."""

    def problem(self, X, y, weight=None, n_layers=1, **lambdas):
        weight = np.ones(len(y)) if weight is None else weight / weight.mean()
        targets = np.eye(y.max() + 1)[y]
        data = TrainingSet(X, targets, weight, "softmax_cross_entropy", torch.device("cpu"))
        pair = np.array([[lambdas.get("lambda_l1", 0), lambdas.get("lambda_l2", 0)]], float)
        return Problem(data, pair, "norm", None, np.random.RandomState(0), n_layers)

    @pytest.mark.parametrize("form", ["lambda_l1", "lambda_l2"])
    def test_the_penalty_from_which_w_stays_at_0(self, form):
        """The gradient at W = 0 decides; the exact solver agrees just above and below."""
        X, y = IRIS
        weight = np.random.RandomState(0).uniform(0.5, 2, size=150)
        share = weight / weight.sum()
        targets = np.eye(3)[y]
        gradient = ((targets - share @ targets) * share[:, None]).T @ X
        limit = np.abs(gradient).max() if form == "lambda_l1" else np.linalg.norm(gradient)
        for factor in (0.99, 1.01):
            problem = self.problem(X, y, weight, **{form: factor * limit})
            learns = bool(learnable_layers(problem)[0])
            exact = LinearProbeClassifier(solver="owlqn", device="cpu", **{form: factor * limit})
            exact.fit(X, y, weight)
            assert learns == exact.coef_.any() == (factor < 1)

    @pytest.mark.parametrize("n_copies", [1, 100])
    def test_layers(self, n_copies):
        """More samples than are read change nothing."""
        rng = np.random.RandomState(0)
        X = np.hstack([rng.normal(size=(150, 4)), IRIS[0], rng.normal(size=(150, 4))])
        X, y = np.repeat(X, n_copies, axis=0), np.repeat(IRIS[1], n_copies)
        X[:, [0, 1, 2, 3, 8, 9, 10, 11]] = rng.normal(size=(len(X), 8))
        for columns in (X, X.astype(np.float16), X + 1e3):
            before = columns.copy()
            found = learnable_layers(self.problem(columns, y, n_layers=3))
            assert found.tolist() == [False, True, False]
            np.testing.assert_array_equal(columns, before)

    def test_a_memory_map(self, tmp_path):
        path = tmp_path / "X.npy"
        np.save(path, np.repeat(IRIS[0], 3, axis=0).astype(np.float16))
        X = np.load(path, mmap_mode="r")
        (message,) = fit_messages(probe(), X, np.repeat(IRIS[1], 3))
        assert message.startswith(STOPPED)

    def test_null_objective(self):
        y = np.array([0, 0, 0, 1])
        problem = self.problem(np.ones((4, 1)), y)
        assert null_objective(problem.data) == pytest.approx(
            -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
        )

    def test_progress(self):
        linear = Progress.of(np.linspace(1, 0.5, 11), null=1.0)
        assert linear.first == pytest.approx(linear.second)
        assert linear.is_unfinished
        halving = Progress.of(0.5 ** np.arange(11), null=1.0)
        assert halving.second == pytest.approx(halving.first / 32)
        assert not halving.is_unfinished


def test_it_warns_where_the_user_called():
    with pytest.warns(ConvergenceWarning, match=STOPPED) as caught:
        make_pipeline(StandardScaler(), probe()).fit(*IRIS)
    assert caught[0].filename == __file__
