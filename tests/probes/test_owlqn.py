"""The exact solver finds the minimizer, according to theorems and to other solvers."""

import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.model_selection import KFold

from sklearn_neurox import (
    LinearProbeClassifier,
    LinearProbeClassifierCV,
    LinearProbeRegressor,
    LinearProbeRegressorCV,
)
from sklearn_neurox.probes._bank_objective import BankObjective
from sklearn_neurox.probes._datafit import RowsDatafit
from sklearn_neurox.probes._owlqn import Minimization

PAIRS = [(0.0, 0.05), (0.02, 0.0), (0.01, 0.03), (1e-4, 1e-4)]
FORMS = ["norm", "squared"]
KINDS = ["classes", "two classes", "numbers", "two numbers"]


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


def objective_and_slope(fitted, X, y, weight):
    """Return the objective, W, and the gradient of the loss by W and b, from the formula."""
    weight = weight / weight.sum()
    W, b = np.atleast_2d(fitted.coef_), np.atleast_1d(fitted.intercept_)
    if hasattr(fitted, "classes_"):
        if len(W) == 1:
            W, b = np.vstack([-W, W]) / 2, np.hstack([-b, b]) / 2
        outputs = X @ W.T + b
        targets = (y[:, None] == fitted.classes_).astype(float)
        losses = -(log_softmax(outputs, axis=1) * targets).sum(1)
        gradient = softmax(outputs, axis=1) - targets
    else:
        targets = y.reshape(len(y), -1)
        losses = np.square(X @ W.T + b - targets).mean(1)
        gradient = 2 * (X @ W.T + b - targets) / targets.shape[1]
    norm = np.linalg.norm(W)
    l2 = norm**2 if fitted.l2_penalty == "squared" else norm
    value = weight @ losses + fitted.lambda_l1 * np.abs(W).sum() + fitted.lambda_l2 * l2
    gradient *= weight[:, None]
    return value, W, gradient.T @ X, gradient.sum(0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("l1", "l2"), PAIRS)
def test_optimality_conditions(kind, form, l1, l2):
    X, y, weight = problem(kind)
    fitted = probe(kind, lambda_l1=l1, lambda_l2=l2, l2_penalty=form).fit(X, y, weight)
    value, W, slope, bias_slope = objective_and_slope(fitted, X, y, weight)
    np.testing.assert_allclose(fitted.objective_, value, rtol=1e-9)
    assert fitted.optimality_ <= 1e-7
    slope += l2 * (2 * W if form == "squared" else W / np.linalg.norm(W))
    moving = np.where(W != 0, slope + l1 * np.sign(W), 0)
    resting = np.where(W == 0, np.maximum(np.abs(slope) - l1, 0), 0)
    tolerance = 1.001e-7
    assert np.abs(bias_slope).max() <= tolerance
    assert np.abs(moving).max() <= tolerance
    assert resting.max() <= tolerance
    if l1 in (0.0, 0.02):
        assert (W == 0).any() == (l1 > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_lambdas_are_those_of_the_theory(kind):
    X, y, weight = problem(kind)
    null = probe(kind, lambda_l1=1e9).fit(X, y, weight)
    _, _, slope, _ = objective_and_slope(null, X, y, weight)
    assert not null.coef_.any()
    for l1, l2 in [
        (np.abs(slope).max(), 0.0),
        (0.0, np.linalg.norm(slope)),
        (
            np.median(np.abs(slope)),
            np.linalg.norm(np.maximum(np.abs(slope) - np.median(np.abs(slope)), 0)),
        ),
    ]:
        above = probe(kind, lambda_l1=1.0001 * l1, lambda_l2=1.0001 * l2).fit(X, y, weight)
        below = probe(kind, lambda_l1=0.99 * l1, lambda_l2=0.99 * l2).fit(X, y, weight)
        assert not above.coef_.any()
        assert above.optimality_ == 0
        assert below.coef_.any()
    np.testing.assert_allclose(null.predict(X[:1]), above.predict(X[-1:]))


def test_a_null_probe_predicts_the_frequencies():
    X, y, weight = problem("classes")
    null = probe("classes", lambda_l2=1e9).fit(X, y, weight)
    shares = np.bincount(y, weights=weight) / weight.sum()
    np.testing.assert_allclose(null.predict_proba(X[:2]), [shares, shares])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("l1", "l2"), PAIRS)
