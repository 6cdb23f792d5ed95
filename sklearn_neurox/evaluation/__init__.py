"""Evaluation: where a property is encoded, and whether it is more than memory."""

from .ablation import AblationCurve, ablation_curve
from .control import ControlTask, make_control_task
from .layers import LayerwiseScores, layerwise_scores
from .sampling import balanced_indices

__all__ = [
    "AblationCurve",
    "ControlTask",
    "LayerwiseScores",
    "ablation_curve",
    "balanced_indices",
    "layerwise_scores",
    "make_control_task",
]
