"""Evaluation: where a property is encoded, and whether it is more than memory."""

from .ablation import AblationCurve, ablation_curve
from .control import ControlTask, make_control_task
from .layers import LayerwiseScores, layerwise_scores

__all__ = [
    "AblationCurve",
    "ControlTask",
    "LayerwiseScores",
    "ablation_curve",
    "layerwise_scores",
    "make_control_task",
]
