"""What is saved comes back to the bit, and a bad file is a ValueError and nothing more."""

import ast
import json
import os
import pickle
import shutil
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_neurox
from sklearn_neurox import LinearProbeClassifier, LinearProbeRegressor, load_probe, save_probe
from sklearn_neurox.probes import saving

# A few epochs, which do not reach the mean of y, are enough for what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:After the last epoch the squared error")

FAST = dict(max_epochs=2, random_state=0, device="cpu")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "probe.safetensors"


@pytest.fixture
def round_trip(path):
    def run(probe):
        save_probe(probe, path)
        return load_probe(path)

    return run


@pytest.fixture(scope="module")
def fitted(classification):
    return LinearProbeClassifier(**FAST).fit(*classification)


def assert_same(one, other):
    """The same types, dtypes and bits, at any depth."""
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
    else:
        assert repr(one) == repr(other)  # NaN is NaN, and -0.0 is not 0.0


def packed(content, tensors):
    """A file of a description, or of any text in its place, with a checksum that fits."""
    if isinstance(content, dict):
        content = json.dumps({**content, "sha256": saving._digest(content, tensors)})
    return save(tensors, {"sklearn_neurox": content})


def assert_same_probe(probe, loaded):
    assert type(loaded) is type(probe)
    assert_same(loaded.get_params(deep=False), probe.get_params(deep=False))
    left_out = ("net_", "scorer_", "best_estimator_")
    kept = {k: v for k, v in vars(probe).items() if k.endswith("_") and k not in left_out}
    assert_same({k: v for k, v in vars(loaded).items() if k.endswith("_")}, kept)


