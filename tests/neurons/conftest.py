import numpy as np
import pytest


@pytest.fixture(scope="session")
def data(classification):
    """Samples of classes "a", "b" and "c", which raise neurons 0, 1 and 2 of 12."""
    X, y = classification
    return X, np.array(["a", "b", "c"])[y]


@pytest.fixture(scope="session")
def correlated():
    """Samples of 18 neurons: three groups, some of them negated, and six independent neurons."""
    rng = np.random.RandomState(0)
    factors = rng.normal(size=(300, 3))
    groups = np.repeat(factors, [5, 4, 3], axis=1) * rng.choice([-1, 1], size=12)
    X = np.hstack([groups + 0.4 * rng.normal(size=(300, 12)), rng.normal(size=(300, 6))])
    return X[:, rng.permutation(18)]
