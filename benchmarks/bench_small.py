"""Exact probes of few neurons on different scales: Newton steps against L-BFGS.

Run with ``python benchmarks/bench_small.py``. A search over the default grid of 25 pairs of lambdas
is timed, interleaved in one process.
"""

import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from sklearn_neurox import LinearProbeClassifierCV
from sklearn_neurox.probes import _lbfgs, _owlqn_solver

N_REPEATS = 3
PAYS = _lbfgs.newton_pays
DATA = {"wine": load_wine, "iris": load_iris, "breast cancer": load_breast_cancer}


def search(X: np.ndarray, y: np.ndarray, *, newton: bool) -> tuple[float, float]:
    """Return the seconds and the best score of a search."""
    for module in (_lbfgs, _owlqn_solver):
        module.newton_pays = PAYS if newton else lambda *args: False
    start = time.perf_counter()
    found = LinearProbeClassifierCV(solver="owlqn", device="cpu").fit(X, y)
    return time.perf_counter() - start, found.best_score_


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of pairs without a penalty
    for name, load in DATA.items():
        X, y = load(return_X_y=True)
        results = {True: [], False: []}
        for _ in range(N_REPEATS):
            for newton, runs in results.items():
                runs.append(search(X, y, newton=newton))
        for newton, runs in results.items():
            seconds, scores = np.median(runs, axis=0)
            steps = "Newton" if newton else "L-BFGS"
            print(f"{name:14s} {steps:7s} {seconds:6.2f} s  accuracy {scores:.3f}")
