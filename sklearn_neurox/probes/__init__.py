"""Probes: estimators that read a property out of activations."""

from .gaussian import GaussianProbeClassifier
from .linear_classifier import LinearProbeClassifier
from .linear_cv import LinearProbeClassifierCV, LinearProbeRegressorCV
from .linear_regressor import LinearProbeRegressor

__all__ = [
    "GaussianProbeClassifier",
    "LinearProbeClassifier",
    "LinearProbeClassifierCV",
    "LinearProbeRegressor",
    "LinearProbeRegressorCV",
]
