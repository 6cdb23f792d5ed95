"""Probes: estimators that read a property out of activations."""

from .gaussian import GaussianProbeClassifier
from .linear_classifier import LinearProbeClassifier
from .linear_cv import LinearProbeClassifierCV, LinearProbeRegressorCV
from .linear_regressor import LinearProbeRegressor
from .saving import load_probe, save_probe

__all__ = [
    "GaussianProbeClassifier",
    "LinearProbeClassifier",
    "LinearProbeClassifierCV",
    "LinearProbeRegressor",
    "LinearProbeRegressorCV",
    "load_probe",
    "save_probe",
]
