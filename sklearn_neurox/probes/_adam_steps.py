"""Steps of Adam on closed-form gradients.

They do what autograd and ``torch.optim.Adam`` do on the objective of a bank of probes. A step of
this size takes less time than their bookkeeping, and a good part of what is left is the call of
each operation: so these steps count their operations, and write into buffers that all steps share.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor


def make_steps(bank: Any, objective: Any, optimizer: torch.optim.Adam) -> ClosedFormAdam:
    """Return the fastest steps for a bank of probes.

    Parameters
    ----------
    bank : LinearProbeBank
    objective : BankObjective
    optimizer : torch.optim.Adam
        Gives the settings; its state is not used.
    """
    is_single = len(bank.weight) == 1 and bank.weight.device.type == "cpu"
    return (SingleProbeAdam if is_single else ClosedFormAdam)(bank, objective, optimizer)


class ClosedFormAdam:
    """Steps of a bank; nothing in them waits for the device.

    The parameters are those of :func:`make_steps`.
    """

    def __init__(self, bank: Any, objective: Any, optimizer: torch.optim.Adam):
        self.loss, self.is_squared = objective.loss, objective.l2_penalty == "squared"
        self.lambda_l1, self.lambda_l2 = objective.lambda_l1[:, None], objective.lambda_l2[:, None]
        self.is_free = not (self.lambda_l1.any() or self.lambda_l2.any())
        group = optimizer.param_groups[0]
        self.settings = {name: group[name] for name in ("lr", "weight_decay", "eps", "amsgrad")}
        self.settings |= dict(zip(("beta1", "beta2"), group["betas"], strict=True))

        # One tensor holds weights and biases, as Adam then has but one to go through.
        parts = [bank.weight.detach(), bank.bias.detach()]
        self.state = torch.cat([part.flatten() for part in parts])
        self.grad, self.mean, self.square = (torch.zeros_like(self.state) for _ in range(3))
        self.count = self.state.new_zeros((), dtype=torch.float32)
        sizes = [part.numel() for part in parts]
        (weight, bias), (self.weight_grad, self.bias_grad) = (
            [view.view_as(part) for view, part in zip(both.split(sizes), parts, strict=True)]
            for both in (self.state, self.grad)
        )
        bank.weight.data, bank.bias.data = weight, bias

        # Views, as making one takes as long as a small product: of one layer, or batches of many.
        self.n_layers, self.shape = bank.n_layers, (*bias.shape, -1)
        views = (by_layer(tensor, self.n_layers) for tensor in (weight, bias, self.weight_grad))
        self.rows, self.row_bias, self.row_grad = (
            view[0] if self.n_layers == 1 else view for view in views
        )
        self.row_bias = self.row_bias[..., None]
        self.flat, self.flat_grad = weight.flatten(1), self.weight_grad.flatten(1)

    @torch.inference_mode()
    def train(self, batches: Any) -> Tensor:
        """Take a step with each of the TensorBatches; return their mean objectives (P,)."""
        total: Any = 0.0
        n_words, size = 0, batches.batch_size
        for X, targets, sample_weight in batches.chunks():
            # What can be made for all batches at once is not made in their steps.
            whole, last = divmod(len(X), size)
            in_batch = torch.full_like(sample_weight, size)
            in_batch[whole * size :] = last
            parts = (
                X.split(size),
                _columns(targets, whole, size),
                (sample_weight / in_batch).split(size),
            )
            for words, *batch in zip([size] * whole + [last] * bool(last), *parts, strict=True):
                total += words * self.step(*batch)
            n_words += len(X)
        return torch.as_tensor(total / n_words, dtype=self.state.dtype).reshape(-1)

    def step(self, X: Tensor, targets: Tensor, share: Tensor) -> Tensor | float:
        """Take a step; return the objective of each probe (P,) before it.

        Parameters
        ----------
        X : Tensor of shape (batch_size, n_layers * n_neurons)
        targets : Tensor of shape (n_outputs, batch_size)
        share : Tensor of shape (batch_size,)
            Weights of the words, divided by their number.
        """
        if self.n_layers == 1:
            outputs = torch.addmm(self.row_bias, self.rows, X.T)
        else:
            X = layers_of(X, self.n_layers)
            outputs = torch.baddbmm(self.row_bias, self.rows, X.mT)
        terms, slope = self.loss(outputs.view(self.shape), targets, share)
        value = terms.flatten(1).sum(1)
        torch.sum(slope, 2, out=self.bias_grad)
        if self.is_free:
            self.row_grad.zero_()
        else:
            value += self._penalty()
        if self.n_layers == 1:
            self.row_grad.addmm_(slope.view(outputs.shape), X)
        else:
            self.row_grad.baddbmm_(slope.view(outputs.shape), X)
        self._move()
        return value

    def _penalty(self) -> Tensor | float:
        """Write the gradient of the penalties, and return them."""
        flat, grad = self.flat, self.flat_grad
        norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        if self.is_squared:
            factor, value = 2 * self.lambda_l2, self.lambda_l2 * norm.square()
        else:
            factor, value = (self.lambda_l2 / norm).nan_to_num_(0, 0), self.lambda_l2 * norm
        l1 = torch.abs(flat, out=grad).sum(1, keepdim=True)
        torch.sign(flat, out=grad).mul_(self.lambda_l1).addcmul_(flat, factor)
        return value.addcmul_(l1, self.lambda_l1).squeeze(1)

    def _move(self) -> None:
        """Take Adam's step along the gradient."""
        self.count.add_(1)
        torch._fused_adam_(
            [self.state], [self.grad], [self.mean], [self.square], [], [self.count],
            maximize=False, **self.settings,
        )  # fmt: skip


