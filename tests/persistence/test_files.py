"""What is saved comes back to the last bit, and a bad file is an error that runs nothing."""

import datetime
import decimal
import enum
import json
import os
import pickle
import re
import shutil
import sys
import zipfile
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
import sklearn
import skops.io
import torch
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import InconsistentVersionWarning, UnsetMetadataPassedError
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import f1_score, get_scorer_names, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    ShuffleSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import sklearn_neurox as snx
from sklearn_neurox.persistence import _trusted

from ..test_common import ESTIMATORS

pytestmark = [
    # A few epochs, which do not reach the mean of y, are enough for what is tested here.
    pytest.mark.filterwarnings("ignore:After the last epoch, the squared error"),
    # The estimators of test_common are set for the small data of scikit-learn's checks.
    pytest.mark.filterwarnings("ignore:WeightMassSelector:UserWarning"),
    pytest.mark.filterwarnings("ignore:CorrelationClustering:UserWarning"),
]

FAST = dict(max_epochs=2, random_state=0, device="cpu")
GROUPS = np.arange(150) // 10


def probe(**options):
    return snx.LinearProbeClassifier(**{**FAST, **options})


def pipeline(**options):
    return make_pipeline(StandardScaler(), probe(**options))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "estimator.skops"


@pytest.fixture
def round_trip(path):
    def run(estimator):
        snx.save(estimator, path)
        return snx.load(path)

    return run


@pytest.fixture(scope="module")
def fitted(classification):
    return probe().fit(*classification)


def assert_same(one, other):
    """Assert that types, dtypes and bits are the same, at any depth."""
    assert type(one) is type(other)
    if isinstance(one, np.ma.MaskedArray):
        assert_same(one.data, other.data)
        assert_same(np.ma.getmaskarray(one), np.ma.getmaskarray(other))
    elif isinstance(one, np.ndarray | np.generic):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        if one.dtype == object:
            assert_same(one.tolist(), other.tolist())
        else:
            assert one.tobytes() == other.tobytes()
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, dict):
        assert_same(list(one), list(other))
        assert_same(list(one.values()), list(other.values()))
    elif isinstance(one, np.random.RandomState):
        assert_same(one.get_state(), other.get_state())
    elif isinstance(one, BaseEstimator):
        assert_same(one.__getstate__(), other.__getstate__())
    elif hasattr(one, "__dict__") and not isinstance(one, type | FunctionType):
        assert_same(vars(one), vars(other))
    else:
        assert repr(one) == repr(other)  # NaN is NaN, and -0.0 is not 0.0


def assert_same_results(one, other, X):
    methods = ("predict", "predict_proba", "decision_function", "transform")
    called = [name for name in methods if hasattr(one, name)]
    assert called
    for name in called:
        assert_same(getattr(other, name)(X), getattr(one, name)(X))


