"""The exact solver satisfies the optimality conditions, computed here from the formulas."""

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit, softmax

from sklearn_neurox import LinearProbeClassifier, LinearProbeRegressor
from sklearn_neurox.probes import _owlqn


class Objective:
    """The objective of one probe, in NumPy and float64, as a function of ``coef_``."""

    def __init__(self, X, y, sample_weight, kind, l2_penalty):
        self.X, self.kind, self.l2_penalty = X.astype(np.float64), kind, l2_penalty
        self.share = sample_weight / sample_weight.sum()
        if kind == "classes":
            y = np.eye(y.max() + 1)[y]
            y = y[:, 1:] if y.shape[1] == 2 else y
        self.Y = y.reshape(len(y), -1).astype(np.float64)
        self.mean = self.share @ self.X
        centered = self.X - self.mean
        variance = self.share @ centered**2
        self.varies = np.ptp(self.X, axis=0) > 1e-9 * np.abs(self.X).max(axis=0)
        self.unit = np.where(self.varies, np.minimum(np.sqrt(variance), 1), np.inf)

    def gradient(self, coef, intercept):
        """Return the gradient of the loss by the weights and by the bias for centered neurons."""
        outputs = self.X @ coef.T + intercept
        if self.kind == "classes":
            outputs = expit(outputs) if outputs.shape[1] == 1 else softmax(outputs, axis=1)
        difference = self.share[:, None] * (outputs - self.Y)
        if self.kind == "numbers":
            difference *= 2 / self.Y.shape[1]
        return difference.T @ (self.X - self.mean), difference.sum(axis=0)

    def gradient_at_zero(self):
        """Return the gradient by the weights at W = 0 and the best bias."""
        mean = self.share @ self.Y
        if self.kind == "classes":
            mean = logit(mean) if len(mean) == 1 else np.log(mean)
        return self.gradient(np.zeros((self.Y.shape[1], self.X.shape[1])), mean)[0]

    def of_one_logit(self, lambda_l2):
        """Return lambda_l2 for ``coef_``, which stands for the rows -coef_ / 2 and coef_ / 2."""
        if self.kind == "numbers" or self.Y.shape[1] > 1:
            return lambda_l2
        return lambda_l2 * (0.5 if self.l2_penalty == "squared" else np.sqrt(0.5))

    @property
    def tol(self):
        """A tolerance that the rounding of the objective allows."""
        return 1e-6 * max(1, np.abs(self.gradient_at_zero() / self.unit).max())

    def violation(self, coef, intercept, lambda_l1, lambda_l2):
        """Return the largest violation of the optimality conditions."""
        slope, bias_slope = self.gradient(coef, intercept)
        lambda_l2 = self.of_one_logit(lambda_l2)
        norm = np.linalg.norm(coef)
        if norm:
            slope = slope + lambda_l2 * (2 * coef if self.l2_penalty == "squared" else coef / norm)
        shrunk = np.sign(slope) * np.maximum(np.abs(slope) - lambda_l1, 0)
        smallest = np.where(coef != 0, slope + lambda_l1 * np.sign(coef), shrunk)
        smallest = smallest * self.varies
        if not norm and self.l2_penalty == "norm":
            length = np.linalg.norm(smallest)
            smallest = smallest * (max(0, 1 - lambda_l2 / length) if length else 0)
        lever = max(1, np.max(np.abs(self.mean) / self.unit))
        return np.abs(smallest / self.unit).max() + lever * np.abs(bias_slope).max()

    def strongest(self, lambda_l1):
        """Return the lambda_l2 of the un-squared norm above which W = 0."""
        slope = self.gradient_at_zero() * self.varies
        length = np.linalg.norm(np.maximum(np.abs(slope) - lambda_l1, 0))
        return length / self.of_one_logit(1.0)


