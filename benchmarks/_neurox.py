"""A plain loop that trains a probe as NeuroX does; `check` compares it with NeuroX's own results.

Batches are slices in the order of the rows, and the last one may be smaller. The loss is the mean
loss of the batch plus lambda_l1 * sum|W| + lambda_l2 * ||W||_F. The gradients come from autograd,
the optimizer is torch's Adam with its default settings, and each step calls `loss.item()` for the
running average.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

FIXTURE = Path(__file__).parent.parent / "tests" / "fixtures" / "adam.json"


def train(
    X, y, lambda_l1, lambda_l2, *, epochs=10, batch_size=32, learning_rate=1e-3, start=None,
    device="cpu",
):  # fmt: skip
    """Train one probe: a classifier if y holds integers, a regressor if it holds floats.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_neurons), float32
    y : ndarray of shape (n_samples,)
    lambda_l1, lambda_l2 : float
    epochs, batch_size : int
    learning_rate : float
    start : pair of ndarrays, default=None
        Initial W and b. None draws them as ``nn.Linear`` does.
    device : str or torch.device, default="cpu"

    Returns
    -------
    weight : ndarray of shape (n_outputs, n_neurons)
    bias : ndarray of shape (n_outputs,)
    losses : list of float
        For each epoch, the sum of the batch means divided by the number of samples.
    """
    is_classification = np.issubdtype(y.dtype, np.integer)
    n_outputs = int(y.max()) + 1 if is_classification else 1
    y = y if is_classification else y.astype(np.float32)
    X, y = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
    probe = nn.Linear(X.shape[1], n_outputs, device=device)
    if start is not None:
        with torch.no_grad():
            for parameter, values in zip(probe.parameters(), start, strict=True):
                parameter.copy_(torch.as_tensor(values))
    criterion = nn.CrossEntropyLoss() if is_classification else nn.MSELoss()
    optimizer = torch.optim.Adam(probe.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        total, n_samples = 0.0, 0
        for first in range(0, len(X), batch_size):
            labels = y[first : first + batch_size]
            optimizer.zero_grad()
            outputs = probe(X[first : first + batch_size])
            loss = criterion(outputs if is_classification else outputs.squeeze(1), labels)
            loss = loss + lambda_l1 * torch.norm(probe.weight, 1)
            loss = loss + lambda_l2 * torch.norm(probe.weight, 2)
            loss.backward()
            optimizer.step()
            total += loss.item()
            n_samples += len(labels)
        losses.append(total / n_samples)
    return probe.weight.detach().cpu().numpy(), probe.bias.detach().cpu().numpy(), losses


def check():
    """Check that `train` reproduces the weights and losses of NeuroX."""
    known = json.loads(FIXTURE.read_text())
    X = np.array(known["X"], dtype=np.float32)
    for run in known["runs"]:
        labels = "y_class" if run["task"] == "classification" else "y_regression"
        y, start = np.array(known[labels]), known[f"init_{run['task']}"]
        weight, bias, losses = train(
            X, y, run["l1"], run["l2"], epochs=known["epochs"], batch_size=known["batch_size"],
            learning_rate=known["learning_rate"], start=(start["W"], start["b"]),
        )  # fmt: skip
        expected = run["after_3_epochs"]
        np.testing.assert_allclose(weight, expected["W"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(bias, expected["b"], rtol=0, atol=1e-5)
        np.testing.assert_allclose(losses, run["losses_float64"], rtol=0, atol=1e-5)
