"""Promises of the plain probes, each of which a small change of the code once broke unseen."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch import nn

from sklearn_neurox import (
    GaussianProbeClassifier,
    LayerSelector,
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    layerwise_scores,
    save_probe,
)
from sklearn_neurox.probes._adam import LinearProbeBank, TensorBatches, make_dataset

RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)
NUMBERS = X @ RNG.normal(size=8) + RNG.normal(size=150)
WEIGHT = RNG.uniform(0.2, 3, size=150)
FAST = dict(max_epochs=3, random_state=0, device="cpu")
UNTRAINED = "ignore:After the last epoch the squared error"
EACH_SOLVER = pytest.mark.parametrize("solver", ["adam", "owlqn"])


class TestWeights:
    @pytest.mark.filterwarnings(UNTRAINED)
    @pytest.mark.parametrize("make", [LinearProbeClassifier, LinearProbeRegressor])
    def test_the_callers_stay_as_they_are(self, make):
        given = WEIGHT.copy()
        make(**FAST).fit(X, Y, given)
        np.testing.assert_array_equal(given, WEIGHT)

    @EACH_SOLVER
    def test_a_class_of_weight_zero_is_not_balanced(self, solver):
        probe = LinearProbeClassifier(
            class_weight="balanced", solver=solver, lambda_l1=0.01, **FAST
        )
        weighted = clone(probe).fit(X, Y, (Y != 1).astype(float))
        np.testing.assert_array_equal(weighted.coef_, probe.fit(X[Y != 1], Y[Y != 1]).coef_)

    @EACH_SOLVER
    def test_the_largest_do_not_overflow(self, solver):
        probe = LinearProbeClassifier(solver=solver, lambda_l1=0.01, **FAST)
        heavy = clone(probe).fit(X, Y, np.full(150, 1e308))
        np.testing.assert_array_equal(heavy.coef_, probe.fit(X, Y).coef_)

    def test_words_without_weight_do_not_hide_that_classes_are_separated(self):
        line = np.r_[np.linspace(-2, -1, 10), np.linspace(1, 2, 10), 3][:, None]
        classes, weight = np.r_[np.zeros(10), np.ones(10), 0].astype(int), np.r_[np.ones(20), 0]
        with pytest.warns(ConvergenceWarning, match="no minimiser") as caught:
            LinearProbeClassifier(solver="owlqn").fit(line, classes, weight)
        assert caught[0].filename == __file__


class TestStarts:
    @pytest.mark.parametrize("l2", [0.0, 0.1])
    def test_a_warm_one_ends_at_zero_where_the_optimum_is(self, l2):
        probe = LinearProbeClassifier(solver="owlqn", lambda_l1=0.01, warm_start=True).fit(X, Y)
        probe.set_params(lambda_l1=1e9, lambda_l2=l2).fit(X, Y)
        assert not probe.coef_.any()

    def test_a_constant_neuron_loses_the_weight_of_a_warm_one(self):
        constant = np.c_[X, np.full(150, 0.5)]
        probe = LinearProbeClassifier(warm_start=True, lambda_l1=0.01, **FAST).fit(constant, Y)
        assert probe.coef_[:, -1].all()
        probe.set_params(solver="owlqn").fit(constant, Y)
        assert not probe.coef_[:, -1].any()

    def test_a_random_one_is_that_of_torchs_linear(self):
        probe = LinearProbeRegressor(max_epochs=1, learning_rate=1e-12, random_state=0)
        with pytest.warns(ConvergenceWarning, match="After the last epoch"):
            probe.fit(X[:, :4], RNG.normal(size=(150, 500)) * 1e-3)
        for start in (probe.coef_, probe.intercept_):
            assert 0.48 < start.max() < 0.5
            assert -0.5 < start.min() < -0.48


class TestNets:
    def test_words_held_out_are_not_trained_on(self):
        seen = []

        class Sizes(Callback):
            def on_batch_end(self, net, batch=None, training=False, **_):
                seen.append((training, len(batch[0])))

            def __deepcopy__(self, memo):
                return self

        params = {"callbacks": [Sizes()], "train_split": ValidSplit(5)}
        LinearProbeClassifier(net_params=params, max_epochs=1, random_state=0).fit(X, Y)
        assert sum(size for training, size in seen if training) == 120
        assert sum(size for training, size in seen if not training) == 30

    def test_each_epoch_has_an_order_of_its_own_from_the_random_state(self):
        words = make_dataset(X, np.eye(3)[Y], np.ones(150), torch.device("cpu"))

        def orders(seed):
            batches = TensorBatches(words, 16, shuffle=np.random.RandomState(seed))
            return [torch.cat([batch for batch, _ in batches]) for _ in range(2)]

        first, second = orders(0)
        assert not torch.equal(first, second)
        assert torch.equal(first, orders(0)[0])
        assert not torch.equal(first, orders(1)[0])

    def test_an_interrupt_within_an_epoch_is_not_swallowed(self):
        class Interrupt(Callback):
            def on_train_begin(self, net, **_):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            LinearProbeClassifier(net_params={"callbacks": [Interrupt()]}, **FAST).fit(X, Y)

    def test_a_callback_begins_anew_in_each_fit(self):
        class Stop(Callback):
            epochs = 0

            def on_epoch_end(self, net, **_):
                self.epochs += 1
                if self.epochs == 2:
                    raise KeyboardInterrupt

        stop = Stop()
        probe = LinearProbeClassifier(net_params={"callbacks": [stop]}, max_epochs=5)
        assert [probe.fit(X, Y).n_iter_ for _ in range(2)] == [2, 2]
        assert stop.epochs == 0

    def test_the_objective_is_that_of_the_module_as_it_predicts(self):
        class Dropped(LinearProbeBank):
            def forward(self, X):
                return super().forward(nn.functional.dropout(X, 0.5, self.training))

        probe = LinearProbeClassifier(net_params={"module": Dropped}, **FAST).fit(X, Y)
        losses = -probe.predict_log_proba(X)[np.arange(150), Y]
        assert probe.objective_ == pytest.approx(losses.mean())
        assert not probe.net_.module_.training

    def test_nothing_of_the_training_stays(self):
        probe = LinearProbeClassifier(**FAST).fit(X, Y)
        assert not hasattr(probe.net_, "steps_")
        probe.set_params(solver="owlqn", lambda_l1=0.01).fit(X, Y)
        assert not hasattr(probe, "net_")

    def test_the_loss_curve_has_the_precision_of_the_training(self):
        fast, stock = (
            LinearProbeClassifier(net_params=params, **FAST).fit(X, Y)
            for params in (None, {"verbose": 0})
        )
        np.testing.assert_allclose(fast.loss_curve_, stock.loss_curve_, rtol=1e-13)


class TestBanks:
    def test_layers_and_pairs_of_lambdas(self):
        lambdas = [(0.0, 0.0), (0.05, 0.2)]
        probe = LinearProbeClassifier(**FAST)
        fitted = probe._fit_bank(X, Y, None, lambdas, n_layers=2)
        for layer in range(2):
            for k, pair in enumerate(lambdas):
                (alone,) = probe._fit_bank(X[:, 4 * layer : 4 * layer + 4], Y, None, [pair])
                np.testing.assert_allclose(fitted[2 * layer + k]["coef_"], alone["coef_"])

    @pytest.mark.filterwarnings("error")
    def test_one_that_is_better_than_the_mean_is_enough(self):
        probe = LinearProbeRegressor(max_epochs=50, learning_rate=0.05, random_state=0)
        probe._fit_bank(X, X[:, 0], None, [(0, 0), (50.0, 50.0)])

    def test_the_worst_of_one_is_named(self):
        probe = LinearProbeClassifier(solver="owlqn", max_iter=5, device="cpu")
        with pytest.warns(ConvergenceWarning) as caught:
            fitted = probe._fit_bank(X, Y, None, [(1e-2, 1e-3), (1e-2, 1e-1)])
        worst = max(fitted, key=lambda each: each["optimality_"])
        pair = [1e-3, 1e-1][fitted.index(worst)]
        assert f"by {worst['optimality_']:.1e} at lambda_l1=0.01, lambda_l2={pair:g}, and" in str(
            caught[0].message
        )

    @pytest.mark.filterwarnings("error")
    def test_layers_of_frames(self):
        steps = make_pipeline(StandardScaler(), LinearProbeClassifier(**FAST))
        steps.set_output(transform="pandas")
        found = layerwise_scores(steps, X, Y, n_layers=2, cv=3).scores
        for layer in range(2):
            alone = make_pipeline(LayerSelector(layer, n_layers=2), *map(clone, steps))
            np.testing.assert_allclose(found[layer], cross_val_score(alone, X, Y, cv=3))


@pytest.mark.filterwarnings("error")
def test_strong_penalties_are_not_taken_for_a_bad_start():
    y = (X[:, 0] - X[:, 0].mean()) / X[:, 0].std()
    LinearProbeRegressor(lambda_l1=2.0, random_state=0, max_epochs=300).fit(X, y)


@pytest.mark.filterwarnings(UNTRAINED)
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


def test_a_failed_fit_of_a_gaussian_changes_nothing():
    probe = GaussianProbeClassifier().fit(X, Y)
    expected = probe.predict(X)
    with pytest.raises(ValueError, match="at least 2 classes"):
        probe.fit(X[:, :3], np.zeros(150))
    np.testing.assert_array_equal(probe.predict(X), expected)


class TestBadInput:
    @pytest.mark.parametrize("make", [LinearProbeClassifier, GaussianProbeClassifier])
    def test_words_without_a_label(self, make):
        with pytest.raises(
            TypeError, match=r"of one kind, but contains NoneType and string labels; .* y\[3\]"
        ):
            make().fit(X, [*"abc", None, *"abcd" * 36, "a", "b"])

    @pytest.mark.parametrize("missing", [None, np.nan])
    def test_words_without_a_number(self, missing):
        with pytest.raises(ValueError, match="Input y contains NaN"):
            LinearProbeRegressor().fit(X, [missing, *NUMBERS[1:].tolist()])

    @pytest.mark.parametrize("make", [LinearProbeClassifier, GaussianProbeClassifier])
    def test_text_for_activations(self, make):
        with pytest.raises(ValueError, match=r"X holds text, where numbers are expected: .*NOUN"):
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
            with pytest.raises(TypeError, match="X is a Tokens: give its activations, its X"):
                use(Tokens(), Y)


class TestSaving:
    def test_classes_that_come_twice(self, tmp_path):
        probe = LinearProbeClassifier(**FAST).fit(X, Y)
        probe.classes_ = np.array([0, 0, 2])
        with pytest.raises(ValueError, match="different and sorted"):
            save_probe(probe, tmp_path / "p")

    @pytest.mark.filterwarnings(UNTRAINED)
    def test_shapes(self, tmp_path):
        probe = LinearProbeRegressor(**FAST).fit(X, X[:, :3])
        probe.intercept_ = probe.intercept_[:2]
        with pytest.raises(
            ValueError, match=r"intercept_ should have the shape \(3,\), got \(2,\)"
        ):
            save_probe(probe, tmp_path / "p")
        search = LinearProbeClassifierCV(lambdas_l1=[0], lambdas_l2=[0], cv=2, **FAST).fit(X, Y)
        search.coef_ = search.coef_[:2]
        with pytest.raises(ValueError, match="coef_ should have the shape"):
            save_probe(search, tmp_path / "p")

    @pytest.mark.parametrize("name", ["class_prior_", "means_"])
    def test_shapes_of_a_gaussian(self, tmp_path, name):
        probe = GaussianProbeClassifier().fit(X, Y)
        setattr(probe, name, getattr(probe, name)[:2])
        with pytest.raises(ValueError, match=f"{name} should have the shape"):
            save_probe(probe, tmp_path / "p")

    def test_where_to(self, tmp_path):
        probe = LinearProbeClassifier(**FAST).fit(X, Y)
        with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
            save_probe(probe, tmp_path)
        with pytest.raises(TypeError, match="takes the probe first, and then the path"):
            save_probe(tmp_path / "p", probe)
