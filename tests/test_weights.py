"""Sample weights: what is a weight, and which of their sizes matter."""

import numpy as np
import pandas as pd
import pytest
import torch

import sklearn_neurox as snx
from sklearn_neurox._weights import check_sample_weight

X = np.random.RandomState(0).normal(size=(6, 2))
Y = [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    "weight",
    [
        [1, 2, 4],
        (1.0, 2.0, 4.0),
        np.array([1, 2, 4], dtype=np.uint8),
        pd.Series([1, 2, 4], dtype="Int64"),
        torch.tensor([1.0, 2.0, 4.0], requires_grad=True),
        torch.tensor([1, 2, 4]).bfloat16(),
        [2.0**-1060, 2.0**-1059, 2.0**-1058],
        [2.0**1000, 2.0**1001, 2.0**1002],
    ],
    ids=lambda weight: type(weight).__name__,
)
def test_weights_are_divided_by_the_largest(weight):
    assert check_sample_weight(weight, 3).tolist() == [0.25, 0.5, 1.0]


def test_one_number_is_the_weight_of_every_sample():
    for number in (2, 2.5, np.float32(3), np.array(4.0), torch.tensor(5)):
        assert check_sample_weight(number, 3).tolist() == [1.0, 1.0, 1.0]
        assert check_sample_weight(number, 2, relative=False).tolist() == [float(number)] * 2
    assert check_sample_weight(None, 2).tolist() == [1.0, 1.0]


def test_the_weights_are_not_changed():
    weight = np.array([1.0, 2.0])
    check_sample_weight(weight, 2, relative=False)[0] = 5
    assert weight.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        ([1, -1, 1], ValueError, r"Negative values in sample_weight: sample_weight\[1\] = -1"),
        ([1, np.nan, 1], ValueError, r"sample_weight\[1\] = nan"),
        ([1, 1, np.inf], ValueError, r"sample_weight\[2\] = inf"),
        ([0, 0, 0], ValueError, "must contain a positive weight, but all are zero"),
        (0, ValueError, "must contain a positive weight, but all are zero"),
        ([1, 1], ValueError, r"each of the 3 samples, got an array of shape \(2,\)"),
        (np.ones((3, 1)), ValueError, r"got an array of shape \(3, 1\)"),
        (["1", "2", "3"], TypeError, r"must contain numbers, but sample_weight\[0\] = '1'"),
        ([1, None, 2], TypeError, r"must contain numbers, but sample_weight\[1\] = None"),
        ([1, pd.NA, 2], TypeError, r"must contain numbers, but sample_weight\[1\] = <NA>"),
        ("heavy", TypeError, "must contain numbers"),
        (np.ones(3, dtype=complex), TypeError, "must not contain complex numbers"),
        (np.ma.array([1, 2, 3], mask=[0, 1, 0]), ValueError, r"sample_weight\[1\] is masked"),
        ([1e300, 1e-300, 1], ValueError, r"factor of more than 1e\+30, .* 1e-300 to 1e\+300"),
    ],
    ids=str,
)
def test_errors(weight, error, message):
    with pytest.raises(error, match=message):
        check_sample_weight(weight, 3)


def test_counts_have_a_range():
    assert check_sample_weight([1e-30, 1.0], 2, relative=False).tolist() == [1e-30, 1.0]
    for weight in ([1e-300, 1e-300], [1e300, 1e300]):
        with pytest.raises(ValueError, match=r"counts samples, .* from 1e-30 to 1e\+30"):
            check_sample_weight(weight, 2, relative=False)


