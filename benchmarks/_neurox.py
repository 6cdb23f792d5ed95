"""How NeuroX trains a probe, written anew and plainly; `check` holds it to NeuroX's own results.

Batches are slices in file order, the last one short; the loss is the mean loss of the batch, plus
lambda_l1 * sum|W| and lambda_l2 * ||W||_F; autograd, torch's Adam with its defaults, and a
`loss.item()` in every step for the running average.
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
    """Train one probe: a classifier if y has integers, a regressor if it has floats.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons), float32
    y : ndarray of shape (n_words,)
    lambda_l1, lambda_l2 : float
    epochs, batch_size : int
    learning_rate : float
    start : pair of ndarrays, default=None
        W and b to start from; None draws them as ``nn.Linear`` does.
    device : str or torch.device, default="cpu"

    Returns
    -------
    weight : ndarray of shape (n_outputs, n_neurons)
    bias : ndarray of shape (n_outputs,)
    losses : list of float
        Of each epoch: the batch means, added up and divided by the number of words.
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
        total, n_words = 0.0, 0
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
            n_words += len(labels)
        losses.append(total / n_words)
    return probe.weight.detach().cpu().numpy(), probe.bias.detach().cpu().numpy(), losses


def check():
    """Assert that `train` gives the weights and losses that NeuroX itself gave."""
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
