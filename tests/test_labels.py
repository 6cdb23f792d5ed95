"""Labels: one kind, valid values, and the message for anything else."""

import numpy as np
import pytest
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
        ([b"a", b"b"], TypeError, r"strings, booleans or numbers, got dtype \|S1"),
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
