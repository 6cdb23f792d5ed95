"""Evaluation: is the property encoded, where, and would I see the same with random labels?"""

from .control import ControlTask, make_control_task
from .curves import AblationCurve, LayerwiseScores, ablation_curve, layerwise_scores

__all__ = [
    "AblationCurve",
    "ControlTask",
    "LayerwiseScores",
    "ablation_curve",
    "layerwise_scores",
    "make_control_task",
]
