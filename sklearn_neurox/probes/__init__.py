"""Probes: estimators that read a property out of activations."""

from .gaussian import GaussianProbeClassifier
from .linear import LinearProbeClassifier, LinearProbeRegressor
from .saving import load_probe, save_probe

__all__ = [
    "GaussianProbeClassifier",
    "LinearProbeClassifier",
    "LinearProbeRegressor",
    "load_probe",
    "save_probe",
]
