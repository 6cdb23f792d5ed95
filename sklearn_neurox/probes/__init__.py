"""Probes: estimators that read a property out of activations."""

from .linear import LinearProbeClassifier, LinearProbeRegressor

__all__ = ["LinearProbeClassifier", "LinearProbeRegressor"]
