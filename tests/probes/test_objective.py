"""Closed-form gradients are the gradients of the values."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_neurox.probes._adam import BankObjective, ClosedFormAdam, LinearProbeBank
from sklearn_neurox.probes._objective import LOSSES, penalty

TORCH_LOSSES = {
    "softmax_cross_entropy": lambda outputs, targets: nn.functional.cross_entropy(
        outputs.T, targets.T
    ),
    "logistic": nn.functional.binary_cross_entropy_with_logits,
    "squared_error": nn.functional.mse_loss,
}


def outputs_and_targets(name):
    generator = torch.Generator().manual_seed(0)
    rows = 1 if name == "logistic" else 4
    outputs = torch.randn(2, rows, 7, dtype=torch.float64, generator=generator)
    targets = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 3, 0, 0, 1]].T
    return outputs.requires_grad_(), targets[:rows]


@pytest.mark.parametrize("name", LOSSES)
def test_loss_gradient_is_autograds(name):
    outputs, targets = outputs_and_targets(name)
    losses, gradient = LOSSES[name](outputs, targets)
    assert losses.shape == (2, 7)
    (expected,) = torch.autograd.grad(losses.sum(), outputs)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_torchs(name):
    outputs, targets = outputs_and_targets(name)
    losses, _ = LOSSES[name](outputs, targets)
    for k in range(2):
        expected = TORCH_LOSSES[name](outputs[k], targets)
        torch.testing.assert_close(losses[k].mean(), expected)


def test_one_logit_is_a_softmax_over_its_halves():
    outputs, targets = outputs_and_targets("logistic")
    one, _ = LOSSES["logistic"](outputs, targets)
    two, _ = LOSSES["softmax_cross_entropy"](
        torch.cat([-outputs / 2, outputs / 2], 1), torch.cat([1 - targets, targets])
    )
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "logistic"])
def test_a_sure_error_costs_a_finite_loss(name):
    outputs, targets = outputs_and_targets(name)
    losses, gradient = LOSSES[name](outputs * 1e6, targets)
    assert losses.isfinite().all()
    assert gradient.isfinite().all()


def penalty_of_a_step(weight, l1, l2, l2_penalty):
    """The penalties as Adam's step has them, and their gradient in closed form."""
    bank = LinearProbeBank(*weight.shape, dtype=weight.dtype)
    bank.weight.data.copy_(weight.detach())
    objective = BankObjective("squared_error", l1, l2, l2_penalty, weight.dtype)
    step = ClosedFormAdam(bank, objective, torch.optim.Adam(bank.parameters()))
    return step._penalty(), step.gradients[0]


@pytest.mark.parametrize("l2_penalty", ["norm", "squared"])
def test_penalty_is_the_formula_and_its_gradient_autograds(l2_penalty):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 2, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    l1, l2 = np.array([0.0, 0.1, 0.3]), np.array([0.2, 0.0, 0.5])
    value = penalty(weight, torch.from_numpy(l1), torch.from_numpy(l2), l2_penalty)
    norm = weight.flatten(1).norm(dim=1)
    by_hand = torch.from_numpy(l1) * weight.abs().sum((1, 2))
    by_hand = by_hand + torch.from_numpy(l2) * (norm**2 if l2_penalty == "squared" else norm)
    torch.testing.assert_close(value, by_hand)
    (expected,) = torch.autograd.grad(value.sum(), weight)
    in_step, gradient = penalty_of_a_step(weight, l1, l2, l2_penalty)
    torch.testing.assert_close(in_step, by_hand.detach())
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("l2_penalty", ["norm", "squared"])
def test_gradient_at_zero_weights_is_zero(l2_penalty):
    """NeuroX gets NaN here."""
    value, gradient = penalty_of_a_step(
        torch.zeros(1, 2, 3), np.array([1e30]), np.array([1e30]), l2_penalty
    )
    assert value.item() == 0
    assert (gradient == 0).all()
