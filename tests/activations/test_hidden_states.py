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


class TestBatchesAndFiles:
    """States that another program leaves behind."""

    STATES = torch.randn(2, 5, 4, 3, generator=torch.Generator().manual_seed(0))  # layers first
    MASK = torch.tensor([[1, 1, 1, 1], [0, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]])

    def batches(self):
        """Batches of different lengths, as a collate function makes them."""
        for rows, length in (([0, 1], 4), ([2, 3], 2), ([4], 4)):
            yield self.STATES[:, rows, :length], self.MASK[rows, :length]

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    @pytest.mark.parametrize(
        "form",
        [
            lambda states, mask: (states, mask),
            lambda states, mask: {"hidden_states": states, "attention_mask": mask},
            lambda states, mask: {0: states[0], 1: states[1], "attention_mask": mask},
        ],
        ids=["pair", "mapping", "layers"],
    )
    def test_iterators_of_batches(self, form, dtype):
        batches = (form(states.to(dtype), mask) for states, mask in self.batches())
        tokens = TokenActivations.from_hidden_states(batches, labels=list("abcde"))
        expected = TokenActivations.from_hidden_states(
            self.STATES.to(dtype), attention_mask=self.MASK, labels=list("abcde")
        )
        np.testing.assert_array_equal(tokens.X, expected.X)
        for name in ("sentence_ids", "positions", "words", "y"):
            np.testing.assert_array_equal(getattr(tokens, name), getattr(expected, name))
        assert tokens.dtype == expected.dtype

    def test_data_loaders(self):
        data = torch.utils.data.TensorDataset(self.STATES[0][:, None], self.MASK)

        def collate(pairs):
            states, masks = zip(*pairs, strict=True)
            return torch.stack(states).transpose(0, 1), torch.stack(masks)

        loader = torch.utils.data.DataLoader(data, batch_size=2, collate_fn=collate)
        tokens = TokenActivations.from_hidden_states(loader, rows="last", layers=[7])
        expected = TokenActivations.from_hidden_states(
            {7: self.STATES[0]}, attention_mask=self.MASK, rows="last"
        )
        np.testing.assert_array_equal(tokens.X, expected.X)
        assert tokens.layers == (7,)

    @pytest.mark.parametrize("names", [["model.layers.10", "model.layers.2"], ["a", "b2"]])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_safetensors(self, tmp_path, names, dtype):
        library = pytest.importorskip("safetensors.torch")
        first, second = self.STATES.to(dtype)
        path = tmp_path / "states.safetensors"
        mask = self.MASK
        library.save_file(
            {names[0]: first.contiguous(), names[1]: second.contiguous(), "attention_mask": mask},
            path,
        )
        tokens = TokenActivations.from_hidden_states(path)
        layers = (2, 10) if "." in names[0] else tuple(names)
        assert tokens.layers == layers
        states = {2: second, 10: first} if "." in names[0] else {"a": first, "b2": second}
        expected = TokenActivations.from_hidden_states(states, attention_mask=mask)
        np.testing.assert_array_equal(tokens.X, expected.X)

    def test_columns_of_a_dataset(self):
        """A column of the package `datasets` is a sequence of nested lists."""

        class Column:
            def __init__(self, values):
                self.values = values

            def __len__(self):
                return len(self.values)

            def __getitem__(self, place):
                return self.values[place]

        states = [[[0.5, 1.0], [2.0, 3.0]], [[4.0, 5.0]]]
        tokens = TokenActivations.from_sentences(Column(states), Column([["a", "b"], ["c"]]))
        assert tokens.X.tolist() == [[0.5, 1.0], [2.0, 3.0], [4.0, 5.0]]

    @pytest.mark.parametrize(
        ("states", "error", "message"),
        [
            (lambda path: iter([]), ValueError, "at least one batch"),
            (lambda path: iter(["a"]), TypeError, "Batch 0: expected states, a pair"),
            (
                lambda path: iter([{0: np.ones((1, 2, 3))}, {1: np.ones((1, 2, 3))}]),
                ValueError,
                r"Batch 1 has the layers \(1,\), but those before have \(0,\)",
            ),
            (lambda path: path / "a.npz", ValueError, "the suffix .safetensors"),
            (lambda path: path / "a.safetensors", FileNotFoundError, "does not exist"),
            (lambda path: path / "b.safetensors", ValueError, "damaged or not a .safetensors"),
        ],
    )
    def test_errors(self, tmp_path, states, error, message):
        pytest.importorskip("safetensors.torch")
        (tmp_path / "b.safetensors").write_bytes(b"abc")
        with pytest.raises(error, match=message):
            TokenActivations.from_hidden_states(states(tmp_path))
