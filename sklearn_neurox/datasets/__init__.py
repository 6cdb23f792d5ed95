"""Datasets: corpora and their labels, from files, from words, and embedded in the package."""

from ._tagged_sentences import load_tagged_sentences
from .annotation import annotate, binarize_labels, numeric_labels
from .corpora import read_conllu, read_labelled_sentences, read_parallel, read_sentences

__all__ = [
    "annotate",
    "binarize_labels",
    "load_tagged_sentences",
    "numeric_labels",
    "read_conllu",
    "read_labelled_sentences",
    "read_parallel",
    "read_sentences",
]
