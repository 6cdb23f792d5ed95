"""Extraction: everything that runs a network and returns one row of activations per word."""

from .aggregation import aggregate_bpe, aggregate_characters, aggregate_subwords
from .extractor import ActivationExtractor
from .module_activations import ModuleActivations

__all__ = [
    "ActivationExtractor",
    "ModuleActivations",
    "aggregate_bpe",
    "aggregate_characters",
    "aggregate_subwords",
]
