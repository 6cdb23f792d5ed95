"""Mini-batch Adam for a bank of linear probes, through a skorch net.

A bank holds probes that are trained on the same mini-batches and differ in their penalties or their
layers. Adam updates each weight independently. Training a bank is therefore equivalent to training
its probes separately, up to rounding, at the cost of one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from mmap import mmap
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import Tensor, nn
from torch.utils.data import Subset, TensorDataset

from .._device import as_tensor, to_device
from .._files import mapping_of, release
from .._process import torch_threads
from .._row_chunks import RowChunks, rows_at_once
from ._adam_steps import by_layer, layers_of, make_steps
from ._objective import LOSSES, penalty
from ._standardization import Standardization

# Number of elements of X that are converted, gathered or moved to the device at a time: 16 MB in
# float32.
_CHUNK_ELEMENTS = 1 << 22


class LinearProbeBank(nn.Module):
    """P linear maps from (n_samples, n_layers * n_neurons) to (n_samples, P, n_outputs).

    Each layer has P / n_layers probes. Those of the first layer come first.
    """

    def __init__(
        self, n_probes: int, n_outputs: int, n_neurons: int, dtype: torch.dtype, n_layers: int = 1
    ):
        super().__init__()
        self.n_layers = n_layers
        self.weight = nn.Parameter(torch.zeros(n_probes, n_outputs, n_neurons, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(n_probes, n_outputs, dtype=dtype))

    def forward(self, X: Tensor) -> Tensor:
        """Return the outputs of all probes."""
        rows, bias = by_layer(self.weight, self.n_layers), by_layer(self.bias, self.n_layers)
        outputs = torch.baddbmm(bias[..., None], rows, layers_of(X, self.n_layers).mT)
        return outputs.view(*self.bias.shape, -1).permute(2, 0, 1)


class BankCriterion(nn.Module):
    """The mean loss of a batch plus the penalties, for each probe of a bank."""

    lambda_l1: Tensor
    lambda_l2: Tensor

    def __init__(
        self, loss: str, lambda_l1: np.ndarray, lambda_l2: np.ndarray, l2_penalty: str, dtype: Any
    ):
        super().__init__()
        self.loss = LOSSES[loss]
        self.l2_penalty = l2_penalty
        self.register_buffer("lambda_l1", torch.tensor(lambda_l1, dtype=dtype))
        self.register_buffer("lambda_l2", torch.tensor(lambda_l2, dtype=dtype))

    def forward(
        self, outputs: Tensor, targets: Tensor, sample_weight: Tensor, weight: Tensor
    ) -> Tensor:
        """Return the objectives (P,).

        Parameters
        ----------
        outputs : Tensor of shape (n_samples, P, n_outputs)
        targets : Tensor of shape (n_samples, n_outputs)
        sample_weight : Tensor of shape (n_samples,)
        weight : Tensor of shape (P, n_outputs, n_neurons)
        """
        share = sample_weight / len(outputs)
        terms, _ = self.loss(outputs.permute(1, 2, 0), targets.T, share)
        return terms.sum((1, 2)) + penalty(weight, self.lambda_l1, self.lambda_l2, self.l2_penalty)


class ProbeDataset(TensorDataset):
    """X, targets and weights, and how to read X.

    Parameters
    ----------
    *tensors : Tensor
        X, targets and weights.
    mapping : mmap, default=None
        The file mapping of X, if it is memory-mapped.
    standardization : Standardization, default=None
        If given, samples are standardized when they are read.
    """

    def __init__(
        self,
        *tensors: Tensor,
        mapping: mmap | None = None,
        standardization: Standardization | None = None,
    ):
        super().__init__(*tensors)
        self.mapping, self.standardization = mapping, standardization

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        X, *rest = super().__getitem__(index)
        if self.standardization is not None:
            X = self.standardization.in_place(rest[-1])(X.to(rest[-1], copy=True))
        return X, *rest


class TensorBatches:
    """Mini-batches as slices of tensors, converted and moved to the device chunk by chunk.

    torch's DataLoader collates single rows, which costs more than a training step of a probe. If
    `shuffle` is a RandomState, the rows are shuffled before each pass.
    """

    def __init__(
        self,
        dataset: TensorDataset | Subset,
        batch_size: int,
        shuffle: np.random.RandomState | None = None,
    ):
        if isinstance(dataset, Subset):  # skorch's train_split passes subsets
            whole: Any = dataset.dataset
            self.tensors = tuple(tensor[dataset.indices] for tensor in whole.tensors)
        else:
            whole = dataset
            self.tensors = dataset.tensors
        self.standardization = getattr(whole, "standardization", None)
        self.mapping = getattr(dataset, "mapping", None)
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __iter__(self) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
        for chunk in self.chunks():
            batches = (tensor.split(self.batch_size) for tensor in chunk)
            for X, targets, sample_weight in zip(*batches, strict=True):
                yield X, (targets, sample_weight)

    def chunks(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield X, targets and weights of several batches. Only the last one may be smaller."""
        X, *others = self.tensors
        n_samples, width = X.shape
        n_batches = max(1, _CHUNK_ELEMENTS // (width * self.batch_size))
        size = min(n_samples, self.batch_size * n_batches)
        standardize = self.standardization and self.standardization.in_place(others[-1])
        chunks = RowChunks(X, others[-1], mapping=self.mapping, copy=standardize is not None)
        rows: Iterable[slice | Tensor]
        if self.shuffle is None:
            rows = (slice(start, start + size) for start in range(0, n_samples, size))
        else:
            rows = torch.from_numpy(self.shuffle.permutation(n_samples)).split(size)
        for some in rows:
            X = chunks.take(some)
            targets, sample_weight = (_take(tensor, some) for tensor in others)
            yield standardize(X) if standardize else X, targets, sample_weight
        release(self.mapping)


class LinearProbeNet(NeuralNet):
    """The skorch net of a bank.

    Parameters
    ----------
    closed_form : bool, default=True
        Whether to train with closed-form gradients. `get_loss` computes the same objective for
        autograd: skorch's own training step gives the same weights but is slower, and works with
        any optimizer, module and callbacks.
    """

    def __init__(self, *args: Any, closed_form: bool = True, **kwargs: Any):
        self.closed_form = closed_form
        super().__init__(*args, **kwargs)

    def get_loss(
        self, y_pred: Tensor, y_true: tuple[Tensor, Tensor], X: Any = None, training: bool = False
    ) -> Tensor:
        """Return the sum of the objectives.

        The probes do not share weights, so each receives the gradient of its own objective.
        """
        return self.criterion_(y_pred, *y_true, self.module_.weight).sum()

    def run_single_epoch(
        self,
        iterator: Iterable[Any],
        training: bool,
        prefix: str,
        step_fn: Callable[..., Any],
        **fit_params: Any,
    ) -> None:
        """Train on every batch once, without synchronizing with the device in between."""
        if not self.closed_form:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            if training:  # in skorch, a callback does this
                names = f"{prefix}_loss", f"{prefix}_batch_size"
                losses, sizes = zip(*self.history[-1, "batches", :, names], strict=True)
                self.history.record(f"{prefix}_loss", float(np.average(losses, weights=sizes)))
        elif training:
            if not hasattr(self, "steps_"):
                self.steps_ = make_steps(self.module_, self.criterion_, self.optimizer_)
            self.history.record(f"{prefix}_loss", self.steps_.train(iterator).tolist())

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Notify the callbacks. As in skorch, a KeyboardInterrupt after an epoch stops training."""
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt:
            if method_name != "on_epoch_end":
                raise
            self.stopped_ = True

    def objective(self, dataset: TensorDataset, batch_size: int | None = None) -> list[float]:
        """Return the objective of each probe on all samples, with the current weights."""

        def evaluate(X: Tensor, targets: Tensor, sample_weight: Tensor) -> Tensor:
            return self.criterion_(self.module_(X), targets, sample_weight, self.module_.weight)

        self.module_.eval()  # skorch's training step sets the mode that it requires
        size = rows_at_once(dataset.tensors[0].shape[1], self.criterion_.lambda_l1.device)
        return _mean_over(TensorBatches(dataset, batch_size or size), evaluate)

    def finish(self) -> None:
        """Move the net to the CPU, so that it can be loaded on machines without the device."""
        self.device = "cpu"
        self.module_.to("cpu").zero_grad()
        self.criterion_.to("cpu")
        self.optimizer_.state.clear()  # Adam's moments, twice the size of the weights
        self.__dict__.pop("steps_", None)


def make_dataset(
    X: np.ndarray,
    targets: np.ndarray,
    sample_weight: np.ndarray,
    device: torch.device,
    standardization: Standardization | None = None,
) -> ProbeDataset:
    """Move the training data to the device, X only if it fits. On the CPU, X is not copied.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_neurons), of a floating dtype
    targets : ndarray of shape (n_samples, n_outputs)
        One-hot classes or numbers, shared by the probes.
    sample_weight : ndarray of shape (n_samples,), with mean 1
        In the dtype to train in, float32 or float64.
    device : torch.device
    standardization : Standardization, default=None
        If given, train on standardized samples.
    """
    dtype = sample_weight.dtype
    small = (torch.from_numpy(array.astype(dtype)).to(device) for array in (targets, sample_weight))
    return ProbeDataset(
        to_device(as_tensor(X), device),
        *small,
        mapping=mapping_of(X),
        standardization=standardization,
    )


def make_net(
    weight: np.ndarray,
    bias: np.ndarray,
    *,
    loss: str,
    lambda_l1: np.ndarray,
    lambda_l2: np.ndarray,
    l2_penalty: str,
    batch_size: int,
    learning_rate: float,
    shuffle: np.random.RandomState | None,
    device: torch.device,
    n_layers: int = 1,
    net_params: dict[str, Any] | None = None,
) -> LinearProbeNet:
    """Return the net of a bank of P probes, with the given weights.

    Parameters
    ----------
    weight : ndarray of shape (P, n_outputs, n_neurons), float32 or float64
    bias : ndarray of shape (P, n_outputs)
    loss : {"softmax_cross_entropy", "squared_error"}
    lambda_l1, lambda_l2 : array-like of shape (P,)
    l2_penalty : {"norm", "squared"}
    batch_size : int
    learning_rate : float
    shuffle : RandomState or None
        Shuffles the samples before each epoch. If None, keep the order of X.
    device : torch.device
    n_layers : int, default=1
        Number of layers of X. Each has P / n_layers of the probes.
    net_params : dict, default=None
        Parameters of ``skorch.NeuralNet`` that override these. If any are given, skorch's own
        training step is used.

    Returns
    -------
    LinearProbeNet
        The initialized net. Train it with :func:`train_epoch`.
    """
    n_probes, n_outputs, n_neurons = weight.shape
    dtype = torch.from_numpy(weight).dtype
    params = {
        "module": LinearProbeBank,
        "module__n_probes": n_probes,
        "module__n_outputs": n_outputs,
        "module__n_neurons": n_neurons,
        "module__dtype": dtype,
        "module__n_layers": n_layers,
        "criterion": BankCriterion,
        "criterion__loss": loss,
        "criterion__lambda_l1": lambda_l1,
        "criterion__lambda_l2": lambda_l2,
        "criterion__l2_penalty": l2_penalty,
        "criterion__dtype": dtype,
        "optimizer": torch.optim.Adam,
        "lr": learning_rate,
        "batch_size": batch_size,
        "iterator_train": TensorBatches,
        "iterator_train__shuffle": shuffle,
        "iterator_valid": TensorBatches,
        "train_split": None,
        "callbacks": "disable",
        "device": str(device),
        "verbose": 0,
    }
    net_params = deepcopy(net_params or {})  # copied, because callbacks have state
    if own := sorted({"device", "max_epochs"} & net_params.keys()):
        raise ValueError(f"net_params contains {own}. Set these parameters of the probe instead.")
    params |= {**net_params, "closed_form": not net_params}
    if params["batch_size"] < 1:
        raise ValueError(
            f"batch_size in net_params must be at least 1, got {params['batch_size']}."
        )
    try:
        net = LinearProbeNet(**params).initialize()
    except (TypeError, ValueError) as error:
        if not net_params:
            raise
        raise type(error)(f"net_params {sorted(net_params)}: {error}") from error
    for name, array in (("weight", weight), ("bias", bias)):
        shape = tuple(getattr(getattr(net.module_, name, None), "shape", ()))
        if shape != array.shape:
            raise ValueError(
                f"A module in net_params must have a parameter `{name}` of shape {array.shape}, "
                f"like LinearProbeBank, got {shape or 'no such parameter'} in "
                f"{type(net.module_).__name__}."
            )
        with torch.no_grad():
            getattr(net.module_, name).copy_(torch.from_numpy(array))
    return net


def train_epoch(net: LinearProbeNet, dataset: TensorDataset) -> list[float]:
    """Train for one pass over the samples.

    Returns
    -------
    list of P floats
        The objective of each probe, averaged over the steps of the epoch. With skorch's own
        training step, the sum of these objectives.
    """
    multiply_adds = min(net.batch_size, len(dataset)) * net.module_.weight.numel()
    with torch_threads(multiply_adds):
        net.fit_loop(dataset, epochs=1)
    return np.atleast_1d(net.history[-1, "train_loss"]).tolist()


@torch.inference_mode()
def _mean_over(batches: Iterable, objective: Callable[..., Tensor]) -> list[float]:
    """Return the mean of the objectives (P,) over the samples of all batches."""
    values, sizes = [], []
    for X, (targets, sample_weight) in batches:
        values.append(objective(X, targets, sample_weight))
        sizes.append(len(X))
    share = values[0].new_tensor(sizes) / sum(sizes)
    return (share @ torch.stack(values)).tolist()


def _take(tensor: Tensor, rows: slice | Tensor) -> Tensor:
    return tensor[rows] if isinstance(rows, slice) else tensor[rows.to(tensor.device)]
