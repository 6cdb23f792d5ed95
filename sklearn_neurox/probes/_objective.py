r"""The objective of linear probes: losses, penalties and their gradients.

Arrays in, arrays out. Everything is written for a *bank* of K probes with n_outputs outputs each,
and each probe minimises

    mean_i w_i * loss_i(W x_i + b) + lambda_l1 * sum|W| + lambda_l2 * P(W)

with P(W) = ||W||_F ("norm", as NeuroX trains) or ||W||_F^2 ("squared", as Dalvi et al. 2019
write); the bias b is free. Gradients are in closed form because at the size of a probing step
autograd's bookkeeping costs more than the arithmetic. Words come last: W X' is the cheapest
product, and elementwise work runs along the words.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def softmax_cross_entropy(logits: Tensor, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of a softmax and its gradient with respect to the logits.

    Parameters
    ----------
    logits : Tensor of shape (..., n_classes, n_words)
    targets : Tensor of shape (n_classes, n_words)
        One-hot columns.
    share : Tensor of shape (n_words,)
        Weights of the words.

    Returns
    -------
    terms : Tensor of shape (..., n_classes, n_words), in nats
        Their sum over classes is the loss of a word times its share.
    gradient : Tensor of shape (..., n_classes, n_words)
        That of the sum of all terms.
    """
    log_proba = torch.log_softmax(logits, -2)
    mass = targets * -share
    # What autograd calls: softmax and difference in one pass.
    gradient = torch._log_softmax_backward_data(
        mass.expand_as(log_proba), log_proba, -2, log_proba.dtype
    )
    return log_proba * mass, gradient


def logistic(logits: Tensor, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of one logit for two classes, and its gradient with respect to the logits.

    Equal to the softmax cross-entropy of the rows (-logit / 2, logit / 2).

    Parameters
    ----------
    logits : Tensor of shape (..., 1, n_words)
    targets : Tensor of shape (1, n_words)
        1 for the second class, 0 for the first.
    share : Tensor of shape (n_words,)
        Weights of the words.

    Returns
    -------
    terms, gradient : Tensor of shape (..., 1, n_words)
        As those of :func:`softmax_cross_entropy`.
    """
    losses = -nn.functional.logsigmoid(-logits) - targets * logits
    return losses.mul_(share), logits.sigmoid().sub_(targets).mul_(share)


def squared_error(outputs: Tensor, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Squared error, averaged over the outputs, and its gradient with respect to the outputs.

    Parameters
    ----------
    outputs : Tensor of shape (..., n_outputs, n_words)
    targets : Tensor of shape (n_outputs, n_words)
    share : Tensor of shape (n_words,)
        Weights of the words.

    Returns
    -------
    terms, gradient : Tensor of shape (..., n_outputs, n_words)
        As those of :func:`softmax_cross_entropy`.
    """
    difference = outputs - targets
    weighted = difference * (share / len(targets))
    return difference * weighted, 2 * weighted


LOSSES = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "logistic": logistic,
    "squared_error": squared_error,
}


def l2_term(weight: Tensor, lambda_l2: Tensor, l2_penalty: str) -> tuple[Tensor, Tensor]:
    """L2 penalty of each probe of a bank, and the factor of W in its gradient.

    Parameters
    ----------
    weight : Tensor of shape (K, n_outputs, n_neurons)
    lambda_l2 : Tensor of shape (K,)
    l2_penalty : {"norm", "squared"}

    Returns
    -------
    value, factor : Tensor of shape (K,)
        The factor of the un-squared norm is 0 at W = 0, where it has a kink.
    """
    norm = torch.linalg.vector_norm(weight, dim=(1, 2))
    if l2_penalty == "squared":
        return lambda_l2 * norm.square(), 2 * lambda_l2
    return lambda_l2 * norm, torch.where(norm > 0, lambda_l2 / norm, 0)


def penalty(weight: Tensor, lambda_l1: Tensor, lambda_l2: Tensor, l2_penalty: str) -> Tensor:
    """Penalty (K,) of each probe of a bank, of the parameters that :func:`l2_term` takes."""
    l2, _ = l2_term(weight, lambda_l2, l2_penalty)
    return l2 + lambda_l1 * torch.linalg.vector_norm(weight, ord=1, dim=(1, 2))
