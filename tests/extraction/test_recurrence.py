"""Recurrent layers that would mix the inputs of a batch are an error."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_neurox import ModuleActivations


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("shape", [(5, 6, 4), (6, 6, 4), (1, 6, 4), (5, 1, 4)])
def test_inputs_as_positions(kind, shape):
    reader = ModuleActivations(nn.Sequential(nn.Identity(), kind(4, 3)), ["1"])
    X = np.random.RandomState(0).normal(size=shape)
    message = (
        rf"{kind.__name__} '1' has batch_first=False, .* shape \(1, {shape[1]}, 4\) for one input "
        rf"and \(2, {shape[1]}, 4\) for two\..* Build it with batch_first=True"
    )
    with pytest.raises(ValueError, match=message):
        reader.transform(X)
    with pytest.raises(ValueError, match=message):
        reader.fit(X)
    fine = ModuleActivations(nn.Sequential(kind(4, 3, batch_first=True)), ["0"])
    assert fine.fit_transform(X).shape == (shape[0], 3)


@pytest.mark.parametrize("n_inputs", [1, 5, 6])
def test_axes_that_are_transposed_before(n_inputs):
    """Also if there are as many positions as inputs."""

    class Transposing(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.out = nn.LSTM(4, 3), nn.Identity()

        def forward(self, X):
            return self.out(self.lstm(X.transpose(0, 1))[0].transpose(0, 1))

    X = np.random.RandomState(0).normal(size=(n_inputs, 6, 4))
    reader = ModuleActivations(Transposing(), ["out"])
    alone = np.vstack([reader.transform(X[i : i + 1]) for i in range(n_inputs)])
    np.testing.assert_allclose(reader.fit_transform(X), alone, atol=1e-6)
    hooks = [len(module._forward_pre_hooks) for module in reader.module.modules()]
    assert not any(hooks)


def test_one_sequence_without_a_batch():
    """Its rows are positions, which may depend on each other."""
    lstm = nn.LSTM(4, 3)
    X = np.random.RandomState(0).normal(size=(5, 4))
    with torch.inference_mode():
        expected = lstm(torch.tensor(X, dtype=torch.float32))[0].numpy()
    read = ModuleActivations(nn.Sequential(lstm), ["0"]).fit_transform(X)
    np.testing.assert_allclose(read, expected, atol=1e-6)


def test_inputs_folded_into_positions():
    """The first axis grows with the number of inputs, and is not that number."""

    class Folding(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(4, 3)

        def forward(self, X):
            return self.lstm(X.flatten(0, 1)[:, None])[0].unflatten(0, X.shape[:2])

    with pytest.raises(ValueError, match=r"shape \(6, 1, 4\) for one input and \(12, 1, 4\) for"):
        ModuleActivations(Folding(), ["lstm"]).transform(np.ones((5, 6, 4)))


def test_modules_without_such_layers_run_once():
    net = nn.Sequential(nn.LSTM(4, 3, batch_first=True))
    lengths = []
    net.register_forward_pre_hook(lambda module, args: lengths.append(len(args[0])))
    ModuleActivations(net, ["0"], batch_size=4).transform(np.ones((10, 6, 4)))
    assert lengths == [4, 4, 2]
