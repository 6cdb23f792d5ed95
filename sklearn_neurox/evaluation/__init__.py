"""Evaluation: where a property is encoded, and whether it is more than memory."""

from .ablation import AblationCurve, ablation_curve
from .control import ControlTask, make_control_task
from .description_length import Codelength, codelength
from .layers import LayerwiseScores, layerwise_scores
from .sampling import balanced_indices
from .selectivity import Selectivity, SelectivityCurve, selectivity_curve, selectivity_score

__all__ = [
    "AblationCurve",
    "Codelength",
    "ControlTask",
    "LayerwiseScores",
    "Selectivity",
    "SelectivityCurve",
    "ablation_curve",
    "balanced_indices",
    "codelength",
    "layerwise_scores",
    "make_control_task",
    "selectivity_curve",
    "selectivity_score",
]
