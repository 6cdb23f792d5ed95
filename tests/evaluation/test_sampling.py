"""Class-balanced samples, drawn without replacement."""

import numpy as np
import pytest

from sklearn_neurox import balanced_indices


@pytest.mark.parametrize("y", [[0, 1, 1, 1], list("abcabcaab") * 5, [True, False, True, True]])
@pytest.mark.parametrize("seed", range(5))
def test_classes_are_equal_and_samples_distinct(y, seed):
    indices = balanced_indices(y, random_state=seed)
    _, counts = np.unique(np.array(y)[indices], return_counts=True)
    assert set(counts) == {np.unique(y, return_counts=True)[1].min()}
    assert (np.diff(indices) > 0).all()


def test_a_number_of_samples():
    y = np.repeat(["a", "b", "c"], [10, 20, 30])
    assert np.unique(y[balanced_indices(y, n_samples=7)], return_counts=True)[1].tolist() == [7] * 3
    with pytest.raises(
        ValueError,
        match=r"n_samples must be at most the size of the smallest class, got 15. Classes with fewer samples: {'a': 10}",
    ):
        balanced_indices(y, n_samples=15)
    with pytest.raises(
        ValueError,
        match=r"'n_samples' parameter of balanced_indices must be an int in the range \[1, inf\)",
    ):
        balanced_indices(y, n_samples=0)


def test_every_sample_can_be_drawn():
    y = np.repeat([0, 1], [3, 30])
    drawn = {int(i) for seed in range(200) for i in balanced_indices(y, random_state=seed)}
    assert drawn == set(range(33))


def test_random_state_controls_the_samples():
    y = np.arange(100) % 3
    first, again, other = (balanced_indices(y, n_samples=9, random_state=s) for s in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


def test_one_class():
    with pytest.raises(
        ValueError, match="balanced_indices requires at least 2 classes, got 1 class"
    ):
        balanced_indices(["a", "a"])


@pytest.mark.parametrize("odd", [None, 1], ids=str)
def test_labels_of_several_kinds_are_an_error(odd):
    with pytest.raises(TypeError, match=rf"y must contain labels of one kind.* y\[2\] = {odd}"):
        balanced_indices(["N", "V", odd, "N"] * 5)


@pytest.mark.parametrize("labels", [["N", np.nan, "V"], [1.0, np.nan, 2.0]], ids=str)
def test_a_label_that_is_nan_is_an_error(labels):
    with pytest.raises(ValueError, match=r"y must not contain NaN or infinity: y\[1\] = nan"):
        balanced_indices(labels * 5)