class TestRoundTrip:
    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
    def test_estimators_of_this_package(self, classification, round_trip, estimator):
        X, y = classification
        unfitted = clone(estimator)
        assert_same(round_trip(unfitted), unfitted)
        fitted = clone(estimator).fit(X, y)
        loaded = round_trip(fitted)
        assert_same(loaded, fitted)
        assert_same_results(fitted, loaded, X)

    def test_every_estimator_of_this_package_is_trusted(self):
        public = [getattr(snx, name) for name in snx.__all__]
        estimators = {
            each for each in public if isinstance(each, type) and issubclass(each, BaseEstimator)
        }
        assert set(_trusted.ESTIMATORS) == estimators
        assert {type(each) for each in ESTIMATORS} <= estimators

    @pytest.mark.parametrize(
        "estimator",
        [
            pipeline(),
            make_pipeline(snx.ProbelessSelector(n_neurons=4), probe()),
            make_pipeline(snx.LayerSelector(0, n_layers=2), snx.NeuronAblator([1]), probe()),
            SelectFromModel(probe()),
            TransformedTargetRegressor(snx.LinearProbeRegressor(**FAST), transformer=StandardScaler()),
            make_pipeline(snx.CorrelationClustering(random_state=0), KMeans(2, random_state=0)),
            snx.WeightMassSelector(pipeline(), n_neurons=3),
            snx.WeightMassSelector(GridSearchCV(probe(), {"lambda_l1": [0, 1e-3]}, cv=2), n_neurons=3),
            GridSearchCV(pipeline(), {"linearprobeclassifier__lambda_l1": [0.0, 1e-3]}, cv=2),
            GridSearchCV(pipeline(), {"standardscaler": [StandardScaler(), "passthrough"]}, cv=2),
            GridSearchCV(probe(), {"lambda_l1": [0, 1e-3]}, cv=2, scoring=["accuracy", "f1_macro"], refit="f1_macro"),
            GridSearchCV(probe(), {"lambda_l1": [0, 1e-3]}, cv=2, scoring=make_scorer(f1_score, average="macro")),
            GridSearchCV(probe(), {"lambda_l1": [0, 1e-3]}, cv=2, scoring=snx.get_scorer("accuracy_and_f1", average="macro")),
            RandomizedSearchCV(probe(), {"lambda_l1": [0, 1e-3]}, n_iter=1, cv=2, random_state=np.random.RandomState(0)),
        ],
        ids=lambda each: type(each).__name__,
    )  # fmt: skip
    def test_estimators_of_scikit_learn_around_them(self, classification, round_trip, estimator):
        X, y = classification
        fitted = estimator.fit(X, X[:, 0] if is_regressor(estimator) else y)
        loaded = round_trip(fitted)
        assert_same(loaded, fitted)
        assert_same_results(fitted, loaded, X)

    @pytest.mark.parametrize(
        "estimator", [SGDClassifier(random_state=0), HDBSCAN(copy=True)], ids=repr
    )
    def test_losses_and_records(self, classification, round_trip, estimator):
        fitted = estimator.fit(*classification)
        loaded = round_trip(fitted)
        assert vars(loaded).keys() == vars(fitted).keys()
        if hasattr(fitted, "predict"):
            assert_same_results(fitted, loaded, classification[0])
        else:
            assert_same(loaded, fitted)

    def test_frozen(self, classification, round_trip, fitted):
        frozen = FrozenEstimator(fitted)
        assert_same_results(frozen, round_trip(frozen), classification[0])

    @pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
    @pytest.mark.parametrize("refit", [True, False])
    def test_cross_validated_probes(self, classification, round_trip, kind, refit):
        X, y = classification
        make = getattr(snx, f"LinearProbe{kind}CV")
        options = dict(lambdas_l1=(0, 1e-3), lambdas_l2=(0,), cv=GroupKFold(3), refit=refit)
        search = make(**options, **FAST).fit(X, y, groups=GROUPS)
        loaded = round_trip(search)
        assert_same(loaded, search)
        if refit:
            assert_same_results(search, loaded, X)
            assert loaded.score(X, y) == search.score(X, y)

    @pytest.mark.parametrize(
        "cv", [KFold(2), GroupKFold(3), ShuffleSplit(2), RepeatedStratifiedKFold(n_splits=2)]
    )
    def test_splitters(self, round_trip, cv):
        search = GridSearchCV(probe(), {"lambda_l1": [0]}, cv=cv)
        assert_same(round_trip(search).cv, cv)

    @pytest.mark.parametrize("name", get_scorer_names())
    def test_scorers(self, round_trip, name):
        search = GridSearchCV(probe(), {"lambda_l1": [0]}, scoring=snx.get_scorer(name))
        assert repr(round_trip(search).scoring) == repr(search.scoring)

    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize(
        "labels",
        [
            np.array(["VERB", "ná\n", "名詞"]),
            np.array(["b", "a", "c"], dtype=object),
            np.array([-5, 2**40, 7]),
            np.array([3, 1, 2], dtype=np.int8),
            np.array([3, 1, 2], dtype=">i4"),
            np.array([0.0, -1.0, 2.0], dtype=np.float32),
            np.array([False, True, False]),
        ],
        ids=lambda labels: labels.dtype.str,
    )
    def test_labels(self, classification, round_trip, labels, n_classes):
        X, y = classification
        X, y = X[y < n_classes].astype(np.float32), labels[y[y < n_classes]]
        fitted = probe().fit(X, y)
        loaded = round_trip(fitted)
        assert_same(loaded, fitted)
        assert_same_results(fitted, loaded, X)

    @pytest.mark.parametrize("unit", ["D", "s", "ns", "25ms"])
    @pytest.mark.parametrize("kind", ["datetime64", "timedelta64"])
    def test_dates_as_classes(self, classification, round_trip, kind, unit):
        X, y = classification
        fitted = LogisticRegression().fit(X, (y * 1000).astype(f"{kind}[{unit}]"))
        loaded = round_trip(fitted)
        assert_same(loaded, fitted)
        assert loaded.classes_.dtype == f"{kind}[{unit}]"
        assert_same_results(fitted, loaded, X)

    def test_names_of_neurons(self, classification, round_trip):
        pandas = pytest.importorskip("pandas")
        X, y = classification
        frame = pandas.DataFrame(X, columns=[f"layer_{i}_neuron_é" for i in range(12)])
        fitted = probe().fit(frame, y)
        loaded = round_trip(fitted)
        assert_same(loaded, fitted)
        assert_same_results(fitted, loaded, frame)
        with pytest.raises(ValueError, match="feature names should match"):
            loaded.predict(frame.rename(columns=str.upper))

    @pytest.mark.parametrize(
        ("labels", "class_weight"),
        [
            ([0, 1, 2], {0: 1, 1: 2.5, 2: np.float64(0.5)}),
            (["x", "a'b", "]["], {"x": 1.0, "a'b": 2.0, "][": 3}),
            ([0, 1, 2], "balanced"),
        ],
        ids=["int", "str", "balanced"],
    )
    def test_class_weight(self, classification, round_trip, labels, class_weight):
        X, y = classification
        fitted = probe(class_weight=class_weight).fit(X, np.array(labels)[y])
        loaded = round_trip(fitted)
        assert_same(loaded, fitted)
        assert_same(loaded.fit(X, np.array(labels)[y]).coef_, fitted.coef_)

    def test_objects_as_parameters(self, round_trip):
        options = {"lambda_l1": np.float32(1e-3), "max_epochs": np.int64(2), "shuffle": np.True_}
        options |= {"l2_penalty": np.str_("norm"), "device": torch.device("cpu")}
        options |= {"random_state": np.random.RandomState(3)}
        estimator = probe(**options)
        assert_same(round_trip(estimator), estimator)

    @pytest.mark.parametrize("dtype", ["float16", np.float16, np.dtype("float16")])
    @pytest.mark.parametrize("kind", [str, Path])
    def test_extractors_of_models_by_name_or_folder(self, tiny_bert_path, round_trip, kind, dtype):
        extractor = snx.ActivationExtractor(kind(tiny_bert_path), layers=[1], dtype=dtype)
        loaded = round_trip(make_pipeline(extractor, probe()))[0]
        assert loaded.get_params() == extractor.get_params()
        assert_same_results(extractor, loaded, ["She ran home .", "Stop !"])

    def test_unusual_values(self, fitted, round_trip):
        unusual = clone(fitted)
        unusual.cv_results_ = {
            "mean_test_score": np.array([0.5, np.nan]),
            "rank_test_score": np.array([1, 2], dtype=np.int32),
            "param_lambda_l1": np.ma.MaskedArray([0.0, 1e-3], mask=[False, True]),
            "param_class_weight": np.ma.MaskedArray(
                np.array([None, "?"], dtype=object), mask=[False, True]
            ),
            "params": [{"lambda_l1": 0, "class_weight": None}, {"lambda_l1": np.float64(1e-3)}],
        }
        unusual.best_params_ = {"lambdas_l1": (0, 1e-5, (np.inf, -np.inf, -0.0, np.nan))}
        unusual.split_ = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        unusual.empty_ = np.zeros((0, 3), dtype=np.float16)
        unusual.words_ = np.array([["a", "bc"], ["", "😀\udc80"]])
        unusual.nothing_ = [None, True, [], {}, (), {1: 2}, b"a", {"a"}]
        loaded = round_trip(unusual)
        assert_same(loaded, unusual)
        assert loaded.split_.flags.f_contiguous

    def test_the_layout_of_coef_is_kept(self, classification, round_trip):
        """A product with the transpose may differ in the last bit."""
        X, y = classification
        fitted = probe().fit(X, y)
        fitted.coef_ = np.asfortranarray(fitted.coef_)
        loaded = round_trip(fitted)
        assert loaded.coef_.flags.fnc
        assert_same_results(fitted, loaded, X)

    def test_a_loaded_probe_is_an_estimator(self, classification, fitted, round_trip):
        X, y = classification
        loaded = round_trip(fitted)
        assert hasattr(fitted, "net_")
        assert not hasattr(loaded, "net_")
        assert loaded.coef_.flags.writeable
        assert clone(loaded).get_params() == fitted.get_params()
        assert_same(round_trip(loaded), loaded)
        resumed = [round_trip(fitted).set_params(warm_start=True).fit(X, y) for _ in range(2)]
        assert resumed[0].objective_ == resumed[1].objective_ < fitted.objective_

    def test_callbacks_and_metadata_requests_are_left_out(self, classification, round_trip):
        from sklearn.callback import ProgressBar

        X, y = classification
        with sklearn.config_context(enable_metadata_routing=True):
            routed = probe().set_fit_request(sample_weight=True)
            fitted = make_pipeline("passthrough", routed).set_callbacks(ProgressBar())
            fitted.fit(X, y, sample_weight=np.ones(150))
            before = dict(vars(fitted)), dict(vars(fitted[-1]))
            loaded = round_trip(fitted)
            assert (vars(fitted), vars(fitted[-1])) == before
            assert before[0].keys() - vars(loaded).keys() == {"_skl_callbacks"}
            assert before[1].keys() - vars(loaded[-1]).keys() == {"_metadata_request", "net_"}
            assert_same_results(fitted, loaded, X)
            with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
                loaded.fit(X, y, sample_weight=np.ones(150))

    def test_saving_changes_nothing(self, fitted, path):
        before = dict(vars(fitted))
        snx.save(fitted, str(path))
        assert vars(fitted) == before

    def test_skops_reads_the_file(self, classification, fitted, path):
        snx.save(fitted, path)
        types = skops.io.get_untrusted_types(file=path)
        assert types == ["sklearn_neurox.probes.linear_classifier.LinearProbeClassifier"]
        loaded = skops.io.load(path, trusted=types)
        assert_same_results(fitted, loaded, classification[0])


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
            (GridSearchCV(probe(), {}, scoring=lambda *args: 0), "parameter scoring of GridSearchCV", r"test_files\.<lambda>"),
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
            (Mine(**FAST), "Mine: ", r"test_files\.Mine"),
            (make_pipeline(StandardScaler(), Mine(**FAST)), "parameter mine of Pipeline", r"test_files\.Mine"),
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


