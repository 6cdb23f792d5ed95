"""Probes: estimators that predict a property from activations."""

from .._warnings import UnseenLabelsWarning
from .gaussian import GaussianProbeClassifier
from .linear_classifier import LinearProbeClassifier
from .linear_classifier_cv import LinearProbeClassifierCV
from .linear_regressor import LinearProbeRegressor
from .linear_regressor_cv import LinearProbeRegressorCV
from .mean_difference import MeanDifferenceClassifier

__all__ = [
    "GaussianProbeClassifier",
    "LinearProbeClassifier",
    "LinearProbeClassifierCV",
    "LinearProbeRegressor",
    "LinearProbeRegressorCV",
    "MeanDifferenceClassifier",
    "UnseenLabelsWarning",
]
