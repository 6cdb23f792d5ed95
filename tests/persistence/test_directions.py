"""Directions in files: what is saved is loaded, in the same place of the same model only."""

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, NuSVC

from sklearn_neurox import (
    DirectionProjector,
    GaussianProbeClassifier,
    LinearProbeClassifier,
    MeanDifferenceClassifier,
    Neurons,
    SteeringVector,
    intervene,
    load_direction,
    save_direction,
)

RNG = np.random.RandomState(0)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 4))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "direction.json"


@pytest.fixture
def saved(network, path):
    """A file, and a function that changes one fact in it."""
    save_direction(SteeringVector([1.0, 2.0, 3.0, 4.0], 2), path, model=network, layer="0")

    def change(**facts):
        path.write_text(json.dumps(json.loads(path.read_text()) | facts))

    return change


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_edits_are_loaded_bit_for_bit(network, path, dtype):
    X = RNG.normal(size=(5, 4)).astype(dtype)
    for edit in (
        SteeringVector(RNG.normal(size=4).astype(dtype), -0.1),
        DirectionProjector(RNG.normal(size=(2, 4)).astype(dtype)),
        DirectionProjector(RNG.normal(size=4).astype(dtype), center=RNG.normal(size=4)),
    ):
        save_direction(edit, path, model=network, layer="0")
        loaded = load_direction(path, network)
        np.testing.assert_array_equal(loaded.edit.transform(X), edit.fit(X).transform(X))
        x = torch.randn(3, 4)
        with torch.no_grad():
            with intervene(network, {"0": edit}):
                expected = network(x)
            with intervene(network, loaded.edits):
                assert torch.equal(network(x), expected)


def test_the_file_describes_itself(tiny_bert, path):
    model, _ = tiny_bert
    some = Neurons((2,), 32, "mlp")[[4, 1]]
    save_direction(SteeringVector([1.0, 2.0], -2), path, model=model, layer=some, label="NOUN")
    facts = json.loads(path.read_text())
    digest = facts.pop("weights_sha256")
    assert len(digest) == 64
    assert facts == {
        "format": "sklearn_neurox direction", "version": 1, "operation": "steer", "layer": 2,
        "hook_point": "mlp", "n_neurons": 32, "neurons": [4, 1], "strength": -2.0,
        "label": "NOUN", "model": "", "model_class": "BertModel", "dtype": "float64",
        "directions": [[1.0, 2.0]], "center": None,
    }  # fmt: skip
    loaded = load_direction(path, model)
    assert loaded.layer == some
    assert loaded.label == "NOUN"
    assert (loaded.model_class, loaded.weights_sha256) == ("BertModel", digest)


@pytest.mark.parametrize("place", [1, "layer 1", np.int64(1), Neurons((1,), 16)])
def test_places_have_one_form(tiny_bert, path, place):
    save_direction(SteeringVector(np.ones(16)), path, model=tiny_bert[0], layer=place)
    assert load_direction(path).layer == 1
    for other in (1, "layer 1", Neurons((1,), 16)):
        assert load_direction(path, tiny_bert[0], layer=other).layer == 1


def test_a_head_does_not_matter(tiny_bert, path):
    import transformers

    with_head = transformers.BertForMaskedLM(tiny_bert[0].config)
    save_direction(SteeringVector(np.ones(16)), path, model=with_head, layer=1)
    load_direction(path, with_head.bert)


