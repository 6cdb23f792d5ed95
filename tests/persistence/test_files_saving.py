"""What cannot be saved is an error that names it, and leaves the old file."""

import datetime
import decimal
import enum
import os
import sys
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import sklearn_neurox as snx

from .estimators import FAST, pipeline, probe

pytestmark = [
    # A few epochs, which do not reach the mean of y, are enough for what is tested here.
    pytest.mark.filterwarnings("ignore:After the last epoch, the squared error"),
    # The estimators of test_common are set for the small data of scikit-learn's checks.
    pytest.mark.filterwarnings("ignore:WeightMassSelector:UserWarning"),
    pytest.mark.filterwarnings("ignore:CorrelationClustering:UserWarning"),
]


class Mood(enum.StrEnum):
    BAD = "bad"
    GOOD = "good"


class Rank(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: int


class Mine(snx.LinearProbeClassifier):
    """A class that no other program knows."""


class TestCannotBeSaved:
    """Nothing is written then."""

    @pytest.fixture(autouse=True)
    def _nothing_is_written(self, tmp_path):
        yield
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("other", [snx.LinearProbeClassifier, None, "probe.skops", [probe()]])
    def test_what_is_not_an_estimator(self, path, other):
        with pytest.raises(
            TypeError, match=r"The first argument of save must be an estimator, got "
        ):
            snx.save(other, path)

    @pytest.mark.parametrize(
        ("estimator", "place", "reason"),
        [
            (GridSearchCV(probe(), {}, scoring=lambda *args: 0), "parameter scoring of GridSearchCV", r"test_files_saving\.<lambda>"),
            (pipeline(net_params={"optimizer": torch.optim.SGD}), "parameter linearprobeclassifier__net_params of Pipeline", r"SGD"),
            (probe(net_params={"callbacks": [("stop", torch.Generator())]}), "parameter net_params of", "Generator"),
            (make_pipeline(FunctionTransformer(os.remove)), "parameter functiontransformer__func of Pipeline", "remove"),
            (RandomizedSearchCV(probe(), {"lambda_l1": scipy.stats.loguniform(1e-5, 1)}), "parameter param_distributions", "rv_continuous_frozen"),
            (probe(class_weight={False: 1, True: 2}), "parameter class_weight of", "different keys. Use 1 and 0 as keys instead of True and False"),
            (probe(class_weight={1: 1, "1": 2}), "parameter class_weight of", r"a dict with the keys \[1, '1'\] would be loaded with different keys, \[1\]. Use only strings or only numbers"),
            (probe(class_weight={(1, 2): 1}), "parameter class_weight of", r"a dict has the key \(1, 2\) of type tuple. Use strings or numbers as keys"),
            (probe(class_weight={np.datetime64("2026-01-01"): 1}), "parameter class_weight of", r"a dict has the key np.datetime64\('2026-01-01'\) of type datetime64. Use strings or numbers"),
            (probe(class_weight={datetime.date(2026, 1, 1): 1}), "parameter class_weight of", "of type date. Use strings or numbers as keys"),
            (probe(net_params={"lr": decimal.Decimal(1)}), "parameter net_params of", "but not objects of the types decimal.Decimal"),
            (probe(class_weight={None: 1}), "parameter class_weight of", "NoneType"),
            (Mine(**FAST), "Mine: ", r"test_files_saving\.Mine"),
            (make_pipeline(StandardScaler(), Mine(**FAST)), "parameter mine of Pipeline", r"test_files_saving\.Mine"),
        ],
    )  # fmt: skip
    def test_parameters(self, path, estimator, place, reason):
        with pytest.raises(TypeError, match=f"Cannot save (the )?{place}.*{reason}"):
            snx.save(estimator, path)

    def test_loaded_networks(self, tiny_bert, tiny_bert_path, path):
        match = (
            "Cannot save the parameter {} of .*loaded network. Pass the name or path of the model"
        )
        extractor = make_pipeline(snx.ActivationExtractor(tiny_bert[0], str(tiny_bert_path)))
        with pytest.raises(TypeError, match=match.format("activationextractor__model")):
            snx.save(extractor, path)
        with pytest.raises(TypeError, match=match.format("module")):
            snx.save(snx.ModuleActivations(torch.nn.Linear(2, 2), [""]), path)
        extractor = snx.ActivationExtractor(str(tiny_bert_path), tiny_bert[1])
        with pytest.raises(TypeError, match=r"Cannot save the parameter tokenizer of .*Tokenizer"):
            snx.save(extractor, path)

    @pytest.mark.parametrize(
        "value",
        [object(), np.ones((1, 1)).view(np.matrix), print, sys, scipy.sparse.eye_array(3)],
        ids=lambda value: type(value).__name__,
    )
    def test_attributes(self, classification, path, value):
        fitted = probe().fit(*classification)
        fitted.results_ = {"a": [value]}
        with pytest.raises(TypeError, match="Cannot save the attribute results_ of LinearProbe"):
            snx.save(fitted, path)

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (list(Mood), r"<Mood.BAD: 'bad'> of type Mood would be loaded as 'bad' of type str"),
            ([Rank.LOW, Rank.HIGH], r"<Rank.LOW: 1> of type Rank would be loaded as 1 of type int"),
            (
                [datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)],
                "load accepts estimators, arrays, strings, numbers and containers of these, but not "
                "objects of the types datetime.date",
            ),
        ],
        ids=["enum of strings", "enum of numbers", "date"],
    )
    def test_classes_that_would_be_others(self, classification, path, labels, message):
        """They predict other labels, even if these are equal."""
        X, y = classification
        fitted = probe().fit(X, y == 1)
        fitted.classes_ = np.array(labels, dtype=object)
        with pytest.raises(TypeError, match=f"Cannot save the attribute classes_ of .*{message}"):
            snx.save(fitted, path)

    @pytest.mark.parametrize(
        "value", [(1, Point(1, 2)), {"a": Rank.LOW}, np.array([[1], Rank.LOW], dtype=object)], ids=repr
    )  # fmt: skip
    def test_parameters_that_would_be_others(self, path, value):
        with pytest.raises(TypeError, match="Cannot save the parameter net_params of"):
            snx.save(probe(net_params={"value": value}), path)

    def test_no_folder(self, fitted, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist"):
            snx.save(fitted, tmp_path / "nowhere" / "probe.skops")
        with pytest.raises(IsADirectoryError, match=r"it is a folder\. Pass the path of a file"):
            snx.save(fitted, tmp_path)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file(fitted, path, monkeypatch, step):
    snx.save(fitted, path)
    before = path.read_bytes()

    def fail(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        snx.save(probe(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def contains_itself():
    ridge = Ridge()
    return ridge.set_params(alpha=make_pipeline(ridge))


def nested(depth):
    value = 1.0
    for _ in range(depth):
        value = [value]
    return value


def list_in_itself():
    value = []
    value.append((1, value))
    return value


@pytest.mark.parametrize(
    "make",
    [contains_itself, lambda: Ridge(alpha=nested(5000)), lambda: Ridge(alpha=list_in_itself())],
    ids=["estimator", "deep", "list"],
)
def test_parameters_that_are_nested_without_end(tmp_path, make):
    message = "Cannot save alpha of Ridge: it contains itself, or is nested more than 50 levels"
    with pytest.raises(TypeError, match=message):
        snx.save(make(), tmp_path / "a.skops")
    assert not any(tmp_path.iterdir())


def test_the_deepest_parameter(tmp_path):
    snx.save(Ridge(alpha=nested(49)), tmp_path / "a.skops")
    assert snx.load(tmp_path / "a.skops").alpha == nested(49)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1j, "not objects of the types complex"),
        ([2, {"a": 1j}], "not objects of the types complex"),
        (iter([1]), "not objects of the types .*list_iterator"),
        ((i for i in [1]), "not objects of the types generator"),
        (10**5000, "an integer of 16,610 bits, more than 10,000"),
        (-(10**5000), "an integer of 16,610 bits, more than 10,000"),
        (np.random.default_rng(0), "a Generator. Pass an integer or a RandomState"),
        (np.random.PCG64(0), "a PCG64. Pass an integer or a RandomState"),
    ],
    ids=["complex", "inside", "iterator", "generator", "large", "small", "Generator", "PCG64"],
)
def test_values_that_files_cannot_contain(tmp_path, value, message):
    for name in ("tol", "random_state"):
        with pytest.raises(TypeError, match=f"the parameter {name} of LinearProbe.*: .*{message}"):
            snx.save(snx.LinearProbeClassifier(**{name: value}), tmp_path / "a.skops")
    snx.save(snx.LinearProbeClassifier(random_state=2**9000), tmp_path / "a.skops")
    assert snx.load(tmp_path / "a.skops").random_state == 2**9000
