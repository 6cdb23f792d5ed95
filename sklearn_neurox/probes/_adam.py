"""Mini-batch Adam for a bank of linear probes, through a skorch net.

A bank holds K probes that see the same mini-batches and differ in their penalties. Adam works
weight by weight, so training the bank equals K separate trainings up to rounding, at the price
of one matrix product.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from .._device import torch_threads
from ._objective import LOSSES, penalty

# Multiply-adds of one step from which more CPU threads are worth their hand-over. Below it they
# gain little on an idle machine, and on a busy one they wait for each other at every operation.
_THREADING_PAYS_FROM = 20_000_000


class LinearProbeBank(nn.Module):
    """K linear maps of the same words: (n_words, n_neurons) to (n_words, K, n_outputs)."""

    def __init__(self, n_probes: int, n_outputs: int, n_neurons: int, dtype: torch.dtype):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_probes, n_outputs, n_neurons, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(n_probes, n_outputs, dtype=dtype))

    def forward(self, X: Tensor) -> Tensor:
        """Apply every probe of the bank."""
        flat = torch.addmm(self.bias.flatten(), X, self.weight.flatten(0, 1).T)
        return flat.view(len(X), *self.bias.shape)


class BankObjective(nn.Module):
    """The mean loss of a batch plus the penalties, one number for each probe of a bank."""

    lambda_l1: Tensor
    lambda_l2: Tensor

    def __init__(
        self,
        loss: str,
        lambda_l1: Sequence[float],
        lambda_l2: Sequence[float],
        l2_penalty: str,
        dtype: torch.dtype,
    ):
        super().__init__()
        self.loss = LOSSES[loss]
        self.l2_penalty = l2_penalty
        self.register_buffer("lambda_l1", torch.tensor(lambda_l1, dtype=dtype))
        self.register_buffer("lambda_l2", torch.tensor(lambda_l2, dtype=dtype))

    def forward(
        self, outputs: Tensor, targets: Tensor, sample_weight: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Objective (K,), the gradient of its loss by `outputs`, of its penalty by `weight`."""
        losses, outputs_grad = self.loss(outputs, targets[:, None])
        share = sample_weight / len(outputs)
        penalties, weight_grad = penalty(weight, self.lambda_l1, self.lambda_l2, self.l2_penalty)
        return share @ losses + penalties, outputs_grad * share[:, None, None], weight_grad


class TensorBatches:
    """Mini-batches as slices of tensors that already lie on the device.

    torch's DataLoader collates single rows, which costs more than a probing step. With a
    `shuffle`, a RandomState, each pass takes the rows in a new order.
    """

    def __init__(
        self,
        dataset: TensorDataset,
        batch_size: int,
        shuffle: np.random.RandomState | None = None,
    ):
        self.tensors = dataset.tensors
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __iter__(self) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
        batches: Iterable[Iterable[Tensor]]
        if self.shuffle is None:
            batches = zip(*(tensor.split(self.batch_size) for tensor in self.tensors), strict=True)
        else:
            order = torch.from_numpy(self.shuffle.permutation(len(self.tensors[0])))
            rows = order.to(self.tensors[0].device).split(self.batch_size)
            batches = ([tensor[batch] for tensor in self.tensors] for batch in rows)
        for X, targets, sample_weight in batches:
            yield X, (targets, sample_weight)


class LinearProbeNet(NeuralNet):
    """The skorch net of a bank; it trains with closed-form gradients.

    `get_loss` states the same objective for autograd, so skorch's stock training step gives the
    same weights, only slower.
    """

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Sum of the objectives: the probes share no weight, so each gets its own gradient."""
        values, _, _ = self.criterion_(y_pred, *y_true, self.module_.weight)
        return values.sum()

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Train on every batch once, without waiting for the device in between."""
        if iterator is None:  # skorch asks for a validation epoch too; there is none
            return
        self.history.record(f"{prefix}_loss", self._mean_over(iterator, self._step))

    def objective(self, dataset: TensorDataset, batch_size: int = 8192) -> list[float]:
        """Objective of each probe on all words, as the weights stand."""

        def evaluate(X: Tensor, targets: Tensor, sample_weight: Tensor) -> Tensor:
            return self.criterion_(self.module_(X), targets, sample_weight, self.module_.weight)[0]

        return self._mean_over(TensorBatches(dataset, batch_size), evaluate)

    def finish(self) -> None:
        """Leave nothing on the device, so that the net loads where there is none."""
        self.device = "cpu"
        self.module_.to("cpu").zero_grad()
        self.criterion_.to("cpu")
        self.optimizer_.state.clear()  # moments of a finished training, twice the weights' size

    @torch.no_grad()
    def _mean_over(self, batches: Iterable, objective: Callable[..., Tensor]) -> list[float]:
        values, sizes = [], []
        for X, (targets, sample_weight) in batches:
            values.append(objective(X, targets, sample_weight))
            sizes.append(len(X))
        share = values[0].new_tensor(sizes) / sum(sizes)
        return (share @ torch.stack(values)).tolist()

    def _step(self, X: Tensor, targets: Tensor, sample_weight: Tensor) -> Tensor:
        bank = self.module_
        values, outputs_grad, weight_grad = self.criterion_(
            bank(X), targets, sample_weight, bank.weight
        )
        weight_grad.flatten(0, 1).addmm_(outputs_grad.flatten(1).T, X)
        bank.weight.grad = weight_grad
        bank.bias.grad = outputs_grad.sum(0)
        self.optimizer_.step()
        return values


