"""Selectors keep the given neurons and layers, in the order of the columns."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import LayerSelector, NeuronAblator, Neurons, NeuronSelector, ProbelessSelector

X_LAYERS = np.arange(24.0).reshape(2, 12)


class TestLayersByNumber:
    """A bare array consists of n_layers runs of columns."""

    def test_layers_are_runs_of_columns(self):
        selector = LayerSelector([2, 0], n_layers=3).fit(X_LAYERS)
        np.testing.assert_array_equal(selector.transform(X_LAYERS)[0], [0, 1, 2, 3, 8, 9, 10, 11])

    def test_halves_of_bidirectional_layers(self):
        halves = [
            LayerSelector([1], n_layers=3, direction=direction).fit(X_LAYERS)
            for direction in ("forward", "backward")
        ]
        assert [half.get_support(indices=True).tolist() for half in halves] == [[4, 5], [6, 7]]

    def test_inverse_transform_fills_with_zeros(self):
        selector = LayerSelector(1, n_layers=3).fit(X_LAYERS)
        back = selector.inverse_transform(selector.transform(X_LAYERS))
        np.testing.assert_array_equal(back[:, 4:8], X_LAYERS[:, 4:8])
        assert (back[:, [*range(4), *range(8, 12)]] == 0).all()

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            (
                dict(layers=3, n_layers=3),
                ValueError,
                r"X does not contain layer 3. It contains the layers 0, 1, 2\.",
            ),
            (dict(layers=[-1], n_layers=3), ValueError, "got -1"),
            (
                dict(layers=[1, 1], n_layers=3),
                ValueError,
                "Each layer can be listed only once; 1 is repeated",
            ),
            (dict(layers=[], n_layers=3), ValueError, "layers is empty"),
            (dict(layers=[0.5], n_layers=3), TypeError, "list of layer indices"),
            (
                dict(layers=0, n_layers=5),
                ValueError,
                "X has 12 neurons, which cannot be divided into n_layers=5 layers",
            ),
            (
                dict(layers=0, n_layers=4, direction="forward"),
                ValueError,
                "direction='forward' requires layers of even width, but layer 0 has 3 neurons",
            ),
            (dict(layers=0, n_layers=0), ValueError, "The 'n_layers' parameter"),
            (
                dict(layers=0, n_layers=3, direction="left"),
                ValueError,
                "The 'direction' parameter",
            ),
            (dict(layers=0), ValueError, "The columns of X do not have names .* Pass n_layers"),
        ],
    )
    def test_errors(self, parameters, error, message):
        with pytest.raises(error, match=message):
            LayerSelector(**parameters).fit(X_LAYERS)


class TestLayersByName:
    """The names of the columns determine the layers."""

    def frame(self, neurons):
        pandas = pytest.importorskip("pandas")
        X = np.arange(2.0 * len(neurons)).reshape(2, -1)
        return pandas.DataFrame(X, columns=neurons.names)

    def kept(self, frame, layers, **parameters):
        selector = LayerSelector(layers, **parameters).set_output(transform="pandas")
        return list(selector.fit_transform(frame).columns)

    @pytest.mark.parametrize("unit", ["neuron", "mlp", "attention", "attention.output.dense"])
    def test_layers_have_the_numbers_of_the_network(self, unit):
        frame = self.frame(Neurons((4, 8), 3, unit))
        assert self.kept(frame, 8) == [f"layer_8_{unit}_{i}" for i in range(3)]
        assert self.kept(frame, [8, 4], n_layers=2) == list(frame.columns)

    def test_layers_of_different_widths(self):
        frame = self.frame(Neurons(("encoder", "decoder.rnn"), (2, 4)))
        assert self.kept(frame, "encoder") == ["encoder_neuron_0", "encoder_neuron_1"]
        assert self.kept(frame, ["decoder.rnn"], direction="backward") == [
            "decoder.rnn_neuron_2",
            "decoder.rnn_neuron_3",
        ]

    def test_columns_that_an_earlier_selector_kept(self):
        frame = self.frame(Neurons((4, 8), 4))
        some = frame[["layer_8_neuron_1", "layer_4_neuron_0", "layer_8_neuron_0"]]
        assert self.kept(some, 8) == ["layer_8_neuron_1", "layer_8_neuron_0"]
        assert self.kept(some, 4) == ["layer_4_neuron_0"]

    def test_directions_follow_the_neurons_not_the_columns(self):
        frame = self.frame(Neurons((4, 8), 4))
        shuffled = frame[frame.columns[[7, 2, 4, 1, 6, 5]]]  # all of layer 8, half of layer 4
        assert self.kept(shuffled, 8, direction="forward") == [
            "layer_8_neuron_0",
            "layer_8_neuron_1",
        ]
        with pytest.raises(
            ValueError,
            match=r"'forward' requires all neurons of layer 4, but X contains 2 of at least 3",
        ):
            self.kept(shuffled, 4, direction="forward")

    def test_in_a_pipeline(self):
        frame = self.frame(Neurons((4, 8), 3))
        rng = np.random.RandomState(0)
        frame = type(frame)(rng.normal(size=(6, 6)), columns=frame.columns)
        steps = make_pipeline(
            StandardScaler(), ProbelessSelector(n_neurons=4), LayerSelector(8)
        ).set_output(transform="pandas")
        y = [0, 0, 1, 1, 2, 2]
        kept = steps.fit_transform(frame, y)
        ranked = frame.columns[steps[1].get_support()]
        assert list(kept.columns) == [name for name in ranked if name.startswith("layer_8")]
        assert len(kept.columns) > 0
        without_names = clone(steps).set_output(transform="default")
        with pytest.raises(ValueError, match="Pass n_layers"):
            without_names.fit(frame, y)

    @pytest.mark.parametrize(
        ("layers", "parameters", "message"),
        [
            (0, {}, r"X does not contain layer 0. It contains the layers 4, 8\."),
            (1, dict(n_layers=2), "X does not contain layer 1"),
            ("4", {}, "X does not contain layer '4'"),
            (8, dict(n_layers=3), "n_layers=3, but the names .* 2 layers: 4, 8"),
        ],
    )
    def test_errors(self, layers, parameters, message):
        with pytest.raises(ValueError, match=message):
            LayerSelector(layers, **parameters).fit(self.frame(Neurons((4, 8), 3)))

    def test_columns_that_are_not_neurons_are_an_error(self):
        frame = self.frame(Neurons((1, 3), 3)).rename(columns={"layer_3_neuron_2": "age"})
        with pytest.raises(ValueError, match="but 'age' is not: select the columns of the neurons"):
            LayerSelector(1, n_layers=2).fit(frame)

    def test_names_of_another_kind_do_not_determine_layers(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X_LAYERS, columns=[f"column {i}" for i in range(12)])
        assert self.kept(frame, 2, n_layers=3) == [f"column {i}" for i in range(8, 12)]
        with pytest.raises(ValueError, match="Pass n_layers"):
            LayerSelector(2).fit(frame)


class TestNeuronSelector:
    @pytest.mark.parametrize("neurons", [[4, 1], (1, 4), {1, 4}, np.array([4, 1], dtype=np.uint8)])
    def test_columns_keep_their_order(self, neurons):
        np.testing.assert_array_equal(
            NeuronSelector(neurons).fit_transform(X_LAYERS), X_LAYERS[:, [1, 4]]
        )

    def test_invert(self):
        kept = NeuronSelector([0, 1], invert=True).fit_transform(X_LAYERS)
        np.testing.assert_array_equal(kept, X_LAYERS[:, 2:])

    @pytest.mark.parametrize(
        ("neurons", "error", "message"),
        [
            (
                [12],
                ValueError,
                "There are 12 neurons, so neuron indices must be integers from 0 to 11, got 12",
            ),
            ([-1], ValueError, "got -1"),
            ([3, 3], ValueError, "Each neuron can be listed only once; 3 is repeated"),
            (
                [1.0],
                TypeError,
                r"\(integers from 0 to 11\), got an array of dtype float64 .* np.flatnonzero",
            ),
            ([True, False] * 6, TypeError, "dtype bool"),
            (
                ["a"],
                TypeError,
                r"neurons=\['a'\] contains names, but the columns of X have no names. Pass a DataFrame",
            ),
            ([[1, 2]], TypeError, "2 dimension"),
        ],
    )
    def test_errors(self, neurons, error, message):
        with pytest.raises(error, match=message):
            NeuronSelector(neurons).fit(X_LAYERS)


def test_neurons_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X_LAYERS, columns=[f"layer_0_neuron_{i}" for i in range(12)])
    names = ["layer_0_neuron_7", "layer_0_neuron_2"]
    kept = NeuronSelector(names).set_output(transform="pandas").fit_transform(frame)
    assert list(kept.columns) == names[::-1]
    zeroed = NeuronAblator(names).set_output(transform="pandas").fit_transform(frame)
    assert list(zeroed.columns[(zeroed == 0).all()]) == names[::-1]
    with pytest.raises(
        ValueError,
        match=r"X does not contain the neuron 'layer_0_neuron_12'\. Its columns are named 'layer_0",
    ):
        NeuronSelector(["layer_0_neuron_12"]).fit(frame)
    with pytest.raises(ValueError, match="Each neuron can be listed only once; 2 is repeated"):
        NeuronAblator([names[1]] * 2).fit(frame)
