"""A bank equals its probes trained separately, and the fast steps equal skorch's."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from sklearn_neurox._process import torch_threads
from sklearn_neurox.probes import _adam
from sklearn_neurox.probes._adam import make_dataset, make_net, train_epoch

CPU = torch.device("cpu")
L1, L2 = [0.0, 1e-3, 0.1], [1e-2, 0.0, 0.1]


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(50, 6))
    return make_dataset(X, np.eye(3)[rng.randint(3, size=50)], rng.uniform(0.5, 2, size=50), CPU)


def net(l1, l2, n_neurons=6, **changes):
    rng = np.random.RandomState(1)
    weight, bias = rng.normal(size=(1, 3, n_neurons)), rng.normal(size=(1, 3))
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


@pytest.mark.parametrize("l2_penalty", ["norm", "squared"])
def test_layers_equal_separate_probes(data, l2_penalty):
    """Three layers of two neurons, each with two pairs of lambdas."""
    l1, l2 = L1[1:], L2[1:]
    bank = net(l1 * 3, l2 * 3, n_neurons=2, n_layers=3, l2_penalty=l2_penalty)
    values = [train_epoch(bank, data) for _ in range(3)]
    for layer in range(3):
        X = data.tensors[0][:, 2 * layer : 2 * layer + 2]
        alone = net(l1, l2, n_neurons=2, l2_penalty=l2_penalty)
        epochs = [train_epoch(alone, TensorDataset(X, *data.tensors[1:])) for _ in range(3)]
        both = slice(2 * layer, 2 * layer + 2)
        torch.testing.assert_close(bank.module_.weight[both], alone.module_.weight)
        torch.testing.assert_close(bank.module_.bias[both], alone.module_.bias)
        np.testing.assert_allclose([epoch[both] for epoch in values], epochs)


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize(("l1", "l2"), [(L1, L2), ([0.0] * 3, [0.0] * 3)])
def test_the_closed_form_equals_skorchs_stock_step(data, n_layers, l1, l2):
    options = {"n_neurons": 6 // n_layers, "n_layers": n_layers}
    fast = net(l1, l2, **options)
    stock = net(l1, l2, **options, net_params={"verbose": 0})
    assert fast.closed_form
    assert not stock.closed_form
    for _ in range(2):
        values = train_epoch(fast, data)
        (total,) = train_epoch(stock, data)
        np.testing.assert_allclose(total, np.sum(values))
    torch.testing.assert_close(fast.module_.weight, stock.module_.weight)
    torch.testing.assert_close(fast.module_.bias, stock.module_.bias)


def test_the_epoch_loss_is_the_mean_over_rows(data):
    """With a tiny step it is the objective on all samples."""
    for lambdas in ([1e-3], [1e-2]), (L1, L2):
        still = net(*lambdas, learning_rate=1e-15)
        expected = still.objective(data)
        np.testing.assert_allclose(train_epoch(still, data), expected, rtol=1e-12)
        np.testing.assert_allclose(still.objective(data, batch_size=7), expected, rtol=1e-12)


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


def test_the_number_of_threads_is_restored(data):
    before = torch.get_num_threads()
    train_epoch(net([0.0], [0.0]), data)
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), torch_threads(1):
        1 / 0  # noqa: B018 -- any error serves
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("shuffle", [None, 0])
def test_chunks_change_nothing(data, monkeypatch, shuffle):
    nets = []
    for elements in (1 << 22, 96):
        monkeypatch.setattr(_adam, "_CHUNK_ELEMENTS", elements)
        order = None if shuffle is None else np.random.RandomState(shuffle)
        nets.append(net(L1, L2, shuffle=order))
        train_epoch(nets[-1], data)
    torch.testing.assert_close(*(each.module_.weight for each in nets), atol=0, rtol=0)


def test_training_data_are_not_copied():
    X = np.zeros((4, 3), dtype=np.float32)
    tensor = make_dataset(X, np.eye(4), np.ones(4), CPU).tensors[0]
    assert tensor.data_ptr() == X.ctypes.data
