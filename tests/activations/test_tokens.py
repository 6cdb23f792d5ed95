import numpy as np
import pytest

from sklearn_neurox import TokenActivations


@pytest.fixture
def tokens():
    return TokenActivations(
        X=np.arange(18.0).reshape(3, 6),
        words=np.array(["To", "be", "or"], dtype=object),
        sentence_ids=np.array([0, 0, 1]),
        positions=np.array([0, 1, 0]),
        layers=(0, 3),
        y=np.array(["PART", "AUX", "CCONJ"]),
    )


def test_layers_are_views_named_by_their_number(tokens):
    assert np.shares_memory(tokens.layer(3), tokens.X)
    np.testing.assert_array_equal(tokens.layer(3), tokens.X[:, 3:])
    assert tokens.neuron_names[[0, 3]].tolist() == ["layer_0_neuron_0", "layer_3_neuron_0"]
    with pytest.raises(ValueError, match=r"Layer 1 is not in X, which holds the layers \(0, 3\)"):
        tokens.layer(1)


def test_to_frame(tokens):
    frame = tokens.to_frame()
    assert list(frame) == list(tokens.neuron_names)
    assert frame.index.names == ["sentence_id", "position", "word"]
    assert frame.loc[(0, 1, "be"), "layer_3_neuron_2"] == 11


def test_repr_and_len(tokens):
    assert repr(tokens) == (
        "TokenActivations(3 words in 2 sentences, 6 neurons in 2 layers, float64, with labels)"
    )
    assert len(tokens) == 3


@pytest.mark.parametrize("column", ["words", "sentence_ids", "positions", "y"])
def test_lengths(tokens, column):
    from dataclasses import replace

    with pytest.raises(ValueError, match=f"X has 3 rows, but {column} has 1"):
        replace(tokens, **{column: np.array([0])})
    with pytest.raises(ValueError, match="4 layers do not divide the 6 neurons"):
        replace(tokens, layers=(0, 1, 2, 3))
    for layers in ((), (1, 1)):
        with pytest.raises(ValueError, match="layers must be different, and at least one"):
            replace(tokens, layers=layers)
