"""Neurons: names are built and parsed in one place, and round trips lose nothing."""

from itertools import product

import numpy as np
import pytest

from sklearn_neurox import Neurons
from sklearn_neurox.activations.columns import find_columns, neurons_of

UNITS = ("neuron", "attention", "mlp", "attention.output", "output_dense", "layer.1.x_2")


@pytest.fixture
def neurons():
    return Neurons((4, 8), 3)


class TestNames:
    @pytest.mark.parametrize(
        ("layers", "width", "unit"), [*product([(0,), (4, 8), (8, 4, 11)], [1, 12], UNITS)]
    )
    def test_round_trip(self, layers, width, unit):
        neurons = Neurons(layers, width, unit)
        assert Neurons.from_names(neurons.names) == neurons
        assert hash(Neurons.from_names(neurons.names)) == hash(neurons)

    def test_of_module_paths_of_any_widths(self):
        neurons = Neurons(("encoder.lstm", "head_2"), (2, 3))
        assert neurons.names.tolist() == [
            "encoder.lstm_neuron_0",
            "encoder.lstm_neuron_1",
            "head_2_neuron_0",
            "head_2_neuron_1",
            "head_2_neuron_2",
        ]
        assert Neurons.from_names(neurons.names) == neurons
        assert neurons.columns("head_2") == slice(2, 5)

    @pytest.mark.parametrize(
        "paths",
        [("layer_1_norm",), ("layer_1", "layer_1_norm"), ("layer_2_a", "conv"), ("layer_01",)],
    )
    def test_of_module_paths_that_resemble_numbered_layers(self, paths):
        neurons = Neurons(paths, 2)
        assert Neurons.from_names(neurons.names) == neurons

    def test_numbers_have_one_spelling(self):
        for name in ("layer_1_neuron_02", "layer_1_neuron_\N{ARABIC-INDIC DIGIT TWO}"):
            with pytest.raises(ValueError, match="Expected column names"):
                Neurons.from_names([name])

    def test_of_numbered_layers(self, neurons):
        assert neurons.names[[0, 2, 3]].tolist() == [
            "layer_4_neuron_0",
            "layer_4_neuron_2",
            "layer_8_neuron_0",
        ]

    @pytest.mark.parametrize("seed", range(5))
    def test_any_columns_in_any_order_keep_their_places(self, seed):
        neurons = Neurons((2, 0, 7), 5, "mlp")
        columns = np.random.RandomState(seed).permutation(15)[:8]
        some = Neurons.from_names(neurons.names[columns])
        assert some.names.tolist() == neurons.names[columns].tolist()
        assert len(some) == 8
        for column, original in enumerate(columns):
            assert some.locate(column) == neurons.locate(original)
        for layer in some.layers:
            assert [neurons.locate(columns[c])[0] for c in some.columns(layer)] == [layer] * len(
                some.columns(layer)
            )

    def test_an_index_may_be_any_number(self):
        name = f"layer_1_neuron_{10**15}"
        neurons = Neurons.from_names([name])
        assert neurons.names.tolist() == [name]
        assert neurons.columns(1).tolist() == [0]
        assert neurons.locate(0) == (1, 10**15)

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            ([], "got none"),
            (["age"], "got 'age'"),
            (["layer_1_neuron_0", "layer_1_neuron"], "got 'layer_1_neuron'"),
            (["layer_1_neuron_0", 3], "got 3"),
            (["layer_1_neuron_0", "layer_1_mlp_0"], "of several kinds, 'mlp' and 'neuron'"),
            (["layer_1_neuron_0", "layer_1_neuron_0"], "'layer_1_neuron_0' is repeated"),
        ],
    )
    def test_errors(self, names, message):
        with pytest.raises(ValueError, match=message):
            Neurons.from_names(names)


class TestPlaces:
    @pytest.mark.parametrize("kept", [None, (5, 0, 3)])
    def test_columns_and_locate_agree(self, kept):
        neurons = Neurons((4, 8), 3, kept=kept)
        every = np.arange(len(neurons))
        for layer in neurons.layers:
            for column in every[neurons.columns(layer)]:
                located, index = neurons.locate(column)
                assert located == layer
                assert neurons.names[column] == f"layer_{layer}_neuron_{index}"
        found = np.concatenate([every[neurons.columns(layer)] for layer in neurons.layers])
        assert sorted(found) == every.tolist()

    def test_whole_layers_are_slices(self, neurons):
        assert (neurons.columns(4), neurons.columns(8)) == (slice(0, 3), slice(3, 6))
        assert neurons[[1, 3, 5]].columns(8).tolist() == [1, 2]

    @pytest.mark.parametrize("layer", [0, 5, "4", True, None])
    def test_a_missing_layer(self, neurons, layer):
        with pytest.raises(ValueError, match=r"not contain layer .* contains the layers 4, 8"):
            neurons.columns(layer)

    @pytest.mark.parametrize("column", [-1, 6])
    def test_a_missing_column(self, neurons, column):
        with pytest.raises(ValueError, match=f"There are 6 neurons.*got {column}"):
            neurons.locate(column)


