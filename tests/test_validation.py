"""NaN and infinity are named by their place, in whatever they come."""

import numpy as np
import pytest

from sklearn_neurox import (
    LinearProbeClassifier,
    NeuronAblator,
    NeuronSelector,
    ProbelessSelector,
    WeightMassSelector,
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


def test_what_is_no_matrix_of_numbers_keeps_its_message():
    for X, message in [
        ([[np.nan, 1], [1]], "inhomogeneous shape"),
        ([["a", "b"], ["c", "d"]], "could not convert string to float"),
    ]:
        with pytest.raises(ValueError, match=message):
            ProbelessSelector().fit(X, [0, 1])


def test_bad_labels_keep_their_message():
    with pytest.raises(ValueError, match="Input y contains NaN"):
        ProbelessSelector().fit(np.zeros((4, 2)), [0, 1, np.nan, 1])