class TestProbes:
    X = RNG.normal(size=(60, 4)) + np.repeat(np.eye(4)[:3], 20, axis=0)
    y = np.repeat(["a", "b", "c"], 20)

    @pytest.mark.parametrize("probe", [MeanDifferenceClassifier(), RidgeClassifier()])
    def test_two_classes(self, network, path, probe):
        probe.fit(self.X, self.y == "a")
        expected = np.atleast_2d(getattr(probe, "direction_", probe.coef_))[0]
        save_direction(probe, path, model=network, layer="0")
        loaded = load_direction(path)
        np.testing.assert_array_equal(loaded.edit.direction, expected)
        assert loaded.label is True
        assert loaded.edit.strength == 1
        save_direction(probe, path, model=network, layer="0", label=False)
        np.testing.assert_array_equal(load_direction(path).edit.direction, -expected)
        assert load_direction(path).label is False

    def test_several_classes(self, network, path):
        probe = MeanDifferenceClassifier().fit(self.X, self.y)
        save_direction(probe, path, model=network, layer="0", label="b")
        loaded = load_direction(path)
        np.testing.assert_array_equal(loaded.edit.direction, probe.direction_[1])
        assert loaded.label == "b"
        for label in (None, "d"):
            with pytest.raises(ValueError, match=r"one of \['a', 'b', 'c'\], got"):
                save_direction(probe, path, model=network, layer="0", label=label)

    @pytest.mark.parametrize("kind", [SVC, NuSVC])
    def test_directions_of_pairs_of_classes(self, network, path, kind):
        """With three classes, there are as many pairs as classes."""
        probe = kind(kernel="linear").fit(self.X, self.y)
        with pytest.raises(
            ValueError, match=f"{kind.__name__} with 3 classes has one direction for"
        ):
            save_direction(probe, path, model=network, layer="0", label="b")
        assert not path.exists()
        probe.fit(self.X, self.y == "b")
        save_direction(probe, path, model=network, layer="0", label=True)
        np.testing.assert_array_equal(load_direction(path).edit.direction, probe.coef_[0])
        X = self.X[self.y == "b"].mean(axis=0) - self.X[self.y != "b"].mean(axis=0)
        assert X @ probe.coef_[0] > 0

    def test_another_number_of_directions_than_of_classes(self, network, path):
        probe = RidgeClassifier().fit(self.X, self.y)
        probe.coef_ = probe.coef_[:2]
        with pytest.raises(ValueError, match="RidgeClassifier has 2 directions for 3 classes"):
            save_direction(probe, path, model=network, layer="0", label="b")

    def test_regressions(self, network, path):
        probe = LinearRegression().fit(self.X, self.X[:, 0])
        save_direction(probe, path, model=network, layer="0", label="length")
        np.testing.assert_array_equal(load_direction(path).edit.direction, probe.coef_)
        probe.fit(self.X, self.X[:, :2])
        with pytest.raises(ValueError, match="LinearRegression has 2 directions"):
            save_direction(probe, path, model=network, layer="0")

    def test_others(self, network, path):
        for wrong, message in (
            (GaussianProbeClassifier().fit(self.X, self.y), "does not have direction_ or coef_"),
            (GaussianNB().fit(self.X, self.y), "does not have direction_ or coef_"),
            (LinearProbeClassifier, "Expected a SteeringVector"),
            (np.ones(4), "Expected a SteeringVector"),
        ):
            with pytest.raises(TypeError, match=message):
                save_direction(wrong, path, model=network, layer="0")
        with pytest.raises(ValueError, match="not fitted"):
            save_direction(LinearProbeClassifier(), path, model=network, layer="0")
        assert not path.exists()


class TestOtherModelsAndPlaces:
    def test_another_model(self, saved, path):
        torch.manual_seed(1)
        other = torch.nn.Sequential(torch.nn.Linear(4, 4))
        message = r"belongs to Sequential \(weights \w{8}\), not to Sequential \(weights \w{8}\)"
        with pytest.raises(ValueError, match=message):
            load_direction(path, other)
        assert list(load_direction(path, other, force=True).edits) == ["0"]

    def test_the_same_weights_in_another_dtype(self, network, saved, path):
        import copy

        with pytest.raises(ValueError, match="converted to another dtype, set force=True"):
            load_direction(path, copy.deepcopy(network).half())

    def test_another_place(self, network, saved, path):
        with pytest.raises(ValueError, match=r"belongs to the output of '0', not to .* '2'"):
            load_direction(path, network, layer="2")
        assert load_direction(path, network, layer="2", force=True).layer == "2"
        with pytest.raises(ValueError, match="belongs to the output of '0', not to layer 0"):
            load_direction(path, layer=0)
        with pytest.raises(ValueError, match=r"not to 4 neurons of 'mlp' of layer 3"):
            load_direction(path, layer=Neurons((3,), 9, "mlp")[:4])

    def test_a_place_that_does_not_exist(self, saved, path):
        with pytest.raises(ValueError, match="does not have the module"):
            load_direction(path, torch.nn.Linear(4, 4), force=True)

    def test_a_width_that_does_not_fit(self, tiny_bert, saved, path):
        with pytest.raises(ValueError, match="edits states of 4 neurons, but layer 1 has 16"):
            load_direction(path, tiny_bert[0], layer=1, force=True)
        with pytest.raises(ValueError, match="edits states of 4 neurons, but layer 1 has 16"):
            save_direction(SteeringVector(np.ones(4)), path, model=tiny_bert[0], layer=1)


