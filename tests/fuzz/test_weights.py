"""Sample weights: repeated samples, any scale, and values that are not weights."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sklearn_neurox as snx

from .outcomes import attempt

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_ROWS = 12
RNG = np.random.RandomState(0)
X = RNG.normal(size=(N_ROWS, 2))
Y = np.arange(N_ROWS) % 2
NUMBERS = X @ [1.0, -2.0] + RNG.normal(size=N_ROWS)
PREDICTED = np.roll(Y, 5)


def classify(X, y, numbers, weight):
    probe = snx.LinearProbeClassifier(
        solver="owlqn", lambda_l1=1e-2, lambda_l2=1.0, l2_penalty="squared", tol=1e-6, device="cpu"
    ).fit(X, y, weight)
    return np.append(probe.coef_, probe.intercept_)


def regress(X, y, numbers, weight):
    probe = snx.LinearProbeRegressor(
        solver="owlqn", lambda_l2=0.1, l2_penalty="squared", tol=1e-8, device="cpu"
    ).fit(X, numbers, weight)
    return np.append(probe.coef_, probe.intercept_)


def gaussian(X, y, numbers, weight):
    probe = snx.GaussianProbeClassifier().fit(X, y, weight)
    return np.concatenate([probe.class_prior_, probe.means_.ravel(), probe.covariances_.ravel()])


def importance(X, y, numbers, weight):
    probe = snx.LinearProbeClassifier(
        solver="owlqn", lambda_l2=1.0, l2_penalty="squared", tol=1e-6, device="cpu"
    )
    return snx.WeightMassSelector(probe).fit(X, y, sample_weight=weight).class_scores_.ravel()


def metrics(X, y, numbers, weight):
    predicted = np.where(X[:, 0] > 0, y, 1 - y)
    names = ("accuracy", "f1", "accuracy_and_f1", "matthews_corrcoef")
    scores = [snx.compute_score(y, predicted, name, sample_weight=weight) for name in names]
    return np.array([*scores, snx.compute_score(numbers, X[:, 0], "pearson", sample_weight=weight)])


@cache
def fitted():
    return snx.LinearProbeClassifier(solver="owlqn", lambda_l2=0.1, device="cpu").fit(X, Y)


def accuracy(X, y, numbers, weight):
    return np.array([fitted().score(X, y, weight)])


RELATIVE = [classify, regress, importance, metrics, accuracy]
ALL = [*RELATIVE, gaussian]


def runs(function, weight, rows=slice(None)):
    return function(X[rows], Y[rows], NUMBERS[rows], weight)


@given(
    st.sampled_from(ALL),
    st.lists(st.integers(0, 3), min_size=N_ROWS, max_size=N_ROWS),
    st.sampled_from([np.array, list, tuple, pd.Series, torch.tensor, "float32", "read-only"]),
)
def test_a_weight_is_a_number_of_repetitions(function, counts, container):
    rows = np.repeat(np.arange(N_ROWS), counts)
    weight = np.array(counts, dtype=np.float32 if container == "float32" else np.int64)
    weight.flags.writeable = container != "read-only"
    weight = weight if isinstance(container, str) else container(counts)
    try:
        expected = runs(function, None, rows)
    except ValueError:  # no samples, or a single class
        with pytest.raises(ValueError, match=r"sample_weight|requires at least 2 classes"):
            runs(function, weight)
        return
    np.testing.assert_allclose(runs(function, weight), expected, rtol=1e-4, atol=1e-5)


@given(
    st.sampled_from(RELATIVE),
    st.lists(st.floats(0.01, 1), min_size=N_ROWS, max_size=N_ROWS),
    st.integers(-1000, 1000),
)
def test_only_the_ratios_matter(function, weight, exponent):
    weight = np.array(weight)
    np.testing.assert_array_equal(
        runs(function, np.ldexp(weight, exponent)), runs(function, weight)
    )


ODD = st.sampled_from([np.nan, np.inf, -1.0, -1e-300, None, "1", "a", 1j, pd.NA, [1], True])
WEIGHTS = st.sampled_from([0.0, 1.0, 5e-324, 1e-300, 1e-29, 1e-20, 1e20, 1e29, 1e300, 1.7e308])


@given(
    st.sampled_from(ALL),
    st.lists(WEIGHTS, min_size=N_ROWS, max_size=N_ROWS)
    | st.lists(WEIGHTS | ODD, min_size=N_ROWS - 1, max_size=N_ROWS)
    | WEIGHTS
    | ODD.filter(lambda weight: weight is not None),
)
def test_extreme_and_invalid_weights(function, weight):
    found, message = attempt(runs, function, weight)
    if message:
        assert "sample_weight" in message or "requires at least 2 classes" in message, message
    else:
        assert np.isfinite(found).all()
        numbers = np.broadcast_to(np.asarray(weight, dtype=float), N_ROWS)
        assert (numbers >= 0).all()
        assert numbers.any()
        # The largest weight is scaled by a power of 2, which is exact unless it underflows.
        largest = np.frexp(numbers.max())[1]
        normalized = np.ldexp(numbers, -largest)
        if function in RELATIVE:
            expected = runs(function, normalized)
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
