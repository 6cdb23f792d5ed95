"""What models and rankings have in common."""

import numpy as np
import pytest

from sklearn_neurox import cross_model_correlation_scores, ranking_overlap, vote


@pytest.fixture(scope="module")
def models():
    rng = np.random.RandomState(0)
    common = rng.normal(size=(200, 3))
    first = np.column_stack([common, rng.normal(size=(200, 2))])
    second = np.column_stack([rng.normal(size=200), -3 * common[:, 0] + 7, common[:, 1] ** 3])
    third = np.column_stack([common[:, 0] + rng.normal(size=200), np.full(200, 2.5)])
    return [first, second, third]


class TestCrossModelCorrelation:
    @pytest.mark.parametrize("reduce", ["max", "min"])
    def test_against_corrcoef(self, models, reduce):
        moving = [models[0], models[1], models[2][:, :1]]
        found = cross_model_correlation_scores(moving, reduce=reduce)
        for m, X in enumerate(moving):
            best = [
                np.abs(np.corrcoef(X.T, other.T)[: X.shape[1], X.shape[1] :]).max(axis=1)
                for o, other in enumerate(moving)
                if o != m
            ]
            np.testing.assert_allclose(found[m], getattr(np, reduce)(best, axis=0), rtol=1e-9)

    def test_a_copy_under_another_scale_and_sign_is_found(self, models):
        scores, _, _ = cross_model_correlation_scores(models)
        np.testing.assert_allclose(scores[0], 1)
        assert (scores[3:] < 0.4).all()

    def test_a_constant_neuron_has_zero(self, models):
        assert cross_model_correlation_scores(models)[2][1] == 0

    def test_scores_do_not_depend_on_units_or_the_order_of_models(self, models):
        units = [X * 1e-6 + 3 for X in models[::-1]]
        for scores, expected in zip(
            cross_model_correlation_scores(units)[::-1],
            cross_model_correlation_scores(models),
            strict=True,
        ):
            np.testing.assert_allclose(scores, expected, atol=1e-6)

    @pytest.mark.parametrize("dtype", [np.float32, np.float16])
    def test_narrow_types(self, models, dtype):
        narrow = cross_model_correlation_scores([X.astype(dtype) for X in models])
        for scores, expected in zip(narrow, cross_model_correlation_scores(models), strict=True):
            np.testing.assert_allclose(scores, expected, atol=20 * np.finfo(dtype).eps)

    def test_pieces(self, models, monkeypatch):
        expected = cross_model_correlation_scores(models)
        monkeypatch.setattr("sklearn_neurox.neurons._correlation._WORDS", 7)
        monkeypatch.setattr("sklearn_neurox.neurons._correlation._NEURONS", 2)
        for scores, whole in zip(cross_model_correlation_scores(models), expected, strict=True):
            np.testing.assert_allclose(scores, whole, rtol=1e-9)

    @pytest.mark.parametrize(
        ("Xs", "parameters", "message"),
        [
            ([np.eye(3)], {}, "give at least two, got 1"),
            ([np.eye(3), np.eye(4)], {}, r"same words, got \[3, 4\] of them"),
            ([np.eye(1), np.eye(1)], {}, "minimum of 2 is required"),
            ([np.eye(3), np.diag([1, 1, np.nan])], {}, r"Xs\[1\] contains NaN.*row 2, column 2"),
            ([np.eye(3), np.eye(3)], dict(reduce="mean"), "must be 'max' or 'min', got 'mean'"),
        ],
    )
    def test_errors(self, Xs, parameters, message):
        with pytest.raises(ValueError, match=message):
            cross_model_correlation_scores(Xs, **parameters)


