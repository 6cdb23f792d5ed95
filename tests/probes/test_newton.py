"""Newton steps of small probes: exact second derivatives, and the same minimum in fewer steps."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine

from sklearn_neurox import LinearProbeClassifier, LinearProbeRegressor
from sklearn_neurox.probes import _lbfgs
from sklearn_neurox.probes._bank_objective import BankObjective
from sklearn_neurox.probes._datafit import RowsDatafit
from sklearn_neurox.probes._newton import newton_pays

RNG = np.random.RandomState(0)


def objective(loss, form):
    """The objectives of two probes with three outputs, or one for two classes."""
    X = torch.from_numpy(RNG.normal(size=(40, 4)) * [0.1, 1, 5, 30])
    n_outputs = 1 if loss == "logistic" else 3
    y = RNG.randint(max(2, n_outputs), size=40)
    targets = torch.from_numpy(np.eye(max(2, n_outputs))[y][:, -n_outputs:].T.copy())
    share = torch.from_numpy(RNG.dirichlet(np.ones(40)))
    lambdas = torch.tensor([[0.0, 0.01], [0.2, 0.03]], dtype=torch.float64)
    return BankObjective(RowsDatafit(X, targets, share, loss), *lambdas, form), n_outputs


@pytest.mark.parametrize("form", ["norm", "squared"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "logistic", "squared_error"])
def test_second_derivatives(loss, form):
    bank, n_outputs = objective(loss, form)
    theta = torch.from_numpy(RNG.normal(size=(2, n_outputs, 5)) * 0.3)
    found, h = bank.hessian(theta), 1e-6
    for column in range(n_outputs * 5):
        step = torch.zeros(n_outputs * 5, dtype=torch.float64)
        step[column] = h
        step = step.view(n_outputs, 5)
        difference = (bank.evaluate(theta + step)[1] - bank.evaluate(theta - step)[1]) / (2 * h)
        np.testing.assert_allclose(
            found[:, column], difference.flatten(1), atol=1e-6 * found.abs().max()
        )


def test_those_from_moments_are_those_from_rows():
    X, y = RNG.normal(size=(50, 3)) + 5, RNG.normal(size=(50, 2))
    probe = LinearProbeRegressor(lambda_l1=0.01, lambda_l2=0.1, solver="owlqn", tol=1e-9)
    few = probe.fit(X, y)
    assert newton_pays(torch.zeros(1, dtype=torch.float64), few.coef_.size + 2, 0)
    assert few.n_iter_ < 12
    assert few.optimality_ < 1e-9


@pytest.mark.parametrize("lambdas", [(0.0, 1e-3), (1e-5, 1e-5), (1e-3, 0.0), (1e-2, 1e-2)])
def test_neurons_that_differ_in_scale(lambdas, monkeypatch):
    """Of the wines, one column is 10^4 times as large as another; L-BFGS takes 85 to 270 steps."""
    X, y = load_wine(return_X_y=True)
    l1, l2 = lambdas
    options = dict(lambda_l1=l1, lambda_l2=l2, solver="owlqn", device="cpu")
    newton = LinearProbeClassifier(**options).fit(X, y)
    assert newton.n_iter_ < 25
    assert newton.optimality_ <= 1e-5
    monkeypatch.setattr(_lbfgs, "newton_pays", lambda *args: False)
    other = LinearProbeClassifier(**options).fit(X, y)
    assert other.n_iter_ > 3 * newton.n_iter_
    assert newton.objective_ == pytest.approx(other.objective_, abs=1e-6)
