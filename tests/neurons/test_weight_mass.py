"""Weight mass: smallest sets, permutations, ties, and errors."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from sklearn_neurox import (
    bottom_neurons,
    threshold_neurons,
    top_neurons,
    weight_mass_ordering,
)

MASSES = [0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.75, 0.9, 0.95, 1]


@pytest.fixture(params=range(6))
def coef(request):
    """Small integers, with many ties and zeros, and with exact sums."""
    return np.random.RandomState(request.param).randint(-4, 5, size=(3, 7))


@pytest.mark.parametrize("mass", MASSES)
def test_top_is_the_smallest_set_that_holds_the_mass(coef, mass):
    _, per_class = top_neurons(coef, mass)
    for row, chosen in zip(np.abs(coef), per_class, strict=True):
        goal = Fraction(str(mass)) * int(row.sum())
        assert row[chosen].sum() >= goal
        smaller = combinations(range(len(row)), max(len(chosen) - 1, 0))
        if len(chosen):
            assert all(row[list(neurons)].sum() < goal for neurons in smaller)


@pytest.mark.parametrize("mass", MASSES)
def test_bottom_is_the_shortest_prefix_from_the_smallest(coef, mass):
    _, per_class = bottom_neurons(coef, mass)
    for row, chosen in zip(np.abs(coef), per_class, strict=True):
        goal = Fraction(str(mass)) * int(row.sum())
        assert row[chosen].sum() >= goal
        assert not len(chosen) or row[chosen[:-1]].sum() < goal
        others = np.setdiff1d(np.arange(len(row)), chosen)
        assert not len(chosen) or row[others].min(initial=9) >= row[chosen].max()


def test_extreme_masses(coef):
    assert [len(neurons) for neurons in top_neurons(coef, 0)[1]] == [0, 0, 0]
    assert [len(neurons) for neurons in top_neurons(coef, 1)[1]] == list((coef != 0).sum(axis=1))
    assert top_neurons(coef, 0)[0].dtype.kind == "i"
    assert threshold_neurons(coef, 1)[0].size == 0
    assert [len(n) for n in threshold_neurons(coef, 0)[1]] == list((coef != 0).sum(axis=1))


def test_mass_one_in_float32_loses_no_neuron():
    """A float32 sum reaches its total early, and NeuroX drops the neurons after that point."""
    coef = np.ones((1, 100_000), dtype=np.float32) * 1e-4
    coef[0, 0] = 1e4
    assert len(top_neurons(coef, 1)[0]) == 100_000


@pytest.mark.parametrize("n", [3, 7, 10, 49, 1000])
@pytest.mark.parametrize("weight", [0.1, 0.7, 1e-20])
def test_equal_weights_are_counted_not_rounded(n, weight):
    """Sums of 0.1 are inexact, but the k-th of n weights still completes a mass of k / n."""
    coef = np.full((1, n), weight)
    _, cutoffs = weight_mass_ordering(coef, n_bins=n)
    assert cutoffs.tolist() == list(range(n + 1))
    for k in range(n + 1):
        assert len(top_neurons(coef, k / n)[0]) == k
        assert len(bottom_neurons(coef, k / n)[0]) == k


def test_weights_beyond_rounding_keep_their_order():
    """In float64, all of the mass lies before each of them."""
    powers = 10.0 ** -np.arange(40)[::-1]
    ordering, _ = weight_mass_ordering([powers])
    assert ordering.tolist() == list(range(40))[::-1]


def test_a_class_without_weights_selects_no_neurons():
    coef = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 2.0]])
    for select in (top_neurons, bottom_neurons, threshold_neurons):
        assert select(coef, 0.5)[1][0].size == 0
    ordering, cutoffs = weight_mass_ordering(np.zeros((2, 3)))
    assert ordering.tolist() == [0, 1, 2]
    assert set(cutoffs) == {0}


@pytest.mark.parametrize("n_bins", [1, 4, 10, 100])
def test_ordering_is_the_union_of_growing_masses(coef, n_bins):
    ordering, cutoffs = weight_mass_ordering(coef, n_bins=n_bins)
    assert sorted(ordering) == list(range(7))
    assert len(cutoffs) == n_bins + 1
    for p, cutoff in enumerate(cutoffs):
        assert sorted(ordering[:cutoff]) == top_neurons(coef, p / n_bins)[0].tolist()
    unweighted = np.flatnonzero((coef == 0).all(axis=0))
    assert ordering[cutoffs[-1] :].tolist() == unweighted.tolist()


def test_ordering_on_continuous_weights():
    coef = np.random.RandomState(0).standard_t(2, size=(17, 300))
    ordering, cutoffs = weight_mass_ordering(coef)
    for p in range(101):
        assert sorted(ordering[: cutoffs[p]]) == top_neurons(coef, p / 100)[0].tolist()


def test_chunks_hold_at_least_their_size(coef):
    ordering, cutoffs = weight_mass_ordering(coef, chunk_size=3)
    every, all_cutoffs = weight_mass_ordering(coef)
    np.testing.assert_array_equal(ordering, every)
    assert cutoffs[0] == 0
    assert cutoffs[-1] == 7
    assert set(cutoffs[:-1]) <= set(all_cutoffs)
    assert all(cutoffs[j] >= 3 * j for j in range(len(cutoffs) - 1))


def test_the_sign_and_the_size_of_a_class_do_not_matter(coef):
    factors = np.array([[1], [-3], [7]])
    np.testing.assert_array_equal(
        weight_mass_ordering(coef)[0], weight_mass_ordering(coef * factors)[0]
    )


def test_scale_undoes_a_change_of_units():
    coef = np.random.RandomState(0).normal(size=(3, 20))
    units = np.random.RandomState(1).uniform(0.01, 100, size=20)
    expected, _ = weight_mass_ordering(coef)
    scaled, _ = weight_mass_ordering(coef / units, scale=units)
    np.testing.assert_array_equal(scaled, expected)
    assert (weight_mass_ordering(coef / units)[0] != expected).any()


@pytest.mark.parametrize("mass", [-0.1, 1.1, 10, np.nan])
@pytest.mark.parametrize("select", [top_neurons, bottom_neurons, threshold_neurons])
def test_a_share_outside_its_range(select, mass):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], got"):
        select(np.ones((2, 3)), mass)


@pytest.mark.parametrize("select", [top_neurons, bottom_neurons, threshold_neurons])
@pytest.mark.parametrize(
    ("coef", "scale", "message"),
    [
        ([[1, np.nan]], None, "coef contains NaN"),
        ([1, 2], None, r"coef must have shape \(n_classes, n_neurons\), .* got 2 numbers"),
        (np.ones(3), None, r"got 3 numbers. Pass \[coef\] for the weights of a single class"),
        ([[1, 2]], [1], "one number for each of the 2 neurons, got 1"),
        ([[1, 2]], [1, -1], "scale must be non-negative, got -1"),
        ([[1, 2]], [1, np.inf], "scale contains infinity"),
    ],
)
def test_bad_weights(select, coef, scale, message):
    with pytest.raises(ValueError, match=message):
        select(coef, 0.5, scale=scale)


@pytest.mark.parametrize("mass", ["0.5", None])
def test_a_share_that_is_not_a_number(mass):
    with pytest.raises(TypeError, match=r"mass must be a number in \[0, 1\], got"):
        top_neurons(np.ones((2, 3)), mass)


def test_a_scale_that_overflows():
    with pytest.raises(ValueError, match="overflows"), np.errstate(over="ignore"):
        top_neurons([[1e300, 1]], 0.5, scale=[1e300, 1])


@pytest.mark.parametrize("parameter", ["n_bins", "chunk_size"])
def test_bad_numbers_of_bins(parameter):
    with pytest.raises(ValueError, match=f"{parameter} == 0, must be >= 1"):
        weight_mass_ordering([[1, 2]], **{parameter: 0})
    with pytest.raises(TypeError, match=parameter):
        weight_mass_ordering([[1, 2]], **{parameter: 1.5})
