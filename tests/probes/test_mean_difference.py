"""The mean-difference probe is the nearest-mean classifier or, whitened, scikit-learn's LDA."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid

from sklearn_neurox import LinearProbeClassifier, MeanDifferenceClassifier

IRIS = load_iris(return_X_y=True)
TWO = (IRIS[0][50:], np.array(["versicolor", "virginica"])[IRIS[1][50:] - 1])


# Some pixels of the digits are constant.
@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_ has at least 1 zero")
@pytest.mark.parametrize("data", [IRIS, TWO, load_digits(return_X_y=True)], ids=["3", "2", "10"])
def test_nearest_mean(data):
    X, y = data
    probe = MeanDifferenceClassifier().fit(X, y)
    centroids = NearestCentroid().fit(X, y)
    np.testing.assert_allclose(probe.means_, centroids.centroids_)
    np.testing.assert_array_equal(probe.predict(X), centroids.predict(X))
    scores = probe.decision_function(X)
    distance = ((X[:, None] - probe.means_) ** 2).sum(axis=2) / 2
    if len(probe.classes_) == 2:
        np.testing.assert_allclose(scores, distance[:, 0] - distance[:, 1])
    else:
        np.testing.assert_allclose(
            scores - scores[:, :1], distance[:, :1] - distance, atol=1e-9 * distance.max()
        )
    assert not hasattr(probe, "predict_proba")


@pytest.mark.parametrize("data", [IRIS, TWO], ids=["3", "2"])
def test_whitened_is_linear_discriminant_analysis(data):
    X, y = data
    probe = MeanDifferenceClassifier(whiten=True).fit(X, y)
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    np.testing.assert_allclose(probe.predict_proba(X), lda.predict_proba(X), atol=1e-9)
    np.testing.assert_allclose(
        np.exp(probe.predict_log_proba(X)), probe.predict_proba(X), atol=1e-12
    )
    if len(probe.classes_) == 2:
        np.testing.assert_allclose(probe.coef_, lda.coef_)
        np.testing.assert_allclose(probe.decision_function(X), lda.decision_function(X))


@pytest.mark.parametrize("data", [IRIS, load_digits(return_X_y=True)], ids=["3", "10"])
def test_whitened_directions_are_those_of_linear_discriminant_analysis(data):
    """Up to a vector that all classes share, and the share of each class in one against the rest."""
    X, y = data
    X = X[:, X.var(axis=0) > 0.1]
    probe = MeanDifferenceClassifier(whiten=True).fit(X, y)
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    expected = lda.coef_ - lda.priors_ @ lda.coef_
    np.testing.assert_allclose(probe.coef_, expected, atol=1e-8 * np.abs(expected).max())
    rest = 1 - lda.priors_[:, np.newaxis]
    np.testing.assert_allclose(
        probe.direction_ * rest, expected, atol=1e-8 * np.abs(expected).max()
    )


def test_direction_is_one_class_against_the_rest():
    X, y = IRIS
    probe = MeanDifferenceClassifier().fit(X, y)
    for c in range(3):
        np.testing.assert_allclose(
            probe.direction_[c], X[y == c].mean(axis=0) - X[y != c].mean(axis=0)
        )
    X, y = TWO
    probe = MeanDifferenceClassifier().fit(X, y)
    expected = X[y == "virginica"].mean(axis=0) - X[y == "versicolor"].mean(axis=0)
    np.testing.assert_allclose(probe.direction_, [expected])
    np.testing.assert_array_equal(probe.coef_, probe.direction_)


@pytest.mark.parametrize("whiten", [False, True])
def test_batches_weights_and_repetitions(whiten):
    X, y = IRIS
    rng = np.random.RandomState(0)
    order, weight = rng.permutation(150), rng.randint(3, size=150)
    whole = MeanDifferenceClassifier(whiten=whiten).fit(X, y)
    parts = MeanDifferenceClassifier(whiten=whiten)
    for rows in np.array_split(order, [1, 40, 77]):
        parts.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    repeated = MeanDifferenceClassifier(whiten=whiten).fit(
        np.repeat(X, weight, axis=0), np.repeat(y, weight)
    )
    weighted = MeanDifferenceClassifier(whiten=whiten).fit(X, y, sample_weight=weight)
    for one, other in ((whole, parts), (repeated, weighted)):
        np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-9)
        np.testing.assert_allclose(one.intercept_, other.intercept_, atol=1e-9)
        np.testing.assert_allclose(one.class_prior_, other.class_prior_)
    assert parts.n_samples_seen_ == 150


def test_whitened_directions_change_with_the_units_as_weights_do():
    X, y = TWO
    scale = np.array([1e-4, 1, 1e3, 7])
    probe = MeanDifferenceClassifier(whiten=True, shrinkage=0.2)
    direction = probe.fit(X, y).direction_
    np.testing.assert_allclose(probe.fit(X * scale, y).direction_ * scale, direction)


def test_the_weights_of_a_probe_are_another_direction():
    """Correlated noise turns the weights of a probe away from the difference of the means."""
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=4000)
    noise = rng.normal(size=4000)
    X = np.c_[y + noise, noise + 0.3 * rng.normal(size=4000)]
    difference = MeanDifferenceClassifier().fit(X, y).direction_[0]
    whitened = MeanDifferenceClassifier(whiten=True).fit(X, y).direction_[0]
    probe = LinearProbeClassifier(lambda_l2=1e-4, solver="owlqn", device="cpu").fit(X, y).coef_[0]
    np.testing.assert_allclose(difference, [1, 0], atol=0.1)

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert cosine(whitened, probe) > 0.99
    assert cosine(difference, probe) < 0.8


def test_invalid_input():
    X, y = IRIS
    with pytest.raises(ValueError, match="more samples than neurons that vary, got 4 samples"):
        MeanDifferenceClassifier(whiten=True).fit(X[48:52], y[48:52])
    MeanDifferenceClassifier(whiten=True, shrinkage="auto").fit(X[48:52], y[48:52])
    with pytest.raises(ValueError, match="classes must be passed to the first call"):
        MeanDifferenceClassifier().partial_fit(X, y)
    probe = MeanDifferenceClassifier().partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="The class 2 does not have any samples yet"):
        probe.predict(X)
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        probe.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="not seen during training: 3 "):
        probe.partial_fit(X, y + 1)
    probe.partial_fit(X[100:], y[100:])
    np.testing.assert_allclose(probe.coef_, MeanDifferenceClassifier().fit(X, y).coef_)
    with pytest.raises(ValueError, match="at least 2 classes"):
        probe.fit(X[:50], y[:50])
    with pytest.raises(ValueError, match="whiten must not be changed"):
        probe.set_params(whiten=True).partial_fit(X, y)
