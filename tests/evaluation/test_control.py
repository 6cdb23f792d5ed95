"""Control tasks: one random label per word type."""

import numpy as np
import pytest

from sklearn_neurox import make_control_task


def test_a_word_type_has_one_label(corpus):
    words = np.concatenate(corpus.sentences)
    tags = np.concatenate(corpus.tags)
    task = make_control_task(words, tags, random_state=0)
    assert task.labels.shape == words.shape
    for word in ("the", "The", "."):
        assert len(set(task.labels[words == word])) == 1
    assert set(task.labels) <= set(tags)
    assert set(task.mapping) == set(words)
    np.testing.assert_array_equal(task.transform(words[::-1]), task.labels[::-1])


def test_labels_are_drawn_with_their_frequency_or_uniformly():
    words = np.arange(20_000)
    y = np.repeat(["a", "b"], [15_000, 5_000])
    for distribution, share in {"empirical": 0.75, "uniform": 0.5}.items():
        task = make_control_task(words, y, distribution=distribution, random_state=0)
        assert (task.labels == "a").mean() == pytest.approx(share, abs=0.02)


def test_n_labels_keeps_the_most_frequent():
    y = ["a", "b", "b", "c", "c", "c"] * 50
    task = make_control_task(np.arange(300), y, n_labels=2, random_state=0)
    assert set(task.labels) == {"b", "c"}


def test_random_state_controls_the_labels():
    words = ["x", "y", "z"] * 10
    one, two = (make_control_task(words, range(30), random_state=3) for _ in range(2))
    np.testing.assert_array_equal(one.labels, two.labels)
    other = make_control_task(words, range(30), random_state=4)
    assert one.mapping != other.mapping


def test_one_label_is_not_a_task():
    with pytest.raises(
        ValueError,
        match=r"All 1 word types drew the label '[NV]', so there is nothing to learn",
    ):
        make_control_task(["a", "a"], ["N", "V"])


def test_words_are_a_list():
    with pytest.raises(TypeError, match="words must be a list of words, got a single string: 'ab'"):
        make_control_task("ab", ["N", "V"])
    words = [f"w{i}" for i in range(20)]
    task = make_control_task(words, ["N", "V"] * 10, random_state=0)
    np.testing.assert_array_equal(task.transform(iter(words)), task.labels)
    with pytest.raises(TypeError, match="words must be a list"):
        task.transform("w1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(y=["N"]), "inconsistent numbers of samples"),
        (dict(words=[], y=[]), "y is empty: expected at least one sample"),
        (
            dict(distribution="same"),
            r"'distribution' parameter .* must be a str among .*'empirical'.* Got 'same'",
        ),
        (
            dict(n_labels=1),
            r"'n_labels' parameter .* must be an int in the range \[2, inf\).* Got 1",
        ),
        (dict(n_labels=3), "n_labels must be at most the number of labels in y, 2, got 3"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        make_control_task(**{"words": ["a", "b"], "y": ["N", "V"], **changes})


def test_an_unseen_word_is_an_error():
    task = make_control_task([*"abdefg"], [*"NVNVNV"], random_state=0)
    with pytest.raises(ValueError, match=r"does not have a label for words\[1\] = 'c'"):
        task.transform(["a", "c"])


class TestUnseenWords:
    def test_a_type_has_one_label_in_any_order(self):
        task = make_control_task(np.arange(100), np.arange(100) % 5, random_state=0)
        words = np.arange(90, 300)
        labels = task.transform(words, on_unseen="draw")
        np.testing.assert_array_equal(labels[:10], task.labels[90:])
        np.testing.assert_array_equal(task.transform(words[::-1], on_unseen="draw"), labels[::-1])
        for word in (90, 150, 299):
            assert task.transform([word], on_unseen="draw") == labels[word - 90]
        assert len(task.mapping) == 100  # drawing does not change the task

    @pytest.mark.parametrize(("distribution", "share"), [("empirical", 0.75), ("uniform", 0.5)])
    def test_they_have_the_same_distribution(self, distribution, share):
        y = ["a", "a", "a", "b"] * 10
        task = make_control_task(range(40), y, distribution=distribution, random_state=0)
        labels = task.transform(np.arange(40, 10_000), on_unseen="draw")
        assert np.mean(labels == "a") == pytest.approx(share, abs=0.02)
        assert labels.dtype == task.labels.dtype

    def test_equal_words_have_one_label(self):
        task = make_control_task(range(20), range(20), random_state=0)
        for equal in [
            (50, 50.0, np.int64(50)),
            (("a", 1), (np.str_("a"), 1.0)),
            ("é", np.str_("é")),
        ]:
            labels = {int(task.transform([word], on_unseen="draw")[0]) for word in equal}
            assert len(labels) == 1

    def test_another_seed_draws_other_labels(self):
        one, two = (make_control_task(range(9), range(9), random_state=s) for s in (0, 1))
        later = [task.transform(range(9, 99), on_unseen="draw") for task in (one, two)]
        assert np.mean(later[0] == later[1]) < 0.5

    def test_unknown_values_of_on_unseen(self):
        task = make_control_task(["a", "b", "c"], ["N", "V", "N"], random_state=1)
        with pytest.raises(ValueError, match="on_unseen must be 'error' or 'draw', got 'skip'"):
            task.transform(["a"], on_unseen="skip")


def test_numbers_are_drawn_from_y():
    rng = np.random.RandomState(0)
    y = rng.normal(size=200)
    words = rng.randint(50, size=200)
    task = make_control_task(words, y, random_state=0)
    assert task.labels.dtype == np.float64
    assert set(task.labels) <= set(y)
    np.testing.assert_array_equal(task.labels, task.transform(words))


def test_y_with_one_label_is_an_error():
    with pytest.raises(ValueError, match="requires at least 2 labels, but y contains only 'N'"):
        make_control_task(list("abc"), ["N"] * 3)


def test_swapped_words_and_labels_warn():
    words = [f"w{i}" for i in range(60)]
    tags = ["N", "V", "A"] * 20
    make_control_task(words, tags, random_state=0)
    with pytest.warns(UserWarning, match=r"labels \(60\) than word types \(3\).*y swapped\?"):
        make_control_task(tags, words, random_state=0)


def test_sentences_are_not_words():
    with pytest.raises(TypeError, match="words must be a flat list of words, got a list of lists"):
        make_control_task([["a", "b"], ["c"]], ["N", "V"])


@pytest.mark.parametrize("odd", [None, 1], ids=str)
def test_labels_of_several_kinds_are_an_error(odd):
    with pytest.raises(TypeError, match=rf"y must contain labels of one kind.* y\[2\] = {odd}"):
        make_control_task(range(20), ["N", "V", odd, "N"] * 5)


@pytest.mark.parametrize("labels", [["N", np.nan, "V"], [1.0, np.nan, 2.0]], ids=str)
def test_a_label_that_is_nan_is_an_error(labels):
    with pytest.raises(ValueError, match=r"y must not contain NaN or infinity: y\[1\] = nan"):
        make_control_task(range(15), labels * 5)
