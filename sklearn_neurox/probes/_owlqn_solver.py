"""The solver "owlqn": orthant-wise L-BFGS, to the optimum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .._device import as_tensor
from .._process import torch_threads
from .._warnings import warn
from ._newton import newton_pays
from ._owlqn import Minimization
from ._solver import Solution, Solver, Start, Step, as_array

# Number of outputs of a bank below which it is joined with the next one.
_FEW_OUTPUTS = 32


@dataclass
class OWLQN(Solver):
    """Orthant-wise L-BFGS, until the optimality conditions hold within `tol`."""

    max_iter: int
    tol: float

    step_name = "iteration"
    max_steps = "max_iter"
    uses_moments = True
    is_exact = True
    minimized_penalties = ("l1", "norm", "squared")

    def banks(self) -> list[NDArray[np.intp]]:
        """Divide the pairs by lambda_l1, in decreasing order.

        Sparse probes use few neurons, but a bank uses the neurons of all its probes, and the next
        bank starts from its solutions. Banks with few outputs are joined, because a product with X
        takes almost as long for a few outputs as for one. On second moments or a few neurons, a
        step is so cheap that a single bank is fastest.
        """
        datafit = self.problem.data.datafit
        n_weights = len(datafit.null_bias) * (len(datafit.mean) + 1)
        is_small = newton_pays(datafit.mean, n_weights, datafit.n_rows)
        if is_small or not datafit.n_rows:
            return super().banks()
        lambda_l1 = self.problem.lambdas[:, 0]
        banks: list[list[int]] = [[]]
        for value in np.unique(lambda_l1)[::-1]:
            if len(banks[-1]) * len(datafit.null_bias) >= _FEW_OUTPUTS:
                banks.append([])
            banks[-1].extend(np.flatnonzero(lambda_l1 == value).tolist())
        return [np.array(bank) for bank in banks]

    def start_of(
        self, pairs: NDArray[np.intp], solved: Mapping[tuple[int, int], Solution]
    ) -> Start | None:
        """Return the solutions for the same lambda_l2 and the next larger lambda_l1.

        If there is none, or lambda_l1 is 0, a probe starts at W = 0. Sparse weights are a poor
        start if no weight is 0 at the optimum.
        """
        if self.problem.start is not None or not solved:
            return self.problem.start
        lambdas, some = self.problem.lambdas, next(iter(solved.values()))
        null = np.zeros_like(some.weight), np.zeros_like(some.bias)

        def start(lambda_l1: float, lambda_l2: float) -> Start:
            same = [each for each in solved if lambdas[each[1], 1] == lambda_l2]
            if not same or lambda_l1 == 0:
                return null
            nearest = solved[min(same, key=lambda each: lambdas[each[1], 0])]
            return nearest.weight, nearest.bias

        weights, biases = zip(*(start(*pair) for pair in lambdas[pairs]), strict=True)
        return np.stack(weights), np.stack(biases)

    def steps(self) -> Iterator[Step]:
        """Minimize the objectives together."""
        problem, data = self.problem, self.problem.data
        datafit, n_pairs = data.datafit, len(problem.lambdas)
        data.check_finite(datafit.variance.tolist())
        multiply_adds = n_pairs * data.targets.size * len(datafit.mean)
        with torch_threads(multiply_adds):
            objective, start = problem.objective(datafit), None
            if problem.start is not None:
                weight, bias = (as_tensor(array).to(datafit.mean) for array in problem.start)
                start = problem.of_datafit(weight.expand(n_pairs, -1, -1), bias.expand(n_pairs, -1))
            self.minimization = Minimization(
                objective, start=start, tol=self.tol, max_iter=self.max_iter
            )
        steps = self.minimization.steps()
        while True:
            with torch_threads(multiply_adds):  # not while the caller handles a step
                step = next(steps, None)
            if step is None:
                return
            yield Step(*step)

    def solutions(self) -> list[Solution]:
        """Return the current state of the minimization."""
        data = self.problem.data
        weights, biases, objectives, optimalities = self.minimization.minimum()
        data.check_finite(objectives.tolist())
        dtype = data.sample_weight.dtype
        return [
            Solution(
                as_array(weight, dtype),
                as_array(bias, dtype),
                {
                    "objective_": objective,
                    "optimality_": optimality,
                    "loss_curve_": np.array(curve),
                    "n_iter_": len(curve),
                },
            )
            for weight, bias, objective, optimality, curve in zip(
                weights,
                biases,
                objectives.tolist(),
                optimalities.tolist(),
                self.minimization.curves,
                strict=True,
            )
        ]

    def warn(self, solutions: list[Solution], *, stopped: bool = False) -> None:
        """Warn if the optimality conditions do not hold within `tol`."""
        # The solver compares in the dtype of the weights, in which `tol` is rounded.
        tol = max(self.tol, float(self.problem.data.sample_weight.dtype.type(self.tol)))
        late = [
            (each.attributes["optimality_"], each.attributes["n_iter_"], pair)
            for each, pair in zip(solutions, self.problem.lambdas.tolist(), strict=True)
            if each.attributes["optimality_"] > tol
        ]
        if stopped or not late:
            return
        optimality, n_iter, (l1, l2) = max(late)
        others = f" and at {len(late) - 1} more pair(s) of lambdas" if len(late) > 1 else ""
        cause = (
            f"stopped at max_iter={self.max_iter}. Increase max_iter or tol."
            if n_iter >= self.max_iter
            else f"stopped after {n_iter} iterations, because any further decrease is below the "
            f"rounding error of {self.problem.data.sample_weight.dtype}. Increase tol, scale X, or "
            "use float64."
        )
        warn(
            f"The optimality conditions are violated by {optimality:.1e} at lambda_l1={l1:g}, "
            f"lambda_l2={l2:g}{others}, more than tol={self.tol:g}: the solver {cause}",
            ConvergenceWarning,
        )
