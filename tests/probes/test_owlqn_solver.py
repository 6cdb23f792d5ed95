"""The banks of a grid: pairs that are solved together, each from a solution of an earlier bank."""

from itertools import product

import numpy as np
import pytest

from sklearn_neurox import LinearProbeClassifier, LinearProbeRegressor
from sklearn_neurox.probes._datafit import GramDatafit

RNG = np.random.RandomState(0)
X = RNG.normal(size=(400, 60)) @ (np.eye(60) + 0.3 * RNG.normal(size=(60, 60)) / np.sqrt(60))
SIGNAL = X[:, :8] @ RNG.normal(size=(8, 5)) + 2 * RNG.gumbel(size=(400, 5))
CLASSES = {"five classes": SIGNAL.argmax(1), "two classes": SIGNAL[:, 0] > SIGNAL[:, 1]}
LAMBDAS = (0.0, 3e-3, 1e-2, 3e-2, 1e-1)
GRID = [(l1, l2) for l1, l2 in product(LAMBDAS, (0.0, 1e-2, 5e-2)) if l1 + l2 > 0]


def make(**params):
    return LinearProbeClassifier(**{"solver": "owlqn", "tol": 1e-8, "max_iter": 5000} | params)


def solver_of(y, lambdas, X=X, **params):
    return make(**params)._prepare(X, y, None, lambdas).solver


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("penalty", ["norm", "squared"])
@pytest.mark.parametrize("standardize", [False, True])
def test_a_grid_has_the_solutions_of_its_pairs(kind, penalty, standardize):
    y, params = CLASSES[kind], dict(l2_penalty=penalty, standardize=standardize)
    order = np.random.RandomState(1).permutation(len(GRID))
    together = make(**params)._fit_bank(X, y, None, [GRID[i] for i in order])
    for k, i in enumerate(order):
        alone = make(lambda_l1=GRID[i][0], lambda_l2=GRID[i][1], **params).fit(X, y)
        assert together[k]["optimality_"] <= 1e-8
        np.testing.assert_allclose(together[k]["objective_"], alone.objective_, rtol=1e-9)
        np.testing.assert_allclose(together[k]["coef_"], alone.coef_, atol=1e-5)


def test_a_path_takes_fewer_iterations_than_its_probes():
    y = (X[:, :32] + RNG.gumbel(size=(400, 32))).argmax(1)
    lambdas = [(l1, 0.0) for l1 in np.geomspace(3e-3, 3e-2, 12)]
    path = make(tol=1e-5)._fit_bank(X, y, None, lambdas)
    alone = [make(lambda_l1=l1, tol=1e-5).fit(X, y) for l1, _ in lambdas]
    for one, other in zip(path, alone, strict=True):
        np.testing.assert_allclose(one["objective_"], other.objective_, rtol=1e-5)
    total = sum(each["n_iter_"] for each in path)
    assert total < 0.9 * sum(each.n_iter_ for each in alone)


def test_banks_are_in_decreasing_order_and_not_small():
    wide = np.hstack([X, X + RNG.normal(size=X.shape)])  # too many weights for Newton steps
    lambdas = [(l1, l2) for l1 in (1e-3, 0, 1e-1, 1e-2) for l2 in (0, 1e-2, 1e-1)]
    of_five = solver_of(CLASSES["five classes"], lambdas, wide).banks()
    assert [bank.tolist() for bank in of_five] == [[6, 7, 8, 9, 10, 11, 0, 1, 2], [3, 4, 5]]
    of_two = solver_of(CLASSES["two classes"], lambdas, wide).banks()
    assert [sorted(bank.tolist()) for bank in of_two] == [list(range(12))]
    many = np.arange(400) % 20
    assert [bank.tolist() for bank in solver_of(many, lambdas, wide).banks()] == [
        [6, 7, 8], [9, 10, 11], [0, 1, 2], [3, 4, 5]
    ]  # fmt: skip


def test_a_bank_starts_at_the_solutions_for_the_next_larger_lambda_l1():
    y = np.arange(400) % 20
    lambdas = [(0, 0.1), (1e-3, 0.1), (1e-3, 0.2), (1e-2, 0.1), (1e-1, 0.1)]
    solver = solver_of(y, lambdas)
    solved = {(0, pair): solver_of(y, [lambdas[pair]]).run()[0] for pair in (4, 3)}
    assert solver.start_of(np.array([4]), {}) is None
    weights, biases = solver.start_of(np.array([0, 1, 2]), solved)
    np.testing.assert_array_equal(weights[1], solved[0, 3].weight)
    np.testing.assert_array_equal(biases[1], solved[0, 3].bias)
    assert weights[1].any()
    # Without an L1 norm, or with another lambda_l2, at W = 0.
    assert not weights[[0, 2]].any()
    assert not biases[[0, 2]].any()


def test_a_warm_start_is_the_start_of_all_banks():
    y = CLASSES["five classes"]
    fitted = make(lambda_l1=1e-2, warm_start=True).fit(X, y)
    solver = fitted._prepare(X, y, None, GRID).solver
    (solution,) = solver_of(y, [(1e-1, 0.0)]).run()
    for solved in ({}, {(0, 0): solution}):
        weight, bias = solver.start_of(np.array([1]), solved)
        np.testing.assert_array_equal(weight, fitted.coef_)
        np.testing.assert_array_equal(bias, fitted.intercept_)


@pytest.mark.parametrize("standardize", [False, True])
def test_second_moments_are_a_single_bank(standardize):
    probe = LinearProbeRegressor(solver="owlqn", standardize=standardize)
    solver = probe._prepare(X, SIGNAL, None, GRID).solver
    assert [bank.tolist() for bank in solver.banks()] == [list(range(len(GRID)))]
    assert isinstance(solver.problem.data.datafit, GramDatafit) == (not standardize)
    assert solver.problem.data.datafit.n_rows == 0


def test_a_violation_of_tol_itself_is_not_reported():
    """In float32, 1e-3 is larger than in float64. Here, the violation is lambda_l1 = tol."""
    X = np.repeat([[-1e4], [1e4]], 5, axis=0).astype(np.float32)
    probe = LinearProbeClassifier(solver="owlqn", lambda_l1=1e-3, tol=1e-3, device="cpu")
    probe.warm_start = True
    probe.coef_, probe.intercept_ = np.float32([[1.0]]), np.float32([0.0])
    probe.classes_, probe.n_features_in_ = np.array([0, 1]), 1
    probe.fit(X, np.arange(10) // 5)
    assert probe.optimality_ == float(np.float32(1e-3)) > 1e-3
