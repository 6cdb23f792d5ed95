"""Interventions: edits of activations, in the rows of X and in a running network."""

from ..extraction.editing import intervene
from .ablation import NeuronAblator
from .direction_projector import DirectionProjector
from .edit import Edit
from .leace_eraser import LeaceEraser
from .nullspace_eraser import NullspaceEraser
from .steering_vector import SteeringVector

__all__ = [
    "DirectionProjector",
    "Edit",
    "LeaceEraser",
    "NeuronAblator",
    "NullspaceEraser",
    "SteeringVector",
    "intervene",
]
