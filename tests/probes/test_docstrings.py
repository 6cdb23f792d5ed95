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
# Only of one of each pair, or different on purpose.
OF_LABELS = {"params": ["class_weight"], "attrs": ["classes_"]}
OF_TARGETS = ["coef_", "intercept_", "objective_", "n_samples_seen_"]
OF_A_SEARCH = {
    "params": [
        "lambda_l1", "lambda_l2", "lambdas_l1, lambdas_l2", "cv", "scoring", "refit", "n_jobs",
        "verbose",
    ],
    "attrs": [
        "lambda_l1_, lambda_l2_", "best_score_", "best_params_", "best_index_", "cv_results_",
        "zero_shares_", "n_splits_", "n_samples_seen_",
    ],
}  # fmt: skip


# A name that is missing from one of the classes would be skipped with a warning, which is an error.
@pytest.mark.parametrize("classes", [PLAIN, SEARCHES], ids=["plain", "searches"])
def test_a_classifier_and_a_regressor(classes):
    assert_docstring_consistency(
        classes,
        include_params=True,
        exclude_params=OF_LABELS["params"],
        include_attrs=True,
        exclude_attrs=OF_LABELS["attrs"] + OF_TARGETS,
    )


@pytest.mark.parametrize("classes", list(zip(PLAIN, SEARCHES, strict=True)))
def test_a_probe_and_its_search(classes):
    assert_docstring_consistency(
        classes,
        include_params=True,
        exclude_params=OF_A_SEARCH["params"],
        include_attrs=True,
        exclude_attrs=OF_A_SEARCH["attrs"],
    )