@pytest.fixture
def rewritten(fitted, path):
    """Write a file of a probe whose description in JSON was changed."""

    def run(change):
        snx.save(fitted, path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        schema = json.loads(members["schema.json"])
        changed = change(schema) or schema
        members["schema.json"] = changed if isinstance(changed, str) else json.dumps(changed)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return run


class TestVersions:
    def test_are_in_the_file(self, fitted, path):
        snx.save(fitted, path)
        with zipfile.ZipFile(path) as archive:
            text = archive.read("sklearn_neurox.txt").decode()
        assert text.startswith(
            f"sklearn-neurox {snx.__version__}, scikit-learn {sklearn.__version__}, "
        )
        for module in (np, torch, skops):
            assert f", {module.__name__} {module.__version__.split('+')[0]}" in text

    def test_another_version_of_this_package_warns(self, classification, fitted, path, monkeypatch):
        monkeypatch.setattr(snx, "__version__", "0.0.7")
        snx.save(fitted, path)
        monkeypatch.undo()
        with pytest.warns(
            UserWarning, match=r"written with sklearn-neurox 0\.0\.7, .*installed"
        ) as caught:
            loaded = snx.load(path)
        assert [warning.filename for warning in caught] == [__file__]
        assert_same_results(fitted, loaded, classification[0])

    def test_another_version_of_scikit_learn_warns(self, path, monkeypatch):
        monkeypatch.setattr("sklearn.base.__version__", "1.0")
        snx.save(StandardScaler(), path)
        monkeypatch.undo()
        with pytest.warns(InconsistentVersionWarning, match=r"StandardScaler from version 1\.0"):
            snx.load(path)

    def test_are_in_an_error(self, rewritten, path):
        rewritten(lambda schema: schema.update(__class__="LinearProbeOfTheFuture"))
        with pytest.raises(
            ValueError, match=r"LinearProbeOfTheFuture.*written with sklearn-neurox 0"
        ):
            snx.load(path)


class TestBadFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nothing_here"):
            snx.load(tmp_path / "nothing_here")
        with pytest.raises(IsADirectoryError):
            snx.load(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"a text\n" * 100, b"{}", bytes(100), pickle.dumps(list(range(99)))],
        ids=["empty", "text", "json", "zeros", "pickle"],
    )
    def test_foreign(self, path, content):
        path.write_bytes(content)
        match = rf"Cannot load {re.escape(str(path))}: it was not written by save, or it is damaged"
        with pytest.raises(ValueError, match=match):
            snx.load(path)

    def test_other_files_of_skops(self, fitted, path):
        skops.io.dump(fitted, path)
        with pytest.raises(ValueError, match="it was not written by save"):
            snx.load(path)

    def test_not_an_estimator(self, rewritten, path):
        rewritten(lambda schema: schema["content"] | {"protocol": schema["protocol"]})
        with pytest.raises(ValueError, match="it contains a dict, not an estimator"):
            snx.load(path)

    def test_nested_deeply(self, rewritten, path):
        start = (
            '{"protocol": 2, "__class__": "list", "__module__": "builtins", '
            '"__loader__": "ListNode", "content": ['
        )
        for depth in (500, 100_000):
            rewritten(lambda schema, n=depth: start * n + "]}" * n)
            with pytest.raises(ValueError, match=r"recursion|Stack overflow"):
                snx.load(path)

    def test_truncated(self, fitted, path):
        snx.save(fitted, path)
        content = path.read_bytes()
        for size in range(0, len(content), 37):
            path.write_bytes(content[:size])
            with pytest.raises(ValueError, match="Cannot load"):
                snx.load(path)

    @pytest.mark.filterwarnings(
        "ignore:.* may not work or may return different results:UserWarning"
    )
    def test_flipped_bits(self, path):
        """Each member of a zip file has a checksum, but the headers do not have one."""
        X = np.random.RandomState(0).normal(size=(20, 3))
        fitted = probe().fit(X, np.array(["a", "b"])[np.arange(20) % 2])
        snx.save(fitted, path)
        content = path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            start = archive.start_dir
        headers = {i for info in infos for i in range(info.header_offset, info.header_offset + 60)}
        places = sorted(headers | {*range(start, len(content))} | {*range(0, start, 29)})
        rng = np.random.RandomState(0)
        n_loaded = 0
        for place in places:
            changed = bytearray(content)
            changed[place] ^= 1 << rng.randint(8)
            path.write_bytes(changed)
            try:
                loaded = snx.load(path)
            except ValueError:
                continue
            n_loaded += 1
            assert_same(loaded, fitted)
        assert 0 < n_loaded < len(places) / 2  # a bit of a date, for example