@pytest.mark.parametrize(
    "fit",
    [
        snx.LinearProbeClassifier(device="cpu").fit,
        snx.LinearProbeClassifier(solver="owlqn", lambda_l2=0.1, device="cpu").fit,
        snx.LinearProbeRegressor(solver="owlqn", device="cpu").fit,
        snx.LinearProbeClassifierCV(lambdas_l1=[0], lambdas_l2=[0.1], cv=2, device="cpu").fit,
        snx.GaussianProbeClassifier().fit,
        snx.GaussianSelector().fit,
        lambda X, y, w: snx.WeightMassSelector().fit(X, y, sample_weight=w),
        lambda X, y, w: snx.compute_score(y, y, "accuracy", sample_weight=w),
        lambda X, y, w: snx.compute_score(y, y, "matthews_corrcoef", sample_weight=w),
        lambda X, y, w: snx.compute_score(X[:, 0], X[:, 1], "pearson", sample_weight=w),
        lambda X, y, w: snx.GaussianProbeClassifier().fit(X, y).score(X, y, w),
        lambda X, y, w: snx.LinearProbeRegressor(solver="owlqn").fit(X, y).score(X, y, w),
    ],
    ids=[
        *("adam", "owlqn", "regressor", "cv", "gaussian", "gaussian selector", "weight mass"),
        *("accuracy", "matthews", "pearson", "score", "r2"),
    ],
)
def test_every_function_checks_its_weights(fit):
    fit(X, Y, 2.0)
    with pytest.raises(ValueError, match=r"Negative values in sample_weight"):
        fit(X, Y, [1, 1, 1, 1, 1, -1])
    with pytest.raises(TypeError, match=r"sample_weight must contain numbers"):
        fit(X, Y, ["a"] * 6)


@pytest.mark.parametrize("exponent", [-1000, -1, 1, 1000])
def test_only_ratios_matter_to_metrics_and_linear_probes(exponent):
    weight = np.array([1.0, 3.0, 2.0, 5.0, 1.0, 4.0])
    scaled = np.ldexp(weight, exponent)
    predicted = [0, 1, 1, 1, 0, 0]
    for metric, expected in [("accuracy", 10 / 16), ("f1", 16 / 22)]:
        assert snx.compute_score(Y, predicted, metric, sample_weight=scaled) == expected
    probe = snx.LinearProbeClassifier(solver="owlqn", lambda_l2=0.1, device="cpu")
    expected = probe.fit(X, Y, weight).coef_.copy()
    np.testing.assert_array_equal(probe.fit(X, Y, scaled).coef_, expected)


def test_class_weights_and_sample_weights_together_have_a_range():
    probe = snx.LinearProbeClassifier(class_weight={0: 1e-20, 1: 1.0}, device="cpu")
    with pytest.raises(ValueError, match="sample_weight times class_weight must not contain"):
        probe.fit(X, Y, [1e-20, 1, 1, 1, 1, 1])


def test_class_weights_are_those_of_labels_of_the_same_kind():
    probe = snx.LinearProbeClassifier(class_weight={0: 1.0, 1: 2.0}, device="cpu")
    with pytest.raises(TypeError, match=r"class_weight contains number labels, .* are booleans"):
        probe.fit(X, np.array(Y, dtype=bool))


@pytest.mark.parametrize("empty", ["training", "test"])
@pytest.mark.parametrize("solver", ["adam", "owlqn"])
@pytest.mark.parametrize("kind", [snx.LinearProbeClassifierCV, snx.LinearProbeRegressorCV])
def test_a_fold_without_weight_is_named(kind, solver, empty):
    one, other = np.arange(4), np.arange(4, 8)
    data, target = np.random.RandomState(0).normal(size=(8, 3)), np.arange(8) % 2
    folds = [(np.r_[0:2, 4:6], np.r_[2:4, 6:8]), (one, other)]
    weight = np.ones(8)
    weight[one if empty == "training" else other] = 0
    search = kind(solver=solver, cv=folds, device="cpu")
    message = rf"In fold 1, all 4 {empty} samples have a sample_weight of 0\. Use fewer folds"
    with pytest.raises(ValueError, match=message):
        search.fit(data, target, sample_weight=weight)
    assert not hasattr(search, "coef_")


def test_test_samples_without_weight_may_be_scored_without_weights():
    weight = np.repeat([1.0, 0.0], 4)
    data, target = np.random.RandomState(0).normal(size=(8, 3)), np.arange(8) % 2
    search = snx.LinearProbeClassifierCV(
        lambdas_l1=[0], lambdas_l2=[0.1], cv=[(np.arange(4), np.arange(4, 8))], solver="owlqn",
        scoring=lambda probe, X, y: probe.score(X, y), device="cpu",
    )  # fmt: skip
    assert np.isfinite(search.fit(data, target, sample_weight=weight).best_score_)
