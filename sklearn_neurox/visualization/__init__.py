"""Visualization: curves, activations over text, and whole analyses as a page."""

from .displays import AblationCurveDisplay, LayerwiseScoresDisplay
from .report import AnalysisReport
from .text import visualize_activations

__all__ = [
    "AblationCurveDisplay",
    "AnalysisReport",
    "LayerwiseScoresDisplay",
    "visualize_activations",
]
