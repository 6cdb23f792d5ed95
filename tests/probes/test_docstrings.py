"""The linear probes describe what they share in the same words."""

import pytest
from sklearn.utils._testing import assert_docstring_consistency

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
)

PLAIN = [LinearProbeClassifier, LinearProbeRegressor]
SEARCHES = [LinearProbeClassifierCV, LinearProbeRegressorCV]
# They depend on the targets.
OF_TARGETS = ["coef_", "intercept_", "objective_"]


@pytest.mark.parametrize("classes", [PLAIN, SEARCHES], ids=["plain", "searches"])
def test_of_labels_and_numbers(classes):
    assert_docstring_consistency(classes, include_params=True)
    assert_docstring_consistency(classes, include_attrs=True, exclude_attrs=OF_TARGETS)


@pytest.mark.parametrize("classes", list(zip(PLAIN, SEARCHES, strict=True)))
def test_of_a_probe_and_its_search(classes):
    assert_docstring_consistency(classes, include_params=True, exclude_params=["verbose"])
    assert_docstring_consistency(classes, include_attrs=True)


@pytest.mark.parametrize("classes", [PLAIN, SEARCHES], ids=["plain", "searches"])
def test_of_fit(classes):
    fits = [each.fit for each in classes]
    assert_docstring_consistency(fits, include_params=True, exclude_params=["y"])
