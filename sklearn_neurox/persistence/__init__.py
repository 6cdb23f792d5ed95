"""Persistence: save estimators and directions, and load them without running code from the file."""

from .directions import Direction, load_direction, save_direction
from .files import load, save

__all__ = ["Direction", "load", "load_direction", "save", "save_direction"]
