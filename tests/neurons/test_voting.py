"""Overlap of rankings and votes on them."""

import numpy as np
import pytest

from sklearn_neurox import ranking_overlap, vote


class TestOverlap:
    def test_it_is_intersection_over_union(self):
        rng = np.random.RandomState(0)
        rankings = [rng.permutation(50) for _ in range(4)]
        overlap = ranking_overlap(rankings, n_neurons=20)
        for i, first in enumerate(rankings):
            for j, second in enumerate(rankings):
                a, b = set(first[:20]), set(second[:20])
                assert overlap[i, j] == len(a & b) / len(a | b)

    def test_of_all_neurons_it_is_one(self):
        assert (ranking_overlap([[0, 1, 2], [2, 1, 0]], n_neurons=3) == 1).all()

    def test_random_rankings(self):
        rng = np.random.RandomState(0)
        overlap = ranking_overlap([rng.permutation(1000) for _ in range(30)], n_neurons=100)
        random_overlap = overlap[~np.eye(30, dtype=bool)].mean()
        np.testing.assert_allclose(random_overlap, 100 / (2000 - 100), rtol=0.05)


class TestVote:
    def test_points(self):
        # Of 3: neuron 0 gets 3 + 1 + 3, neuron 1 2 + 2 + 0, neuron 2 1 + 3 + 2, neuron 3 0 + 0 + 1.
        rankings = [[0, 1, 2, 3], [2, 1, 0, 3], [0, 2, 3, 1]]
        assert vote(rankings, n_votes=3).tolist() == [0, 2, 1, 3]

    def test_one_voter_decides(self):
        ranking = np.random.RandomState(0).permutation(40)
        np.testing.assert_array_equal(vote([ranking]), ranking)
        np.testing.assert_array_equal(vote([ranking, ranking, ranking]), ranking)

    def test_opposite_rankings_cancel(self):
        ranking = np.random.RandomState(0).permutation(40)
        np.testing.assert_array_equal(vote([ranking, ranking[::-1]]), np.arange(40))

    def test_neurons_without_a_vote_follow_by_index(self):
        assert vote([[3, 2, 1, 0], [3, 2, 0, 1]], n_votes=1).tolist() == [3, 0, 1, 2]

    def test_the_order_of_the_rankings_does_not_matter(self):
        rng = np.random.RandomState(0)
        rankings = [rng.permutation(30) for _ in range(5)]
        np.testing.assert_array_equal(vote(rankings, n_votes=9), vote(rankings[::-1], n_votes=9))

    def test_the_numbering_of_the_neurons_does_not_matter(self):
        """Renumbered neurons are ranked alike, unless there are ties."""
        rng = np.random.RandomState(1)
        rankings = [rng.permutation(6) for _ in range(40)]
        ordering, number = vote(rankings), rng.permutation(6)
        points = np.sum([6 - np.argsort(r) for r in rankings], axis=0)
        assert len(set(points)) == 6
        np.testing.assert_array_equal(vote([number[r] for r in rankings]), number[ordering])


@pytest.mark.parametrize(
    ("function", "parameter"), [(ranking_overlap, "n_neurons"), (vote, "n_votes")]
)
@pytest.mark.parametrize(
    ("rankings", "number", "message"),
    [
        ([[0, 1]], 0, "{parameter} == 0, must be >= 1"),
        ([[0, 1, 1]], 1, "Each neuron can be listed only once; 1 is repeated"),
        ([[0, -1]], 1, "neuron indices must be non-negative integers, got -1"),
        ([], 1, "at least one ranking of at least one neuron"),
        ([[], []], 1, "at least one ranking of at least one neuron"),
    ],
)
def test_bad_rankings(function, parameter, rankings, number, message):
    with pytest.raises(ValueError, match=message.format(parameter=parameter)):
        function(rankings, **{parameter: number})


@pytest.mark.parametrize(
    ("function", "parameter"), [(ranking_overlap, "n_neurons"), (vote, "n_votes")]
)
def test_rankings_are_integers(function, parameter):
    with pytest.raises(
        TypeError, match=r"list of neuron indices .non-negative integers., got .*float64"
    ):
        function([[0.0, 1.0]], **{parameter: 1})
    for no_rankings in ([0, 1, 2], [[[0], [1, 2]]], None, np.arange(3)):
        with pytest.raises(
            TypeError,
            match=r"rankings must be a list of rankings, got a single ranking|Expected a list of neuron ind",
        ):
            function(no_rankings, **{parameter: 1})


def test_memory_does_not_depend_on_the_size_of_the_indices():
    assert ranking_overlap([[0, 10**12], [1, 0]], n_neurons=2)[0, 1] == 1 / 3


def test_numbers_are_within_the_rankings():
    with pytest.raises(
        ValueError, match="n_neurons must be at most the length of the shortest ranking, 2, got 3"
    ):
        ranking_overlap([[0, 1, 2], [0, 1]], n_neurons=3)
    with pytest.raises(ValueError, match="n_votes == 3, must be <= 2"):
        vote([[0, 1]], n_votes=3)
    with pytest.raises(
        ValueError, match=r"same 2 neurons once, but ranking 1 has 2 neurons, from 1 to 2"
    ):
        vote([[0, 1], [1, 2]])