class TestRoundTrip:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
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
        ],
        ids=lambda labels: labels.dtype.str,
    )
    def test_labels_and_dtypes(self, classification, round_trip, labels, n_classes, dtype):
        X, y = classification
        X, y = X[y < n_classes].astype(dtype), labels[y[y < n_classes]]
        probe = LinearProbeClassifier(**FAST).fit(X, y)
        loaded = round_trip(probe)
        assert_same_probe(probe, loaded)
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            assert_same(getattr(loaded, method)(X), getattr(probe, method)(X))

    def test_booleans(self, classification, round_trip):
        X, y = classification
        probe = LinearProbeClassifier(**FAST).fit(X, y > 0)
        loaded = round_trip(probe)
        assert loaded.classes_.dtype == bool
        assert_same(loaded.predict(X), probe.predict(X))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("n_outputs", [None, 1, 3])
    def test_numbers(self, classification, round_trip, n_outputs, dtype):
        X = classification[0].astype(dtype)
        y = X[:, 0] if n_outputs is None else X[:, :n_outputs]
        probe = LinearProbeRegressor(**FAST).fit(X, y)
        loaded = round_trip(probe)
        assert_same_probe(probe, loaded)
        assert_same(loaded.predict(X), probe.predict(X))

    def test_names_of_neurons(self, classification, round_trip):
        pandas = pytest.importorskip("pandas")
        X, y = classification
        frame = pandas.DataFrame(X, columns=[f"layer_{i}_neuron_é" for i in range(12)])
        probe = LinearProbeClassifier(**FAST).fit(frame, y)
        loaded = round_trip(probe)
        assert_same_probe(probe, loaded)
        assert_same(loaded.predict(frame), probe.predict(frame))
        with pytest.raises(ValueError, match="feature names should match"):
            loaded.predict(frame.rename(columns=str.upper))

    @pytest.mark.parametrize(
        ("labels", "class_weight"),
        [
            ([0, 1, 2], {0: 1, 1: 2.5, 2: np.float64(0.5)}),
            ([0, 1, 2], {np.int64(i): w for i, w in enumerate([1.0, 2.0, 3.0])}),
            (["x", "a'b", "]["], {"x": 1.0, "a'b": 2.0, "][": 3}),
            ([0, 1, 2], "balanced"),
        ],
        ids=["int", "numpy", "str", "balanced"],
    )
    def test_class_weight(self, classification, round_trip, labels, class_weight):
        X, y = classification
        probe = LinearProbeClassifier(class_weight=class_weight, **FAST).fit(X, np.array(labels)[y])
        loaded = round_trip(probe)
        assert_same_probe(probe, loaded)
        assert_same(loaded.fit(X, np.array(labels)[y]).coef_, probe.coef_)

    def test_a_device_comes_back_as_its_name(self, classification, round_trip):
        options = {**FAST, "device": torch.device("cpu")}
        probe = LinearProbeClassifier(**options).fit(*classification)
        assert round_trip(probe).device == "cpu"
        assert probe.device == torch.device("cpu")

    def test_numpy_parameters(self, classification, round_trip):
        options = {**FAST, "lambda_l1": np.float32(1e-3), "max_epochs": np.int64(2)}
        options |= {"shuffle": np.True_, "l2_penalty": np.str_("norm")}
        probe = LinearProbeClassifier(**options).fit(*classification)
        assert_same_probe(probe, round_trip(probe))

    def test_what_a_search_leaves(self, classification, round_trip):
        probe = LinearProbeClassifier(**FAST).fit(*classification)
        probe.cv_results_ = {
            "mean_test_score": np.array([0.5, np.nan]),
            "rank_test_score": np.array([1, 2], dtype=np.int32),
            "param_lambda_l1": np.ma.MaskedArray([0.0, 1e-3], mask=[False, True]),
            "param_class_weight": np.ma.MaskedArray(
                np.array([None, "?"], dtype=object), mask=[False, True]
            ),
            "params": [{"lambda_l1": 0, "class_weight": None}, {"lambda_l1": np.float64(1e-3)}],
        }
        probe.best_params_ = {"lambdas_l1": (0, 1e-5, (np.inf, -np.inf, -0.0, np.nan))}
        probe.best_score_ = np.float64(0.1)
        probe.split_ = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        probe.empty_ = np.zeros((0, 3), dtype=np.float16)
        probe.words_ = np.array([["a", "bc"], ["", "😀\udc80"]])
        probe.nothing_ = [None, True, [], {}, ()]
        loaded = round_trip(probe)
        assert_same_probe(probe, loaded)
        assert loaded.split_.flags.f_contiguous

    def test_the_layout_of_coef_is_kept(self, classification, round_trip):
        """A product with the transpose may differ in the last bit."""
        X, y = classification
        probe = LinearProbeClassifier(**FAST).fit(X, y)
        probe.coef_ = np.asfortranarray(probe.coef_)
        loaded = round_trip(probe)
        assert loaded.coef_.flags.fnc
        assert_same(loaded.predict_proba(X), probe.predict_proba(X))

    def test_a_loaded_probe_is_an_estimator(self, classification, fitted, round_trip):
        X, y = classification
        loaded = round_trip(fitted)
        assert not hasattr(loaded, "net_")
        assert loaded.coef_.flags.writeable
        assert clone(loaded).get_params() == fitted.get_params()
        assert_same_probe(fitted, round_trip(loaded))
        going_on = [round_trip(fitted).set_params(warm_start=True).fit(X, y) for _ in range(2)]
        assert going_on[0].objective_ == going_on[1].objective_ < fitted.objective_

    def test_saving_changes_nothing(self, fitted, path):
        before = dict(vars(fitted))
        save_probe(fitted, path)
        assert vars(fitted) == before
        first = path.read_bytes()
        save_probe(fitted, str(path))
        assert path.read_bytes() == first

    def test_other_readers_find_the_weights(self, fitted, path):
        save_probe(fitted, path)
        with safe_open(path, framework="numpy") as file:
            np.testing.assert_array_equal(file.get_tensor("coef_"), fitted.coef_)
            content = json.loads(file.metadata()["sklearn_neurox"])
        assert content["schema"] == 1
        assert content["version"] == sklearn_neurox.__version__
        assert content["class"] == "LinearProbeClassifier"
        assert content["parameters"]["max_epochs"] == 2

    def test_gaussian(self, classification, round_trip):
        if not find_spec("sklearn_neurox.probes.gaussian"):
            pytest.skip("not built yet")
        from sklearn_neurox import GaussianProbeClassifier

        X, y = classification
        probe = GaussianProbeClassifier().fit(X, y)
        loaded = round_trip(probe)
        assert_same_probe(probe, loaded)
        assert_same(loaded.predict_proba(X), probe.predict_proba(X))
        probe.covariances_ = probe.covariances_[:, :5, :5]
        with pytest.raises(ValueError, match=r"covariances_ should have the shape \(3, 12, 12\)"):
            round_trip(probe)

    @pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
    @pytest.mark.parametrize("refit", [True, False])
    def test_search(self, classification, round_trip, kind, refit):
        if not find_spec("sklearn_neurox.probes.linear_cv"):
            pytest.skip("not built yet")
        from sklearn_neurox.probes import linear_cv

        X, y = classification
        options = dict(lambdas_l1=(0, 1e-3), lambdas_l2=(0,), cv=2, refit=refit, **FAST)
        probe = getattr(linear_cv, f"LinearProbe{kind}CV")(**options).fit(X, y)
        loaded = round_trip(probe)
        assert_same_probe(probe, loaded)
        if refit:
            assert_same(loaded.predict(X), probe.predict(X))
            assert loaded.score(X, y) == probe.score(X, y)


