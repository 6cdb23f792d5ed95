"""The solvers of the linear probes, by their name in the parameter ``solver``."""

from __future__ import annotations

from ._adam_solver import Adam
from ._owlqn_solver import OWLQN
from ._solver import Problem, Solution, Solver, Step, TrainingSet

__all__ = ["SOLVERS", "Problem", "Solution", "Solver", "Step", "TrainingSet"]

SOLVERS: dict[str, type[Solver]] = {"adam": Adam, "owlqn": OWLQN}
