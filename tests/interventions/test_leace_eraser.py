"""LEACE is the closed form of Belrose et al. (2023), and afterwards no linear probe finds anything."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import oas
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_neurox import LeaceEraser, LinearProbeClassifier
from sklearn_neurox._whitening import shrink

RNG = np.random.RandomState(0)
N, D = 400, 12
CODES = RNG.randint(4, size=N)
X = RNG.normal(size=(N, D)) @ RNG.normal(size=(D, D)) + 5
X[:, :3] += np.array([[0, 0, 0], [3, 0, 0], [0, 4, 1], [-2, 0, 3]])[CODES]
NUMBERS = X[:, 5] + RNG.normal(size=N)
LABELS = {
    "strings": np.array(["noun", "verb", "adj", "x"])[CODES],
    "integers": CODES * 7 - 3,
    "whole floats": CODES.astype(float),
    "booleans": CODES > 1,
    "numbers": NUMBERS,
    "two numbers": np.c_[NUMBERS, X[:, 2] ** 2],
    "two columns of classes": np.c_[CODES, CODES > 2],
}
COLUMNS = {
    "numbers": NUMBERS[:, None],
    "booleans": (CODES > 1)[:, None],
    "two numbers": LABELS["two numbers"],
    "two columns of classes": np.c_[np.eye(4)[CODES], CODES > 2],
}


def closed_form(X, Z):
    """x - W^-1 P W (x - mean) with W the inverse square root of the covariance (equation 1)."""
    centered, Z = X - X.mean(axis=0), Z - Z.mean(axis=0)
    W = np.linalg.inv(np.real(sqrtm(centered.T @ centered / len(X))))
    cross = W @ centered.T @ Z
    return X - centered @ (np.linalg.inv(W) @ cross @ np.linalg.pinv(cross, rcond=1e-9) @ W).T


@pytest.mark.parametrize("kind", LABELS)
def test_closed_form(kind):
    Z = COLUMNS.get(kind, np.eye(4)[CODES]).astype(float)
    eraser = LeaceEraser(shrinkage=None).fit(X, LABELS[kind])
    np.testing.assert_allclose(eraser.transform(X), closed_form(X, Z), atol=1e-9)
    P, center = eraser.projection_, eraser.center_
    np.testing.assert_allclose(center + (X - center) @ P.T, eraser.transform(X), atol=1e-9)
    np.testing.assert_allclose(P @ P, P, atol=1e-9)
    np.testing.assert_allclose(center, X.mean(axis=0))


@pytest.mark.parametrize("shrinkage", [None, "auto", 0.3, 1.0])
def test_all_classes_have_the_same_mean_for_every_shrinkage(shrinkage):
    erased = LeaceEraser(shrinkage=shrinkage).fit_transform(X, CODES)
    for code in range(4):
        np.testing.assert_allclose(erased[code == CODES].mean(axis=0), X.mean(axis=0), atol=1e-10)


def test_no_linear_probe_is_better_than_a_constant_prediction():
    erased = LeaceEraser(shrinkage=None).fit_transform(X, CODES)
    exact = LinearProbeClassifier(lambda_l1=1e-6, solver="owlqn", tol=1e-7, device="cpu")
    exact.fit(erased, CODES)
    assert not exact.coef_.any()
    assert exact.optimality_ <= 1e-7
    model = LogisticRegression(C=np.inf).fit(StandardScaler().fit_transform(erased), CODES)
    share = np.bincount(CODES) / N
    np.testing.assert_allclose(model.coef_, 0, atol=1e-4)
    np.testing.assert_allclose(model.predict_proba(erased)[0], share, atol=1e-3)
    assert exact.fit(X, CODES).score(X, CODES) > 0.8


def test_integer_classes_are_not_one_number():
    """Erasing the number of a class would leave the class readable."""
    y = RNG.permutation(np.arange(500) % 5)
    rows = RNG.normal(size=(500, 8)) + 4 * np.eye(5, 8)[y]
    as_number = LeaceEraser(shrinkage=None).fit_transform(rows, y + 1e-9 * RNG.normal(size=500))
    assert LogisticRegression().fit(as_number, y).score(as_number, y) > 0.9
    erased = LeaceEraser(shrinkage=None).fit_transform(rows, y)
    assert LogisticRegression().fit(erased, y).score(erased, y) < 0.25


def test_no_other_guarding_projection_moves_the_activations_less():
    Z = np.eye(4)[CODES] - np.eye(4)[CODES].mean(axis=0)
    centered = X - X.mean(axis=0)
    cross = centered.T @ Z
    ours = ((LeaceEraser(shrinkage=None).fit_transform(X, CODES) - X) ** 2).sum()
    basis = np.linalg.svd(cross, full_matrices=False)[0][:, :3]
    orthogonal = ((centered @ basis) ** 2).sum()
    assert ours < 0.99 * orthogonal
    for _ in range(20):  # projections along `basis` whose kernel is any complement
        C = RNG.normal(size=(D, 3))
        oblique = np.linalg.solve((C.T @ basis), C.T)
        moved = ((centered @ (basis @ oblique).T) ** 2).sum()
        np.testing.assert_allclose((centered - centered @ (basis @ oblique).T).T @ Z, 0, atol=1e-7)
        assert ours <= moved


def test_any_change_of_coordinates_commutes_with_erasure():
    A, b = RNG.normal(size=(D, D)), RNG.normal(size=D)
    direct = LeaceEraser(shrinkage=None).fit_transform(X @ A + b, CODES)
    np.testing.assert_allclose(
        direct, LeaceEraser(shrinkage=None).fit_transform(X, CODES) @ A + b, atol=1e-7
    )
    scale = np.logspace(-6, 6, D)
    shrunk = LeaceEraser(shrinkage=0.2)
    np.testing.assert_allclose(
        shrunk.fit_transform(X * scale, CODES) / scale, shrunk.fit_transform(X, CODES), atol=1e-7
    )


def test_shrinkage_of_standardized_neurons_is_that_of_scikit_learn():
    standard = StandardScaler().fit_transform(X)
    expected, _ = oas(standard)
    np.testing.assert_allclose(shrink(np.corrcoef(X.T), N, "auto"), expected)
    few = standard[:5]
    np.testing.assert_allclose(shrink(few.T @ few / 5, 5, 1.0), np.eye(D), atol=1e-12)


@pytest.mark.parametrize("kind", ["strings", "numbers", "two numbers"])
def test_batches_equal_all_samples(kind):
    y = LABELS[kind]
    classes = np.unique(y) if kind == "strings" else None
    eraser = LeaceEraser(shrinkage=None)
    for rows in (slice(0, 7), slice(7, 90), slice(90, None)):
        eraser.partial_fit(X[rows], y[rows], classes)
    whole = LeaceEraser(shrinkage=None).fit(X, y)
    assert eraser.n_samples_seen_ == whole.n_samples_seen_ == N
    np.testing.assert_allclose(eraser.transform(X), whole.transform(X), atol=1e-8)
    before = eraser.transform(X)
    assert not np.allclose(eraser.partial_fit(X[:50] + 3, y[:50]).transform(X), before)


def test_weights_are_repetitions():
    weight = RNG.randint(3, size=N)
    repeated = LeaceEraser(shrinkage=None).fit(
        np.repeat(X, weight, axis=0), np.repeat(CODES, weight)
    )
    weighted = LeaceEraser(shrinkage=None).fit(X, CODES, sample_weight=weight)
    np.testing.assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-9)


def test_constant_and_dependent_neurons():
    rows = np.c_[X, np.full(N, 0.1), X[:, 0] + X[:, 1], X[:, 2]]
    erased = LeaceEraser(shrinkage=None).fit_transform(rows, CODES)
    np.testing.assert_allclose(
        erased[:, :D], LeaceEraser(shrinkage=None).fit_transform(X, CODES), atol=1e-7
    )
    np.testing.assert_array_equal(erased[:, D], 0.1)
    np.testing.assert_allclose(erased[:, D + 1], erased[:, 0] + erased[:, 1], atol=1e-7)


def test_labels_without_any_linear_information_change_nothing():
    rows = np.r_[X, X]
    y = np.repeat([0, 1], N)
    eraser = LeaceEraser(shrinkage=None).fit(rows, y)
    assert eraser.canonical_correlations_.shape == (0,)
    np.testing.assert_array_equal(eraser.transform(rows), rows)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_is_kept_and_input_is_not_changed(dtype):
    rows = X.astype(dtype)
    before = rows.copy()
    erased = LeaceEraser(shrinkage=None).fit_transform(rows, CODES)
    np.testing.assert_array_equal(rows, before)
    assert erased.dtype == dtype
    eps = np.finfo(dtype).eps
    expected = closed_form(rows.astype(float), np.eye(4)[CODES])
    np.testing.assert_allclose(erased, expected, atol=60 * eps)


def test_invalid_input():
    with pytest.raises(ValueError, match="more samples than neurons that vary, got 12 samples"):
        LeaceEraser(shrinkage=None).fit(X[:12], CODES[:12])
    LeaceEraser(shrinkage=None).fit(X[:13], CODES[:13])
    LeaceEraser().fit(X[:12], CODES[:12])
    with pytest.raises(ValueError, match="not seen during training: 3 "):
        LeaceEraser(shrinkage=None).partial_fit(X[CODES < 3], CODES[CODES < 3]).partial_fit(
            X, CODES
        )
    eraser = LeaceEraser(shrinkage=None).partial_fit(X, CODES, range(4))
    before = eraser.transform(X)
    with pytest.raises(ValueError, match="not seen during training: 9 "):
        eraser.partial_fit(X, np.full(N, 9))
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        eraser.partial_fit(X, CODES, range(5))
    with pytest.raises(ValueError, match="12 features"):
        eraser.partial_fit(X[:, :5], CODES)
    np.testing.assert_array_equal(eraser.transform(X), before)
    with pytest.raises(ValueError, match="expected 2, got 1"):
        LeaceEraser(shrinkage=None).partial_fit(X, LABELS["two numbers"]).partial_fit(
            X, LABELS["numbers"]
        )
    with pytest.raises(ValueError, match="at least 2 classes"):
        LeaceEraser(shrinkage=None).fit(X, np.zeros(N, int))
