"""Effects: whether a network uses what its activations encode."""

from .logit_difference import logit_difference
from .probe_accuracy import probe_accuracy

__all__ = [
    "logit_difference",
    "probe_accuracy",
]
