"""Neurons: which of them matter, and what is left without them."""

from .ablation import NeuronAblator
from .ranking import (
    bottom_neurons,
    random_neurons,
    threshold_neurons,
    top_neurons,
    top_words,
    weight_mass_ordering,
)
from .selection import LayerSelector, NeuronSelector
from .weight_mass import WeightMassSelector

__all__ = [
    "LayerSelector",
    "NeuronAblator",
    "NeuronSelector",
    "WeightMassSelector",
    "bottom_neurons",
    "random_neurons",
    "threshold_neurons",
    "top_neurons",
    "top_words",
    "weight_mass_ordering",
]
