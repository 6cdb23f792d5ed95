"""Activations: from words to a matrix with one row per word."""

from .aggregation import aggregate_bpe, aggregate_characters, aggregate_subwords
from .annotation import annotate, binarize_labels, numeric_labels
from .corpora import read_conllu, read_labelled_sentences, read_parallel, read_sentences
from .extraction import ActivationExtractor
from .formats import read_activations, write_activations
from .module_activations import ModuleActivations
from .store import StoreWriter, describe_store, load_store
from .tokens import TokenActivations

__all__ = [
    "ActivationExtractor",
    "ModuleActivations",
    "StoreWriter",
    "TokenActivations",
    "aggregate_bpe",
    "aggregate_characters",
    "aggregate_subwords",
    "annotate",
    "binarize_labels",
    "describe_store",
    "load_store",
    "numeric_labels",
    "read_activations",
    "read_conllu",
    "read_labelled_sentences",
    "read_parallel",
    "read_sentences",
    "write_activations",
]
