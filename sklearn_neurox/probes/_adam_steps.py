"""Steps of Adam with closed-form gradients.

They compute the same results as autograd and ``torch.optim.Adam`` on the objective of a bank of
probes. A step of this size takes less time than the bookkeeping of these functions, and much of the
remaining time is the overhead of each operation. These steps therefore use few operations, and
write into buffers that all steps share.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
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
    objective : BankCriterion
    optimizer : torch.optim.Adam
        Optimizer that provides the settings. Its state is not used.
    """
    is_single = len(bank.weight) == 1 and bank.weight.device.type == "cpu"
    return (SingleProbeAdam if is_single else BankAdam)(bank, objective, optimizer)


class ClosedFormAdam(ABC):
    """Steps of Adam, and the buffers that they share.

    The parameters are those of :func:`make_steps`.
    """

    def __init__(self, bank: Any, objective: Any, optimizer: torch.optim.Adam):
        self.loss, self.is_squared = objective.loss, objective.l2_penalty == "squared"
        self.is_free = not (objective.lambda_l1.any() or objective.lambda_l2.any())
        group = optimizer.param_groups[0]
        self.settings = {name: group[name] for name in ("lr", "weight_decay", "eps", "amsgrad")}
        self.settings |= dict(zip(("beta1", "beta2"), group["betas"], strict=True))

        # Weights and biases are views of a single tensor, so Adam updates only one tensor.
        parts = [bank.weight.detach(), bank.bias.detach()]
        self.state = torch.cat([part.flatten() for part in parts])
        self.grad, self.mean, self.square = (torch.zeros_like(self.state) for _ in range(3))
        self.count = self.state.new_zeros((), dtype=torch.float32)
        sizes = [part.numel() for part in parts]
        (self.weight, self.bias), (self.weight_grad, self.bias_grad) = (
            [view.view_as(part) for view, part in zip(both.split(sizes), parts, strict=True)]
            for both in (self.state, self.grad)
        )
        bank.weight.data, bank.bias.data = self.weight, self.bias

    @abstractmethod
    def step(self, X: Tensor, targets: Tensor, share: Tensor) -> Tensor | float:
        """Take a step, and return the objective of each probe (P,) before the step.

        Parameters
        ----------
        X : Tensor of shape (batch_size, n_layers * n_neurons)
        targets : Tensor of shape (n_outputs, batch_size)
        share : Tensor of shape (batch_size,)
            Sample weights, divided by their number.
        """

    @abstractmethod
    def penalize(self) -> Tensor | float:
        """Write the gradient of the penalties, and return the penalties."""

    @torch.inference_mode()
    def train(self, batches: Any) -> Tensor:
        """Take a step with each of the TensorBatches, and return the mean objectives (P,)."""
        total: Any = 0.0
        n_samples, size = 0, batches.batch_size
        for X, targets, sample_weight in batches.chunks():
            # Compute for all batches at once whatever does not depend on the weights.
            whole, last = divmod(len(X), size)
            in_batch = torch.full_like(sample_weight, size)
            in_batch[whole * size :] = last
            parts = (
                X.split(size),
                _columns(targets, whole, size),
                (sample_weight / in_batch).split(size),
            )
            for count, *batch in zip([size] * whole + [last] * bool(last), *parts, strict=True):
                total += count * self.step(*batch)
            n_samples += len(X)
        return torch.as_tensor(total / n_samples, dtype=self.state.dtype).reshape(-1)

    def get_moments(self) -> dict[str, np.ndarray]:
        """Return the means and squares of the gradients, and the number of steps, as arrays."""
        parts = {"mean": self.mean, "square": self.square, "count": self.count}
        return {name: part.cpu().numpy().copy() for name, part in parts.items()}

    def set_moments(self, moments: dict[str, np.ndarray]) -> None:
        """Set what :meth:`get_moments` returns."""
        for name in ("mean", "square", "count"):
            getattr(self, name).copy_(torch.from_numpy(moments[name]))

    def _move(self) -> None:
        """Move the weights and biases along the gradient, as Adam does."""
        self.count.add_(1)
        torch._fused_adam_(
            [self.state], [self.grad], [self.mean], [self.square], [], [self.count],
            maximize=False, **self.settings,
        )  # fmt: skip


