"""Visualization: curves, activations over text, and whole analyses as a page."""

from .displays import AblationCurveDisplay, LayerwiseScoresDisplay
from .neuron_displays import (
    RankingOverlapDisplay,
    RedundancyDisplay,
    RegularizationPathDisplay,
)
from .report import AnalysisReport
from .text import visualize_activations

__all__ = [
    "AblationCurveDisplay",
    "AnalysisReport",
    "LayerwiseScoresDisplay",
    "RankingOverlapDisplay",
    "RedundancyDisplay",
    "RegularizationPathDisplay",
    "visualize_activations",
]
