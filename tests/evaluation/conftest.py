"""Functions that cross-validate an estimator, called alike."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from sklearn_neurox import ablation_curve, layerwise_scores, selectivity_curve, selectivity_score

WORDS = np.tile(np.arange(50), 3)
FUNCTIONS = {
    "layerwise_scores": lambda probe, X, y, cv=3, **more: layerwise_scores(
        probe, X, y, n_layers=3, cv=cv, **more
    ),
    "ablation_curve": lambda probe, X, y, cv=3, **more: ablation_curve(
        probe, X, y, ranking=np.arange(12), cv=cv, **more
    ),
    "selectivity_score": lambda probe, X, y, cv=3, **more: selectivity_score(
        probe, X, y, WORDS, cv=cv, random_state=0, **more
    ),
    "selectivity_curve": lambda probe, X, y, cv=3, **more: selectivity_curve(
        probe, X, y, WORDS, param_name="random_state", param_range=[0], cv=cv, random_state=0,
        **more,
    ),
}  # fmt: skip


@pytest.fixture(params=FUNCTIONS)
def function(request):
    """Each function that cross-validates, as function(probe, X, y, cv=3, **options)."""
    return FUNCTIONS[request.param]


@pytest.fixture
def untouched():
    """An estimator that must not be fitted, since the input is invalid."""

    class Untouched(RidgeClassifier):
        def fit(self, X, y, sample_weight=None):
            raise AssertionError("The estimator was fitted.")

    return Untouched()


@pytest.fixture
def groups():
    return np.repeat(np.arange(30), 5)