class BankAdam(ClosedFormAdam):
    """Steps of a bank, on any device. They do not synchronize with the device.

    The parameters are those of :func:`make_steps`.
    """

    def __init__(self, bank: Any, objective: Any, optimizer: torch.optim.Adam):
        super().__init__(bank, objective, optimizer)
        self.lambda_l1, self.lambda_l2 = objective.lambda_l1[:, None], objective.lambda_l2[:, None]
        # Views are created only once, because creating one takes as long as a small matrix product.
        # With several layers, they are batches of matrices.
        self.n_layers, self.shape = bank.n_layers, (*self.bias.shape, -1)
        self.rows, self.row_bias, self.row_grad = (
            by_layer(tensor, self.n_layers) if self.n_layers > 1 else tensor.flatten(0, 1)
            for tensor in (self.weight, self.bias, self.weight_grad)
        )
        self.row_bias = self.row_bias[..., None]
        self.flat, self.flat_grad = self.weight.flatten(1), self.weight_grad.flatten(1)

    def step(self, X: Tensor, targets: Tensor, share: Tensor) -> Tensor:
        """See :class:`ClosedFormAdam`."""
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
            value += self.penalize()
        if self.n_layers == 1:
            self.row_grad.addmm_(slope.view(outputs.shape), X)
        else:
            self.row_grad.baddbmm_(slope.view(outputs.shape), X)
        self._move()
        return value

    def penalize(self) -> Tensor:
        """See :class:`ClosedFormAdam`."""
        flat, grad = self.flat, self.flat_grad
        norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
        if self.is_squared:
            factor, value = 2 * self.lambda_l2, self.lambda_l2 * norm.square()
        else:
            factor, value = (self.lambda_l2 / norm).nan_to_num_(0, 0), self.lambda_l2 * norm
        l1 = torch.abs(flat, out=grad).sum(1, keepdim=True)
        torch.sign(flat, out=grad).mul_(self.lambda_l1).addcmul_(flat, factor)
        return value.addcmul_(l1, self.lambda_l1).squeeze(1)


class SingleProbeAdam(ClosedFormAdam):
    """Steps of one probe on the CPU.

    Numbers are Python floats, because operations on tensors with a single element take longer. The
    parameters are those of :func:`make_steps`.
    """

    def __init__(self, bank: Any, objective: Any, optimizer: torch.optim.Adam):
        super().__init__(bank, objective, optimizer)
        self.l1, self.l2 = objective.lambda_l1.item(), objective.lambda_l2.item()
        self.rows, self.rows_grad = self.weight[0], self.weight_grad[0]
        self.column, self.column_grad = self.bias[0][:, None], self.bias_grad[0]
        self.flat, self.flat_grad = self.rows.flatten(), self.rows_grad.flatten()
        self.numbers, self.slopes = self.flat.numpy(), self.flat_grad.numpy()

    def step(self, X: Tensor, targets: Tensor, share: Tensor) -> float:
        """See :class:`ClosedFormAdam`."""
        outputs = torch.addmm(self.column, self.rows, X.T)
        terms, slope = self.loss(outputs, targets, share)
        torch.sum(slope, 1, out=self.column_grad)
        value = terms.sum().item()
        if self.is_free:
            torch.mm(slope, X, out=self.rows_grad)
        else:
            value += self.penalize()
            self.rows_grad.addmm_(slope, X)
        self._move()
        return value

    def penalize(self) -> float:
        """See :class:`ClosedFormAdam`."""
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
            elif square > 0:  # the norm is not differentiable at W = 0
                norm = sqrt(square)
                value += self.l2 * norm
                grad.add_(self.flat, alpha=self.l2 / norm)
        return value


def by_layer(tensor: Tensor, n_layers: int) -> Tensor:
    """View a tensor (P, n_outputs, ...) of a bank as (n_layers, outputs of a layer, ...)."""
    return tensor.flatten(0, 1).unflatten(0, (n_layers, -1))


def layers_of(X: Tensor, n_layers: int) -> Tensor:
    """View X (n_samples, n_layers * n_neurons) as (n_layers, n_samples, n_neurons)."""
    return X.unflatten(1, (n_layers, -1)).transpose(0, 1)


def _columns(targets: Tensor, n_whole: int, size: int) -> list[Tensor]:
    """Transpose each batch of targets (n_samples, n_outputs) into contiguous memory."""
    whole, last = targets[: n_whole * size], targets[n_whole * size :]
    batches = whole.unflatten(0, (n_whole, size)).mT.contiguous().unbind()
    return [*batches, last.T.contiguous()] if len(last) else list(batches)
