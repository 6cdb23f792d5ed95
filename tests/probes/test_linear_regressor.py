"""The linear probe of numbers."""

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge

from sklearn_neurox import (
    LinearProbeRegressor,
)

# A few epochs, which do not reach the mean of y, are enough for what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:After the last epoch, the squared error")

FAST = dict(max_epochs=3, random_state=0, device="cpu")
LONG = dict(max_epochs=300, batch_size=1000, learning_rate=0.05, random_state=0, device="cpu")
RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)
NUMBERS = X @ RNG.normal(size=8) + RNG.normal(size=150)


def test_regressor_reaches_ridge():
    X, Y = make_regression(200, 10, n_targets=3, noise=1, random_state=0)
    Y = Y / Y.std(axis=0)
    lam = 0.1
    probe = LinearProbeRegressor(lambda_l2=lam, l2_penalty="squared", **LONG).fit(X, Y)
    ridge = Ridge(alpha=lam * 3 * len(X)).fit(X, Y)  # mean over 3 outputs and n samples
    np.testing.assert_allclose(probe.coef_, ridge.coef_, atol=5e-3)
    assert probe.coef_.shape == (3, 10)
    np.testing.assert_allclose(probe.predict(X), ridge.predict(X), atol=0.02)


def test_regressor_keeps_the_shape_of_y(classification):
    X, _ = classification
    y = X[:, 0]
    one = LinearProbeRegressor(**FAST).fit(X, y)
    column = LinearProbeRegressor(**FAST).fit(X, y[:, np.newaxis])
    assert one.coef_.shape == (12,)
    assert one.predict(X).shape == (150,)
    assert column.predict(X).shape == (150, 1)  # NeuroX broadcasts it to 150 x 150
    np.testing.assert_array_equal(one.coef_, column.coef_[0])


class TestBadInput:
    def test_labels_as_numbers(self, classification):
        X, y = classification
        with pytest.raises(TypeError, match=r"y must contain numbers, but y\[0\] = 'b'"):
            LinearProbeRegressor().fit(X, np.array(["b", "b", "b"])[y])

    @pytest.mark.parametrize("missing", [None, np.nan])
    def test_samples_without_a_number(self, missing):
        with pytest.raises((TypeError, ValueError), match=rf"y must .* y\[0\] = {missing}"):
            LinearProbeRegressor().fit(X, [missing, *NUMBERS[1:].tolist()])
