r"""The objective of linear probes: losses, penalties and their gradients.

Arrays in, arrays out. Everything is written for a *bank* of K probes with n_outputs outputs each
that look at the same words, and each probe minimises

    mean_i w_i * loss_i(W x_i + b) + lambda_l1 * sum|W| + lambda_l2 * P(W)

with P(W) = ||W||_F ("norm", as NeuroX trains) or ||W||_F^2 ("squared", as Dalvi et al. 2019
write); the bias b is free. Gradients are in closed form because at the size of a probing step
autograd's bookkeeping costs more than the arithmetic.
"""

from __future__ import annotations

import torch
from torch import Tensor


def softmax_cross_entropy(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of a softmax and its gradient with respect to the logits.

    Parameters
    ----------
    logits : Tensor of shape (n_words, K, n_classes)
    targets : Tensor of shape (n_words, 1, n_classes)
        One-hot rows.

    Returns
    -------
    losses : Tensor of shape (n_words, K), in nats
    gradient : Tensor of shape (n_words, K, n_classes)
    """
    log_proba = torch.log_softmax(logits, -1)
    losses = -(log_proba * targets).sum(-1)
    return losses, log_proba.exp() - targets


def squared_error(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Squared error, averaged over the outputs, and its gradient with respect to the outputs.

    Parameters
    ----------
    outputs : Tensor of shape (n_words, K, n_outputs)
    targets : Tensor of shape (n_words, 1, n_outputs)

    Returns
    -------
    losses : Tensor of shape (n_words, K)
    gradient : Tensor of shape (n_words, K, n_outputs)
    """
    difference = outputs - targets
    return difference.square().mean(-1), difference * (2 / outputs.shape[-1])


LOSSES = {"softmax_cross_entropy": softmax_cross_entropy, "squared_error": squared_error}


def penalty(
    weight: Tensor, lambda_l1: Tensor, lambda_l2: Tensor, l2_penalty: str
) -> tuple[Tensor, Tensor]:
    """Penalty of each probe of a bank, and a subgradient of it.

    Parameters
    ----------
    weight : Tensor of shape (K, n_outputs, n_neurons)
    lambda_l1, lambda_l2 : Tensor of shape (K,)
    l2_penalty : {"norm", "squared"}

    Returns
    -------
    value : Tensor of shape (K,)
    gradient : Tensor of the shape of `weight`
        0 where the penalty has a kink: at a weight of 0 for the L1 norm, at W = 0 for the
        un-squared L2 norm.
    """
    flat = weight.flatten(1)
    l1, l2 = lambda_l1[:, None], lambda_l2[:, None]
    norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    if l2_penalty == "squared":
        size, slope = norm.square(), 2 * l2
    else:
        size, slope = norm, l2 / torch.where(norm > 0, norm, 1.0)
    value = l1 * flat.abs().sum(1, keepdim=True) + l2 * size
    gradient = flat.sign().mul_(l1).addcmul_(flat, slope)
    return value.squeeze(1), gradient.view_as(weight)
