"""Neurons: rankings, selectors, and clusters of correlated neurons."""

from .class_score_selectors import AveragePrecisionSelector, ProbelessSelector
from .class_scores import average_precision_scores, mean_difference_scores
from .clustering import CorrelationClustering
from .cross_model import cross_model_correlation_scores
from .fixed_selectors import LayerSelector, NeuronSelector
from .gaussian_selector import GaussianSelector
from .independent_neuron_selector import IndependentNeuronSelector
from .random_selector import RandomSelector, random_neurons
from .voting import ranking_overlap, vote
from .voting_selector import VotingSelector
from .weight_mass import (
    bottom_neurons,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)
from .weight_mass_selector import WeightMassSelector
from .words import top_words

__all__ = [
    "AveragePrecisionSelector",
    "CorrelationClustering",
    "GaussianSelector",
    "IndependentNeuronSelector",
    "LayerSelector",
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
