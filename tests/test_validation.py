"""Checks of input: the first NaN or infinity is named, in any kind of X."""

import numpy as np
import pytest

from sklearn_neurox import (
    LinearProbeClassifier,
    NeuronAblator,
    NeuronSelector,
    ProbelessSelector,
    WeightMassSelector,
)
from sklearn_neurox._validation import (
    all_or_nothing,
    check_scale,
    check_vector,
    check_words,
    validate_params,
)

ESTIMATORS = [
    LinearProbeClassifier(),
    NeuronAblator([0]),
    NeuronSelector([0]),
    ProbelessSelector(),
    WeightMassSelector(),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "list", "frame"])
def test_the_first_bad_cell_is_named(estimator, value, kind):
    X = np.zeros((20_000 if kind == "float16" else 8, 3))
    X[-2, 1] = X[-1, 0] = value
    if kind == "list":
        given = X.tolist()
    elif kind == "frame":
        given = pytest.importorskip("pandas").DataFrame(X, columns=["a", "b", "c"])
    else:
        given = X.astype(kind)
    place = f"The first is {value} in row {len(X) - 2}, column 1"
    ending = r" \(b\)\." if kind == "frame" else r"\."
    with pytest.raises(ValueError, match=f"Input X contains (NaN|infinity).*{place}{ending}"):
        estimator.fit(given, np.arange(len(X)) % 2)


def test_other_errors_keep_their_message():
    for X, message in [
        ([[np.nan, 1], [1]], "inhomogeneous shape"),
        (
            [["a", "b"], ["c", "d"]],
            "X must contain numbers, but contains text: could not convert string to float",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            ProbelessSelector().fit(X, [0, 1])


def test_bad_labels_keep_their_message():
    with pytest.raises(ValueError, match="Input y contains NaN"):
        ProbelessSelector().fit(np.zeros((4, 2)), [0, 1, np.nan, 1])


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_words(None, name="words"), "words must be a list of words, got None"),
        (
            lambda: check_words("ab", name="words"),
            "words must be a list of words, got a single string",
        ),
        (lambda: check_words([["a"], ["b"]], name="words"), "words must be a flat list of words"),
        (lambda: check_vector([[1.0]], name="scale"), r"scale must have one dimension.*\(1, 1\)"),
        (lambda: check_scale([1.0], 2), "scale must contain one number for each of the 2 neurons"),
        (lambda: check_scale([1.0, -1.0], 2), "scale must be non-negative, got -1"),
    ],
)
def test_messages(check, message):
    with pytest.raises((TypeError, ValueError), match=message):
        check()


def test_words_become_a_list():
    assert check_words(np.array(["a", "b"]), name="words") == ["a", "b"]
    assert check_words(iter([("a", 1), 2]), name="words") == [("a", 1), 2]


def test_a_failed_block_restores_the_estimator():
    probe = LinearProbeClassifier()
    probe.old_ = 1

    def fail():
        with all_or_nothing(probe):
            probe.old_, probe.new_ = 2, 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert probe.old_ == 1
    assert not hasattr(probe, "new_")


def test_validate_params_keeps_the_function():
    @validate_params({"n": [int]})
    def double(n: int = 1) -> int:
        """Double n."""
        return 2 * n

    assert (double(2), double.__name__, double.__doc__) == (4, "double", "Double n.")
    with pytest.raises(ValueError, match=r"The 'n' parameter of .*double must be an instance of"):
        double("2")
