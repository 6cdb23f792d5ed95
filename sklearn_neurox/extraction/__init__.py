"""Extraction: run a network, and return one row of activations per word, token, prompt or input."""

from .aggregation import aggregate_bpe, aggregate_characters, aggregate_subwords
from .extractor import ActivationExtractor
from .module_activations import ModuleActivations
from .positions import Where, where
from .streamed_fits import StreamedFits
from .streaming import fit_stream
from .texts import EncodedText

__all__ = [
    "ActivationExtractor",
    "EncodedText",
    "ModuleActivations",
    "StreamedFits",
    "Where",
    "aggregate_bpe",
    "aggregate_characters",
    "aggregate_subwords",
    "fit_stream",
    "where",
]