class TestOverlap:
    def test_it_is_intersection_over_union(self):
        rng = np.random.RandomState(0)
        rankings = [rng.permutation(50) for _ in range(4)]
        overlap = ranking_overlap(rankings, k=20)
        for i, first in enumerate(rankings):
            for j, second in enumerate(rankings):
                a, b = set(first[:20]), set(second[:20])
                assert overlap[i, j] == len(a & b) / len(a | b)

    def test_of_all_neurons_it_is_one(self):
        assert (ranking_overlap([[0, 1, 2], [2, 1, 0]], k=3) == 1).all()

    def test_rankings_by_chance(self):
        rng = np.random.RandomState(0)
        overlap = ranking_overlap([rng.permutation(1000) for _ in range(30)], k=100)
        by_chance = overlap[~np.eye(30, dtype=bool)].mean()
        np.testing.assert_allclose(by_chance, 100 / (2000 - 100), rtol=0.05)


class TestVote:
    def test_points(self):
        # Of 3: neuron 0 gets 3 + 1 + 3, neuron 1 2 + 2 + 0, neuron 2 1 + 3 + 2, neuron 3 0 + 0 + 1.
        rankings = [[0, 1, 2, 3], [2, 1, 0, 3], [0, 2, 3, 1]]
        assert vote(rankings, k=3).tolist() == [0, 2, 1, 3]

    def test_one_voter_decides(self):
        ranking = np.random.RandomState(0).permutation(40)
        np.testing.assert_array_equal(vote([ranking]), ranking)
        np.testing.assert_array_equal(vote([ranking, ranking, ranking]), ranking)

    def test_voters_of_opposite_mind_leave_it_to_the_index(self):
        ranking = np.random.RandomState(0).permutation(40)
        np.testing.assert_array_equal(vote([ranking, ranking[::-1]]), np.arange(40))

    def test_neurons_without_a_vote_follow_by_index(self):
        assert vote([[3, 2, 1, 0], [3, 2, 0, 1]], k=1).tolist() == [3, 0, 1, 2]

    def test_voters_are_equal(self):
        rng = np.random.RandomState(0)
        rankings = [rng.permutation(30) for _ in range(5)]
        np.testing.assert_array_equal(vote(rankings, k=9), vote(rankings[::-1], k=9))

    def test_neurons_are_equal(self):
        """Other numbers of the neurons are voted for as such, where points differ."""
        rng = np.random.RandomState(1)
        rankings = [rng.permutation(6) for _ in range(40)]
        ordering, number = vote(rankings), rng.permutation(6)
        points = np.sum([6 - np.argsort(r) for r in rankings], axis=0)
        assert len(set(points)) == 6
        np.testing.assert_array_equal(vote([number[r] for r in rankings]), number[ordering])


@pytest.mark.parametrize(
    ("rankings", "k", "message"),
    [
        ([[0, 1]], 0, "k == 0, must be >= 1"),
        ([[0, 1, 1]], 1, "1 comes twice"),
        ([[0, -1]], 1, "indices run from 0 on; got -1"),
        ([], 1, "at least one ranking"),
        ([[], []], 1, "at least one ranking"),
    ],
)
def test_bad_rankings(rankings, k, message):
    for function in (ranking_overlap, vote):
        with pytest.raises(ValueError, match=message):
            function(rankings, k=k)


def test_rankings_are_integers():
    for function in (ranking_overlap, vote):
        with pytest.raises(TypeError, match=r"integers from 0 on .* dtype float64"):
            function([[0.0, 1.0]], k=1)
        for no_rankings in ([0, 1, 2], [[[0], [1, 2]]], None, np.arange(3)):
            with pytest.raises(TypeError, match="Expected a list of"):
                function(no_rankings, k=1)


def test_large_numbers_of_neurons_take_no_room():
    assert ranking_overlap([[0, 10**12], [1, 0]], k=2)[0, 1] == 1 / 3


def test_k_is_within_the_rankings():
    with pytest.raises(ValueError, match="k=3, but a ranking has 2 neurons"):
        ranking_overlap([[0, 1, 2], [0, 1]], k=3)
    with pytest.raises(ValueError, match="k == 3, must be <= 2"):
        vote([[0, 1]], k=3)
    with pytest.raises(ValueError, match=r"same 2 neurons once; ranking 1 has 2, from 1 to 2"):
        vote([[0, 1], [1, 2]])
