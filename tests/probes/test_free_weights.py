"""The loss of a few free weights is the loss of all of them, and the solver finds the same optimum."""

import numpy as np
import pytest
import torch

from sklearn_neurox import LinearProbeClassifier
from sklearn_neurox.probes import _free_weights
from sklearn_neurox.probes._datafit import RowsDatafit
from sklearn_neurox.probes._standardization import Standardization, StandardizedDatafit

RNG = np.random.RandomState(0)
N, D, N_CLASSES = 150, 30, 4
Y = RNG.randint(N_CLASSES, size=N)
X = RNG.normal(size=(N, D)) * np.geomspace(0.1, 10, D) + RNG.normal(size=D)
SHARE = RNG.uniform(0.1, 2, size=N)
SHARE /= SHARE.sum()


def datafit_of(X, n_outputs=N_CLASSES, dtype=torch.float64):
    targets = torch.eye(N_CLASSES, dtype=dtype)[Y].T
    if n_outputs == 1:
        targets = targets[:1]
    return RowsDatafit(
        torch.from_numpy(X),
        targets,
        torch.from_numpy(SHARE).to(dtype),
        "softmax_cross_entropy" if n_outputs > 1 else "logistic",
    )


def free_weights(n_outputs, share=0.2):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n_outputs, D, generator=generator) < share


def point(free, n_probes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(n_probes, *free.shape, generator=generator, dtype=dtype)
    return 0.1 * weight * free, torch.randn(n_probes, len(free), generator=generator, dtype=dtype)


def assert_same(found, expected, free, **tolerance):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
    torch.testing.assert_close(found[0], expected[0], **tolerance)
    torch.testing.assert_close(found[1], expected[1] * free, **tolerance)
    torch.testing.assert_close(found[2], expected[2], **tolerance)


@pytest.mark.parametrize("rows", [512, 64, 7])
@pytest.mark.parametrize("n_probes", [1, 3])
@pytest.mark.parametrize("n_outputs", [1, N_CLASSES])
def test_loss_and_gradient_are_those_of_dense_products(monkeypatch, n_outputs, n_probes, rows):
    monkeypatch.setattr("sklearn_neurox.probes._datafit.ROWS_OF_CHUNK", rows)
    dense, free = datafit_of(X, n_outputs), free_weights(n_outputs)
    few = dense.of_free_weights(free)
    assert few is not dense
    where = point(free, n_probes)
    assert_same(few.evaluate(*where), dense.evaluate(*where), free, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mean", [0, 1e5])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_other_dtypes_and_large_means(dtype, mean):
    if dtype == np.float16:
        mean = mean / 100
    samples = (X + mean).astype(dtype)
    dense, free = datafit_of(samples, dtype=torch.float32), free_weights(N_CLASSES)
    where = point(free, 2, torch.float32)
    assert_same(
        dense.of_free_weights(free).evaluate(*where), dense.evaluate(*where), free,
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip


def test_standardized_neurons_and_some_neurons():
    standardization = Standardization.of(X, np.ones(N))
    dense = StandardizedDatafit(datafit_of(X), standardization)
    neurons = torch.arange(3, D, 2)
    dense.of_free_weights(free_weights(N_CLASSES))  # has read all neurons
    dense, free = dense.restrict(neurons), free_weights(N_CLASSES)[:, neurons]
    few = dense.of_free_weights(free)
    assert few is not dense
    where = point(free, 2)
    assert_same(few.evaluate(*where), dense.evaluate(*where), free, rtol=1e-12, atol=1e-14)


def test_no_free_weight():
    dense = datafit_of(X)
    free = torch.zeros(N_CLASSES, D, dtype=torch.bool)
    where = point(free, 1)
    assert_same(
        dense.of_free_weights(free).evaluate(*where), dense.evaluate(*where), free,
        rtol=1e-12, atol=1e-14,
    )  # fmt: skip


def test_many_free_weights_and_large_copies_are_left_to_dense_products(monkeypatch):
    dense = datafit_of(X)
    assert dense.of_free_weights(free_weights(N_CLASSES, 0.5)) is dense
    monkeypatch.setattr(_free_weights, "_LARGEST_COPY", 8 * N * D)
    assert dense.of_free_weights(free_weights(N_CLASSES)) is not dense
    monkeypatch.setattr(_free_weights, "_LARGEST_COPY", 8 * N * D - 1)
    assert dense.of_free_weights(free_weights(N_CLASSES)) is dense


@pytest.mark.parametrize("penalty", ["norm", "squared"])
@pytest.mark.parametrize("lambda_l1", [0.03, 0.06])
@pytest.mark.parametrize("standardize", [False, True])
def test_the_optimum_is_that_of_dense_products(monkeypatch, penalty, lambda_l1, standardize):
    evaluated = []
    evaluate = _free_weights.FreeWeightsLoss.evaluate

    def counted(self, weight, bias):
        evaluated.append(len(self._places))
        return evaluate(self, weight, bias)

    monkeypatch.setattr(_free_weights.FreeWeightsLoss, "evaluate", counted)
    probe = LinearProbeClassifier(
        solver="owlqn", lambda_l1=lambda_l1, lambda_l2=1e-3, l2_penalty=penalty, tol=1e-7,
        max_iter=20_000, device="cpu", standardize=standardize,
    )  # fmt: skip
    rng = np.random.RandomState(2)
    X = rng.normal(size=(N, 80)) * np.geomspace(0.8, 1.2, 80)
    y = (3 * X[:, 10 : 10 + N_CLASSES] + rng.gumbel(size=(N, N_CLASSES))).argmax(axis=1)
    few = probe.fit(X, y, sample_weight=SHARE * N)
    coef, intercept, objective = few.coef_, few.intercept_, few.objective_
    assert few.optimality_ <= 1e-7
    n_free = len(evaluated)
    assert n_free > 3
    monkeypatch.setattr(_free_weights, "_FEW", 0.0)
    dense = probe.fit(X, y, sample_weight=SHARE * N)
    assert len(evaluated) == n_free
    np.testing.assert_allclose(coef, dense.coef_, atol=1e-5)
    np.testing.assert_allclose(intercept, dense.intercept_, atol=1e-5)
    np.testing.assert_allclose(objective, dense.objective_, rtol=1e-9)
