"""A solver is one class and one line in the registry; every linear probe can then use it."""

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
    layerwise_scores,
)
from sklearn_neurox.probes import solvers
from sklearn_neurox.probes.layers import is_bankable
from sklearn_neurox.probes.solvers import Solution, Solver, Step

RNG = np.random.RandomState(0)
X = RNG.normal(size=(150, 8))
SIGNAL = X @ RNG.normal(size=(8, 3)) + RNG.gumbel(size=(150, 3))
Y, NUMBERS = SIGNAL.argmax(1), SIGNAL[:, 0]
OPTIONS = dict(l2_penalty="squared", learning_rate=3, max_iter=5000, tol=1e-6, device="cpu")


FEW_STEPS = OPTIONS | dict(learning_rate=0.5, max_iter=200, tol=1e-3)


@dataclass
class GradientDescent(Solver):
    """Gradient descent from W = 0 on the mean loss and a squared L2 norm."""

    learning_rate: float
    max_iter: int
    tol: float

    step_name, max_steps, is_exact = "iteration", "max_iter", True
    minimized_penalties = ("squared",)

    def steps(self):
        datafit, (_, lambda_l2) = self.problem.data.datafit, self.problem.penalties
        l2 = lambda_l2[:, None, None]
        bias = datafit.null_bias.expand(len(l2), -1)
        weight = datafit.mean.new_zeros(*bias.shape, len(datafit.mean))
        rate = self.learning_rate / (1 + datafit.variance.sum() + l2.max())
        for n_iter in range(1, self.max_iter + 1):
            value, slope, bias_slope = datafit.evaluate(weight, bias)
            value, slope = value + (l2 * weight**2).sum((1, 2)), slope + 2 * l2 * weight
            self.n_iter = n_iter
            self.at = Step(value.tolist(), weight, bias - weight @ datafit.mean)
            yield self.at
            if max(slope.abs().max(), bias_slope.abs().max()) <= self.tol:
                break
            weight, bias = weight - rate * slope, bias - rate * bias_slope

    def solutions(self):
        found = zip(self.at.weight.numpy(), self.at.bias.numpy(), self.at.objective, strict=True)
        return [Solution(w, b, {"objective_": f, "n_iter_": self.n_iter}) for w, b, f in found]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(solvers.SOLVERS, "gradient_descent", GradientDescent)


def both(probe, y):
    """Fit with gradient descent and with owlqn."""
    return (probe(solver=solver, **OPTIONS).fit(X, y) for solver in ("gradient_descent", "owlqn"))


@pytest.mark.parametrize("y", [Y, Y > 0], ids=["three classes", "two classes"])
def test_a_classifier_reaches_the_optimum(y):
    ours, exact = both(lambda **params: LinearProbeClassifier(lambda_l2=0.1, **params), y)
    np.testing.assert_allclose(ours.objective_, exact.objective_, rtol=1e-7)
    np.testing.assert_allclose(ours.coef_, exact.coef_, atol=1e-3)
    np.testing.assert_allclose(ours.intercept_, exact.intercept_, atol=1e-3)


@pytest.mark.parametrize("y", [NUMBERS, SIGNAL], ids=["numbers", "three numbers"])
def test_a_regressor_reaches_the_optimum(y):
    ours, exact = both(lambda **params: LinearProbeRegressor(lambda_l2=0.1, **params), y)
    np.testing.assert_allclose(ours.objective_, exact.objective_, rtol=1e-7)
    np.testing.assert_allclose(ours.coef_, exact.coef_, atol=1e-3)


@pytest.mark.parametrize(
    ("search", "y"), [(LinearProbeClassifierCV, Y), (LinearProbeRegressorCV, NUMBERS)]
)
def test_a_search_finds_the_scores_of_the_optima(search, y):
    grid = dict(lambdas_l1=[0], lambdas_l2=[0.1, 0.2, 0.5], cv=3)
    ours, exact = both(lambda **params: search(**grid, **params), y)
    assert ours.lambda_l2_ == exact.lambda_l2_
    scores = [each.cv_results_["mean_test_score"] for each in (ours, exact)]
    np.testing.assert_allclose(*scores, atol=1e-4)
    np.testing.assert_allclose(ours.coef_, exact.coef_, atol=1e-3)


