"""Steering adds a vector, projection removes components, and both equal the algebra."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from sklearn_neurox import DirectionProjector, LeaceEraser, SteeringVector

RNG = np.random.RandomState(0)
X = RNG.normal(2, 1, size=(60, 7))
Y = RNG.randint(3, size=60)
DIRECTIONS = RNG.normal(size=(3, 7))
EDITS = [
    SteeringVector(DIRECTIONS[0], -0.5),
    DirectionProjector(DIRECTIONS),
    DirectionProjector(DIRECTIONS[0], center=X.mean(axis=0)),
    LeaceEraser(),
]


def test_steering():
    np.testing.assert_allclose(
        SteeringVector(DIRECTIONS[0], 2.5).transform(X), X + 2.5 * DIRECTIONS[0]
    )
    there, back = SteeringVector(DIRECTIONS[1]), SteeringVector(DIRECTIONS[1], strength=-1)
    np.testing.assert_allclose(make_pipeline(there, back).fit_transform(X), X)


def test_projection_is_the_least_squares_residual():
    edited = DirectionProjector(DIRECTIONS).transform(X)
    coefficients = np.linalg.lstsq(DIRECTIONS.T, X.T, rcond=None)[0]
    np.testing.assert_allclose(edited, X - coefficients.T @ DIRECTIONS, atol=1e-12)
    np.testing.assert_allclose(edited @ DIRECTIONS.T, 0, atol=1e-12)
    np.testing.assert_allclose(DirectionProjector(DIRECTIONS).transform(edited), edited)


def test_projection_depends_only_on_the_span():
    expected = DirectionProjector(DIRECTIONS[:2]).transform(X)
    others = [
        DIRECTIONS[:2] * np.array([[1e-9], [-1e9]]),
        np.vstack([DIRECTIONS[:2], DIRECTIONS[0] + DIRECTIONS[1]]),
        np.linalg.qr(DIRECTIONS[:2].T)[0].T,
    ]
    for directions in others:
        np.testing.assert_allclose(DirectionProjector(directions).transform(X), expected, atol=1e-9)


def test_components_along_the_directions_become_those_of_the_center():
    center = RNG.normal(size=7)
    edited = DirectionProjector(DIRECTIONS[:2], center=center).transform(X)
    np.testing.assert_allclose(
        edited @ DIRECTIONS[:2].T, np.tile(DIRECTIONS[:2] @ center, (60, 1)), atol=1e-12
    )


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: type(edit).__name__)
def test_states_are_edited_as_rows_are(edit):
    """States of any shape and dtype; narrow dtypes are computed in float32 and rounded once."""
    edit = clone(edit).fit(X, Y)
    states = torch.from_numpy(X.astype(np.float32)).reshape(4, 15, 7)
    before = states.clone()
    edited = edit.state_edit(torch.float32, states.device)(states)
    assert torch.equal(states, before)
    np.testing.assert_array_equal(
        edited.reshape(60, 7).numpy(), edit.transform(X.astype(np.float32))
    )
    for narrow in (torch.bfloat16, torch.float16):
        rounded = states.to(narrow)
        expected = edit.state_edit(torch.float32, states.device)(rounded.float()).to(narrow)
        found = edit.state_edit(narrow, states.device)(rounded)
        assert found.dtype == narrow
        assert torch.equal(found, expected)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: type(edit).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_a_surrounding_autocast_changes_nothing(edit, dtype):
    states = torch.from_numpy(X).to(dtype)
    fitted = clone(edit).fit(X.astype(np.float32), Y)
    expected = fitted.state_edit(dtype, states.device)(states)
    with torch.autocast("cpu", torch.bfloat16):
        again = clone(edit).fit(X.astype(np.float32), Y)
        found = again.state_edit(dtype, states.device)(states)
    assert found.dtype == dtype
    assert torch.equal(found, expected)


@pytest.mark.parametrize("edit", EDITS[:3], ids=lambda edit: type(edit).__name__)
def test_given_directions_do_not_need_fit(edit):
    np.testing.assert_array_equal(clone(edit).transform(X), clone(edit).fit(X).transform(X))
    assert clone(edit).width == 7


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (SteeringVector([1.0, 2.0]), "edits states of 2 neurons, got states of 7 neurons"),
        (DirectionProjector(np.eye(6)), "edits states of 6 neurons, got states of 7 neurons"),
        (SteeringVector(DIRECTIONS), "must be a single vector, got 3 vectors"),
        (SteeringVector(np.zeros(7)), "direction must not be 0, but direction 0 is"),
        (DirectionProjector([[1] * 7, [0] * 7]), "directions must not be 0, but direction 1 is"),
        (DirectionProjector(np.zeros((0, 7))), r"directions must have shape .* got \(0, 7\)"),
        (DirectionProjector([1.0, np.nan, 0]), "direction 0 has the value nan for neuron 1"),
        (DirectionProjector(DIRECTIONS, center=[0.0]), "center must contain one number for each"),
    ],
    ids=str,
)
def test_invalid_directions(edit, message):
    with pytest.raises(ValueError, match=message):
        edit.transform(X)