class TestNothingRuns:
    @pytest.fixture
    def marker(self, tmp_path):
        yield tmp_path / "it_ran"
        assert not (tmp_path / "it_ran").exists()

    @pytest.fixture
    def payload(self, marker):
        """A pickle that creates a file when it is loaded."""

        class Payload:
            def __reduce__(self):
                return exec, (f"open({str(marker)!r}, 'w').close()",)

        content = pickle.dumps(Payload())
        pickle.loads(content)
        assert marker.exists()  # the trap works
        marker.unlink()
        return content

    def test_a_pickle(self, path, payload):
        path.write_bytes(payload)
        with pytest.raises(ValueError, match="Cannot load"):
            snx.load(path)

    def test_a_pickle_in_a_zip(self, tmp_path, payload):
        folder = tmp_path / "archive"
        folder.mkdir()
        (folder / "data.pkl").write_bytes(payload)
        path = Path(shutil.make_archive(tmp_path / "model", "zip", folder))
        with pytest.raises(ValueError, match="Cannot load"):
            snx.load(path)

    def test_a_pickle_in_an_array(self, classification, fitted, path, payload):
        """NumPy's own format can hold one."""
        snx.save(fitted, path)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                header = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
                if name.endswith(".npy"):
                    content = header.ljust(127) + b"\n" + payload
                archive.writestr(name, content)
        with pytest.raises(ValueError, match="npy is not an array of numbers, strings or dates"):
            snx.load(path)

    @pytest.mark.parametrize(
        "node",
        [
            {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"},
            {"__class__": "system", "__module__": "posix", "__loader__": "TypeNode"},
            {"__class__": "eval", "__module__": "builtins", "__loader__": "ConstructorFromReduceNode",
             "content": {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": []}},
            {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode"},
            {"__class__": "_Loaded", "__module__": "sklearn_neurox.extraction._pickling", "__loader__": "ObjectNode"},
            {"__class__": "s", "__module__": "this", "__loader__": "TypeNode"},
        ],
        ids=lambda node: node["__class__"],
    )  # fmt: skip
    def test_other_types(self, rewritten, path, node, monkeypatch):
        monkeypatch.delitem(sys.modules, "this", raising=False)
        rewritten(lambda schema: schema["content"]["content"].update(trap_=node))
        name = re.escape(f"{node['__module__']}.{node['__class__']}")
        match = rf"types that are not trusted: {name}\. If you know who wrote the file and expect these types, use skops\.io\.load\(path, trusted=\['{name}'\]\)"
        with pytest.raises(ValueError, match=match):
            snx.load(path)
        assert "this" not in sys.modules  # not even an import

    def test_no_trusted_type_unpickles_or_runs_text(self):
        names = set(_trusted.TRUSTED)
        assert not [name for name in names if "_pickling" in name or "_distn" in name]
        assert not [name for name in names if name.startswith(("builtins", "os", "posix", "io"))]
        roots = {name.partition(".")[0] for name in names}
        assert roots == {"sklearn_neurox", "sklearn", "torch", "numpy", "pathlib"}


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