@parametrize_with_checks(
    [
        make(solver="gradient_descent", lambda_l2=0.1, **FEW_STEPS)
        for make in (LinearProbeClassifier, LinearProbeRegressor)
    ]
)
def test_sklearn_compatible(estimator, check):
    check(estimator)


def test_callbacks_see_its_steps_and_messages_name_them(capsys):
    monitor = ScoringMonitor(scoring="accuracy")
    probe = LinearProbeClassifier(
        solver="gradient_descent", lambda_l2=0.1, verbose=1, **OPTIONS | {"max_iter": 5}
    )
    probe.set_callbacks(monitor).fit(X, Y)
    steps = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(steps) == 5
    assert steps[-1]["accuracy"] == probe.score(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].startswith("[LinearProbeClassifier] iteration 5: ")


def test_an_exact_solver_is_warned_of_separable_classes():
    line = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    with pytest.warns(ConvergenceWarning, match="the objective does not have a minimizer"):
        LinearProbeClassifier(solver="gradient_descent", **OPTIONS | {"max_iter": 50}).fit(
            line, [0, 0, 1, 1]
        )


def test_layers_are_trained_one_by_one():
    probe = LinearProbeClassifier(solver="gradient_descent", lambda_l2=0.1, **OPTIONS)
    assert not is_bankable(probe)
    assert is_bankable(LinearProbeClassifier())
    exact = LinearProbeClassifier(solver="owlqn", lambda_l2=0.1, **OPTIONS)
    scores = [layerwise_scores(each, X, Y, n_layers=2, cv=3).scores for each in (probe, exact)]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (dict(lambda_l1=0.2), r"lambda_l1=0\.2\. Set lambda_l1=0, or use solver='adam' or 'owlqn'"),
        (
            dict(lambda_l2=0.1, l2_penalty="norm"),
            r"lambda_l2=0\.1 with l2_penalty='norm'\. Set lambda_l2=0, or use solver='adam' or",
        ),
    ],
)
def test_penalties_are_not_ignored(penalty, message):
    message = f"solver='gradient_descent' does not minimize {message}"
    options = dict(solver="gradient_descent", **OPTIONS | penalty)
    with pytest.raises(ValueError, match=message):
        LinearProbeClassifier(**options).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        LinearProbeRegressor(**options).fit(X, NUMBERS)
    lambdas = {
        f"lambdas{name[6:]}": [0, penalty.pop(name)] for name in [*penalty] if "lambda" in name
    }
    grid = dict(lambdas_l1=[0], lambdas_l2=[0]) | lambdas
    with pytest.raises(ValueError, match=message):
        LinearProbeClassifierCV(solver="gradient_descent", cv=3, **OPTIONS | penalty, **grid).fit(
            X, Y
        )


def test_a_solver_that_does_not_declare_penalties_minimizes_none(monkeypatch):
    class Forgetful(GradientDescent):
        minimized_penalties = Solver.minimized_penalties

    monkeypatch.setitem(solvers.SOLVERS, "forgetful", Forgetful)
    with pytest.raises(ValueError, match=r"does not minimize lambda_l2=0\.1 with l2"):
        LinearProbeClassifier(solver="forgetful", lambda_l2=0.1, **OPTIONS).fit(X, Y)
    LinearProbeClassifier(solver="forgetful", **OPTIONS | {"tol": 0.1}).fit(X, Y)


def test_the_registry_is_the_list_of_solvers():
    with pytest.raises(ValueError, match=r"The 'solver' parameter .*'gradient_descent'"):
        LinearProbeClassifier(solver="sgd").fit(X, Y)
    with pytest.raises(
        ValueError, match="net_params requires solver='adam', got solver='gradient_descent'"
    ):
        LinearProbeClassifier(solver="gradient_descent", net_params={"lr": 0.1}).fit(X, Y)


@pytest.mark.parametrize("name", ["adam", "owlqn"])
def test_a_solver_names_parameters_of_the_probes(name):
    solver = solvers.SOLVERS[name]
    params = LinearProbeRegressor().get_params()
    assert set(solver.parameters()) <= params.keys()
    assert solver.max_steps in solver.parameters()
