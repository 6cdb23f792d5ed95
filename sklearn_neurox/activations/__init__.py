"""Activations: the rows and columns of X, in memory and on disk."""

from .columns import Neurons
from .dataset_card import write_dataset_card
from .formats import read_activations, write_activations
from .store import StoreWriter
from .tokens import TokenActivations

__all__ = [
    "Neurons",
    "StoreWriter",
    "TokenActivations",
    "read_activations",
    "write_activations",
    "write_dataset_card",
]