class SingleProbeAdam(ClosedFormAdam):
    """Steps of one probe on the CPU.

    Its numbers are Python's: tensors of one element cost more. The parameters are those of
    :func:`make_steps`.
    """

    def __init__(self, bank: Any, objective: Any, optimizer: torch.optim.Adam):
        super().__init__(bank, objective, optimizer)
        self.l1, self.l2 = objective.lambda_l1.item(), objective.lambda_l2.item()
        self.flat, self.flat_grad, self.bias_grad = (
            tensor[0] for tensor in (self.flat, self.flat_grad, self.bias_grad)
        )
        self.numbers, self.slopes = self.flat.numpy(), self.flat_grad.numpy()

    def step(self, X: Tensor, targets: Tensor, share: Tensor) -> float:
        """Take a step; return the objective before it."""
        outputs = torch.addmm(self.row_bias, self.rows, X.T)
        terms, slope = self.loss(outputs, targets, share)
        torch.sum(slope, 1, out=self.bias_grad)
        value = terms.sum().item()
        if self.is_free:
            torch.mm(slope, X, out=self.row_grad)
        else:
            value += self._penalty()
            self.row_grad.addmm_(slope, X)
        self._move()
        return value

    def _penalty(self) -> float:
        """Write the gradient of the penalties, and return them."""
        grad, value = self.flat_grad, 0.0
        if self.l1:
            torch.sign(self.flat, out=grad)
            value = self.l1 * float(np.dot(self.numbers, self.slopes))
            grad.mul_(self.l1)
        else:
            grad.zero_()
        if self.l2:
            square = float(np.dot(self.numbers, self.numbers))
            if self.is_squared:
                value += self.l2 * square
                grad.add_(self.flat, alpha=2 * self.l2)
            elif square > 0:  # at W = 0 the norm has a kink
                norm = sqrt(square)
                value += self.l2 * norm
                grad.add_(self.flat, alpha=self.l2 / norm)
        return value


def by_layer(tensor: Tensor, n_layers: int) -> Tensor:
    """View (P, n_outputs, ...) of a bank as (n_layers, outputs of a layer, ...)."""
    return tensor.flatten(0, 1).unflatten(0, (n_layers, -1))


def layers_of(X: Tensor, n_layers: int) -> Tensor:
    """View words (n_words, n_layers * n_neurons) as (n_layers, n_words, n_neurons)."""
    return X.unflatten(1, (n_layers, -1)).transpose(0, 1)


def _columns(targets: Tensor, n_whole: int, size: int) -> list[Tensor]:
    """Transpose each batch of targets (n_words, n_outputs); a batch lies in one place."""
    whole, last = targets[: n_whole * size], targets[n_whole * size :]
    batches = whole.unflatten(0, (n_whole, size)).mT.contiguous().unbind()
    return [*batches, last.T.contiguous()] if len(last) else list(batches)
