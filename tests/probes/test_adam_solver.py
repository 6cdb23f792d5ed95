"""The solver "adam": skorch nets, its start, and its warning."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.dataset import ValidSplit
from torch import nn

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    layerwise_scores,
)
from sklearn_neurox.probes._adam import (
    LinearProbeBank,
    TensorBatches,
    make_dataset,
    make_net,
    train_epoch,
)

# A few epochs, which do not reach the mean of y, are enough for what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:After the last epoch, the squared error")

FAST = dict(max_epochs=3, random_state=0, device="cpu")
RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)


class TestNetParams:
    def test_the_stock_step_gives_the_same_weights(self, classification):
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

    def test_early_stopping_on_samples_held_out(self, classification):
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

        with pytest.raises(
            ValueError, match=r"parameter `weight` of shape \(1, 3, 12\).*got \(2, 2\) in Deep"
        ):
            LinearProbeClassifier(net_params={"module": Deep}, **FAST).fit(*classification)

    def test_batch_size(self, classification):
        with pytest.raises(ValueError, match="batch_size in net_params must be at least 1, got 0"):
            LinearProbeClassifier(net_params={"batch_size": 0}, **FAST).fit(*classification)

    @pytest.mark.parametrize(
        ("params", "error", "message"),
        [
            ({"optimiser": torch.optim.SGD}, ValueError, "net_params.*unexpected.*optimiser"),
            ({"criterion": None}, TypeError, r"net_params \['criterion'\]: 'NoneType' object"),
            (
                {"max_epochs": 3},
                ValueError,
                r"\['max_epochs'\]\. Set these parameters of the probe",
            ),
            ({"device": "cpu"}, ValueError, r"\['device'\]\. Set these parameters of the probe"),
        ],
    )
    def test_invalid_net_params(self, classification, params, error, message):
        with pytest.raises(error, match=message):
            LinearProbeClassifier(net_params=params, **FAST).fit(*classification)

    def test_the_exact_solver_has_no_net(self, classification):
        with pytest.raises(
            ValueError, match="net_params requires solver='adam', got solver='owlqn'"
        ):
            LinearProbeClassifier(net_params={"lr": 0.1}, solver="owlqn").fit(*classification)


class TestNets:
    def test_samples_held_out_are_not_trained_on(self):
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

    def test_the_random_state_draws_an_order_for_each_epoch(self):
        samples = make_dataset(X, np.eye(3)[Y], np.ones(150), torch.device("cpu"))

        def orders(seed):
            batches = TensorBatches(samples, 16, shuffle=np.random.RandomState(seed))
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

    def test_callbacks_are_copied_for_each_fit(self):
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

    def test_the_objective_is_that_of_the_module_in_evaluation_mode(self):
        class Dropped(LinearProbeBank):
            def forward(self, X):
                return super().forward(nn.functional.dropout(X, 0.5, self.training))

        probe = LinearProbeClassifier(net_params={"module": Dropped}, **FAST).fit(X, Y)
        losses = -probe.predict_log_proba(X)[np.arange(150), Y]
        assert probe.objective_ == pytest.approx(losses.mean())
        assert not probe.net_.module_.training

    def test_no_training_state_is_kept(self):
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


class TestStart:
    def test_random_weights_are_those_of_torchs_linear(self):
        probe = LinearProbeRegressor(max_epochs=1, learning_rate=1e-12, random_state=0)
        with pytest.warns(ConvergenceWarning, match="After the last epoch"):
            probe.fit(X[:, :4], RNG.normal(size=(150, 500)) * 1e-3)
        for start in (probe.coef_, probe.intercept_):
            assert 0.48 < start.max() < 0.5
            assert -0.5 < start.min() < -0.48


def test_a_pickle_has_no_net(classification):
    X, y = classification
    probe = LinearProbeClassifier(**FAST).fit(X, y)
    copy = pickle.loads(pickle.dumps(probe))
    assert hasattr(probe, "net_")
    assert not hasattr(copy, "net_")
    assert len(pickle.dumps(probe)) < 3000
    np.testing.assert_array_equal(copy.predict(X), probe.predict(X))


@pytest.mark.cuda
def test_an_epoch_does_not_wait_for_cuda(classification):
    X, y = classification
    probe = LinearProbeClassifier(**{**FAST, "device": "cuda"}).fit(X, y)  # warm up
    samples = make_dataset(X, np.eye(3)[y], np.ones(len(y)), torch.device("cuda"))
    net = make_net(
        np.zeros((1, 3, 12)), np.zeros((1, 3)), loss="softmax_cross_entropy", lambda_l1=[0.1],
        lambda_l2=[0.1], l2_penalty="norm", batch_size=32, learning_rate=0.01, shuffle=None,
        device=torch.device("cuda"),
    )  # fmt: skip
    train_epoch(net, samples)
    torch.cuda.set_sync_debug_mode("error")
    try:
        net.steps_.train(net.get_iterator(samples, training=True))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert probe.score(X, y) > 0.5


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu(classification):
    X, y = classification
    cpu = LinearProbeClassifier(**FAST).fit(X, y)
    cuda = LinearProbeClassifier(**{**FAST, "device": "cuda"}).fit(X, y)
    np.testing.assert_allclose(cuda.coef_, cpu.coef_, atol=1e-8)
    assert all(p.device == torch.device("cpu") for p in cuda.net_.module_.parameters())


class TestOptimality:
    """The exact solver, started at the weights of Adam, computes the same violation."""

    @pytest.mark.parametrize("lambdas", [(0.0, 0.1), (0.02, 0.0), (0.01, 0.03)])
    @pytest.mark.parametrize("form", ["norm", "squared"])
    @pytest.mark.parametrize("y", [Y, Y > 0, X[:, 0] + RNG.normal(size=150)], ids=["3", "2", "r"])
    def test_that_of_the_exact_solver(self, y, form, lambdas):
        make = LinearProbeRegressor if y.dtype == float else LinearProbeClassifier
        l1, l2 = lambdas
        options = dict(lambda_l1=l1, lambda_l2=l2, l2_penalty=form, random_state=0, device="cpu")
        probe = make(max_epochs=30, learning_rate=0.03, **options).fit(X, y)
        expected = probe.optimality(X, y)
        assert expected > 1e-3
        probe.set_params(solver="owlqn", warm_start=True, max_iter=1, tol=0.9 * expected)
        with pytest.warns(ConvergenceWarning, match="max_iter=1"):
            probe.fit(X, y)
        assert probe.optimality_ == pytest.approx(expected, rel=1e-9)

    def test_it_falls_with_the_steps(self):
        options = dict(lambda_l2=0.1, l2_penalty="squared", batch_size=150, learning_rate=0.05)
        found = [
            LinearProbeClassifier(max_epochs=n, random_state=0, **options)
            .fit(X, Y)
            .optimality(X, Y)
            for n in (20, 60, 200)
        ]
        assert found[0] > 3 * found[1] > 30 * found[2]

    def test_that_of_a_search_with_weights(self):
        weight = RNG.uniform(0.5, 2, size=150)
        search = LinearProbeClassifierCV(
            lambdas_l1=[0.01], lambdas_l2=[0.02], cv=2, solver="owlqn", tol=1e-6, device="cpu"
        ).fit(X, Y, weight)
        assert search.optimality(X, Y, weight) == pytest.approx(search.optimality_, rel=1e-3)
        assert search.optimality(X, Y) > 1e-3  # for other weights

    def test_other_classes(self):
        probe = LinearProbeClassifier(**FAST).fit(X, Y)
        with pytest.raises(ValueError, match=r"classes of the training samples, \[0, 1, 2\], got"):
            probe.optimality(X, Y > 0)
        assert probe.n_features_in_ == 8
        with pytest.raises(ValueError, match="X has 7 features"):
            probe.optimality(X[:, 1:], Y)


@pytest.mark.filterwarnings("default:After the last epoch, the squared error")
class TestFarNumbers:
    """Adam takes small steps: it does not reach a mean far from 0, and warns."""

    def data(self, mean):
        rng = np.random.RandomState(0)
        X = rng.normal(size=(200, 5))
        return X, X[:, 0] + mean

    def test_worse_than_the_mean(self):
        probe = LinearProbeRegressor(max_epochs=2, random_state=0)
        X, y = self.data(mean=100)
        with pytest.warns(
            ConvergenceWarning, match="larger than the 1.* of always predicting the mean of y"
        ) as caught:
            probe.fit(X, y)
        assert probe.score(X, y) < 0  # as the warning says
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
        ids=["owlqn", "standardized"],
    )
    def test_the_remedies_of_the_message_help(self, probe):
        X, y = self.data(mean=100)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert probe.fit(X, y).score(X, y) > 0.9

    def test_a_bank_warns_if_no_layer_is_better(self):
        X, y = self.data(mean=100)
        probe = LinearProbeRegressor(max_epochs=2, random_state=0)
        with pytest.warns(ConvergenceWarning, match="After the last epoch"):
            layerwise_scores(probe, X, y, n_layers=5, cv=2)


class TestBadStarts:
    @pytest.mark.filterwarnings("error")
    def test_one_probe_better_than_the_mean_is_enough(self):
        probe = LinearProbeRegressor(max_epochs=50, learning_rate=0.05, random_state=0)
        probe._fit_bank(X, X[:, 0], None, [(0, 0), (50.0, 50.0)])


@pytest.mark.filterwarnings("error")
def test_strong_penalties_are_not_taken_for_a_bad_start():
    y = (X[:, 0] - X[:, 0].mean()) / X[:, 0].std()
    LinearProbeRegressor(lambda_l1=2.0, random_state=0, max_epochs=300).fit(X, y)
