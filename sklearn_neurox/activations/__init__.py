"""Activations: from words to a matrix with one row per word."""

from .aggregation import aggregate_subwords
from .corpora import read_conllu
from .extraction import ActivationExtractor
from .tokens import TokenActivations

__all__ = ["ActivationExtractor", "TokenActivations", "aggregate_subwords", "read_conllu"]
