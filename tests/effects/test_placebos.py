"""Placebos are matched to the edit in what they must be matched in, and differ in the rest."""

import numpy as np
import pytest
from numpy.random import RandomState
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_neurox import (
    DirectionProjector,
    LeaceEraser,
    NeuronAblator,
    NullspaceEraser,
    SteeringVector,
)
from sklearn_neurox.effects._placebos import MatchedEdit, Matching, matched_neurons

RNG = RandomState(0)
STATES = RNG.normal(size=(400, 12)) * np.geomspace(0.3, 4, 12) + RNG.normal(size=12)
Y = RNG.randint(3, size=400)

EDITS = {
    "steering": SteeringVector(RNG.normal(size=12), 2),
    "projector": DirectionProjector(RNG.normal(size=(2, 12))),
    "leace": LeaceEraser().fit(STATES, Y),
    "zero": NeuronAblator([2, 7]).fit(STATES),
    "mean": NeuronAblator([2, 7], mode="mean").fit(STATES),
    "pipeline": make_pipeline(SteeringVector(RNG.normal(size=12)), DirectionProjector(np.eye(12)[0])),
}  # fmt: skip


def moved(edit, X=STATES):
    return edit.transform(X) - X


@pytest.mark.parametrize("kind", ["norm", "covariance", "largest"])
@pytest.mark.parametrize("name", EDITS)
def test_every_state_moves_as_far(name, kind):
    edit = EDITS[name]
    expected = np.linalg.norm(moved(edit), axis=1)
    placebos = list(Matching(edit, STATES).draw(kind, 3, RandomState(0)))
    assert len(placebos) == (1 if kind == "largest" else 3)
    for placebo in placebos:
        np.testing.assert_allclose(np.linalg.norm(moved(placebo), axis=1), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["norm", "covariance", "largest"])
@pytest.mark.parametrize(("name", "rank"), [("steering", 1), ("projector", 2), ("leace", 2)])
def test_placebos_have_the_rank_of_the_edit(name, rank, kind):
    for placebo in Matching(EDITS[name], STATES).draw(kind, 2, RandomState(0)):
        assert np.linalg.matrix_rank(moved(placebo), tol=1e-6) == rank
        together = np.hstack([moved(placebo).T, moved(EDITS[name]).T])
        assert np.linalg.matrix_rank(together, tol=1e-6) == 2 * rank


def test_a_constant_displacement_stays_constant():
    for kind in ("norm", "covariance"):
        one, other = Matching(EDITS["steering"], STATES).draw(kind, 2, RandomState(0))
        assert np.ptp(moved(one), axis=0).max() < 1e-6
        assert not np.allclose(moved(one), moved(other))


def test_a_projection_moves_states_towards_its_center():
    """Along a random direction, as the edit does along its own."""
    edit = LeaceEraser().fit(STATES, Y > 0)
    for placebo in Matching(edit, STATES).draw("norm", 3, RandomState(0)):
        direction = np.linalg.svd(moved(placebo))[2][0]
        along = (STATES - edit.center_) @ direction
        assert (np.sign(moved(placebo) @ direction) == -np.sign(along)).all()


def test_directions_are_drawn_from_the_covariance():
    edit = SteeringVector(np.eye(12)[0])
    drawn = np.array([placebo.placebo.direction for placebo in _draws(edit, "covariance")])
    covariance = np.cov(STATES.T)
    np.testing.assert_allclose(
        np.corrcoef(drawn.T), np.corrcoef(STATES.T), atol=4 / np.sqrt(len(drawn))
    )
    np.testing.assert_allclose(drawn.var(axis=0) / len(STATES), covariance.diagonal(), rtol=0.1)


def _draws(edit, kind):
    return Matching(edit, STATES).draw(kind, 3000, RandomState(0))


def test_isotropic_directions():
    directions = np.array([each.placebo.direction for each in _draws(EDITS["steering"], "norm")])
    np.testing.assert_allclose(np.cov(directions.T), np.eye(12), atol=0.1)


def test_the_largest_components_are_those_of_pca():
    edit = LeaceEraser().fit(STATES, Y)
    (placebo,) = Matching(edit, STATES).draw("largest", 5, RandomState(0))
    components = PCA(2).fit(STATES).components_
    found = np.linalg.svd(moved(placebo))[2][:2]
    np.testing.assert_allclose(found.T @ found, components.T @ components, atol=1e-6)