def test_no_other_solver_goes_lower(kind, form, l1, l2):
    """scipy on W = P - N with P, N >= 0, where the L1 norm is linear."""
    X, y, weight = problem(kind)
    fitted = probe(kind, lambda_l1=l1, lambda_l2=l2, l2_penalty=form).fit(X, y, weight)
    shape = (np.unique(y).size if "classes" in kind else y.reshape(len(y), -1).shape[1], 15)
    size = shape[0] * shape[1]

    def split(z):
        other = probe(kind, lambda_l1=l1, lambda_l2=l2, l2_penalty=form)
        other.coef_ = (z[:size] - z[size : 2 * size]).reshape(shape)
        other.intercept_ = z[2 * size :]
        if "classes" in kind:
            other.classes_ = np.unique(y)
        value, W, slope, bias_slope = objective_and_slope(other, X, y, weight)
        norm = np.linalg.norm(W)
        slope = slope + l2 * (2 * W if form == "squared" else W / max(norm, 1e-12))
        value += l1 * (z[: 2 * size].sum() - np.abs(W).sum())
        return value, np.hstack([slope.ravel() + l1, -slope.ravel() + l1, bias_slope])

    start = np.full(2 * size + shape[0], 1e-3)
    start[:size] += 1e-3 * np.random.RandomState(0).uniform(size=size)
    best = minimize(
        split, start, jac=True, method="L-BFGS-B",
        bounds=[(0, None)] * (2 * size) + [(None, None)] * shape[0],
        options={"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-9},
    )  # fmt: skip
    assert fitted.objective_ <= best.fun * (1 + 1e-6)
    np.testing.assert_allclose(fitted.objective_, best.fun, rtol=1e-4)


def test_saga_and_proximal_gradient_agree():
    X, y, _ = problem("classes")
    X = (X - X.mean(0)) / X.std(0)
    l1, l2, n = 0.01, 0.005, len(X)
    fitted = probe("classes", lambda_l1=l1, lambda_l2=l2, l2_penalty="squared").fit(X, y)
    strength = l1 + 2 * l2
    saga = LogisticRegression(
        C=1 / (n * strength), l1_ratio=l1 / strength, solver="saga", tol=1e-12, max_iter=20_000
    ).fit(X, y)
    np.testing.assert_allclose(fitted.coef_, saga.coef_, atol=1e-5)

    ones, target = np.c_[X, np.ones(n)], np.eye(4)[y]
    z = np.zeros((4, 16))
    step = 1 / (0.5 * np.linalg.norm(ones, 2) ** 2 / n)
    for _ in range(5000):
        z = z - step * ((softmax(ones @ z.T, axis=1) - target).T @ ones / n)
        W = np.sign(z[:, :-1]) * np.maximum(np.abs(z[:, :-1]) - step * l1, 0)
        z[:, :-1] = W / (1 + 2 * step * l2)
    W = z[:, :-1]
    loss = -log_softmax(ones @ z.T, axis=1)[np.arange(n), y].mean()
    value = loss + l1 * np.abs(W).sum() + l2 * np.square(W).sum()
    np.testing.assert_allclose(fitted.objective_, value, rtol=1e-6)


@pytest.mark.parametrize("l1", [0.0, 0.1])
def test_scikit_learns_linear_models(l1):
    X, y, _ = problem("numbers")
    l2 = 0.05
    ours = probe("numbers", lambda_l1=l1, lambda_l2=l2, l2_penalty="squared").fit(X, y)
    strength = l1 / 2 + l2  # scikit-learn halves the squared error
    theirs = (
        ElasticNet(strength, l1_ratio=l1 / 2 / strength, tol=1e-12, max_iter=100_000)
        if l1
        else Ridge(len(X) * l2)
    ).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_counts_rows(kind):
    X, y, _ = problem(kind, n=60)
    count = np.random.RandomState(1).randint(4, size=60)
    options = dict(lambda_l1=0.01, lambda_l2=0.01, tol=1e-10)
    weighed = probe(kind, **options).fit(X, y, count)
    repeated = probe(kind, **options).fit(X.repeat(count, 0), y.repeat(count, 0))
    np.testing.assert_allclose(weighed.coef_, repeated.coef_, atol=1e-7)
    np.testing.assert_allclose(weighed.objective_, repeated.objective_, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_runs_agree_bit_for_bit(kind, dtype):
    X, y, weight = problem(kind)
    runs = [probe(kind, lambda_l1=0.01, tol=1e-5).fit(X.astype(dtype), y, weight) for _ in range(2)]
    assert runs[0].coef_.dtype == dtype
    np.testing.assert_array_equal(runs[0].coef_, runs[1].coef_)
    np.testing.assert_array_equal(runs[0].loss_curve_, runs[1].loss_curve_)


def test_single_precision_is_close():
    X, y, weight = problem("classes")
    exact = probe("classes", lambda_l1=0.01).fit(X, y, weight)
    single = probe("classes", lambda_l1=0.01, tol=1e-5).fit(X.astype(np.float32), y, weight)
    np.testing.assert_allclose(single.objective_, exact.objective_, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_warm_start_at_the_optimum_stays(kind):
    X, y, weight = problem(kind)
    warm = probe(kind, lambda_l1=0.01, lambda_l2=0.01, tol=1e-6).fit(X, y, weight)
    cold_steps, coef = warm.n_iter_, warm.coef_
    warm.set_params(warm_start=True, tol=2e-6).fit(X, y, weight)
    assert warm.n_iter_ == 1
    np.testing.assert_allclose(warm.coef_, coef, atol=1e-12)
    warm.set_params(lambda_l1=0.011, tol=1e-6).fit(X, y, weight)
    cold = probe(kind, lambda_l1=0.011, lambda_l2=0.01, tol=1e-6).fit(X, y, weight)
    assert warm.n_iter_ < cold_steps
    np.testing.assert_allclose(warm.objective_, cold.objective_, rtol=1e-7)


def test_adam_starts_from_the_optimum_and_back():
    X, y, _ = problem("classes")
    fitted = probe("classes", lambda_l1=0.01, warm_start=True).fit(X, y)
    assert not hasattr(fitted, "net_")
    best = fitted.objective_
    fitted.set_params(solver="adam", max_epochs=1).fit(X, y)
    assert not hasattr(fitted, "optimality_")
    assert fitted.objective_ > best
    np.testing.assert_allclose(fitted.set_params(solver="owlqn").fit(X, y).objective_, best)


@pytest.mark.parametrize("kind", ["classes", "numbers", "two numbers"])
def test_the_unit_of_a_neuron_does_not_matter_without_penalty(kind):
    X, y, weight = problem(kind)
    plain = probe(kind).fit(X, y, weight)
    scale = np.geomspace(1e-3, 1, 15)
    scaled = probe(kind).fit(X * scale, y, weight)
    np.testing.assert_allclose(scaled.objective_, plain.objective_, rtol=1e-6)
    # Not the weights of classes: one class is separable, so that its weights grow without bound.
    look = "predict_proba" if kind == "classes" else "predict"
    np.testing.assert_allclose(
        getattr(scaled, look)(X * scale), getattr(plain, look)(X), atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("l1", [0.0, 0.01])
def test_constant_neurons_have_weight_zero(kind, l1):
    X, y, weight = problem(kind)
    noise = np.random.RandomState(0).normal(size=len(X))
    more = np.c_[X, np.zeros(len(X)), np.full(len(X), 7.3), 1 + 1e-16 * noise, 1e-32 * noise]
    fitted = probe(kind, lambda_l1=l1, lambda_l2=0.01).fit(more, y, weight)
    assert not fitted.coef_[..., -4:].any()
    without = probe(kind, lambda_l1=l1, lambda_l2=0.01).fit(X, y, weight)
    np.testing.assert_allclose(fitted.objective_, without.objective_, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_more_neurons_than_samples_and_copies_of_them(kind):
    X, y, weight = problem(kind, n=40, d=60)
    fitted = probe(kind, lambda_l1=0.01).fit(np.c_[X, X], y, weight)
    alone = probe(kind, lambda_l1=0.01).fit(X, y, weight)
    np.testing.assert_allclose(fitted.objective_, alone.objective_, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_objective_never_rises(kind):
    X, y, weight = problem(kind)
    curve = probe(kind, lambda_l1=0.01, lambda_l2=0.01).fit(X, y, weight).loss_curve_
    assert len(curve) > 3
    assert (np.diff(curve) <= 1e-12 * curve[0]).all()


def test_working_sets_change_nothing(monkeypatch):
    X, y, weight = problem("classes", n=150, d=80)
    whole = probe("classes", lambda_l1=0.02).fit(X, y, weight)
    monkeypatch.setattr("sklearn_neurox.probes._owlqn._JOINING", 5)
    parts = probe("classes", lambda_l1=0.02).fit(X, y, weight)
    np.testing.assert_allclose(parts.objective_, whole.objective_, rtol=1e-9)
    np.testing.assert_array_equal(parts.coef_ != 0, whole.coef_ != 0)


def test_chunks_change_nothing(monkeypatch):
    X, y, weight = problem("classes")
    options = dict(lambda_l1=0.02, lambda_l2=0.02, l2_penalty="squared")
    whole = probe("classes", **options).fit(X, y, weight)
    monkeypatch.setattr("sklearn_neurox._row_chunks._ELEMENTS", 200)
    monkeypatch.setattr("sklearn_neurox._row_chunks._LEAST_ROWS", 1)
    chunks = probe("classes", **options).fit(X, y, weight)
    np.testing.assert_allclose(chunks.coef_, whole.coef_, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_bank_finds_the_minima_of_its_probes(form):
    X, y, weight = problem("classes")
    datafit = RowsDatafit(
        torch.from_numpy(X),
        torch.eye(4, dtype=torch.float64)[y].T,
        torch.from_numpy(weight / weight.sum()),
        "softmax_cross_entropy",
    )
    l1, l2 = torch.tensor([*PAIRS, (9.0, 0.0)], dtype=torch.float64).T
    bank = Minimization(BankObjective(datafit, l1, l2, form), tol=1e-7, max_iter=20_000)
    for _ in bank.steps():
        pass
    weights, _, objective, _ = bank.minimum()
    for k in range(len(l1)):
        alone = probe("classes", lambda_l1=l1[k].item(), lambda_l2=l2[k].item(), l2_penalty=form)
        alone.fit(X, y, weight)
        np.testing.assert_allclose(objective[k], alone.objective_, rtol=1e-7)
    assert not weights[-1].any()


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_the_range_is_an_error(kind):
    X, y, _ = problem(kind)
    X = X.astype(np.float32)
    if "classes" in kind:  # the moments of numbers are in float64
        with pytest.raises(ValueError, match="exceeded the range of float32"):
            probe(kind).fit(X * np.float32(1e25), y)
        with pytest.raises(ValueError, match="exceeded the range of float32"):
            probe(kind, lambda_l2=1e39, l2_penalty="squared").fit(X, y)
        assert not probe(kind, lambda_l2=1e39).fit(X, y).coef_.any()
    heavy = probe(kind, lambda_l2=0.1, tol=1e-5).fit(X, y, np.full(len(X), 3e38))
    np.testing.assert_array_equal(heavy.coef_, probe(kind, lambda_l2=0.1, tol=1e-5).fit(X, y).coef_)
    light = np.where(np.arange(len(X)) % 2, 1, 1e-29)
    assert np.isfinite(probe(kind, lambda_l2=0.1, tol=1e-5).fit(X, y, light).objective_)


class TestWarnings:
    def test_too_few_iterations(self):
        X, y, _ = problem("classes")
        with pytest.warns(
            ConvergenceWarning, match=r"stopped at max_iter=5. Increase max_iter or tol"
        ):
            fitted = probe("classes", lambda_l1=0.001, max_iter=5).fit(X, y)
        assert fitted.n_iter_ == 5
        assert fitted.optimality_ > 1e-7

    def test_the_worst_probe_of_a_bank_is_named(self):
        X, Y, _ = problem("classes")
        probe = LinearProbeClassifier(solver="owlqn", max_iter=5, device="cpu")
        with pytest.warns(ConvergenceWarning) as caught:
            fitted = probe._fit_bank(X, Y, None, [(1e-2, 1e-3), (1e-2, 1e-1)])
        worst = max(fitted, key=lambda each: each["optimality_"])
        pair = [1e-3, 1e-1][fitted.index(worst)]
        assert (
            f"by {worst['optimality_']:.1e} at lambda_l1=0.01, lambda_l2={pair:g} and at 1 more pair"
            in str(caught[0].message)
        )

    def test_rounding(self):
        X, y, _ = problem("classes")
        with pytest.warns(ConvergenceWarning, match="rounding error of float32"):
            probe("classes", lambda_l2=0.001, tol=1e-12).fit(X.astype(np.float32), y)

    @pytest.mark.parametrize("kind", ["classes", "two classes"])
    def test_separable_classes_without_penalty(self, kind):
        X, y, _ = problem(kind, n=30, d=40)
        with pytest.warns(ConvergenceWarning, match="the objective does not have a minimizer"):
            probe(kind, tol=1e-4).fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            probe(kind, tol=1e-4, lambda_l2=1e-3).fit(X, y)

    def test_separable_classes_in_a_frame_and_a_search(self):
        pandas = pytest.importorskip("pandas")
        X, y, _ = problem("classes", n=30, d=40)
        X = pandas.DataFrame(X, columns=[f"neuron_{i}" for i in range(40)])
        with pytest.warns(ConvergenceWarning, match="the objective does not have a minimizer"):
            probe("classes", tol=1e-4).fit(X, y)
        search = LinearProbeClassifierCV(
            lambdas_l1=[0], lambdas_l2=[0], solver="owlqn", tol=1e-3, cv=KFold(2)
        )
        with pytest.warns(ConvergenceWarning, match="the objective does not have a minimizer"):
            search.fit(np.tile(X, (2, 1)), np.tile(y, 2))

    def test_classes_that_overlap_have_a_minimiser(self):
        X, y, _ = problem("classes")
        assert probe("classes").fit(X, y).score(X, y) < 1


def test_callbacks_see_every_iteration():
    X, y, _ = problem("classes")
    monitor = ScoringMonitor(scoring="accuracy")
    fitted = probe("classes", lambda_l1=0.01, tol=1e-3).set_callbacks(monitor).fit(X, y)
    steps = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(steps) == fitted.n_iter_ - 1
    assert steps[-1]["accuracy"] == fitted.score(X, y)


def test_a_callback_stops_without_a_warning():
    class Stop:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context):
            return context.task_name == "iteration" and context.task_id == 2

    X, y, _ = problem("classes")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        fitted = probe("classes", lambda_l1=0.001).set_callbacks(Stop()).fit(X, y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert fitted.n_iter_ == 4
    assert fitted.optimality_ > 1e-7


def test_verbose_counts_iterations(capsys):
    X, y, _ = problem("classes")
    fitted = probe("classes", lambda_l1=0.01, tol=1e-2, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == fitted.n_iter_ - 1
    assert lines[0].startswith("[LinearProbeClassifier] iteration 1: ")


class TestLeavingZero:
    """With the unsquared norm, W = 0 is optimal or not for all neurons together."""

    @staticmethod
    def spread_signal(kind):
        """Return X and y with a weak signal in each of 300 of 500 neurons."""
        rng = np.random.RandomState(0)
        X, y = rng.normal(size=(600, 500)), rng.randint(3, size=600)
        X[:, :300] += 0.1 * y[:, None]
        return X, {"classes": y, "two classes": y > 0}.get(kind, y + 0.1 * X[:, 0])

    @staticmethod
    def largest_lambda_l2(kind, X, y, l1):
        null = probe(kind, lambda_l1=1e9).fit(X, y)
        _, _, slope, _ = objective_and_slope(null, X, y, np.ones(len(X)))
        return np.linalg.norm(np.maximum(np.abs(slope) - l1, 0))

    @pytest.mark.parametrize("kind", ["classes", "two classes", "numbers"])
    @pytest.mark.parametrize("l1", [1e-3, 1e-2])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_just_below_the_largest_lambda(self, kind, l1, dtype):
        X, y = self.spread_signal(kind)
        X = X.astype(dtype)
        strongest = self.largest_lambda_l2(kind, X.astype(np.float64), y, l1)
        options = {"lambda_l1": l1, "tol": 1e-5}
        above = probe(kind, **options, lambda_l2=1.0001 * strongest).fit(X, y)
        assert not above.coef_.any()
        assert above.optimality_ == 0
        norms = []
        for share in (0.999, 0.99, 0.8, 0.3):
            below = probe(kind, **options, lambda_l2=share * strongest).fit(X, y)
            assert below.optimality_ <= 1e-5
            assert below.objective_ < above.objective_
            norms.append(np.linalg.norm(below.coef_))
        assert (np.diff([0, *norms]) > 0).all()

    def test_against_proximal_gradient(self):
        X, y = self.spread_signal("classes")
        l1, l2 = 1e-3, 1.0536
        fitted = probe("classes", lambda_l1=l1, lambda_l2=l2).fit(X, y)
        W, b, step = np.zeros((3, 500)), np.log(np.bincount(y) / 600), 0.5
        for _ in range(2000):
            gradient = (softmax(X @ W.T + b, axis=1) - np.eye(3)[y]) / 600
            W, b = W - step * gradient.T @ X, b - step * gradient.sum(0)
            W = np.sign(W) * np.maximum(np.abs(W) - step * l1, 0)
            W *= max(0, 1 - step * l2 / np.linalg.norm(W))
        np.testing.assert_allclose(fitted.coef_, W, atol=1e-6)
        assert np.linalg.norm(fitted.coef_) > 0.009

    def test_a_search_and_a_path(self):
        X, y = self.spread_signal("classes")
        strongest = self.largest_lambda_l2("classes", X, y, 1e-3)
        search = LinearProbeClassifierCV(
            lambdas_l1=[1e-3], lambdas_l2=[0.97 * strongest], solver="owlqn", cv=2, device="cpu"
        ).fit(X, y)
        assert search.coef_.any()
        assert search.zero_shares_.max() < 1
        path = probe("classes", lambda_l1=1e-3, warm_start=True)
        for share in (1.01, 0.999, 0.9, 0.999, 1.01):
            path.set_params(lambda_l2=share * strongest).fit(X, y)
            cold = probe("classes", lambda_l1=1e-3, lambda_l2=share * strongest).fit(X, y)
            np.testing.assert_allclose(path.coef_, cold.coef_, atol=1e-6)
            assert path.coef_.any() == (share < 1)

    def test_a_class_whose_weights_are_all_zero(self):
        X, y = self.spread_signal("classes")
        null = probe("classes", lambda_l1=1e9).fit(X, y)
        _, _, slope, _ = objective_and_slope(null, X, y, np.ones(len(X)))
        l1 = 1.05 * np.abs(slope[1]).max()
        fitted = probe("classes", lambda_l1=l1, lambda_l2=1e-3).fit(X, y)
        assert fitted.coef_.any(axis=1).tolist() == [True, False, True]

    def test_a_probe_with_small_violations_is_not_neglected(self, monkeypatch):
        """A working set has neurons for every probe of a bank, not for the worst one only."""
        monkeypatch.setattr("sklearn_neurox.probes._owlqn._JOINING", 1)
        rng = np.random.RandomState(0)
        X = rng.normal(size=(400, 60))
        y = X[:, :20].sum(1) + 0.01 * X[:, 20:40].sum(1)
        # The second probe starts at its optimum on the strong neurons.
        strong = probe("numbers", lambda_l1=1e-3).fit(X[:, :20], y)
        datafit = RowsDatafit(
            torch.from_numpy(X),
            torch.from_numpy(y[None]),
            torch.full((400,), 1 / 400, dtype=torch.float64),
            "squared_error",
        )
        lambdas = torch.tensor([[1e-3, 1e-3], [0, 1e-6]], dtype=torch.float64)
        start = torch.zeros(2, 1, 60, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
        start[0][1, 0, :20] = torch.from_numpy(strong.coef_)
        start[1][1] = strong.intercept_.item()
        bank = Minimization(
            BankObjective(datafit, *lambdas, "norm"), start=start, tol=1e-6, max_iter=5000
        )
        for _ in bank.steps():
            pass
        assert bank.minimum()[3].max() <= 1e-6


class TestExtremeWeights:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_only_ratios_matter(self, kind, size, dtype):
        X, y, weight = problem(kind)
        X, options = X.astype(dtype), {"lambda_l1": 0.01, "lambda_l2": 0.01, "tol": 1e-5}
        plain = probe(kind, **options).fit(X, y, weight)
        scaled = probe(kind, **options).fit(X, y, weight * size)
        np.testing.assert_allclose(scaled.coef_, plain.coef_, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(scaled.objective_, plain.objective_, rtol=1e-6)

    @pytest.mark.parametrize("class_weight", [None, "balanced"])
    @pytest.mark.parametrize("kind", ["classes", "two classes"])
    def test_weights_close_to_the_largest_float(self, kind, class_weight):
        X, y, _ = problem(kind)
        options = {"lambda_l1": 0.01, "class_weight": class_weight}
        plain = probe(kind, **options).fit(X, y)
        heavy = probe(kind, **options).fit(X, y, np.full(len(X), 1.7e308))
        np.testing.assert_allclose(heavy.coef_, plain.coef_, atol=1e-12)

    @pytest.mark.parametrize("kind", ["classes", "two classes"])
    @pytest.mark.parametrize("share", [1e-29, 1e-10])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_class_of_almost_no_weight(self, kind, share, dtype):
        """It is predicted almost never, and the other classes as if it did not exist."""
        X, y, _ = problem(kind)
        X, options = X.astype(dtype), {"lambda_l1": 0.01, "tol": 1e-5}
        rare = np.unique(y)[0]
        fitted = probe(kind, **options).fit(X, y, np.where(y == rare, share, 1.0))
        proba = fitted.predict_proba(X)
        assert proba[:, 0].max() < 1e-6
        assert not (fitted.coef_[0].any() if kind == "classes" else fitted.coef_.any())
        if kind == "classes":
            others = probe(kind, **options).fit(X[y != rare], y[y != rare])
            np.testing.assert_allclose(proba[:, 1:], others.predict_proba(X), atol=1e-4)

    def test_the_moments_of_folds(self):
        """A fold that has almost all the weight is not subtracted from the total."""
        X, y, weight = problem("numbers")
        weight[:40] *= 1e28
        search = LinearProbeRegressorCV(
            lambdas_l1=[0.01], lambdas_l2=[0], solver="owlqn", cv=KFold(3), device="cpu"
        ).fit(X, y, sample_weight=weight)
        for fold, (train, test) in enumerate(KFold(3).split(X)):
            alone = probe("numbers", lambda_l1=0.01).fit(X[train], y[train], weight[train])
            score = alone.score(X[test], y[test], weight[test])
            found = search.cv_results_[f"split{fold}_test_score"][0]
            assert found == pytest.approx(score, abs=1e-3)


def test_squares_that_underflow_are_an_error():
    X, y, _ = problem("classes")
    small = (X * 1e-30).astype(np.float32)
    with pytest.raises(ValueError, match=r"range of float32: the values of neuron 0 differ"):
        probe("classes").fit(small, y)
    with pytest.raises(ValueError, match=r"range of float64: the values of neuron 0 differ"):
        probe("classes").fit(X * 1e-200, y)
    exact = probe("classes", tol=1e-4).fit(small.astype(np.float64), y)
    assert exact.score(small.astype(np.float64), y) > 0.5
