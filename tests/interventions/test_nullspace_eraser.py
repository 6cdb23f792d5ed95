"""INLP removes the weights of each probe, until the last probe does not find anything."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from sklearn_neurox import LeaceEraser, LinearProbeClassifier, NullspaceEraser

RNG = np.random.RandomState(0)
Y = RNG.randint(3, size=600)
X = RNG.normal(size=(600, 20)) + 2 * (np.eye(3, 20) @ RNG.normal(size=(20, 20)))[Y]
EXACT = LinearProbeClassifier(lambda_l1=0.02, solver="owlqn", tol=1e-6, device="cpu")


def test_each_probe_sees_activations_without_the_directions_before_it():
    eraser = NullspaceEraser(LogisticRegression(), n_iter=3).fit(X, Y)
    rows = X
    for probe in eraser.estimators_:
        expected = LogisticRegression().fit(rows, Y)
        np.testing.assert_allclose(probe.coef_, expected.coef_, atol=1e-4)
        basis = np.linalg.svd(probe.coef_, full_matrices=False)[2][:2]  # three rows sum to 0
        rows = rows - rows @ basis.T @ basis
    np.testing.assert_allclose(eraser.transform(X), rows, atol=1e-4)
    assert eraser.basis_.shape == (20, 6)
    np.testing.assert_allclose(eraser.basis_.T @ eraser.basis_, np.eye(6), atol=1e-10)


def test_iterations_end_when_a_probe_does_not_find_anything():
    eraser = NullspaceEraser(EXACT, n_iter=50).fit(X, Y)
    *found, last = eraser.estimators_
    assert 1 <= len(found) < 10
    assert all(probe.coef_.any() for probe in found)
    assert not last.coef_.any()
    erased = eraser.transform(X)
    assert not EXACT.fit(erased, Y).coef_.any()
    assert EXACT.fit(X, Y).score(X, Y) > 0.8


def test_leace_moves_the_activations_less():
    by_nullspace = NullspaceEraser(EXACT, n_iter=50).fit_transform(X, Y)
    by_leace = LeaceEraser().fit_transform(X, Y)
    assert ((by_leace - X) ** 2).sum() < ((by_nullspace - X) ** 2).sum()


def test_all_directions_may_be_removed():
    eraser = NullspaceEraser(Ridge(), n_iter=50).fit(X[:, :3], X[:, 4])
    assert eraser.basis_.shape == (3, 3)
    np.testing.assert_allclose(eraser.transform(X[:, :3]), 0, atol=1e-12)


def test_weights_reach_the_probes():
    weight = (Y < 2).astype(float)
    eraser = NullspaceEraser(EXACT, n_iter=1).fit(X, Y, sample_weight=weight)
    assert eraser.estimators_[0].classes_.tolist() == [0, 1]
    assert eraser.basis_.shape == (20, 1)


def test_a_model_without_weights():
    with pytest.raises(TypeError, match=r"A linear model with coef_ .* SVC does not have coef_"):
        NullspaceEraser(SVC()).fit(X, Y)
