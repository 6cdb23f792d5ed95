"""Top words of a neuron: their scores, and neurons without top words."""

import numpy as np
import pytest

from sklearn_neurox import top_words


class TestTopWords:
    words = ["the", "cat", "saw", "the", "dog", ",", "the", "dog", "saw"]

    def test_score_is_the_mean_absolute_deviation_of_a_type(self):
        activations = np.random.RandomState(0).normal(3, 2, size=len(self.words))
        z = (activations - activations.mean()) / activations.std()
        means = {
            word: np.mean([abs(value) for w, value in zip(self.words, z, strict=True) if w == word])
            for word in self.words
        }
        scored = dict(top_words(self.words, activations))
        assert scored.keys() == means.keys()
        for word, score in scored.items():
            assert abs(score) == pytest.approx(means[word] / max(means.values()))

    def test_unit_and_offset_do_not_matter(self):
        activations = np.random.RandomState(0).normal(size=len(self.words))
        expected = top_words(self.words, activations)
        for word, (other, score) in zip(
            expected, top_words(self.words, 7 * activations + 3), strict=True
        ):
            assert word == (other, pytest.approx(score))
        mirrored = top_words(self.words, -activations)
        assert [(w, pytest.approx(-s)) for w, s in mirrored] == expected

    @pytest.mark.parametrize("value", [0.0, 3.3, 1e30])
    def test_a_constant_neuron_has_no_top_words(self, value):
        assert top_words(self.words, np.full(len(self.words), value)) == []

    def test_a_neuron_constant_up_to_rounding_has_no_top_words(self):
        rng = np.random.RandomState(0)
        noise = np.float32(1) + np.float32(1e-7) * rng.randint(2, size=len(self.words))
        assert top_words(self.words, noise.astype(np.float32)) == []

    def test_rare_words_are_left_out(self):
        words = ["once", "twice", "twice", "thrice", "thrice", "thrice"]
        activations = [9.0, 1, 2, 0, -1, -1]
        assert top_words(words, activations)[0] == ("once", 1.0)
        often = top_words(words, activations, min_count=2)
        assert {word for word, _ in often} == {"twice", "thrice"}
        assert abs(often[0][1]) == 1
        assert top_words(words, activations, min_count=4) == []
        with pytest.raises(ValueError, match="min_count == 0, must be >= 1"):
            top_words(words, activations, min_count=0)

    def test_errors(self):
        with pytest.raises(
            ValueError, match="must have the same length, got 9 words and 8 activations"
        ):
            top_words(self.words, np.zeros(8))
        with pytest.raises(ValueError, match="activations contains NaN"):
            top_words(["a", "b"], [np.nan, 1])
        with pytest.raises(ValueError, match="words is empty: expected at least one word"):
            top_words([], [])
        with pytest.raises(ValueError, match=r"min_score must be in \[0, 1\]"):
            top_words(["a"], [1], min_score=2)
        with pytest.raises(TypeError, match="words must be a list of words, got a single string"):
            top_words("ab", [1, 2])
        with pytest.raises(ValueError, match=r"one dimension, got an array of shape \(2, 2\)"):
            top_words(["a", "b"], np.zeros((2, 2)))

    def test_a_neuron_that_fires_once_is_not_constant(self):
        activations = np.zeros(70_000, dtype=np.float16)
        activations[7] = 1
        scored = top_words([*"abcdefg", "once", *["other"] * 69_992], activations, n_words=1)
        assert scored == [("once", 1.0)]

    def test_words_of_an_array_are_plain_strings(self):
        (word, _), *_ = top_words(np.array(["a", "b"]), [0, 1])
        assert type(word) is str
