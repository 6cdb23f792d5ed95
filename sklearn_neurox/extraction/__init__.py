"""Extraction: run a network, and return one row of activations per word or input."""

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
