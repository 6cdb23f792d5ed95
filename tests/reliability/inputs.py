"""Inputs of the calls: activations with labels, groups, words and texts, and small networks."""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sklearn_neurox import Neurons, StoreWriter, TokenActivations

from ..planted import planted

N_LAYERS = 2


@dataclass(frozen=True)
class Inputs:
    """Activations that encode a label and a number, and what belongs to their rows.

    Parameters
    ----------
    X : ndarray of float32 of shape (n_rows, n_neurons)
    labels : ndarray of str of shape (n_rows,)
        Three classes.
    binary : ndarray of str of shape (n_rows,)
    targets : ndarray of float of shape (n_rows,)
    groups : ndarray of int of shape (n_rows,)
        Four rows belong to a group.
    words : ndarray of str of shape (n_rows,)
    sample_weight : ndarray of float of shape (n_rows,)
    folder : Path
        Of files that calls write.
    """

    X: np.ndarray
    labels: np.ndarray
    binary: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    words: np.ndarray
    sample_weight: np.ndarray
    folder: Path = field(compare=False)

    @classmethod
    def make(
        cls, folder: Path, *, n_rows: int = 96, n_neurons: int = 12, seed: int = 0
    ) -> "Inputs":
        """Return random activations. The numbers of rows and neurons are even."""
        rng = np.random.RandomState(seed)
        codes = rng.randint(3, size=n_rows)
        codes[:6] = [0, 0, 1, 1, 2, 2]
        X = rng.normal(size=(n_rows, n_neurons)).astype(np.float32)
        X[:, 1] += 2 * codes
        X[:, n_neurons // 2] -= 2 * (codes == 1)
        X[:, 3] = X[:, 2] + 0.1 * X[:, 3]  # a cluster
        groups = np.arange(n_rows) // 4
        return cls(
            X,
            np.array(["NOUN", "VERB", "X"])[codes],
            np.array(["no", "yes"])[(codes + (rng.uniform(size=n_rows) < 0.2)) % 2],
            X[:, 1] - 0.5 * X[:, 4] + 0.1 * rng.normal(size=n_rows),
            groups,
            np.array([f"w{number}" for number in codes + 3 * rng.randint(4, size=n_rows)]),
            rng.randint(1, 4, size=n_rows).astype(float),
            Path(folder),
        )

    def on_disk(self) -> "Inputs":
        """Return these inputs with X as a memory map of a file in the folder."""
        path = self.folder / "X.npy"
        if not path.exists():
            np.save(path, self.X)
        return replace(self, X=np.load(path, mmap_mode="r"))

    def in_a_store(self) -> "Inputs":
        """Return these inputs with X as that of a store in the folder."""
        path = self.folder / "X.store"
        if not path.exists():
            write_store(path, self)
        return replace(self, X=TokenActivations.load(path).X)

    def arrays(self) -> list[np.ndarray]:
        """Return the arrays."""
        return [value for value in vars(self).values() if isinstance(value, np.ndarray)]

    @property
    def neurons(self) -> Neurons:
        """The two layers of X."""
        return Neurons(tuple(range(N_LAYERS)), self.X.shape[1] // N_LAYERS)

    @property
    def tokens(self) -> TokenActivations:
        """The rows as words of sentences, the groups."""
        return TokenActivations(
            X=self.X,
            words=self.words.astype(object),
            sentence_ids=self.groups,
            positions=np.arange(len(self.X)) % 4,
            layers=tuple(range(N_LAYERS)),
            y=self.labels,
        )


def write_store(path: Path, inputs: Inputs) -> None:
    """Write X with its words and labels to a store, sentence by sentence."""
    n_rows, n_neurons = inputs.X.shape
    sentences = [inputs.words[start : start + 4].tolist() for start in range(0, n_rows, 4)]
    with StoreWriter(
        path,
        layers=tuple(range(N_LAYERS)),
        width=n_neurons // N_LAYERS,
        dtype="float32",
        words=sentences,
        sentence_ids=np.arange(len(sentences)),
        labels=inputs.labels.tolist(),
    ) as writer:
        for start in range(0, n_rows, 32):
            writer.append(inputs.X[start : start + 32])


@cache
def network(kind: str = "decoder") -> Any:
    """Return a network of three blocks with its tokenizer, texts and labels."""
    return planted(kind, n_texts=8)


@cache
def mlp(width: int) -> torch.nn.Module:
    """Return a network without text, whose weights do not depend on chance."""
    with torch.random.fork_rng():
        net = torch.nn.Sequential(torch.nn.Linear(width, 5), torch.nn.Tanh())
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.linspace(-1, 1, weight.numel()).reshape(weight.shape))
    return net
