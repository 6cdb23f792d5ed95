"""The optimum of one probe on one thread, compared with NeuroX's 10 epochs, saga and lbfgs.

The gap is the relative distance of an objective from the lowest one known. The penalty is the
un-squared norm, as in NeuroX, or the squared one, as in scikit-learn. Each side uses the loosest
tolerance, or the fewest iterations, with which it reaches a gap of 1e-3.
Run: python benchmarks/bench_exact.py [--repeats 5] [--cap 60]
"""

from __future__ import annotations

import time
import warnings

import _neurox
import torch
from _data import draw_start, floor, load_real_data, make_data, objective
from _timing import command_line, interleave
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sklearn_neurox import LinearProbeClassifier

LAMBDA, GAP = 1e-3, 1e-3
TOLS = (1e-2, 5e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4)
TOLS_LBFGS = (1e-1, 5e-2, 2e-2, *TOLS, 5e-5, 2e-5, 1e-5, 1e-6)


class Problem:
    """An objective on given data, and its lowest known value."""

    def __init__(self, X, y, lambda_l1, lambda_l2, l2_penalty):
        self.X, self.y = X, y
        self.lambdas = lambda_l1, lambda_l2
        self.l2_penalty = l2_penalty
        start = time.perf_counter()
        probe = self.probe(tol=1e-6, max_iter=20_000).fit(X.astype("float64"), y)
        self.best = self.value(probe.coef_, probe.intercept_)
        print(
            f"  optimum {self.best:.6f}, {(probe.coef_ == 0).mean():.1%} of the weights are 0 "
            f"(float64, violation {probe.optimality_:.0e}, {time.perf_counter() - start:.1f} s)",
            flush=True,
        )

    def probe(self, **params):
        return LinearProbeClassifier(
            lambda_l1=self.lambdas[0], lambda_l2=self.lambdas[1], l2_penalty=self.l2_penalty,
            solver="owlqn", device="cpu", **params,
        )  # fmt: skip

    def value(self, weight, bias):
        return objective(weight, bias, self.X, self.y, *self.lambdas, l2_penalty=self.l2_penalty)

    def gap(self, weight, bias):
        return self.value(weight, bias) / self.best - 1

    def loosest(self, make, tols):
        """Return the estimator with the loosest tolerance that reaches the gap, and a report."""
        for tol in tols:
            estimator = make(tol=tol).fit(self.X, self.y)
            gap = self.gap(estimator.coef_, estimator.intercept_)
            if gap <= GAP:
                break
        return estimator, f"gap {gap:.1e} (tol={tol:g}, {int(iterations(estimator))} iterations)"

    def side(self, make, tols):
        """Return a function that fits the estimator and reports the gap."""
        estimator, report = self.loosest(make, tols)

        def timed():
            estimator.fit(self.X, self.y)
            return report

        return timed


def iterations(estimator):
    """Return the number of iterations, which scikit-learn stores in an array."""
    return getattr(estimator.n_iter_, "max", lambda: estimator.n_iter_)()


def against_neurox(X, y, repeats):
    problem = Problem(X, y, LAMBDA, LAMBDA, "norm")
    start = draw_start(y.max() + 1, X.shape[1])

    def neurox():
        weight, bias, _ = _neurox.train(X, y, LAMBDA, LAMBDA, start=start)
        return f"gap {problem.gap(weight, bias):.1e}"

    sides = {"owlqn": problem.side(problem.probe, TOLS), "NeuroX, 10 epochs": neurox}
    interleave(sides, repeats=repeats)


def against_saga(X, y, repeats, cap):
    """Increase the iterations of saga until it reaches the gap or would exceed the time limit."""
    problem = Problem(X, y, LAMBDA, LAMBDA, "squared")
    ours = interleave({"owlqn": problem.side(problem.probe, TOLS)}, repeats=repeats)["owlqn"]
    strength = LAMBDA + 2 * LAMBDA
    max_iter, seconds, gap = 1, 0.0, float("inf")
    while gap > GAP and 1.3 * seconds < cap:
        max_iter = max(max_iter + 1, int(1.3 * max_iter))
        model = LogisticRegression(
            C=1 / (len(X) * strength), l1_ratio=LAMBDA / strength, solver="saga", tol=1e-12,
            max_iter=max_iter, random_state=0,
        )  # fmt: skip
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        gap = problem.gap(model.coef_, model.intercept_)
    end = "" if gap <= GAP else f"; stopped at the limit of {cap:g} s, the gap is not reached"
    print(
        f"  {'saga, one run':44} {seconds:8.3f} s  x{seconds / ours:6.2f}   gap {gap:.1e} ", end=""
    )
    print(f"({max_iter} iterations{end})", flush=True)


def against_lbfgs(X, y, repeats):
    problem = Problem(X, y, 0.0, LAMBDA, "squared")

    def lbfgs(tol):
        C = 1 / (2 * len(X) * LAMBDA)
        return LogisticRegression(C=C, solver="lbfgs", tol=tol, max_iter=10_000)

    sides = {
        "owlqn": problem.side(problem.probe, (1e-1, 5e-2, 2e-2, *TOLS)),
        "scikit-learn's lbfgs": problem.side(lbfgs, TOLS_LBFGS),
    }
    interleave(sides, repeats=repeats)


def main():
    parser = command_line(__doc__)
    parser.add_argument("--cap", type=float, default=60, help="time limit for saga in seconds")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    _neurox.check()
    for name, (X, y) in {"synthetic": make_data(), "real": load_real_data()}.items():
        shape = (*X.shape, y.max() + 1)
        print("{}: {:,} samples x {:,} neurons, {} classes".format(name, *shape), end="; ")
        print(f"one pass over X: {floor(*shape, passes=1)}")
        print(f" norm penalty, lambda_l1 = lambda_l2 = {LAMBDA:g}")
        against_neurox(X, y, args.repeats)
        print(f" squared penalty, lambda_l1 = lambda_l2 = {LAMBDA:g}")
        against_saga(X, y, args.repeats, args.cap)
        print(f" squared penalty, lambda_l1 = 0, lambda_l2 = {LAMBDA:g}")
        against_lbfgs(X, y, args.repeats)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
