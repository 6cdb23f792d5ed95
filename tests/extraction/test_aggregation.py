"""Sub-words to words: never a made-up row."""

import numpy as np
import pytest
import torch

from sklearn_neurox.extraction import aggregate_bpe, aggregate_characters, aggregate_subwords

IDS = [None, 0, 0, 0, 1, 2, 2, None, None]


@pytest.mark.parametrize("how", ["first", "last", "mean"])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_against_a_loop(how, as_tensor):
    states = np.random.RandomState(0).normal(size=(2, 9, 4))
    pieces = [[i for i, word in enumerate(IDS) if word == w] for w in range(3)]
    pick = {"first": lambda p: states[:, p[0]], "last": lambda p: states[:, p[-1]]}
    pick["mean"] = lambda p: states[:, p].mean(axis=1)
    expected = np.stack([pick[how](p) for p in pieces], axis=1)
    before = states.copy()
    given = torch.from_numpy(states) if as_tensor else states
    np.testing.assert_allclose(aggregate_subwords(given, IDS, how), expected)
    np.testing.assert_array_equal(states, before)


def test_one_piece_a_word_is_the_state_itself():
    states = np.random.RandomState(0).normal(size=(3, 2)).astype(np.float16)
    for how in ("first", "last", "mean"):
        rows = aggregate_subwords(states, [0, 1, 2], how)
        assert rows.dtype == np.float16
        np.testing.assert_array_equal(rows, states)


@pytest.mark.parametrize("how", ["first", "last", "mean"])
def test_no_word_no_row(how):
    assert aggregate_subwords(np.zeros((3, 2)), [None] * 3, how).shape == (0, 2)


@pytest.mark.parametrize(
    ("ids", "how", "message"),
    [
        ([0, 1, 2], "average", "aggregation must be one of"),
        ([0, 1], "last", "Got 3 states of sub-words, but 2 word_ids"),
        ([0, 2, 2], "last", "Every word needs a sub-word; word 1 has none"),
        ([0, 1, 0], "last", "must be neighbours"),
        ([0, None, 0], "mean", "must be neighbours"),
        ([0, -1, 1], "last", "word_ids must be None or from 0, got -1 at place 1"),
        ([0, 1.0, 1], "last", "word_ids must be None or from 0, got 1.0 at place 1"),
    ],
)
def test_errors(ids, how, message):
    with pytest.raises(ValueError, match=message):
        aggregate_subwords(np.zeros((3, 2)), ids, how)


class TestBpe:
    def test_pieces_become_words(self):
        states = np.arange(12.0).reshape(2, 6, 1)
        pieces = ["un@@", "like@@", "ly", "he", "is", "@@"]
        with pytest.raises(ValueError, match="The last piece, '@@', ends with the marker"):
            aggregate_bpe(states, pieces, "last")
        pieces[-1] = "."
        for how, expected in (
            ("first", [0, 3, 4, 5]),
            ("last", [2, 3, 4, 5]),
            ("mean", [1, 3, 4, 5]),
        ):
            found, words = aggregate_bpe(states, pieces, how)
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
        for how, expected in (("first", [0, 4]), ("last", [2, 5]), ("mean", [1, 4.5])):
            found, words = aggregate_characters(states, list("cat is"), how)
            assert words == ["cat", "is"]
            np.testing.assert_array_equal(found[:, 0], expected)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (" a", "missing before the space at place 0"),
            ("a  b", "missing before the space at place 2"),
            ("a ", "missing at the end"),
            ("", "missing at the end"),
        ],
    )
    def test_spaces_out_of_place(self, text, message):
        with pytest.raises(ValueError, match=message):
            aggregate_characters(np.zeros((len(text), 1)), list(text), "last")
