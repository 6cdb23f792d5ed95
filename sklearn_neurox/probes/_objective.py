r"""The objective of linear probes: losses, penalties and their gradients.

All functions operate on tensors of a *bank* of K probes with n_outputs outputs each. Each probe
minimizes

    mean_i w_i * loss_i(W x_i + b) + lambda_l1 * sum|W| + lambda_l2 * P(W)

with P(W) = ||W||_F ("norm", as in NeuroX) or ||W||_F^2 ("squared", as in Dalvi et al. 2019). The
bias b is not penalized. Gradients are in closed form, because the bookkeeping of autograd costs
more than the arithmetic of a step. Samples are along the last dimension: W X' is the cheapest
product, and elementwise operations run along the samples.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def softmax_cross_entropy(logits: Tensor, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of a softmax, and its gradient.

    Parameters
    ----------
    logits : Tensor of shape (..., n_classes, n_samples)
    targets : Tensor of shape (n_classes, n_samples)
        One-hot columns.
    share : Tensor of shape (n_samples,)
        Sample weights.

    Returns
    -------
    terms : Tensor of shape (..., n_classes, n_samples), in nats
        Their sum over the classes is the loss of a sample times its share.
    gradient : Tensor of shape (..., n_classes, n_samples)
        Gradient of the sum of all terms.
    """
    log_proba = torch.log_softmax(logits, -2)
    mass = targets * -share
    # As in autograd: softmax and difference in one pass.
    gradient = torch._log_softmax_backward_data(
        mass.expand_as(log_proba), log_proba, -2, log_proba.dtype
    )
    return log_proba * mass, gradient


def logistic(logits: Tensor, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of one logit for two classes, and its gradient.

    It equals the softmax cross-entropy of the rows (-logit / 2, logit / 2).

    Parameters
    ----------
    logits : Tensor of shape (..., 1, n_samples)
    targets : Tensor of shape (1, n_samples)
        1 for the second class, 0 for the first.
    share : Tensor of shape (n_samples,)
        Sample weights.

    Returns
    -------
    terms, gradient : Tensor of shape (..., 1, n_samples)
        As in :func:`softmax_cross_entropy`.
    """
    losses = -nn.functional.logsigmoid(-logits) - targets * logits
    return losses.mul_(share), logits.sigmoid().sub_(targets).mul_(share)


def squared_error(outputs: Tensor, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared error, averaged over the outputs, and its gradient.

    Parameters
    ----------
    outputs : Tensor of shape (..., n_outputs, n_samples)
    targets : Tensor of shape (n_outputs, n_samples)
    share : Tensor of shape (n_samples,)
        Sample weights.

    Returns
    -------
    terms, gradient : Tensor of shape (..., n_outputs, n_samples)
        As in :func:`softmax_cross_entropy`.
    """
    difference = outputs - targets
    weighted = difference * (share / len(targets))
    return difference * weighted, 2 * weighted


LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "logistic": logistic,
    "squared_error": squared_error,
}


def softmax_curvature(logits: Tensor, share: Tensor) -> Tensor:
    """Return the second derivatives of the loss with respect to the logits of each sample.

    Parameters
    ----------
    logits : Tensor of shape (..., n_outputs, n_samples)
    share : Tensor of shape (n_samples,)

    Returns
    -------
    Tensor of shape (..., n_outputs, n_outputs, n_samples)
    """
    proba = logits.softmax(-2)
    diagonal = torch.diag_embed(proba.mT).movedim(-3, -1)
    return (diagonal - proba[..., None, :] * proba[..., None, :, :]) * share


def logistic_curvature(logits: Tensor, share: Tensor) -> Tensor:
    """Return the second derivatives. See :func:`softmax_curvature`."""
    proba = logits.sigmoid()
    return (proba * (1 - proba) * share)[..., None, :]


def squared_error_curvature(outputs: Tensor, share: Tensor) -> Tensor:
    """Return the second derivatives. See :func:`softmax_curvature`."""
    n_outputs = outputs.shape[-2]
    one = torch.eye(n_outputs, dtype=outputs.dtype, device=outputs.device)[..., None] * share
    return (2 / n_outputs * one).expand(*outputs.shape[:-2], -1, -1, -1)


CURVATURES = {
    "softmax_cross_entropy": softmax_curvature,
    "logistic": logistic_curvature,
    "squared_error": squared_error_curvature,
}


def l2_term(weight: Tensor, lambda_l2: Tensor, l2_penalty: str) -> tuple[Tensor, Tensor]:
    """Return the L2 penalty of each probe of a bank, and the factor of W in its gradient.

    Parameters
    ----------
    weight : Tensor of shape (K, n_outputs, n_neurons)
    lambda_l2 : Tensor of shape (K,)
    l2_penalty : {"norm", "squared"}

    Returns
    -------
    value, factor : Tensor of shape (K,)
        The factor of the unsquared norm is 0 at W = 0, where it is not differentiable.
    """
    norm = torch.linalg.vector_norm(weight, dim=(1, 2))
    if l2_penalty == "squared":
        return lambda_l2 * norm.square(), 2 * lambda_l2
    return lambda_l2 * norm, torch.where(norm > 0, lambda_l2 / norm, 0)


def penalty(weight: Tensor, lambda_l1: Tensor, lambda_l2: Tensor, l2_penalty: str) -> Tensor:
    """Return the penalty (K,) of each probe of a bank. See :func:`l2_term` for the parameters."""
    l2, _ = l2_term(weight, lambda_l2, l2_penalty)
    return l2 + lambda_l1 * torch.linalg.vector_norm(weight, ord=1, dim=(1, 2))
