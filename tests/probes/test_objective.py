"""Closed-form gradients are the gradients of the values."""

import pytest
import torch

from sklearn_neurox.probes._objective import LOSSES, penalty


@pytest.mark.parametrize("name", LOSSES)
def test_loss_gradient_is_autograds(name):
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(7, 2, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    targets = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 3, 0, 0, 1]][:, None]
    losses, gradient = LOSSES[name](outputs, targets)
    assert losses.shape == (7, 2)
    (expected,) = torch.autograd.grad(losses.sum(), outputs)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_torchs(name):
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(7, 1, 4, dtype=torch.float64, generator=generator)
    targets = torch.eye(4, dtype=torch.float64)[[0, 1, 2, 3, 0, 0, 1]][:, None]
    losses, _ = LOSSES[name](outputs, targets)
    torch_loss = {
        "softmax_cross_entropy": torch.nn.functional.cross_entropy,
        "squared_error": torch.nn.functional.mse_loss,
    }[name]
    torch.testing.assert_close(losses.mean(), torch_loss(outputs[:, 0], targets[:, 0]))


@pytest.mark.parametrize("l2_penalty", ["norm", "squared"])
def test_penalty_is_the_formula_and_its_gradient_autograds(l2_penalty):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 2, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    l1 = torch.tensor([0.0, 0.1, 0.3], dtype=torch.float64)
    l2 = torch.tensor([0.2, 0.0, 0.5], dtype=torch.float64)
    value, gradient = penalty(weight, l1, l2, l2_penalty)
    norm = weight.flatten(1).norm(dim=1)
    by_hand = l1 * weight.abs().sum((1, 2)) + l2 * (norm**2 if l2_penalty == "squared" else norm)
    torch.testing.assert_close(value, by_hand)
    (expected,) = torch.autograd.grad(value.sum(), weight)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("l2_penalty", ["norm", "squared"])
def test_gradient_at_zero_weights_is_zero(l2_penalty):
    """NeuroX gets NaN here."""
    lambdas = torch.tensor([1e30])
    value, gradient = penalty(torch.zeros(1, 2, 3), lambdas, lambdas, l2_penalty)
    assert value.item() == 0
    assert (gradient == 0).all()
