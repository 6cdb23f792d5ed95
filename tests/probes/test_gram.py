"""Second moments determine the squared error, and those of folds are differences."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
)
from sklearn_neurox._second_moments import Moments
from sklearn_neurox.probes._datafit import RowsDatafit
from sklearn_neurox.probes._gram import squared_error_of

RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
Y = (X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))).argmax(1)
NUMBERS = X @ RNG.normal(size=8) + RNG.normal(size=150)
WEIGHT = RNG.uniform(0.2, 3, size=150)


def problem(kind, n=120, d=15):
    """Correlated neurons of sizes from 0.05 to 20, weights of samples, and a target."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.5 * rng.normal(size=(d, d)) / np.sqrt(d))
    X = X * np.geomspace(0.05, 2, d) + rng.normal(size=d)
    signal = X @ rng.normal(size=(d, 4)) / X.std() + rng.gumbel(size=(n, 4))
    y = {
        "classes": signal.argmax(1),
        "two classes": signal[:, 0] > signal[:, 1],
        "numbers": signal[:, 0],
        "two numbers": signal[:, :2],
    }[kind]
    return X, y, rng.uniform(0.2, 3, size=n)


def probe(kind, **params):
    make = LinearProbeClassifier if "classes" in kind else LinearProbeRegressor
    return make(**dict(solver="owlqn", tol=1e-7, max_iter=20_000, device="cpu") | params)


def test_moments_determine_the_squared_error():
    X, y, weight = problem("two numbers")
    tensors = [torch.from_numpy(array) for array in (X, y.T.copy(), weight)]
    rows = RowsDatafit(*tensors[:2], tensors[2] / weight.sum(), "squared_error")
    origin = torch.cat([tensors[0][3], tensors[1][:, 3]])
    gram = squared_error_of(Moments.of(*tensors, origin))
    torch.testing.assert_close(squared_error_of(Moments.of(*tensors)).gram, gram.gram)
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(3, 2, 15, dtype=torch.float64, generator=generator)
    b = torch.randn(3, 2, dtype=torch.float64, generator=generator)
    for ours, expected in zip(gram.evaluate(W, b), rows.evaluate(W, b), strict=True):
        torch.testing.assert_close(ours, expected)
    some = torch.tensor([0, 4, 7])
    for ours, expected in zip(
        gram.restrict(some).evaluate(W[..., some], b),
        rows.restrict(some).evaluate(W[..., some], b),
        strict=True,
    ):
        torch.testing.assert_close(ours, expected)
    part = slice(0, 50)
    rest = Moments.of(*tensors, origin) - Moments.of(
        tensors[0][part], tensors[1][:, part], tensors[2][part], origin
    )
    left = Moments.of(tensors[0][50:], tensors[1][:, 50:], tensors[2][50:], origin)
    torch.testing.assert_close(rest.products, left.products)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("place", [0, 50])
def test_one_sample_far_from_all_others(dtype, place):
    """Moments about a bad origin, or in single precision, are not even positive."""
    X, y, _ = problem("numbers")
    X[place] = 3000
    X = X.astype(dtype).astype(float)  # what the probe is given
    best = np.linalg.lstsq(np.c_[X, np.ones(len(X))], y, rcond=None)[0]
    error = np.square(X @ best[:-1] + best[-1] - y).mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = probe("numbers", tol=1e-6, max_iter=3000).fit(X.astype(dtype), y)
    np.testing.assert_allclose(fitted.objective_, error, rtol=1e-3)
    np.testing.assert_allclose(np.square(fitted.predict(X) - y).mean(), error, rtol=2e-3)


@pytest.mark.parametrize("offset", [1e3, 1e5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_targets_far_from_zero(dtype, offset):
    X, y, _ = problem("numbers")
    X = X.astype(dtype)
    near, far = (probe("numbers", tol=1e-5).fit(X, y + shift) for shift in (0, offset))
    np.testing.assert_allclose(far.objective_, near.objective_, rtol=1e-6)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-3, atol=1e-3)


class TestFoldsOfMoments:
    """The moments of training samples are those of all samples minus those of the held-out ones."""

    OPTIONS = dict(solver="owlqn", l2_penalty="squared", tol=1e-8, device="cpu")

    def assert_scores_are_those_of_fits(self, X, folds, sample_weight=None):
        found = LinearProbeRegressorCV(
            lambdas_l1=[0.01], lambdas_l2=[0.1], cv=folds, **self.OPTIONS
        ).fit(X, NUMBERS, sample_weight)
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        for fold, (train, test) in enumerate(folds):
            probe = LinearProbeRegressor(lambda_l1=0.01, lambda_l2=0.1, **self.OPTIONS)
            probe.fit(X[train], NUMBERS[train], weight[train])
            np.testing.assert_allclose(
                found.cv_results_[f"split{fold}_test_score"][0],
                probe.score(X[test], NUMBERS[test], weight[test]),
                atol=1e-6,
            )

    @pytest.mark.parametrize("train", ["the rest", "part of the rest", "repeated"])
    def test_training_samples_that_are_not_the_rest(self, train):
        folds = [
            {
                "the rest": (rest, test),
                "part of the rest": (rest[::2], test),
                "repeated": (np.concatenate([rest, rest[:40]]), test),
            }[train]
            for rest, test in KFold(3).split(X)
        ]
        self.assert_scores_are_those_of_fits(X, folds)

    @pytest.mark.parametrize("size", [1e6, 1e9, 1e100])
    def test_samples_without_weight_may_have_any_values(self, size):
        weight = np.where(np.arange(150) % 10, WEIGHT, 0)
        far = np.where(weight[:, None] > 0, X, size)
        self.assert_scores_are_those_of_fits(far, list(KFold(3).split(X)), weight)

    def test_a_neuron_that_only_held_out_samples_move(self):
        """Only rounding errors are left of its variance in the other samples."""
        train, test = np.arange(50, 150), np.arange(50)
        moved = np.c_[X, np.where(np.arange(150) < 50, 1e7 * X[:, 0], 0)]
        found = LinearProbeRegressorCV(lambdas_l1=[0], lambdas_l2=[0], cv=KFold(3), **self.OPTIONS)
        scores = found.fit(moved, NUMBERS).cv_results_["split0_test_score"]
        probe = LinearProbeRegressor(**self.OPTIONS).fit(moved[train], NUMBERS[train])
        np.testing.assert_allclose(scores, probe.score(moved[test], NUMBERS[test]), atol=1e-6)

    def test_constant_neurons_do_not_cause_another_pass(self, monkeypatch):
        read, of = [], Moments.of

        def count(samples, *args):
            read.append(len(samples))
            return of(samples, *args)

        monkeypatch.setattr(Moments, "of", count)
        constant = np.c_[X, np.full(150, 0.1), np.full(150, 1e9), np.zeros(150)]
        self.assert_scores_are_those_of_fits(constant, list(KFold(3).split(X)))
        assert read == [50] * 3 + [150] + [100] * 3  # the search, and the fits to compare with
