"""Persistence: save estimators as skops files, and load them without running code from the file."""

from .files import load, save

__all__ = ["load", "save"]
