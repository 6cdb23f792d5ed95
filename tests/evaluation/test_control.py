"""Control tasks: one random label per word type."""

import numpy as np
import pytest
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_neurox import make_control_task, make_control_tasks


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


def sentences(n=600, length=8, n_types=30):
    rng = np.random.RandomState(0)
    words = rng.randint(n_types, size=(n, length))
    return words, np.repeat(np.arange(n), length)


class TestContext:
    def test_a_label_depends_on_the_word_and_the_class_of_its_neighbor(self):
        words, ids = sentences()
        task = make_control_task(
            words.ravel(), range(words.size), context="previous", sentence_ids=ids, random_state=0
        )
        labels = task.labels.reshape(words.shape)
        before = np.column_stack([np.full(len(words), 30), words[:, :-1]])  # 30 is the beginning
        is_same = {}
        for word in range(30):
            found = {}
            for other, label in zip(before[words == word], labels[words == word], strict=True):
                found.setdefault(int(other), set()).add(int(label))
            assert all(len(each) == 1 for each in found.values())
            assert len(set.union(*found.values())) == 2  # one for each class of the previous word
            for other, each in found.items():
                is_same.setdefault(other, set()).add(each == found[30])
        # The classes of the previous words are the same for all words.
        assert len(is_same) == 31
        assert all(len(each) == 1 for each in is_same.values())

    @pytest.mark.parametrize("context", ["previous", "next"])
    def test_words_in_another_order_have_other_labels(self, context):
        words, ids = sentences()
        task = make_control_task(
            words.ravel(), range(words.size), context=context, sentence_ids=ids, random_state=0
        )
        reverse = task.transform(
            words[:, ::-1].ravel(), sentence_ids=ids, on_unseen="draw"
        ).reshape(words.shape)[:, ::-1]
        share = (reverse == task.labels.reshape(words.shape)).mean()
        assert 0.35 < share < 0.65  # of two labels, at random
        plain = make_control_task(words.ravel(), range(words.size), random_state=0)
        np.testing.assert_array_equal(plain.transform(words.ravel()), plain.labels)

    def test_the_identity_of_the_word_does_not_suffice(self):
        words, ids = sentences()
        y = np.arange(words.size) % 2
        task = make_control_task(
            words.ravel(), y, context="previous", sentence_ids=ids, random_state=0
        )
        plain = make_control_task(words.ravel(), y, random_state=0)
        table = make_pipeline(OneHotEncoder(), MultinomialNB())
        train = ids < 400
        scores = [
            table.fit(words.ravel()[train, None], labels[train]).score(
                words.ravel()[~train, None], labels[~train]
            )
            for labels in (plain.labels, task.labels)
        ]
        assert scores[0] == 1
        # Of the words with two different labels, half, it knows the more frequent one.
        assert scores[1] < 0.85
        pairs = np.column_stack([words.ravel(), np.roll(words.ravel(), 1)])
        pairs[::8, 1] = 30  # the beginning of a sentence
        both = (pairs[:, 0] * 31 + pairs[:, 1])[:, None]
        table = make_pipeline(OneHotEncoder(handle_unknown="ignore"), MultinomialNB(alpha=1e-10))
        assert (
            table.fit(both[train], task.labels[train]).score(both[~train], task.labels[~train])
            > 0.97
        )

    def test_transform_repeats_the_labels(self):
        words, ids = sentences(n=50)
        task = make_control_task(
            words.ravel(), range(words.size), context="next", sentence_ids=ids, random_state=0
        )
        np.testing.assert_array_equal(task.transform(words.ravel(), sentence_ids=ids), task.labels)
        assert "word types by next word" in repr(task)
        with pytest.raises(ValueError, match="context='next' requires sentence_ids"):
            task.transform(words.ravel())
        with pytest.raises(ValueError, match="context='next' requires sentence_ids"):
            make_control_task(words.ravel(), range(words.size), context="next")
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            make_control_task(words.ravel(), range(words.size), context="next", sentence_ids=[0])


def test_several_tasks():
    words, y = [*"abcdefgh"] * 5, range(40)
    tasks = make_control_tasks(words, y, n_tasks=3, random_state=4)
    assert len({tuple(task.labels) for task in tasks}) == 3
    assert tasks[0].mapping == make_control_task(words, y, random_state=4).mapping
    few = make_control_tasks(words, y, n_tasks=2, n_labels=2, random_state=0)
    assert [len(set(task.labels)) for task in few] == [2, 2]