def make_dataset(
    X: np.ndarray, targets: np.ndarray, sample_weight: np.ndarray, device: torch.device
) -> TensorDataset:
    """Put the training data on the device; on the CPU a view of `X`, not a copy.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons), float32 or float64
    targets : ndarray of shape (n_words, n_outputs)
        One-hot classes or real values, shared by the probes.
    sample_weight : ndarray of shape (n_words,), with mean 1
    device : torch.device
    """
    arrays = (X, targets, sample_weight)
    return TensorDataset(*(_as_tensor(array, X.dtype).to(device) for array in arrays))


def make_net(
    weight: np.ndarray,
    bias: np.ndarray,
    *,
    loss: str,
    lambda_l1: Sequence[float],
    lambda_l2: Sequence[float],
    l2_penalty: str,
    batch_size: int,
    learning_rate: float,
    shuffle: np.random.RandomState | None,
    device: torch.device,
) -> LinearProbeNet:
    """Build the net of a bank of K probes that starts at the given weights.

    Parameters
    ----------
    weight : ndarray of shape (K, n_outputs, n_neurons), float32 or float64
    bias : ndarray of shape (K, n_outputs)
    loss : {"softmax_cross_entropy", "squared_error"}
    lambda_l1, lambda_l2 : sequence of K floats
    l2_penalty : {"norm", "squared"}
    batch_size : int
    learning_rate : float
    shuffle : RandomState or None
        Draws a new order of the words for each epoch; None keeps theirs.
    device : torch.device

    Returns
    -------
    LinearProbeNet
        Initialized; train it with :func:`train_epoch`.
    """
    n_probes, n_outputs, n_neurons = weight.shape
    start = torch.from_numpy(weight)
    net = LinearProbeNet(
        LinearProbeBank,
        module__n_probes=n_probes,
        module__n_outputs=n_outputs,
        module__n_neurons=n_neurons,
        module__dtype=start.dtype,
        criterion=BankObjective,
        criterion__loss=loss,
        criterion__lambda_l1=lambda_l1,
        criterion__lambda_l2=lambda_l2,
        criterion__l2_penalty=l2_penalty,
        criterion__dtype=start.dtype,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        lr=learning_rate,
        batch_size=batch_size,
        iterator_train=TensorBatches,
        iterator_train__shuffle=shuffle,
        train_split=None,
        callbacks="disable",
        device=str(device),
        verbose=0,
    ).initialize()
    with torch.no_grad():
        net.module_.weight.copy_(start)
        net.module_.bias.copy_(torch.from_numpy(bias))
    return net


def train_epoch(net: LinearProbeNet, dataset: TensorDataset) -> list[float]:
    """Train one pass over the words.

    Returns
    -------
    list of K floats
        The objective of each probe, averaged over the epoch while the weights move.
    """
    multiply_adds = min(net.batch_size, len(dataset)) * net.module_.weight.numel()
    threads = 1 if multiply_adds < _THREADING_PAYS_FROM else torch.get_num_threads()
    with torch_threads(threads):
        net.fit_loop(dataset, epochs=1)
    return net.history[-1, "train_loss"]


def _as_tensor(array: np.ndarray, dtype: Any) -> Tensor:
    """View an array as a tensor; training only reads it, so read-only memory maps are welcome."""
    array = np.asarray(array, dtype=dtype)
    if any(stride < 0 for stride in array.strides):
        array = array.copy()  # torch has no negative strides
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
