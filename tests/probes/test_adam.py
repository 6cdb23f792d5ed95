"""The bank equals its probes trained apart, and the fast step equals skorch's."""

import numpy as np
import pytest
import torch
from skorch import NeuralNet

from sklearn_neurox._device import torch_threads
from sklearn_neurox.probes._adam import make_dataset, make_net, train_epoch

CPU = torch.device("cpu")
L1, L2 = [0.0, 1e-3, 0.1], [1e-2, 0.0, 0.1]


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(50, 6))
    return make_dataset(X, np.eye(3)[rng.randint(3, size=50)], rng.uniform(0.5, 2, size=50), CPU)


def net(l1, l2, **changes):
    rng = np.random.RandomState(1)
    weight, bias = rng.normal(size=(1, 3, 6)), rng.normal(size=(1, 3))
    options = dict(
        loss="softmax_cross_entropy", l2_penalty="norm", batch_size=16, learning_rate=0.01,
        shuffle=None, device=CPU,
    )  # fmt: skip
    options |= changes
    k = len(l1)
    return make_net(weight.repeat(k, 0), bias.repeat(k, 0), lambda_l1=l1, lambda_l2=l2, **options)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
@pytest.mark.parametrize("l2_penalty", ["norm", "squared"])
def test_a_bank_equals_separate_probes(data, loss, l2_penalty):
    bank = net(L1, L2, loss=loss, l2_penalty=l2_penalty)
    values = [train_epoch(bank, data) for _ in range(3)]
    for k, (l1, l2) in enumerate(zip(L1, L2, strict=True)):
        single = net([l1], [l2], loss=loss, l2_penalty=l2_penalty)
        alone = [train_epoch(single, data)[0] for _ in range(3)]
        torch.testing.assert_close(bank.module_.weight[k], single.module_.weight[0])
        torch.testing.assert_close(bank.module_.bias[k], single.module_.bias[0])
        np.testing.assert_allclose([epoch[k] for epoch in values], alone)
        np.testing.assert_allclose(bank.objective(data)[k], single.objective(data)[0])


def test_the_fast_epoch_equals_skorchs_stock_step(data):
    fast, stock = net(L1, L2), net(L1, L2)
    for _ in range(2):
        train_epoch(fast, data)
        stock.on_epoch_begin(stock)
        batches = stock.get_iterator(data, training=True)
        stock.callbacks_ = []
        NeuralNet.run_single_epoch(
            stock, batches, training=True, prefix="train", step_fn=stock.train_step
        )
    torch.testing.assert_close(fast.module_.weight, stock.module_.weight)
    torch.testing.assert_close(fast.module_.bias, stock.module_.bias)


def test_the_epoch_loss_is_the_mean_over_rows(data):
    """With a step of nearly nothing it is the objective on all words."""
    still = net([1e-3], [1e-2], learning_rate=1e-12)
    np.testing.assert_allclose(train_epoch(still, data), still.objective(data))
    np.testing.assert_allclose(still.objective(data, batch_size=7), still.objective(data))


def test_the_last_short_batch_is_a_step():
    X = np.random.RandomState(0).normal(size=(17, 6))
    shorter = make_dataset(X[:16], np.eye(3)[[0, 1] * 8], np.ones(16), CPU)
    whole = make_dataset(X, np.eye(3)[[0, 1] * 8 + [2]], np.ones(17), CPU)
    nets = net([0.0], [0.0]), net([0.0], [0.0])
    for trained, dataset in zip(nets, (shorter, whole), strict=True):
        train_epoch(trained, dataset)
    assert not torch.allclose(nets[0].module_.weight, nets[1].module_.weight)


def test_shuffling_visits_every_row_once(data):
    shuffled = net([0.0], [0.0], shuffle=np.random.RandomState(0))
    batches = list(shuffled.get_iterator(data, training=True))
    assert [len(X) for X, _ in batches] == [16, 16, 16, 2]
    rows = torch.cat([X for X, _ in batches])
    assert not torch.equal(rows, data.tensors[0])
    torch.testing.assert_close(rows.sort(0).values, data.tensors[0].sort(0).values)


def test_the_number_of_threads_is_put_back(data):
    before = torch.get_num_threads()
    train_epoch(net([0.0], [0.0]), data)
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), torch_threads(1):
        1 / 0  # noqa: B018 -- any error will do
    assert torch.get_num_threads() == before


def test_training_data_are_not_copied():
    X = np.zeros((4, 3), dtype=np.float32)
    tensor = make_dataset(X, np.eye(4), np.ones(4), CPU).tensors[0]
    assert tensor.data_ptr() == X.ctypes.data
