"""Neurons: which of them matter, and what is left without them."""

from .ablation import NeuronAblator
from .agreement import cross_model_correlation_scores, ranking_overlap, vote
from .class_scores import average_precision_scores, mean_difference_scores
from .class_selection import AveragePrecisionSelector, ProbelessSelector, RandomSelector
from .clustering import CorrelationClustering, IndependentNeuronSelector
from .gaussian_selection import GaussianSelector
from .ranking import (
    bottom_neurons,
    random_neurons,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)
from .selection import LayerSelector, NeuronSelector
from .voting import VotingSelector
from .weight_mass import WeightMassSelector
from .words import top_words

__all__ = [
    "AveragePrecisionSelector",
    "CorrelationClustering",
    "GaussianSelector",
    "IndependentNeuronSelector",
    "LayerSelector",
    "NeuronAblator",
    "NeuronSelector",
    "ProbelessSelector",
    "RandomSelector",
    "VotingSelector",
    "WeightMassSelector",
    "average_precision_scores",
    "bottom_neurons",
    "cross_model_correlation_scores",
    "mean_difference_scores",
    "random_neurons",
    "ranking_overlap",
    "threshold_neurons",
    "top_neurons",
    "top_words",
    "vote",
    "weight_mass_ordering",
]
