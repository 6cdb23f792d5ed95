"""Effects: whether a network uses what its activations encode."""

from .causal_effect import causal_effect
from .interchange import interchange_effect
from .logit_difference import logit_difference
from .patching import PatchingMap, patching_map
from .probe_accuracy import probe_accuracy
from .result import CausalEffect

__all__ = [
    "CausalEffect",
    "PatchingMap",
    "causal_effect",
    "interchange_effect",
    "logit_difference",
    "patching_map",
    "probe_accuracy",
]