def test_the_largest_neurons():
    edit = NeuronAblator([0, 3], mode="mean").fit(STATES)
    (placebo,) = Matching(edit, STATES).draw("largest", 5, RandomState(0))
    assert set(np.flatnonzero(placebo.placebo.ablated_)) == set(np.argsort(STATES.std(0))[-2:])
    edit = NeuronAblator([0, 3]).fit(STATES)
    (placebo,) = Matching(edit, STATES).draw("largest", 5, RandomState(0))
    expected = np.argsort((STATES**2).mean(axis=0))[-2:]
    assert set(np.flatnonzero(placebo.placebo.ablated_)) == set(expected)


def test_neurons_are_matched_in_number_and_size():
    sizes = RandomState(0).permutation(200).astype(float)
    chosen = np.zeros(200, dtype=bool)
    chosen[RandomState(1).choice(200, 30, replace=False)] = True
    bins = (sizes // 20).astype(int)
    drawn = [matched_neurons(sizes, chosen, RandomState(seed)) for seed in range(400)]
    for neurons in drawn:
        assert len(set(neurons.tolist())) == 30
        assert not chosen[neurons].any()
        np.testing.assert_array_equal(
            np.bincount(bins[neurons], minlength=10), np.bincount(bins[chosen], minlength=10)
        )
    counts = np.bincount(np.concatenate(drawn), minlength=200)
    for number in range(10):
        others = (bins == number) & ~chosen
        expected = 400 * (bins[chosen] == number).sum() / others.sum()
        np.testing.assert_allclose(counts[others].mean(), expected)
        assert (abs(counts[others] - expected) <= 5 * np.sqrt(expected)).all()


@pytest.mark.parametrize(
    ("chosen", "pool"),
    [
        (range(60, 80), range(20, 60)),  # a whole bin
        (range(20, 40), [*range(20), *range(40, 60)]),
        (range(68, 80), range(40, 68)),  # more than half of a bin
        (range(20, 59), [*range(20), *range(59, 80)]),
    ],
)
def test_neurons_come_from_the_nearest_bins(chosen, pool):
    """Those that are ablated are never drawn, and draws differ."""
    mask = np.isin(np.arange(80), chosen)
    drawn = [matched_neurons(np.arange(80.0), mask, RandomState(seed)) for seed in range(200)]
    for neurons in drawn:
        assert len(set(neurons.tolist())) == len(chosen)
        assert set(neurons.tolist()) <= set(pool)
    assert set(np.concatenate(drawn).tolist()) == set(pool)
    assert len({tuple(neurons) for neurons in drawn}) > 100


@pytest.mark.parametrize("n_chosen", [4, 8])
def test_too_few_other_neurons(n_chosen):
    edit = NeuronAblator(range(n_chosen)).fit(STATES[:, :8])
    with pytest.raises(ValueError, match=f"{n_chosen} of 8 neurons are ablated by the edit. Abl"):
        list(Matching(edit, STATES[:, :8]).draw("norm", 1, RandomState(0)))


def test_the_ablation_of_other_neurons_has_the_mode_of_the_edit():
    edit = NeuronAblator([0, 3], mode="mean").fit(STATES)
    for placebo in Matching(edit, STATES).draw("norm", 4, RandomState(0)):
        neurons = np.flatnonzero(placebo.placebo.ablated_)
        assert not {0, 3} & set(neurons.tolist())
        np.testing.assert_allclose(placebo.placebo.fill_, STATES[:, neurons].mean(axis=0))


@pytest.mark.parametrize(
    "edit",
    [
        NeuronAblator([]).fit(STATES),
        NullspaceEraser(None),
        FunctionTransformer().fit(STATES),
    ],
)
def test_an_edit_without_effect_has_placebos_without_effect(edit):
    if isinstance(edit, NullspaceEraser):  # one that did not find anything
        edit.basis_, edit.n_features_in_ = np.zeros((12, 0)), 12
    for kind in ("norm", "covariance", "largest"):
        with _numpy_warning(edit):
            placebos = list(Matching(edit, STATES).draw(kind, 2, RandomState(0)))
            for placebo in placebos:
                np.testing.assert_array_equal(placebo.transform(STATES), STATES)


def _numpy_warning(edit):
    from contextlib import nullcontext

    if isinstance(edit, FunctionTransformer):
        return pytest.warns(UserWarning, match="edits NumPy arrays")
    return nullcontext()


def test_a_state_that_the_placebo_does_not_move():
    placebo = MatchedEdit(SteeringVector([1.0, 0.0]), DirectionProjector([0.0, 1.0]))
    X = np.array([[3.0, 0.0], [3.0, 4.0]])
    np.testing.assert_array_equal(placebo.transform(X), [[3, 0], [3, 3]])
