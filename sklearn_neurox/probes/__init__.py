"""Probes: estimators that predict a property from activations."""

from .gaussian import GaussianProbeClassifier
from .linear_classifier import LinearProbeClassifier
from .linear_classifier_cv import LinearProbeClassifierCV
from .linear_regressor import LinearProbeRegressor
from .linear_regressor_cv import LinearProbeRegressorCV
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
