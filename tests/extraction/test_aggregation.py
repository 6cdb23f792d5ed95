"""From sub-words to words: rows are never made up."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from sklearn_neurox import ActivationExtractor
from sklearn_neurox.extraction import aggregate_bpe, aggregate_characters, aggregate_subwords
from sklearn_neurox.extraction.aggregation import AGGREGATIONS

IDS = [None, 0, 0, 0, 1, 2, 2, None, None]


@pytest.mark.parametrize("aggregation", ["first", "last", "mean"])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_against_a_loop(aggregation, as_tensor):
    states = np.random.RandomState(0).normal(size=(2, 9, 4))
    pieces = [[i for i, word in enumerate(IDS) if word == w] for w in range(3)]
    pick = {"first": lambda p: states[:, p[0]], "last": lambda p: states[:, p[-1]]}
    pick["mean"] = lambda p: states[:, p].mean(axis=1)
    expected = np.stack([pick[aggregation](p) for p in pieces], axis=1)
    before = states.copy()
    argument = torch.from_numpy(states) if as_tensor else states
    np.testing.assert_allclose(aggregate_subwords(argument, IDS, aggregation), expected)
    np.testing.assert_array_equal(states, before)


def test_a_word_of_one_piece_has_its_state():
    states = np.random.RandomState(0).normal(size=(3, 2)).astype(np.float16)
    for aggregation in AGGREGATIONS:
        rows = aggregate_subwords(states, [0, 1, 2], aggregation)
        assert rows.dtype == np.float16
        np.testing.assert_array_equal(rows, states)


class TestNarrowMeans:
    """Sums neither overflow nor lose digits: the mean is rounded once."""

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    @pytest.mark.parametrize("n_pieces", [3, 5000])
    @pytest.mark.parametrize("scale", [1.0, 30000.0])
    def test_mean_is_that_of_exact_numbers(self, dtype, n_pieces, scale):
        rng = np.random.RandomState(0)
        states = torch.tensor(scale * (1 + rng.normal(scale=0.01, size=(2, n_pieces, 3))))
        states = states.to(getattr(torch, dtype))
        expected = states.double().mean(dim=1, keepdim=True)
        found = aggregate_subwords(states, [0] * n_pieces, "mean")
        assert found.dtype == states.dtype
        spacing = 0 if dtype == "float64" else torch.finfo(states.dtype).eps
        torch.testing.assert_close(found.double(), expected, rtol=max(spacing, 5e-6), atol=0)
        if dtype != "bfloat16":
            in_numpy = aggregate_subwords(states.numpy(), [0] * n_pieces, "mean")
            assert in_numpy.dtype == dtype
            np.testing.assert_array_equal(in_numpy, found.numpy())

    def test_overflow(self):
        states = np.full((3, 1), 30000, dtype=np.float16)
        assert aggregate_subwords(states, [0, 0, 0], "mean").tolist() == [[30000]]
        assert aggregate_bpe(states, ["a@@", "b@@", "c"], "mean")[0].tolist() == [[30000]]
        assert aggregate_characters(states, list("abc"), "mean")[0].tolist() == [[30000]]

    def test_bfloat16_is_rounded_once(self):
        states = torch.tensor([[1.0], [1.0078125], [1.0]], dtype=torch.bfloat16)
        states = torch.cat([states] * 100)
        expected = states.float().mean(dim=0, keepdim=True).bfloat16()
        assert torch.equal(aggregate_subwords(states, [0] * 300, "mean"), expected)

    @pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
    @pytest.mark.parametrize("n_pieces", [2, 3, 8])
    def test_sums_that_are_too_large(self, dtype, n_pieces):
        """The other neurons are as without the large one."""
        largest = torch.finfo(getattr(torch, dtype)).max
        states = torch.rand(n_pieces, 3, generator=torch.Generator().manual_seed(0))
        states = states.to(getattr(torch, dtype))
        expected = aggregate_subwords(states, [0] * n_pieces, "mean")
        states[:, 1] = largest
        found = aggregate_subwords(states, [0] * n_pieces, "mean")
        assert torch.equal(found[:, [0, 2]], expected[:, [0, 2]])
        assert found[0, 1].item() == pytest.approx(largest, rel=1e-6)
        if dtype != "bfloat16":
            in_numpy = aggregate_subwords(states.numpy(), [0] * n_pieces, "mean")
            np.testing.assert_array_equal(in_numpy, found.numpy())

    @pytest.mark.filterwarnings("ignore:invalid value")
    @pytest.mark.parametrize("as_tensor", [False, True])
    def test_infinity_and_nan_stay(self, as_tensor):
        states = np.array([[np.inf, -np.inf, np.nan, 3e38], [1, 1, 1, 3e38]], dtype=np.float32)
        argument = torch.from_numpy(states) if as_tensor else states
        found = np.asarray(aggregate_subwords(argument, [0, 0], "mean"))
        np.testing.assert_array_equal(found[0, :3], [np.inf, -np.inf, np.nan])
        assert found[0, 3] == np.float32(3e38)

    @pytest.mark.parametrize("aggregation", ["first", "last", "mean"])
    @pytest.mark.parametrize(
        "dtype", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"]
    )
    def test_8_bit_floats(self, dtype, aggregation):
        states = torch.tensor([[1.0, 2.0], [1.5, 4.0], [3.0, 1.0]])
        found = aggregate_subwords(states.to(getattr(torch, dtype)), [0, 0, 1], aggregation)
        assert found.dtype == torch.float32
        assert torch.equal(found, aggregate_subwords(states, [0, 0, 1], aggregation))

    @pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int64", "bool"])
    @pytest.mark.parametrize("as_tensor", [False, True])
    def test_integers(self, dtype, as_tensor):
        numbers = np.array([[100], [101], [102], [1]]).astype(dtype)
        states = torch.from_numpy(numbers) if as_tensor else numbers
        found = aggregate_subwords(states, [0, 0, 0, 1], "mean")
        assert str(found.dtype).removeprefix("torch.") == "float64"
        assert found.tolist() == [[1 if dtype == "bool" else 101], [1]]

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("use", ["extract", "transform"])
    def test_rows_of_a_narrow_model(self, tiny_bert, dtype, use):
        """Rows in float32 are not rounded to the dtype of the model."""
        model, tokenizer = deepcopy(tiny_bert[0]).to(dtype), tiny_bert[1]
        ids = tokenizer("sandwiches", return_tensors="pt").input_ids
        with torch.no_grad():
            states = model(ids, output_hidden_states=True).hidden_states
        states = torch.cat(states, dim=-1)[0, 1:-1].float()
        assert len(states) > 2
        extractor = ActivationExtractor(model, tokenizer, aggregation="mean")
        found = getattr(extractor, use)(["sandwiches"])
        row = found[0] if use == "transform" else found.X[0]
        np.testing.assert_allclose(row, states.mean(dim=0), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("aggregation", ["first", "last", "mean"])
def test_no_rows_without_words(aggregation):
    assert aggregate_subwords(np.zeros((3, 2)), [None] * 3, aggregation).shape == (0, 2)


@pytest.mark.parametrize(
    ("ids", "aggregation", "message"),
    [
        ([0, 1, 2], "average", "aggregation must be one of"),
        ([0, 1], "last", "Got states of 3 sub-words, but 2 word_ids"),
        ([0, 2, 2], "last", "Every word must have a sub-word, but word 1 does not have one"),
        ([0, 1, 0], "last", "must be adjacent"),
        ([0, None, 0], "mean", "must be adjacent"),
        ([0, -1, 1], "last", "word_ids must be non-negative integers or None, got -1 at index 1"),
        ([0, 1.0, 1], "last", "word_ids must be non-negative integers or None, got 1.0 at index 1"),
    ],
)
def test_errors(ids, aggregation, message):
    with pytest.raises(ValueError, match=message):
        aggregate_subwords(np.zeros((3, 2)), ids, aggregation)


NUMBERS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


@pytest.mark.parametrize("aggregation", ["first", "last", "mean"])
@pytest.mark.parametrize("convert", [list, tuple, lambda rows: [np.array(row) for row in rows],
                                     lambda rows: [torch.tensor(row) for row in rows]])  # fmt: skip
def test_lists(convert, aggregation):
    expected = aggregate_subwords(np.array(NUMBERS), [0, 0, 1], aggregation)
    found = aggregate_subwords(convert(NUMBERS), [0, 0, 1], aggregation)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, expected)
    found, _ = aggregate_bpe(convert(NUMBERS), ["a@@", "b", "c"], aggregation)
    np.testing.assert_array_equal(found, expected)
    found, _ = aggregate_characters(convert(NUMBERS[:2]), ["a", "b"], aggregation)
    np.testing.assert_array_equal(found, expected[:1])


@pytest.mark.parametrize(
    ("states", "error", "message"),
    [
        (np.zeros(3), ValueError, r"states must have the shape .*, got the shape \(3,\)"),
        (torch.zeros(3), ValueError, r"states must have the shape .*, got the shape \(3,\)"),
        ([1.0, 2.0, 3.0], ValueError, r"states must have the shape .*, got the shape \(3,\)"),
        (np.array(1.0), ValueError, r"states must have the shape .*, got the shape \(\)"),
        (np.full((3, 1), "1.5"), ValueError, "states must contain numbers, but contains text"),
        ([["a"]] * 3, ValueError, "states must contain numbers, but contains text: 'a'"),
        (np.full((3, 1), None), TypeError, "states must contain real numbers, got .* object"),
        (np.zeros((3, 1), "M8[s]"), TypeError, "states must contain numbers, but contains dates"),
        (np.zeros((3, 1), complex), TypeError, "states must contain real numbers, got .*complex"),
        (torch.zeros((3, 1), dtype=torch.complex64), TypeError, "must contain real .*complex64"),
        (torch.zeros((3, 1)).to_sparse(), TypeError, "must be a dense tensor, got .*sparse_coo"),
        (None, TypeError, "states must contain real numbers, got the dtype object"),
    ],
)
@pytest.mark.parametrize("aggregation", ["first", "last", "mean"])
def test_states_that_are_not_numbers_in_two_axes(states, error, message, aggregation):
    with pytest.raises(error, match=message):
        aggregate_subwords(states, [0, 0, 1], aggregation)


def test_a_new_aggregation_is_one_entry(tiny_bert, monkeypatch):
    """The functions and the estimator accept it."""

    def middle(states, first, counts):
        return states[..., first + counts // 2, :]

    monkeypatch.setitem(AGGREGATIONS, "middle", middle)
    states = np.arange(9.0)[:, None]
    assert aggregate_subwords(states, IDS, "middle").ravel().tolist() == [2, 4, 6]
    assert aggregate_bpe(states[:3], ["un@@", "like@@", "ly"], "middle")[0].tolist() == [[1]]
    assert aggregate_characters(states[:3], list("cat"), "middle")[0].tolist() == [[1]]
    model, tokenizer = tiny_bert
    tokens = ActivationExtractor(model, tokenizer, aggregation="middle").extract([["sandwiches"]])
    ids = tokenizer(["sandwiches"], is_split_into_words=True, return_tensors="pt").input_ids
    n_pieces = ids.shape[1] - 2
    assert n_pieces > 2
    with torch.no_grad():
        states = model(ids).last_hidden_state[0].numpy()
    np.testing.assert_allclose(tokens.layer(2)[0], states[1 + n_pieces // 2], atol=1e-5)


class TestBpe:
    def test_pieces_become_words(self):
        states = np.arange(12.0).reshape(2, 6, 1)
        pieces = ["un@@", "like@@", "ly", "he", "is", "@@"]
        with pytest.raises(ValueError, match="The last piece, '@@', ends with the marker"):
            aggregate_bpe(states, pieces, "last")
        pieces[-1] = "."
        for aggregation, expected in (
            ("first", [0, 3, 4, 5]),
            ("last", [2, 3, 4, 5]),
            ("mean", [1, 3, 4, 5]),
        ):
            found, words = aggregate_bpe(states, pieces, aggregation)
            assert words == ["unlikely", "he", "is", "."]
            np.testing.assert_array_equal(found[0, :, 0], expected)

    def test_a_marker_within_a_piece_is_text(self):
        _, words = aggregate_bpe(np.zeros((2, 1)), ["a@@b", "c"], "last")
        assert words == ["a@@b", "c"]
        _, words = aggregate_bpe(np.zeros((2, 1)), ["a##", "c"], "last", marker="##")
        assert words == ["ac"]


class TestCharacters:
    def test_characters_become_words(self):
        states = np.arange(6.0)[:, np.newaxis]
        for aggregation, expected in (("first", [0, 4]), ("last", [2, 5]), ("mean", [1, 4.5])):
            found, words = aggregate_characters(states, list("cat is"), aggregation)
            assert words == ["cat", "is"]
            np.testing.assert_array_equal(found[:, 0], expected)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (" a", "There is no word before the space at index 0"),
            ("a  b", "There is no word before the space at index 2"),
            ("a ", "The last word is empty"),
            ("", "The last word is empty"),
        ],
    )
    def test_spaces_out_of_place(self, text, message):
        with pytest.raises(ValueError, match=message):
            aggregate_characters(np.zeros((len(text), 1)), list(text), "last")
