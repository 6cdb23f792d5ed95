"""Interventions: edits of neurons, applied to the rows of X."""

from .ablation import NeuronAblator

__all__ = ["NeuronAblator"]