class TestFind:
    def test_by_index_name_or_both(self, neurons):
        assert neurons.find([5, 0]).tolist() == [5, 0]
        assert neurons.find(["layer_8_neuron_2", "layer_4_neuron_0"]).tolist() == [5, 0]
        assert neurons.find(["layer_8_neuron_2", 0]).tolist() == [5, 0]
        assert neurons.find("layer_4_neuron_1").tolist() == neurons.find(1).tolist() == [1]

    @pytest.mark.parametrize(
        ("wanted", "error", "message"),
        [
            (["layer_5_neuron_0"], ValueError, "not contain the neuron 'layer_5_neuron_0'.*named"),
            ([6], ValueError, "indices must be integers from 0 to 5, got 6"),
            ([-1], ValueError, "got -1"),
            ([1, 1], ValueError, "1 is repeated"),
            ([1, "layer_4_neuron_1"], ValueError, "1 is repeated"),
            ([1.0], TypeError, "dtype float64"),
            ([True, False], TypeError, "flatnonzero"),
        ],
    )
    def test_errors(self, neurons, wanted, error, message):
        with pytest.raises(error, match=message):
            neurons.find(wanted)

    def test_names_of_any_kind(self):
        assert find_columns(["sex", "age"], ["age", "sex"]).tolist() == [1, 0]
        with pytest.raises(TypeError, match="have no names"):
            find_columns(["age"], None, 2)


class TestOfX:
    def test_names_say_which_layers_there_are(self, neurons):
        assert neurons_of(neurons.names, 6) == neurons
        assert neurons_of(neurons.names, 6, n_layers=2) == neurons

    def test_a_contradiction_is_an_error(self, neurons):
        with pytest.raises(ValueError, match=r"n_layers=3, but .* those of 2 layers: 4, 8"):
            neurons_of(neurons.names, 6, n_layers=3)

    @pytest.mark.parametrize("n_layers", [None, 2])
    @pytest.mark.parametrize("place", [0, 2, 5])
    def test_other_columns_among_them_are_an_error(self, neurons, place, n_layers):
        names = neurons.names.copy()
        names[place] = "age"
        with pytest.raises(ValueError, match="but 'age' is not: select the columns of the neurons"):
            neurons_of(names, 6, n_layers=n_layers)

    @pytest.mark.parametrize("names", [None, [], ["age", "sex"] * 3])
    def test_without_such_names_layers_are_numbered_from_0(self, names):
        assert neurons_of(names, 6, n_layers=3) == Neurons((0, 1, 2), 2)
        with pytest.raises(ValueError, match="Pass n_layers"):
            neurons_of(names, 6)
        with pytest.raises(
            ValueError,
            match="X has 6 neurons, which cannot be divided into n_layers=4 layers of equal width",
        ):
            neurons_of(names, 6, n_layers=4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (((), 3), ValueError, "layers is empty"),
        (((1, 1), 3), ValueError, "1 is repeated"),
        ((("a", "a"), 3), ValueError, "listed only once"),
        (((-1,), 3), ValueError, "got -1"),
        (((1, "a"), 3), TypeError, "dtype"),
        ((3, 3), TypeError, "layers must be a list"),
        (("ab", 3), TypeError, "layers must be a list"),
        (((1,), 0), ValueError, "width must be positive"),
        (((1,), (2, 3)), ValueError, "Got 2 widths for 1 layers"),
        (((1,), 3, ""), ValueError, "unit must be"),
        (((1,), 3, "mlp", (3,)), ValueError, "got 3"),
        (((1,), 3, "mlp", (0, 0)), ValueError, "0 is repeated"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        Neurons(*arguments)


def test_it_is_a_value():
    neurons = Neurons([np.int64(4), 8], np.int32(3))
    assert neurons == Neurons((4, 8), (3, 3))
    assert neurons == neurons[:]
    assert len(neurons[[]]) == 0
    assert neurons == neurons[np.ones(6, dtype=bool)]
    assert neurons != neurons[::-1]
    assert neurons[::-1][::-1] == neurons
    assert repr(neurons) == "Neurons(layers=(4, 8), width=3, unit='neuron', kept=None)"
    with pytest.raises(AttributeError):
        neurons.width = 4
    with pytest.raises(TypeError, match="not iterable"):
        iter(neurons)