class TestDamagedFiles:
    def test_that_do_not_exist(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load_direction(tmp_path / "none.json")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "Expecting value"),
            (b"\xff\xfe", "codec can't decode"),
            (b"[" * 100_000, "recursion|RecursionError"),
            (b"[]", "not the description of a direction"),
            (b'{"format": "skops"}', "not the description of a direction"),
            (b'{"a": 1, "a": 2}', "the key 'a' is repeated"),
        ],
    )
    def test_of_other_kinds(self, path, content, message):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"Cannot load .*{message}"):
            load_direction(path)

    @pytest.mark.parametrize(
        ("facts", "message"),
        [
            ({"version": 2}, "its version is 2, but this package reads 1"),
            ({"version": True}, "its version is True"),
            ({"code": "import os"}, "'code' is unknown"),
            ({"operation": "delete"}, "operation is 'delete'"),
            ({"operation": ["steer"]}, r"operation is \['steer'\]"),
            ({"layer": -1}, "layer indices must be non-negative"),
            ({"layer": True}, "layer is True"),
            ({"n_neurons": 3}, "directions of 4 neurons for 3 neurons"),
            ({"n_neurons": 0}, "width must be positive"),
            ({"n_neurons": 10**30}, "n_neurons is 1000"),
            ({"neurons": [0, 1]}, "directions of 4 neurons for 2 neurons"),
            ({"n_neurons": 10**9}, "directions of 4 neurons for 1,000,000,000 neurons"),
            ({"neurons": [0, 1, 2, 2]}, "2 is repeated"),
            ({"neurons": [0, 1, 2, 2.5]}, "neurons contains 2.5"),
            ({"strength": None}, "one direction with its strength"),
            ({"strength": float("nan")}, "strength"),
            ({"dtype": "object"}, "dtype is 'object'"),
            ({"directions": []}, "directions of 0 neurons"),
            ({"directions": [[]]}, "directions of 0 neurons for 4 neurons"),
            ({"directions": [[1.0, 2.0], [3.0]]}, "rows of the same length"),
            ({"directions": [[1.0, 2.0, 3.0, "4"]]}, "directions contains '4'"),
            ({"directions": [[1.0, 2.0, 3.0, True]]}, "directions contains True"),
            ({"directions": [[1.0, 2.0, 3.0, float("inf")]]}, "direction must be finite"),
            ({"directions": [[1, 2, 3, 10**400]]}, "Cannot load"),
            ({"directions": [[0.0, 0.0, 0.0, 0.0]]}, "direction must not be 0"),
            ({"directions": [[1e300, 0.0, 0.0, 0.0]], "dtype": "float32"}, "must be finite"),
            ({"directions": [[1.0, 2.0, 3.0, 4.0]] * 2}, "one direction with its strength"),
            ({"center": [1.0], "operation": "project"}, "center must contain one number"),
        ],
        ids=str,
    )
    def test_facts_that_cannot_be(self, saved, path, facts, message):
        saved(**facts)
        with pytest.raises(ValueError, match=message):
            load_direction(path)

    def test_a_fact_that_is_missing(self, saved, path):
        facts = json.loads(path.read_text())
        del facts["label"]
        path.write_text(json.dumps(facts))
        with pytest.raises(ValueError, match="'label' is missing"):
            load_direction(path)

    def test_an_error_leaves_the_file(self, network, saved, path):
        before = path.read_text()
        with pytest.raises(ValueError, match="does not have the module"):
            save_direction(SteeringVector(np.ones(4)), path, model=network, layer="9")
        assert path.read_text() == before


def test_invalid_arguments(network, path):
    edit = SteeringVector(np.ones(4))
    with pytest.raises(TypeError, match="label must be a string or a number"):
        save_direction(edit, path, model=network, layer="0", label=["a"])
    with pytest.raises(TypeError, match="model must be a torch"):
        save_direction(edit, path, model=3, layer="0")
    with pytest.raises(ValueError, match="The 'path' parameter"):
        save_direction(edit, 3, model=network, layer="0")
    with pytest.raises(TypeError, match="Expected a SteeringVector"):
        save_direction(StandardScaler, path, model=network, layer="0")
    with pytest.raises(ValueError, match="single layer"):
        save_direction(edit, path, model=network, layer=Neurons((0, 1), 2))
    assert not path.exists()


def test_a_direction_is_an_edit_with_its_place(network, saved, path):
    """It is short on the screen, whatever its width."""
    direction = load_direction(path, network)
    x = torch.ones(1, 4)
    with torch.no_grad():
        with intervene(network, direction):
            one = network(x)
        with intervene(network, {"0": direction.edit}):
            other = network(x)
    assert one.equal(other)
    assert not one.equal(network(x))
    saved(label="up")
    shown = repr(load_direction(path, network))
    assert shown == "Direction(SteeringVector of 'up', 4 neurons at '0' of Sequential)"
