"""The mean loss as a function of a few free weights, with all other weights equal to 0.

With an L1 penalty, the classes use different neurons, so most weights of the neurons in a working
set are 0. Dense products spend most of their time on these weights. Here, each output is a sum over
the neurons that it uses, an "embedding bag" whose table contains the samples of each neuron.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ._objective import LOSSES

# Share of free weights below which sums over neurons are faster than dense products. On AMD
# processors they take a third of the time at 0.1, and the same time at 0.4.
_FEW = 0.3
# Size in bytes of the largest copy of the samples.
_LARGEST_COPY = 1 << 28
# Number of samples of a chunk. Sums are fastest if it is a multiple of 64.
ROWS_OF_CHUNK = 512

Chunk = tuple[Tensor, Tensor, Tensor]


def few_weights_pay(free: Tensor, n_rows: int, like: Tensor) -> bool:
    """Return whether :class:`FreeWeightsLoss` is faster than dense products, and small enough.

    Parameters
    ----------
    free : Tensor of bool of shape (n_outputs, n_neurons)
        The free weights.
    n_rows : int
        Number of samples.
    like : Tensor
        A tensor of the dtype and on the device of the weights.
    """
    n_bytes = n_rows * free.shape[1] * like.element_size()
    is_possible = like.device.type == "cpu" and n_bytes <= _LARGEST_COPY
    return is_possible and free.sum().item() < _FEW * free.numel()


def neuron_by_neuron(chunks: Iterable[Chunk], mean: Tensor) -> list[Chunk]:
    """Center X and transpose it, so that the samples of each neuron are contiguous.

    Parameters
    ----------
    chunks : iterable of tuple (X, targets, share)
        Tensors of shape (n_rows, n_neurons), (n_outputs, n_rows) and (n_rows,).
    mean : Tensor of shape (n_neurons,)

    Returns
    -------
    list of tuple (rows, targets, share)
        `rows` has the shape (n_neurons, n_rows).
    """
    return [((X - mean).T.contiguous(), targets, share) for X, targets, share in chunks]


class FreeWeightsLoss:
    """The mean loss on centered samples, and its gradient with respect to the free weights.

    Parameters
    ----------
    chunks : list of tuple (rows, targets, share)
        See :func:`neuron_by_neuron`.
    loss : key of LOSSES
    free : Tensor of bool of shape (n_outputs, n_neurons)
        The free weights.
    """

    def __init__(self, chunks: list[Chunk], loss: str, free: Tensor):
        self._chunks, self._loss = chunks, loss
        self._places = free.flatten().nonzero()[:, 0]
        self._neurons, self._sizes = self._places % free.shape[1], free.sum(1)

    def evaluate(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same as `Datafit.evaluate`, but 0 as the gradient for weights not free."""
        factors = weight.flatten(1)[:, self._places].flatten()
        sizes = self._sizes.repeat(len(weight))
        neurons, starts = self._neurons.repeat(len(weight)), sizes.cumsum(0) - sizes
        bags = torch.arange(len(sizes)).repeat_interleave(sizes)
        value = torch.zeros(len(weight), dtype=torch.float64)
        gradient, bias_gradient = torch.zeros_like(factors), torch.zeros_like(bias)
        for rows, targets, share in self._chunks:
            sums = nn.functional.embedding_bag(
                neurons, rows, starts, mode="sum", per_sample_weights=factors
            )
            outputs = sums.unflatten(0, bias.shape).add_(bias[..., None])
            terms, slope = LOSSES[self._loss](outputs, targets, share)
            value += terms.sum((1, 2), dtype=torch.float64)
            bias_gradient += slope.sum(2)
            gradient += torch.ops.aten._embedding_bag_per_sample_weights_backward(
                slope.flatten(0, 1), rows, neurons, starts, bags, 0
            )
        weight_gradient = torch.zeros_like(weight).flatten(1)
        weight_gradient[:, self._places] = gradient.view(len(weight), -1)
        return value, weight_gradient.view_as(weight), bias_gradient