@st.composite
def problems(draw):
    """Draw X, y, sample weights, the kind of y and its objective."""
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(4, 40)), draw(st.integers(1, 60))
    n_outputs = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(["classes", "numbers"]))
    X = rng.normal(size=(n, d)) * np.geomspace(1, draw(st.sampled_from([1, 0.1, 10])), d)
    X += draw(st.sampled_from([0, 1])) * rng.normal(size=d)
    if draw(st.booleans()):
        X[:, rng.randint(d)] = 3.7
    signal = X @ rng.normal(size=(d, n_outputs)) / np.sqrt(d)
    signal = draw(st.sampled_from([0.1, 2])) * signal + rng.gumbel(size=(n, n_outputs))
    if kind == "classes":
        y = np.unique(np.r_[np.arange(2), signal.argmax(1)[2:]], return_inverse=True)[1]
    else:
        y = signal if n_outputs > 1 else signal[:, 0]
    spread = draw(st.sampled_from([0, 1, 2]))
    weight = 10 ** rng.uniform(-spread, spread, size=n)
    l2_penalty = draw(st.sampled_from(["norm", "norm", "squared"]))
    return X, y, weight, kind, Objective(X, y, weight, kind, l2_penalty)


SHARES_L1 = st.sampled_from([0.0, 0.003, 0.1, 0.5, 0.95])
SHARES_L2 = st.sampled_from([0.003, 0.1, 0.5, 0.9, 0.99, 0.999, 1 - 1e-6, 1, 1 + 1e-6, 2])
JOINING = st.sampled_from([1, 5, 100])


def make_probe(kind, objective, **params):
    make = LinearProbeClassifier if kind == "classes" else LinearProbeRegressor
    return make(
        solver="owlqn", l2_penalty=objective.l2_penalty, tol=objective.tol, max_iter=20_000, device="cpu",
        **params,
    )  # fmt: skip


def draw_lambdas(data, objective):
    lambda_l1 = data.draw(SHARES_L1) * np.abs(objective.gradient_at_zero()).max()
    return lambda_l1, data.draw(SHARES_L2) * objective.strongest(lambda_l1)


def check(fitted, objective, lambda_l1, lambda_l2):
    """Compare the fitted attributes with the certificate."""
    coef, intercept = np.atleast_2d(fitted["coef_"]), np.atleast_1d(fitted["intercept_"])
    violation = objective.violation(coef, intercept, lambda_l1, lambda_l2)
    assert violation <= 1.001 * objective.tol
    np.testing.assert_allclose(
        fitted["optimality_"], violation, rtol=1e-3, atol=1e-4 * objective.tol
    )
    if objective.l2_penalty == "norm":
        strongest = objective.strongest(lambda_l1)
        if lambda_l2 > strongest * (1 + 1e-9):
            assert not coef.any()
            assert fitted["optimality_"] == 0


@given(problems(), JOINING, st.data())
def test_a_probe_is_optimal(problem, joining, data):
    X, y, weight, kind, objective = problem
    lambdas = draw_lambdas(data, objective)
    probe = make_probe(kind, objective, lambda_l1=lambdas[0], lambda_l2=lambdas[1])
    with patch.object(_owlqn, "_JOINING", joining):
        check(vars(probe.fit(X, y, weight)), objective, *lambdas)


@given(problems(), JOINING, st.data())
def test_every_probe_of_a_bank_is_optimal(problem, joining, data):
    X, y, weight, kind, objective = problem
    pairs = [draw_lambdas(data, objective) for _ in range(data.draw(st.integers(2, 3)))]
    with patch.object(_owlqn, "_JOINING", joining):
        bank = make_probe(kind, objective)._fit_bank(X, y, weight, pairs)
    for fitted, lambdas in zip(bank, pairs, strict=True):
        check(fitted, objective, *lambdas)


@given(problems(), JOINING, st.data())
def test_every_probe_of_a_path_is_optimal(problem, joining, data):
    X, y, weight, kind, objective = problem
    probe = make_probe(kind, objective, warm_start=True)
    for _ in range(2):  # from W = 0, and from the first solution
        lambdas = draw_lambdas(data, objective)
        probe.set_params(lambda_l1=lambdas[0], lambda_l2=lambdas[1])
        with patch.object(_owlqn, "_JOINING", joining):
            check(vars(probe.fit(X, y, weight)), objective, *lambdas)
