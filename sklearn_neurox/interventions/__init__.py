"""Interventions: edits of neurons, applied to rows of X."""

from .ablation import NeuronAblator

__all__ = ["NeuronAblator"]
