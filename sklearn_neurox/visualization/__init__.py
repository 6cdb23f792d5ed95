"""Visualization: curves, activations over text, and whole analyses as a page."""

from .cluster_displays import DendrogramDisplay, RedundancyDisplay
from .displays import AblationCurveDisplay, LayerwiseScoresDisplay
from .neuron_displays import (
    NeuronsPerClassDisplay,
    RankingOverlapDisplay,
    RegularizationPathDisplay,
)
from .neuron_grid import NeuronGrid
from .report import AnalysisReport
from .score_displays import (
    CodelengthDisplay,
    ProbeReportDisplay,
    SelectivityCurveDisplay,
    SelectivityDisplay,
)
from .text import visualize_activations
from .top_words_table import TopWordsTable
from .transformers_visualizer import TransformersVisualizer

__all__ = [
    "AblationCurveDisplay",
    "AnalysisReport",
    "CodelengthDisplay",
    "DendrogramDisplay",
    "LayerwiseScoresDisplay",
    "NeuronGrid",
    "NeuronsPerClassDisplay",
    "ProbeReportDisplay",
    "RankingOverlapDisplay",
    "RedundancyDisplay",
    "RegularizationPathDisplay",
    "SelectivityCurveDisplay",
    "SelectivityDisplay",
    "TopWordsTable",
    "TransformersVisualizer",
    "visualize_activations",
]
