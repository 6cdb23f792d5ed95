"""Token activations from the hidden states of a batch."""

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor, TokenActivations

STATES = np.arange(2 * 3 * 4 * 2, dtype=np.float32).reshape(2, 3, 4, 2)  # layers, texts, positions
LEFT = [[0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]]
RIGHT = [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]]


@pytest.mark.parametrize("mask", [None, LEFT, RIGHT])
@pytest.mark.parametrize("rows", ["all", "last", "first"])
def test_rows_are_the_states_that_are_not_padding(mask, rows):
    tokens = TokenActivations.from_hidden_states(STATES, attention_mask=mask, rows=rows)
    row = 0
    for text in range(3):
        own = [place for place in range(4) if mask is None or mask[text][place]]
        kept = {"all": own, "last": own[-1:], "first": own[:1]}[rows]
        for place in kept:
            expected = np.concatenate([STATES[0, text, place], STATES[1, text, place]])
            np.testing.assert_array_equal(tokens.X[row], expected)
            assert tokens.sentence_ids[row] == text
            assert tokens.positions[row] == own.index(place)
            row += 1
    assert row == len(tokens)
    assert tokens.layers == (0, 1)


@pytest.mark.parametrize(
    "form",
    [
        lambda: STATES.astype(np.float64),
        lambda: list(STATES.astype(np.float64)),
        lambda: tuple(torch.tensor(layer).double() for layer in STATES),
        lambda: torch.tensor(STATES).double(),
        lambda: {0: STATES[0].astype(np.float64), 1: torch.tensor(STATES[1]).double()},
    ],
    ids=["array", "list", "tensors", "tensor", "mapping"],
)
def test_all_forms_are_equal(form):
    tokens = TokenActivations.from_hidden_states(form(), attention_mask=torch.tensor(LEFT))
    expected = TokenActivations.from_hidden_states(STATES, attention_mask=LEFT)
    np.testing.assert_array_equal(tokens.X, expected.X)
    assert tokens.X.dtype == np.float64


def test_bfloat16_becomes_float32():
    tokens = TokenActivations.from_hidden_states(torch.tensor(STATES).bfloat16())
    assert tokens.X.dtype == np.float32
    np.testing.assert_array_equal(tokens.layer(1), STATES[1].reshape(-1, 2))


def test_layers_words_labels_and_pairs():
    words = [["a", "b"], ["c", "d", "e", "f"], ["g", "h", "i"]]
    states = {"low": STATES[0], "high": STATES[1]}
    tokens = TokenActivations.from_hidden_states(
        states, attention_mask=LEFT, words=words, labels=[1, 2, 3], layers=["high"]
    )
    assert tokens.words.tolist() == list("abcdefghi")
    assert tokens.y.tolist() == [1] * 2 + [2] * 4 + [3] * 3
    assert tokens.layers == ("high",)
    labels = [[word.upper() for word in own] for own in words]
    pairs = [(2, 3), (0, 2), (2, 3)]
    tokens = TokenActivations.from_hidden_states(
        STATES, attention_mask=LEFT, words=words, labels=labels, rows=pairs
    )
    assert tokens.words.tolist() == ["i", "a", "i"]
    assert tokens.y.tolist() == ["I", "A", "I"]
    assert tokens.positions.tolist() == [2, 0, 2]
    np.testing.assert_array_equal(tokens.layer(0), STATES[0][[2, 0, 2], [3, 2, 3]])


def test_labels_and_words_are_read_in_their_order():
    """The index of a Series does not matter."""
    pandas = pytest.importorskip("pandas")
    for index in ([2, 1, 0], [7, 8, 9]):
        labels = pandas.Series([["a"] * 4, ["b"] * 4, ["c"] * 4], index=index)
        tokens = TokenActivations.from_hidden_states(STATES, labels=labels, words=labels)
        assert tokens.y.tolist() == tokens.words.tolist() == ["a"] * 4 + ["b"] * 4 + ["c"] * 4


def test_they_agree_with_the_extractor(tiny_bert):
    model, tokenizer = tiny_bert
    texts = ["the house of the king", "a man"]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch, output_hidden_states=True).hidden_states
    tokens = TokenActivations.from_hidden_states(states, attention_mask=batch["attention_mask"])
    expected = ActivationExtractor(model, tokenizer).extract_tokens(texts)
    np.testing.assert_allclose(tokens.X, expected.X, atol=1e-5)
    for name in ("sentence_ids", "positions", "layers"):
        np.testing.assert_array_equal(getattr(tokens, name), getattr(expected, name))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(states=[]), ValueError, "at least one layer"),
        (dict(states=STATES[0]), ValueError, r"Layer 0 must contain .* got float32 of shape \(4, 2\)"),
        (dict(states=STATES.astype(int)), ValueError, "Layer 0 must contain floating-point numbers"),
        (dict(states=[STATES[0], STATES[1, :2]]), ValueError, r"Layer 1 is .*\(2, 4, 2\), but layer 0"),
        (dict(layers=[1]), ValueError, "Got states of 2 layers, but 1 layers"),
        (dict(states={3: STATES[0]}, layers=[4]), ValueError, r"do not have the layer 4, only \[3\]"),
        (dict(attention_mask=[[1, 1]]), ValueError, r"have the shape \(3, 4\) of the states"),
        (dict(attention_mask=np.full((3, 4), 2)), ValueError, "must contain 0 and 1"),
        (dict(attention_mask=[[1] * 4, [0] * 4, [1] * 4]), ValueError, "Text 1 consists of padding"),
        (dict(rows="middle"), ValueError, "rows must be one of"),
        (dict(rows=[1, 2]), TypeError, "or pairs of a text and a position"),
        (dict(rows=[(0, 3), (3, 0)]), ValueError, r"rows\[1\] is \(3, 0\), but the states have 3"),
        (dict(rows=[(1, 0), (0, 1)], attention_mask=LEFT), ValueError, r"rows\[1\] is position 1 of"),
        (dict(words=[["a"]]), ValueError, "are those of 3 texts, but words has 1"),
        (dict(words=["abcd"] * 3), ValueError, r"Text 0 has 4 tokens without padding, but words\[0\]"),
        (dict(labels=[1, 2]), ValueError, "are those of 3 texts, but labels has 2"),
        (dict(labels=[[1], [2], [3]]), ValueError, "Text 0 has 4 tokens without padding, but 1 labels"),
    ],
)  # fmt: skip
def test_hidden_states_that_are_not_valid(arguments, error, message):
    with pytest.raises(error, match=message):
        TokenActivations.from_hidden_states(**{"states": STATES, **arguments})
