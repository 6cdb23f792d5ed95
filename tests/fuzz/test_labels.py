"""Labels of all kinds and mixtures: the classes are the distinct labels, or an error says why not."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import RidgeClassifier

import sklearn_neurox as snx
from sklearn_neurox._labels import kind_of

from .outcomes import attempt

pytestmark = pytest.mark.filterwarnings("ignore")  # of single samples, convergence and columns

N_ROWS = 8
X = np.random.RandomState(0).normal(size=(N_ROWS, 2))

TEXTS = st.text(max_size=3)
INTEGERS = st.integers(-3, 3)
BOOLEANS = st.booleans()
VALID = {"string": TEXTS, "boolean": BOOLEANS, "number": INTEGERS}
ODD = st.sampled_from(
    [
        None,
        np.nan,
        np.inf,
        pd.NA,
        pd.NaT,
        np.datetime64("NaT"),
        np.ma.masked,
        2**63,
        2**64,
        -(10**400),
        0.5,
        1.0,
        Decimal(1),
        Fraction(1, 2),
        1j,
        b"a",
        ("a",),
        ["a"],
        {"a"},
        {"a": 1},
        "a\0",
        "nan",
        "\ud800",
        datetime.date(2020, 1, 1),
        np.str_("a"),
        np.True_,
        np.int8(1),
        np.float16(1),
        np.array(1),
        np.array([1, 2]),
        torch.tensor(1),
        object,
    ]
)
ANY = TEXTS | INTEGERS | BOOLEANS | ODD


def as_objects(values):
    return np.fromiter(values, dtype=object, count=len(values))


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "array of objects": as_objects,
    "column of objects": lambda values: as_objects(values)[:, np.newaxis],
    "series": lambda values: pd.Series(values, dtype=object),
    "frame": lambda values: pd.DataFrame({"y": pd.Series(values, dtype=object)}),
}
# They convert the values, so the values must be of one valid kind.
CONVERTERS = {
    "array": np.array,
    "nullable": lambda values: pd.Series(values).convert_dtypes(),
    "categorical": lambda values: pd.Series(values).astype("category"),
    "masked": np.ma.array,
}


def fit(estimator):
    return lambda y: estimator.fit(X, y).classes_


FITS = {
    "adam": fit(snx.LinearProbeClassifier(max_epochs=1, device="cpu")),
    "owlqn": fit(snx.LinearProbeClassifier(solver="owlqn", max_iter=1, device="cpu")),
    "gaussian": fit(snx.GaussianProbeClassifier()),
    "probeless": fit(snx.ProbelessSelector()),
    "average precision": fit(snx.AveragePrecisionSelector()),
    "gaussian selector": fit(snx.GaussianSelector(n_greedy=1)),
    "weight mass": lambda y: (
        snx.WeightMassSelector(RidgeClassifier()).fit(X, y).estimator_.classes_
    ),
    "control task": lambda y: snx.make_control_task(list("abcdefgh"), y, random_state=0).classes,
}
N_CLASSES = {
    "mean differences": lambda y: len(snx.mean_difference_scores(X, y)[1]),
    "average precisions": lambda y: len(snx.average_precision_scores(X, y)),
    "codelength": lambda y: snx.codelength(snx.GaussianProbeClassifier(), X, y).n_classes,
    "balanced": lambda y: len(snx.balanced_indices(y, n_samples=1)),
}


def draw_labels(data):
    """Return the labels as a list, and in some container."""
    kind = data.draw(st.sampled_from([*VALID, "any", "one odd"]))
    if kind == "any":
        values = data.draw(st.lists(ANY, min_size=N_ROWS, max_size=N_ROWS))
    else:
        strategy = VALID["string" if kind == "one odd" else kind]
        values = data.draw(st.lists(strategy, min_size=N_ROWS, max_size=N_ROWS))
    if kind == "one odd":
        values[data.draw(st.integers(0, N_ROWS - 1))] = data.draw(ODD)
    containers = CONTAINERS | (CONVERTERS if kind in VALID and "\0" not in str(values) else {})
    make = containers[data.draw(st.sampled_from(sorted(containers)))]
    if kind == "string" and any("\0" in value for value in values):
        make = list
    return values, make(values)


def is_valid(values):
    """Return whether the values are labels of a classifier, all of one kind."""
    if len({kind_of(value) for value in values}) > 1:
        return False
    if all(isinstance(value, str) for value in values):
        return not any(value.endswith("\0") for value in values)
    if all(isinstance(value, bool | np.bool_) for value in values):
        return True
    is_integer = all(
        isinstance(value, int | np.integer) or (isinstance(value, float) and value.is_integer())
        for value in values
    )
    return is_integer and all(-(2**31) < value < 2**31 for value in values)


@given(st.data())
def test_the_classes_are_the_distinct_labels(data):
    values, y = draw_labels(data)
    name = data.draw(st.sampled_from([*FITS, *N_CLASSES]))
    found, message = attempt((FITS | N_CLASSES)[name], y)
    if message:
        several = is_valid(values) and len(set(values)) > 1
        # The word types of a control task may all draw the same label.
        assert not several or "drew the label" in message, (name, values, message)
        assert "y" in message or "classes" in message, message
        return
    distinct = set(values)
    if name in N_CLASSES:
        assert found == len(distinct)
        return
    assert len(found) == len(distinct)
    assert set(found.tolist()) == distinct
    assert {kind_of(label) for label in found} == {kind_of(value) for value in values}


@given(st.data())
def test_a_score_compares_labels_of_one_kind(data):
    values, y = draw_labels(data)
    metric = data.draw(st.sampled_from(["accuracy", "matthews_corrcoef"]))
    score, message = attempt(snx.compute_score, y, y, metric)
    if message:
        assert not is_valid(values), (values, message)
        assert "y_true" in message
    else:
        assert score == (1.0 if metric == "accuracy" or len(set(values)) > 1 else 0.0)


@given(st.data())
def test_groups_are_checked_like_labels(data):
    values, groups = draw_labels(data)
    y = np.arange(N_ROWS) % 2
    probe, fractions = snx.GaussianProbeClassifier(), [0.5, 1.0]
    result, message = attempt(snx.codelength, probe, X, y, groups=groups, fractions=fractions)
    if message:
        assert not is_valid(values) or len(set(values)) < 2, (values, message)
        assert "group" in message
    else:
        assert result.sizes.sum() == N_ROWS


@given(st.data())
def test_targets_are_the_numbers_given(data):
    values, y = draw_labels(data)
    unfitted = snx.LinearProbeRegressor(solver="owlqn", max_iter=1, device="cpu")
    probe, message = attempt(unfitted.fit, X, y)
    if message:
        assert not is_valid(values) or isinstance(values[0], str), (values, message)
        assert "y" in message
    else:
        numbers = np.array([float(value) for value in values])
        shape = (N_ROWS, 1) if np.ndim(y) == 2 else (N_ROWS,)
        same = snx.LinearProbeRegressor(solver="owlqn", max_iter=1, device="cpu")
        same.fit(X, numbers.reshape(shape))
        np.testing.assert_array_equal(probe.coef_, same.coef_)