class TestRefusesToSave:
    """And writes nothing."""

    @pytest.fixture(autouse=True)
    def _nothing_is_written(self, tmp_path):
        yield
        assert list(tmp_path.iterdir()) == []

    def test_unfitted(self, path):
        with pytest.raises(NotFittedError, match="LinearProbeClassifier instance is not fitted"):
            save_probe(LinearProbeClassifier(), path)

    def test_what_is_no_probe(self, classification, fitted, path):
        class Mine(LinearProbeClassifier):
            pass

        impostor = type("LinearProbeClassifier", (LinearProbeClassifier,), {})
        pipeline = make_pipeline(StandardScaler(), fitted)
        mine = Mine(**FAST).fit(*classification)
        for other in (pipeline, mine, impostor(), LinearProbeClassifier, None):
            with pytest.raises(TypeError, match=r"takes one of LinearProbeClassifier, .*; got \w+"):
                save_probe(other, path)

    @pytest.mark.parametrize(
        ("parameter", "value", "kind"),
        [
            ("random_state", np.random.RandomState(0), "RandomState"),
            ("cv", StratifiedKFold(3), "StratifiedKFold"),
            ("scoring", print, "builtin_function_or_method"),
            ("net_params", {"callbacks": [("stop", object())]}, "object"),
            ("lambdas", (0, 1j), "complex"),
        ],
    )
    def test_parameters(self, fitted, path, monkeypatch, parameter, value, kind):
        parameters = fitted.get_params() | {parameter: value}
        monkeypatch.setattr(LinearProbeClassifier, "get_params", lambda self, deep: parameters)
        match = rf"{parameter}\S* is a {kind}, but only .* Set {parameter} to None or a number"
        with pytest.raises(TypeError, match=match):
            save_probe(fitted, path)

    @pytest.mark.parametrize(
        "value",
        [object(), 1j, np.longdouble(1), np.zeros(2, complex), b"a", {1, 2}, np.matrix([1])],
    )
    def test_attributes(self, classification, path, value):
        probe = LinearProbeClassifier(**FAST).fit(*classification)
        probe.results_ = {"a": [value]}
        with pytest.raises(TypeError, match=r"results_\['a'\]\[0\] is a "):
            save_probe(probe, path)

    def test_what_could_not_be_loaded(self, classification, path, monkeypatch):
        probe = LinearProbeClassifier(**FAST).fit(*classification)
        with pytest.raises(ValueError, match="The 'lambda_l1' parameter"):
            save_probe(probe.set_params(lambda_l1=-1), path)
        probe.set_params(lambda_l1=0).coef_[0, 0] = np.nan
        with pytest.raises(ValueError, match="coef_ contains NaN or infinity"):
            save_probe(probe, path)
        del probe.coef_
        with pytest.raises(AttributeError, match="has no attribute 'coef_'"):
            save_probe(probe, path)
        monkeypatch.setattr(saving, "_MAX_TEXT", 100)
        with pytest.raises(ValueError, match=r"description has [\d,]+ characters of 100 at most"):
            save_probe(probe, path)

    def test_no_folder(self, fitted, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere to save"):
            save_probe(fitted, tmp_path / "nowhere" / "probe.safetensors")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file(classification, fitted, path, monkeypatch, step):
    save_probe(fitted, path)
    before = path.read_bytes()

    def fail(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        save_probe(
            LinearProbeClassifier(**FAST).fit(classification[0], classification[1] > 0), path
        )
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_parameter_of_a_later_version_takes_its_default(tmp_path):
    """A file written before a parameter was there is still read."""
    X, y = np.random.RandomState(0).normal(size=(20, 3)), np.arange(20) % 2
    probe = LinearProbeClassifier(verbose=0, **FAST).fit(X, y)
    content, tensors = saving._describe(probe)
    del content["parameters"]["verbose"], content["parameters"]["tol"]
    content["sha256"] = saving._digest(content, tensors)
    (tmp_path / "old").write_bytes(save(tensors, {saving._KEY: json.dumps(content)}))
    assert load_probe(tmp_path / "old").get_params() == probe.get_params()


class TestBadFiles:
    @pytest.fixture
    def refuses(self, path):
        def run(match, content=None):
            if content is not None:
                path.write_bytes(content)
            with pytest.raises(ValueError, match=match) as caught:
                load_probe(path)
            assert str(caught.value).startswith(f"Cannot load a probe from {path}: ")

        return run

    @pytest.fixture
    def refuses_change(self, fitted, refuses):
        """Change the description or the tensors, with a checksum that fits, as who means harm."""

        def run(match, change):
            content, tensors = saving._describe(fitted)
            text = change(content, tensors)
            refuses(match, packed(text if isinstance(text, str) else content, tensors))

        return run

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nothing_here"):
            load_probe(tmp_path / "nothing_here")

    def test_directory(self, path, refuses):
        path.mkdir()
        refuses("it is not a file")

    @pytest.mark.parametrize(
        "content",
        [b"", b"a text\n" * 100, b"{}", bytes(100), pickle.dumps(list(range(99)))],
        ids=["empty", "text", "json", "zeros", "pickle"],
    )
    def test_foreign(self, refuses, content):
        refuses("header", content)

    def test_other_safetensors(self, refuses):
        match = "safetensors file, but not one that save_probe wrote"
        refuses(match, save({"coef_": np.zeros((2, 3))}))
        refuses(match, save({}, {"format": "pt"}))

    def test_dtypes_that_numpy_has_not(self, refuses):
        header = {"coef_": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
        header["__metadata__"] = {"sklearn_neurox": "{}"}
        for dtype in ("BF16", "F8_E4M3"):
            size = 2 if dtype == "BF16" else 1
            header["coef_"] |= {"dtype": dtype, "data_offsets": [0, size]}
            text = json.dumps(header).encode()
            refuses("float", len(text).to_bytes(8, "little") + text + bytes(size))

    def test_checksum(self, fitted, path, refuses):
        save_probe(fitted, path)
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        refuses("it is damaged: its checksum", bytes(content))

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            (lambda c, t: c.update(schema=2, version="9.1"), r"sklearn_neurox 9\.1 wrote it in schema 2, .*; upgrade"),
            (lambda c, t: c.update(schema=0), r"wrote it in schema 0, but this one reads schema 1\."),
            (lambda c, t: c.update(schema="1"), "not in schema 1"),
            (lambda c, t: c.pop("schema"), "not in schema 1"),
            (lambda c, t: c.update(parameters=[]), "not in schema 1"),
            (lambda c, t: c.update({"class": "os.system"}), r"class 'os\.system' is not one of Linear"),
            (lambda c, t: c.update({"class": "LinearProbe"}), "class 'LinearProbe' is not one of"),
            (lambda c, t: c.update({"class": ["a"]}), "not in schema 1"),
            (lambda c, t: c.update({"class": "LinearProbeRegressor"}), "'class_weight'. are unknown to LinearProbeRegressor"),
            (lambda c, t: c["parameters"].update(foo=1), "parameters .'foo'. are unknown to"),
            (lambda c, t: c["parameters"].update(lambda_l1=-1), "The 'lambda_l1' parameter .* must be"),
            (lambda c, t: c["parameters"].update(solver="exec"), "The 'solver' parameter"),
            (lambda c, t: c["parameters"].update(random_state={"type": "RandomState"}), "does not write {'type': 'RandomState'}"),
            (lambda c, t: c["parameters"].update(random_state={"type": "float", "value": "1"}), "does not write"),
            (lambda c, t: c["parameters"].update(class_weight={"type": "dict", "items": [[0, 1], [0, 2]]}), "a key is there twice"),
            (lambda c, t: c["parameters"].update(class_weight={"type": "dict", "items": [[[], 1]]}), "unhashable"),
            (lambda c, t: c["fitted"].pop("coef_") and t.pop("coef_"), "no attribute 'coef_'"),
            (lambda c, t: c["fitted"].pop("classes_") and t.pop("classes_"), "no attribute 'classes_'"),
            (lambda c, t: c["fitted"].pop("intercept_"), r"nothing refers to the tensors \['intercept_'\]"),
            (lambda c, t: t.pop("coef_"), "the tensor 'coef_' is missing"),
            (lambda c, t: t.update(more=np.zeros(2)), r"nothing refers to the tensors \['more'\]"),
            (lambda c, t: c["fitted"].update(again_=c["fitted"]["coef_"]), "missing, or referred to twice"),
            (lambda c, t: c["fitted"]["coef_"].update(order="A"), "does not write"),
            (lambda c, t: c["fitted"]["coef_"].update(dtype="|O"), "should be of '|O', got float64"),
            (lambda c, t: c["fitted"]["coef_"].update(dtype="<f4"), "should be of '<f4', got float64"),
            (lambda c, t: c["fitted"].update(n_features_in_=11), r"coef_ should have the shape \(3, 11\), got \(3, 12\)"),
            (lambda c, t: c["fitted"].update(n_features_in_=True), "n_features_in_ must be a positive int"),
            (lambda c, t: c["fitted"].update(n_features_in_=10**30), "coef_ should have the shape"),
            (lambda c, t: c["fitted"].update(coef_=1.5) or t.pop("coef_"), "coef_ must be an array of dtype kind f, got 1.5"),
            (lambda c, t: t.update(coef_=t["coef_"][:2]), r"coef_ should have the shape \(3, 12\), got \(2, 12\)"),
            (lambda c, t: t.update(coef_=t["coef_"] * np.nan), "coef_ contains NaN"),
            (lambda c, t: t.update(intercept_=t["intercept_"][:2]), r"intercept_ should have the shape \(3,\), got \(2,\)"),
            (lambda c, t: t.update(classes_=t["classes_"][:2]), r"coef_ should have the shape \(1, 12\), got \(3, 12\)"),
            (lambda c, t: t.update(classes_=t["classes_"][:1]), "two labels or more"),
            (lambda c, t: t.update(classes_=t["classes_"][::-1].copy()), "different and sorted"),
            (lambda c, t: t.update(classes_=t["classes_"][:, np.newaxis]), r"classes_ should have the shape \(3,\)"),
        ],
    )  # fmt: skip
    def test_contradictions(self, refuses_change, change, match):
        refuses_change(match, change)

    @pytest.mark.parametrize(
        ("array", "match"),
        [
            ({"dtype": "|O", "shape": [12], "items": ["a"] * 11}, "reshape|feature_names_in_"),
            ({"dtype": "|O", "shape": [11], "items": ["a"] * 11}, r"feature_names_in_ should have the shape \(12,\)"),
            ({"dtype": "|O", "shape": [12], "items": [1] * 12}, "of dtype object must hold strings"),
            ({"dtype": "|O", "shape": [10**30], "items": []}, "too large|dimension"),
            ({"dtype": "|O", "shape": [1.5], "items": ["a"]}, "float"),
            ({"dtype": "|O", "shape": None, "items": ["a"]}, "does not write"),
            ({"dtype": "<U1", "shape": [12], "items": ["a"] * 12}, "must be an array of dtype kind O"),
            ({"dtype": "<U1", "shape": [1], "items": ["ab"]}, r"\['ab'\] cannot be an array of dtype '<U1'"),
            ({"dtype": "<U1", "shape": [1], "items": [1]}, r"\[1\] cannot be an array"),
            ({"dtype": "<U9999999", "shape": [3], "items": ["a"] * 3}, "cannot be an array of dtype"),
            ({"dtype": "<U9999999999", "shape": [1], "items": ["a"]}, "cannot be an array of dtype"),
            ({"dtype": "<M8", "shape": [1], "items": ["a"]}, "cannot be an array of dtype"),
            ({"dtype": 5, "shape": [1], "items": ["a"]}, "expected string"),
        ],
    )  # fmt: skip
    def test_strings(self, refuses_change, array, match):
        refuses_change(
            match, lambda c, t: c["fitted"].update(feature_names_in_={"type": "array", **array})
        )

    def test_masks(self, refuses_change):
        names = {"type": "array", "dtype": "|O", "shape": [2], "items": ["a", "b"]}
        masked = {"type": "masked", "data": names, "mask": [True, False, True]}
        refuses_change("Mask and data not compatible", lambda c, t: c["fitted"].update(p_=masked))

    @pytest.mark.parametrize(
        "name",
        ["predict", "__class__", "__dict__", "_hidden_", "fit", "coef", "a b_", "net_", "", "best.x_", "__reduce__"],
    )  # fmt: skip
    def test_names_of_attributes(self, refuses_change, name):
        refuses_change("cannot be fitted attributes", lambda c, t: c["fitted"].update({name: 1}))

    def test_properties_are_not_set(self, refuses_change, monkeypatch):
        monkeypatch.setattr(LinearProbeClassifier, "trap_", property(), raising=False)
        refuses_change("'trap_'. cannot be", lambda c, t: c["fitted"].update(trap_=1))

    def test_json(self, refuses_change):
        refuses_change("Expecting", lambda c, t: "{not JSON")
        refuses_change("not in schema", lambda c, t: "[]")
        refuses_change("recursion", lambda c, t: "[" * 10**6)
        refuses_change("recursion", lambda c, t: '{"a":' * 10**6)
        refuses_change("characters of", lambda c, t: " " * (saving._MAX_TEXT + 1))
        refuses_change("a key is there twice", lambda c, t: '{"schema": 1, "schema": 1}')
        refuses_change("integer", lambda c, t: '{"schema": ' + "9" * 5000 + "}")

    def test_json_that_is_nested_deep_within_the_limit_of_the_parser(self, refuses_change):
        deep = []
        for _ in range(700):
            deep = [deep]
        refuses_change("recursion", lambda c, t: c["fitted"].update(deep_=deep))


class TestFuzz:
    """A damaged file is a ValueError, or where the damage says nothing, an equal probe."""

    @pytest.fixture
    def probe(self):
        X = np.random.RandomState(0).normal(size=(20, 3))
        y = np.array(["a", "b"])[np.arange(20) % 2]
        return LinearProbeClassifier(class_weight={"a": 1, "b": 2.5}, **FAST).fit(X, y)

    def load(self, path, content):
        """Load, or say None for the one error that may come."""
        path.write_bytes(content)
        try:
            return load_probe(path)
        except ValueError:
            return None

    def test_truncated(self, probe, path):
        save_probe(probe, path)
        content = path.read_bytes()
        assert all(self.load(path, content[:size]) is None for size in range(len(content)))
        assert self.load(path, content + b"\0") is None
        assert_same_probe(probe, self.load(path, content))

    def test_flipped(self, probe, path):
        save_probe(probe, path)
        content = path.read_bytes()
        rng = np.random.RandomState(0)
        for place in range(len(content)):
            for value in (content[place] ^ (1 << rng.randint(8)), rng.randint(256)):
                changed = bytearray(content)
                changed[place] = value
                loaded = self.load(path, bytes(changed))
                if loaded is not None:
                    assert_same_probe(probe, loaded)

    def test_changed_by_who_mends_the_checksum(self, probe, path):
        """Other values may come out then, but no other error."""
        content, tensors = saving._describe(probe)
        text = json.dumps(content)
        rng = np.random.RandomState(0)
        n_loaded = 0
        for place in range(len(text)):
            letter = rng.choice(list('"{}[],:0-9eEaé\\\x00'))
            changed = text[:place] + letter + text[place + 1 :]
            with suppress(ValueError):
                changed = json.loads(changed)
            loaded = self.load(path, packed(changed, tensors))
            n_loaded += isinstance(loaded, LinearProbeClassifier)
        assert 0 < n_loaded < len(text) / 2


class TestNothingRuns:
    @pytest.fixture
    def payload(self, tmp_path):
        """A pickle that creates a file when it is loaded."""
        marker = tmp_path / "it_ran"

        class Payload:
            def __reduce__(self):
                return exec, (f"open({str(marker)!r}, 'w').close()",)

        content = pickle.dumps(Payload())
        pickle.loads(content)  # the trap works
        marker.unlink()
        yield content
        assert not marker.exists()

    def test_a_pickle(self, path, payload):
        path.write_bytes(payload)
        with pytest.raises(ValueError, match="Cannot load"):
            load_probe(path)

    def test_a_pickle_in_a_zip(self, tmp_path, payload):
        folder = tmp_path / "archive"
        folder.mkdir()
        (folder / "data.pkl").write_bytes(payload)
        path = Path(shutil.make_archive(tmp_path / "model", "zip", folder))
        with pytest.raises(ValueError, match="Cannot load"):
            load_probe(path)

    @pytest.mark.parametrize("place", ["parameter", "tensor", "object", "class"])
    def test_a_pickle_inside(self, fitted, path, payload, place):
        content, tensors = saving._describe(fitted)
        as_text = payload.decode("latin-1")
        if place == "parameter":
            content["parameters"]["device"] = as_text
        elif place == "class":
            content["class"] = as_text
        else:
            tensors["p_"] = np.frombuffer(payload, dtype=np.uint8)
            dtype = "|O" if place == "object" else "|u1"
            content["fitted"]["p_"] = dict(type="tensor", name="p_", dtype=dtype, order="C")
        path.write_bytes(packed(content, tensors))
        if place in ("parameter", "tensor"):  # a strange name of a device, and strange numbers
            loaded = load_probe(path)
            clone(loaded)
            repr(loaded)
        else:
            with pytest.raises(ValueError, match="Cannot load"):
                load_probe(path)

    def test_a_file_is_a_header_and_numbers(self, fitted, path):
        save_probe(fitted, path)
        content = path.read_bytes()
        end = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:end])
        del header["__metadata__"]
        assert sum(np.prod(t["shape"]) * 8 for t in header.values()) == len(content) - end
        assert {t["dtype"] for t in header.values()} == {"F64", "I64"}
        with pytest.raises((pickle.UnpicklingError, ValueError, EOFError, KeyError)):
            pickle.loads(content)

    def test_the_module_knows_no_pickle(self):
        tree = ast.parse(Path(saving.__file__).read_text())
        names = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not names & {"pickle", "joblib", "skops", "marshal", "shelve", "dill", "cloudpickle"}
        assert not called & {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize("estimator", [LinearProbeClassifier, LinearProbeRegressor])
def test_skops_saves_probes_too(classification, tmp_path, estimator):
    """Alone and in a Pipeline; all types are of packages that skops or the user trusts."""
    skops_io = pytest.importorskip("skops.io")
    X, y = classification
    pipeline = make_pipeline(StandardScaler(), estimator(**FAST)).fit(X, y)
    for model in (pipeline, pipeline[-1]):
        file = tmp_path / "model.skops"
        skops_io.dump(model, file)
        unknown = skops_io.get_untrusted_types(file=file)
        assert all(name.startswith("sklearn_neurox.") for name in unknown), unknown
        loaded = skops_io.load(file, trusted=unknown)
        assert_same(loaded.predict(X), model.predict(X))
