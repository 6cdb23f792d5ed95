"""Standard deviations of neurons, against NumPy."""

import numpy as np

from sklearn_neurox._moments import neuron_std


def test_neuron_std_is_the_standard_deviation():
    rng = np.random.RandomState(0)
    X = rng.normal(5, 3, size=(3000, 4)).astype(np.float32)
    np.testing.assert_allclose(neuron_std(X), X.astype(float).std(axis=0), rtol=1e-10)
    X[:, 2] = np.float32(1.1)
    X[:, 3] = 1e-30 * rng.normal(size=3000)
    assert neuron_std(X)[2:].tolist() == [0, 0]
    np.testing.assert_allclose(
        neuron_std(X[:, 3:]), X[:, 3].std(dtype=float)
    )  # no other neuron to compare with


def test_neuron_std_counts_weights_as_repetitions():
    rng = np.random.RandomState(0)
    X, times = rng.normal(size=(50, 3)), rng.randint(4, size=50)
    np.testing.assert_allclose(neuron_std(X, times), X.repeat(times, axis=0).std(axis=0))
    np.testing.assert_allclose(neuron_std(1e200 * X), 1e200 * X.std(axis=0))


def test_squares_of_neurons_may_exceed_the_range():
    X = np.random.RandomState(0).normal(size=(50, 4))
    for scale in (1e-200, 1e-99, 1e99, 1e200, [1e110, 1e100, 1e99, 1e98]):
        scaled = X * scale
        np.testing.assert_allclose(neuron_std(scaled), X.std(axis=0) * scale, rtol=1e-12)
