"""Effects: whether a network uses what its activations encode."""

from .causal_effect import causal_effect
from .logit_difference import logit_difference
from .probe_accuracy import probe_accuracy
from .result import CausalEffect

__all__ = [
    "CausalEffect",
    "causal_effect",
    "logit_difference",
    "probe_accuracy",
]
