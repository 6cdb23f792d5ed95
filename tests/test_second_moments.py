"""Second moments of values whose squares are outside the range of float64 are an error."""

import re

import numpy as np
import pytest
import torch

from sklearn_neurox import (
    LeaceEraser,
    LinearProbeClassifier,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
    MeanDifferenceClassifier,
)
from sklearn_neurox._second_moments import Moments

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
NUMBERS = X @ RNG.normal(size=4) + RNG.normal(size=60)
CLASSES = NUMBERS > 0
PROBE = dict(solver="owlqn", device="cpu")
FITS = {
    "eraser": (LeaceEraser(), CLASSES),
    "mean difference": (MeanDifferenceClassifier(whiten=True), CLASSES),
    "regressor": (LinearProbeRegressor(**PROBE), NUMBERS),
    "search": (LinearProbeRegressorCV(lambdas_l1=[0], lambdas_l2=[0], cv=3, **PROBE), NUMBERS),
    "classifier": (LinearProbeClassifier(lambda_l2=0.1, **PROBE), CLASSES),
}
UNDERFLOW = "values of neuron 1 differ from their mean by at most .*e-200, whose square underflows"


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize(("scale", "message"), [(1e-200, UNDERFLOW), (1e160, "neuron 1 overflows")])
def test_squares_of_x(kind, scale, message):
    estimator, y = FITS[kind]
    scaled = scale * X
    scaled[:, 0] = 0  # constant, and therefore not the reason
    start = "The squares of X exceeded the range of float64: "
    end = r"\. Scale X to about unit variance\.$"
    with pytest.raises(ValueError, match=f"^{start}(the )?{message}{end}"):
        estimator.fit(scaled, y)


@pytest.mark.parametrize("kind", ["regressor", "eraser"])
@pytest.mark.parametrize("scale", [1e-200, 1e160])
def test_squares_of_y(kind, scale):
    message = "^The squares of y exceeded the range of float64: .*column 0.* Scale y to about unit"
    with pytest.raises(ValueError, match=message):
        FITS[kind][0].fit(X, scale * NUMBERS)


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_scales_within_the_range(scale):
    """The erasure does not depend on the scale, and a neuron of another scale is negligible."""
    expected = LeaceEraser().fit_transform(X, CLASSES)
    erased = LeaceEraser().fit_transform(scale * X, CLASSES)
    np.testing.assert_allclose(erased / scale, expected, rtol=1e-8, atol=1e-10)
    wider = np.column_stack([X, 1e-200 * X[:, 0]])
    np.testing.assert_allclose(
        LeaceEraser().fit_transform(wider, CLASSES)[:, :4], expected, atol=1e-8
    )


@pytest.mark.parametrize("value", [0.0, 1e-200, 3.7, 1e100])
def test_constant_neurons_are_within_the_range(value):
    constant = torch.full((7, 2), value, dtype=torch.float64)
    moments = Moments.of(constant, torch.zeros(0, 7), torch.ones(7))
    assert (moments.covariances().neurons <= (1e-15 * value) ** 2).all()


def test_moments_of_no_samples():
    none = Moments.of(torch.zeros(0, 2), torch.zeros(1, 0), torch.zeros(0), torch.zeros(3))
    assert none.weight == 0
    some = Moments.of(torch.eye(2), torch.ones(1, 2), torch.ones(2), torch.zeros(3))
    assert torch.equal((some + none).products, some.products)


def test_the_columns_of_y_are_named_separately():
    y = np.column_stack([NUMBERS, NUMBERS]) * [1e-200, 1e-300]
    message = re.escape("column 0 differ from their mean by at most ")
    with pytest.raises(ValueError, match=message):
        LeaceEraser().fit(X, y)


@pytest.mark.parametrize("shift", [0, 1e6])
def test_moments_with_different_origins_are_merged(shift):
    """Also if the means of both parts differ by a million standard deviations."""
    rows = X + np.where(np.arange(60) < 20, 0, shift)[:, np.newaxis]
    weight = RNG.uniform(0.5, 2, size=60)

    def moments(some, origin=None):
        targets = torch.from_numpy(NUMBERS[np.newaxis, some])
        return Moments.of(
            torch.from_numpy(rows[some]), targets, torch.from_numpy(weight[some]), origin
        )

    origin = torch.tensor([shift + 3.0] * 4 + [1.0], dtype=torch.float64)
    first, second = moments(slice(0, 20)), moments(slice(20, 60), origin)
    before = first.products.clone(), second.products.clone()
    columns = np.c_[rows, NUMBERS]
    expected = np.cov(columns.T, aweights=weight, ddof=0)
    for merged in (first.merged(second), second.merged(first)):
        found = merged.covariances()
        mean = torch.cat([found.mean, found.target_mean])
        np.testing.assert_allclose(mean, np.average(columns, axis=0, weights=weight), rtol=1e-12)
        np.testing.assert_allclose(found.neurons, expected[:4, :4], rtol=1e-9)
        np.testing.assert_allclose(found.cross, expected[4:, :4], rtol=1e-7, atol=1e-9)
        assert merged.weight == pytest.approx(weight.sum())
    assert torch.equal(first.products, before[0])
    assert torch.equal(second.products, before[1])
