"""What is saved comes back to the last bit."""

from pathlib import Path

import numpy as np
import pytest
import sklearn
import skops.io
import torch
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
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
from sklearn.preprocessing import StandardScaler

import sklearn_neurox as snx
from sklearn_neurox.persistence import _trusted

from ..test_common import ESTIMATORS
from .estimators import FAST, GROUPS, assert_same, assert_same_results, pipeline, probe

pytestmark = [
    # A few epochs, which do not reach the mean of y, are enough for what is tested here.
    pytest.mark.filterwarnings("ignore:After the last epoch, the squared error"),
    # The estimators of test_common are set for the small data of scikit-learn's checks.
    pytest.mark.filterwarnings("ignore:WeightMassSelector:UserWarning"),
    pytest.mark.filterwarnings("ignore:CorrelationClustering:UserWarning"),
]


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
