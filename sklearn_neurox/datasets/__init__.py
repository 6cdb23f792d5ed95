"""Datasets: corpora and labels from files, labels derived from words, and an embedded corpus."""

from ._tagged_sentences import load_tagged_sentences
from .annotation import annotate, binarize_labels, numeric_labels
from .corpora import read_conllu, read_labeled_sentences, read_parallel, read_sentences
from .spacing import SpacedSentence
from .texts import read_texts

__all__ = [
    "SpacedSentence",
    "annotate",
    "binarize_labels",
    "load_tagged_sentences",
    "numeric_labels",
    "read_conllu",
    "read_labeled_sentences",
    "read_parallel",
    "read_sentences",
    "read_texts",
]
