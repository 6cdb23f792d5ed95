"""Labels: one kind, valid values, and the message for anything else."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge, RidgeClassifier

import sklearn_neurox as snx
from sklearn_neurox._labels import (
    check_labels,
    check_numbers,
    check_one_kind,
    check_target,
    check_y,
    encode_labels,
    kind_of,
)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("a", "string"),
        (np.str_("a"), "string"),
        (True, "boolean"),
        (np.True_, "boolean"),
        (1, "number"),
        (np.float32(0.5), "number"),
        (None, "NoneType"),
        (("a",), "tuple"),
    ],
)
def test_kinds(label, kind):
    assert kind_of(label) == kind


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a", "b"], np.array(["a", "b"])),
        ([True, False], np.array([True, False])),
        ([[1], [2]], np.array([1, 2])),
        (np.array([1, 2], dtype=object), np.array([1, 2])),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_valid_labels_become_a_vector(labels, expected):
    found = check_labels(np.array(labels), name="y")
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (["a", None], TypeError, r"NoneType and string labels; the first .* y\[1\] = None"),
        ([1, "a"], TypeError, r"number and string labels; the first .* y\[1\] = 'a'"),
        ([True, 1], TypeError, r"boolean and number labels; the first .* y\[1\] = 1"),
        ([None, None], TypeError, r"strings, booleans or numbers, but y\[0\] = None"),
        ([b"a", b"b"], TypeError, r"strings, booleans or numbers, but y\[0\] = b'a'"),
        (np.array([b"a"]), TypeError, r"strings, booleans or numbers, got dtype \|S1"),
        (np.array(["2020", "2021"], "M8[Y]"), TypeError, "numbers, got dtype datetime64"),
        ([["a", "b"], ["c"]], TypeError, "y must be a flat list with one entry per sample"),
        ("ab", TypeError, "y must be a list with one entry per sample, got 'ab'"),
        ([], ValueError, "y is empty"),
        ([1.0, np.nan], ValueError, r"y must not contain NaN or infinity: y\[1\] = nan"),
        ([np.inf, 1.0], ValueError, r"y\[0\] = inf"),
        (np.ones((2, 2)), ValueError, r"y must have shape \(n_samples,\), got \(2, 2\)"),
    ],
    ids=str,
)
def test_invalid_labels(labels, error, message):
    with pytest.raises(error, match=message):
        check_labels(labels, name="y")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pd.Series([1, 2], dtype="Int64"), np.array([1, 2])),
        (pd.Series([True, False], dtype="boolean"), np.array([True, False])),
        (pd.Series(["a", "b"], dtype="category"), np.array(["a", "b"])),
        (pd.Series(["a", "b"], dtype="string"), np.array(["a", "b"])),
        (pd.DataFrame({"y": [2.0, 1.0]}), np.array([2.0, 1.0])),
        (np.array(["a", "b"], dtype=np.dtypes.StringDType()), np.array(["a", "b"])),
        (np.ma.array([1, 2], mask=False), np.array([1, 2])),
        (torch.tensor([1, 2]), np.array([1, 2])),
        (torch.tensor([1.0, 2.0]).bfloat16(), np.array([1, 2], dtype=np.float32)),
        (range(1, 3), np.array([1, 2])),
        ([2**63 - 1, -(2**63)], np.array([2**63 - 1, -(2**63)])),
    ],
    ids=lambda value: str(getattr(value, "dtype", type(value).__name__)),
)
def test_containers_of_labels(labels, expected):
    found = check_labels(labels, name="y")
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", float("nan"), "b"], r"y must not contain NaN or infinity: y\[1\] = nan"),
        (["a", pd.NA, "b"], r"NAType and string labels; the first .* y\[1\] = <NA>"),
        (["a", pd.NaT, "b"], r"NaTType and string labels; the first .* y\[1\] = NaT"),
        (pd.Series([1, None], dtype="Int64"), r"y\[1\] = (<NA>|nan)"),
        (pd.Series([True, None], dtype="boolean"), r"y\[1\] = <NA>"),
        (pd.Series(["a", None], dtype="category"), r"y\[1\] = nan"),
        (np.ma.array(["a", "b"], mask=[0, 1]), r"but y\[1\] is masked"),
        ([1, np.ma.masked], r"MaskedConstant and number labels; the first .* y\[1\]"),
        ([2**64, 1], r"cannot hold y\[0\] = 18446744073709551616 exactly"),
        ([2**63, -1], r"cannot hold y\[0\] = 9223372036854775808 exactly"),
        ([2**53 + 1, 0.5], r"cannot hold y\[0\] = 9007199254740993 exactly"),
        (["a\0", "a"], r"cannot hold y\[0\] = 'a\\x00' exactly"),
        ([Fraction(1, 2), 1], r"integers or floats, but y\[0\] = Fraction"),
        ([Decimal(1), Decimal(2)], r"but y\[0\] = Decimal"),
        ([1j, 2], r"strings, booleans or numbers, but y\[0\] = 1j"),
        (np.array([1j]), "y must not contain complex numbers"),
        ([datetime(2020, 1, 1)], r"but y\[0\] = datetime"),
        ({"a"}, "y must be a list with one entry per sample"),
        ({"a": 1}, "y must be a list with one entry per sample"),
        (csr_array(np.eye(2)), "y must be a dense list, got a sparse csr_array"),
        ([("a",), ("b", "c")], r"y must be a flat list .*: y\[0\] = \('a',\)"),
        (torch.tensor([1.0]).to_sparse(), "y must be dense and have values, got a tensor of"),
        (torch.empty(2, device="meta"), "y must be dense and have values, got a tensor of"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_labels_are_checked_before_they_are_converted(labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check_labels(labels, name="y")
    for fit in (snx.GaussianProbeClassifier().fit, snx.ProbelessSelector().fit):
        with pytest.raises((TypeError, ValueError), match=message):
            fit(np.eye(3), labels)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["1.5", "2.5"], r"^y must contain numbers, but y\[0\] = '1.5'"),
        (np.array(["1.5", "2.5"]), r"^y must contain numbers, but y\[0\] = '1.5'"),
        (pd.Series(["1.5", "2.5"]), r"^y must contain numbers, but y\[0\] = '1.5'"),
        ([1.5, None], r"y\[1\] = None"),
        ([True, 2.5], r"boolean and number labels"),
        ([[1.0, "2"], [1.0, 2.0]], r"y\[0\] must contain numbers, but y\[0\]\[1\] = '2'"),
        ([[1.0, 2.0], [1.0]], r"y\[0\] has length 2, and y\[1\] has length 1"),
        (np.array([[1.0, 2.0], [np.inf, 1.0]]), r"y\[:, 0\]\[1\] = inf"),
        ([10**400, 1], "y contains a number that exceeds float64"),
        (np.empty((2, 0)), "y is empty"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_targets_of_a_regressor_are_numbers(y, message):
    with pytest.raises((TypeError, ValueError), match=message):
        snx.LinearProbeRegressor(device="cpu").fit(np.eye(2), y)
    with pytest.raises((TypeError, ValueError), match=message):
        snx.WeightMassSelector(Ridge()).fit(np.eye(2), y)


def test_true_is_not_one():
    X, y = np.eye(4), np.array([0, 1, 0, 1])
    for fitted in (
        snx.LinearProbeClassifier(device="cpu").fit(X, y),
        snx.LinearProbeClassifierCV(
            lambdas_l1=[0], lambdas_l2=[0.1], cv=2, scoring="accuracy", device="cpu"
        ).fit(X, y),
        snx.GaussianProbeClassifier().fit(X, y),
    ):
        with pytest.raises(TypeError, match="y contains boolean labels, but the classes are num"):
            fitted.score(X, y == 1)
        with pytest.raises(ValueError, match=r"not seen during training: False \(2 samples\), Tr"):
            snx.probe_report(fitted, X, y == 1)
    with pytest.raises(ValueError, match=r"not seen during training: False"):
        fitted.mutual_information(X, y == 1)
    for selector in (
        snx.ProbelessSelector(target=1),
        snx.GaussianSelector(target=1),
        snx.WeightMassSelector(target=1),
    ):
        with pytest.raises(ValueError, match=r"one of the classes \[False, True\], got 1"):
            selector.fit(X, y == 1)
    assert check_target(np.int64(1), [0, 1]) == 1
    for target in (True, "1", None, pd.NA, np.nan):
        with pytest.raises(ValueError, match=r"target must be one of the classes \[0, 1\]"):
            check_target(target, [0, 1])


def test_arrays_of_one_dtype_have_one_kind():
    check_one_kind(np.array([1.0, 2.0]), name="y")
    with pytest.raises(TypeError, match=r"y\[2\] = 1"):
        check_one_kind(np.array(["a", "b", 1], dtype=object), name="y")


@pytest.mark.parametrize("y", [["a", 1, "b", "a"], (True, 0, 1, False), ["a", None, "b", "a"]])
@pytest.mark.parametrize(
    "fit",
    [
        snx.LinearProbeClassifier(device="cpu").fit,
        snx.LinearProbeClassifierCV(lambdas_l1=[0], lambdas_l2=[0], cv=2, device="cpu").fit,
        snx.GaussianProbeClassifier().fit,
        snx.ProbelessSelector().fit,
        snx.AveragePrecisionSelector().fit,
        snx.GaussianSelector().fit,
        snx.WeightMassSelector().fit,
        snx.mean_difference_scores,
        snx.average_precision_scores,
    ],
    ids=lambda fit: fit.__qualname__ + type(getattr(fit, "__self__", fit)).__name__,
)
def test_lists_of_several_kinds_are_not_converted(fit, y):
    with pytest.raises(TypeError, match=r"y must contain labels of one kind.* y\[1\] = "):
        fit(np.eye(4), y)


def test_numbers_become_float64():
    for values in ([1, 2], np.array([1, 2], dtype=object), np.array([1, 2], np.float16)):
        found = check_numbers(values, name="y")
        assert found.dtype == np.float64
        assert found.tolist() == [1.0, 2.0]
    with pytest.raises(TypeError, match=r"y must contain numbers, but y\[1\] = '2'"):
        check_numbers([1, "2"], name="y")
    with pytest.raises(ValueError, match=r"y\[1\] = inf"):
        check_numbers([1, np.inf], name="y")


def test_y_suits_the_estimator():
    assert check_y(RidgeClassifier(), [1.0, 2.0]).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="continuous values, but RidgeClassifier is a classifier"):
        check_y(RidgeClassifier(), [0.5, 1.0])
    assert check_y(Ridge(), np.ones((3, 2))).shape == (3, 2)
    with pytest.raises(TypeError, match="y must contain numbers"):
        check_y(Ridge(), ["a", "b"])


def test_classes_are_sorted():
    classes, codes = encode_labels(np.array(["b", "a", "b"]), by="a test")
    assert (classes.tolist(), codes.tolist()) == (["a", "b"], [1, 0, 1])
    with pytest.raises(ValueError, match="a test requires at least 2 classes, got 1 class: all 2"):
        encode_labels(np.array(["a", "a"]), by="a test")


def test_a_target_is_a_class():
    assert check_target("b", ["a", "b"]) == 1
    with pytest.raises(
        ValueError, match=r"target must be one of the classes \['a', 'b'\], got 'c'"
    ):
        check_target("c", ["a", "b"])
    with pytest.raises(ValueError, match=r"target must be a single class of \['a', 'b'\], got"):
        check_target(["a"], ["a", "b"])
