"""Closed-form gradients are the gradients of the values."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_neurox.probes._adam import BankCriterion, LinearProbeBank
from sklearn_neurox.probes._adam_steps import BankAdam, make_steps
from sklearn_neurox.probes._objective import LOSSES, penalty

TORCH_LOSSES = {
    "softmax_cross_entropy": lambda outputs, targets: nn.functional.cross_entropy(
        outputs.T, targets.T
    ),
    "logistic": nn.functional.binary_cross_entropy_with_logits,
    "squared_error": nn.functional.mse_loss,
}


SHARE = torch.tensor([1.0, 2, 0, 1, 1, 3, 1], dtype=torch.float64) / 9


def outputs_and_targets(name):
    generator = torch.Generator().manual_seed(0)
    rows = 1 if name == "logistic" else 4
    outputs = torch.randn(2, rows, 7, dtype=torch.float64, generator=generator)
    targets = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 3, 0, 0, 1]].T
    return outputs.requires_grad_(), targets[:rows]


@pytest.mark.parametrize("name", LOSSES)
def test_loss_gradient_is_autograds(name):
    outputs, targets = outputs_and_targets(name)
    terms, gradient = LOSSES[name](outputs, targets, SHARE)
    (expected,) = torch.autograd.grad(terms.sum(), outputs)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_torchs(name):
    outputs, targets = outputs_and_targets(name)
    terms, gradient = LOSSES[name](outputs, targets, SHARE)
    for k in range(2):
        of_samples = [TORCH_LOSSES[name](outputs[k][:, [i]], targets[:, [i]]) for i in range(7)]
        torch.testing.assert_close(terms[k].sum(0), torch.stack(of_samples) * SHARE)
        alone = LOSSES[name](outputs[k], targets, SHARE)
        torch.testing.assert_close((terms[k], gradient[k]), alone)


def test_one_logit_is_a_softmax_over_its_halves():
    outputs, targets = outputs_and_targets("logistic")
    one, _ = LOSSES["logistic"](outputs, targets, SHARE)
    two, _ = LOSSES["softmax_cross_entropy"](
        torch.cat([-outputs / 2, outputs / 2], 1), torch.cat([1 - targets, targets]), SHARE
    )
    torch.testing.assert_close(one.sum(1), two.sum(1))


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "logistic"])
def test_a_sure_error_costs_a_finite_loss(name):
    outputs, targets = outputs_and_targets(name)
    terms, gradient = LOSSES[name](outputs * 1e6, targets, SHARE)
    assert terms.isfinite().all()
    assert gradient.isfinite().all()


def penalty_of_a_step(weight, l1, l2, l2_penalty, make):
    """Return the penalties as Adam's steps compute them, and their gradient in closed form."""
    bank = LinearProbeBank(*weight.shape, dtype=weight.dtype)
    bank.weight.data.copy_(weight.detach())
    objective = BankCriterion("squared_error", l1, l2, l2_penalty, weight.dtype)
    steps = make(bank, objective, torch.optim.Adam(bank.parameters()))
    return steps.penalize(), steps.weight_grad


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
    in_step, gradient = penalty_of_a_step(weight, l1, l2, l2_penalty, BankAdam)
    torch.testing.assert_close(in_step, by_hand.detach())
    torch.testing.assert_close(gradient, expected)
    for k in range(3):
        one = slice(k, k + 1)
        in_step, gradient = penalty_of_a_step(weight[one], l1[one], l2[one], l2_penalty, make_steps)
        assert in_step == pytest.approx(by_hand[k].item())
        torch.testing.assert_close(gradient, expected[one])


@pytest.mark.parametrize("make", [BankAdam, make_steps])
@pytest.mark.parametrize("l2_penalty", ["norm", "squared"])
def test_gradient_at_zero_weights_is_zero(l2_penalty, make):
    """NeuroX gets NaN here."""
    huge = np.array([1e30])
    value, gradient = penalty_of_a_step(torch.zeros(1, 2, 3), huge, huge, l2_penalty, make)
    assert value == 0
    assert (gradient == 0).all()
