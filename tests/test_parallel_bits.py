"""Folds, grids, layers and placebos give the same bits in one process, threads, loky and a dask cluster."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

import sklearn_neurox as snx

from .planted import planted

EXACT = {"solver": "owlqn", "max_iter": 10}
ADAM = {"random_state": 0, "max_epochs": 1, "batch_size": 64}
GRID = {
    "lambdas_l1": [0, 1e-3, 1e-2],
    "lambdas_l2": [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1],
    "cv": KFold(3),
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def arrays(value):
    """Return the numbers of a result, without times."""
    if isinstance(value, dict):
        return [a for k in sorted(value) if "time" not in k for a in arrays(value[k])]
    if isinstance(value, list | tuple):
        return [a for each in value for a in arrays(each)]
    return [value] if isinstance(value, np.ndarray | float | np.floating) else []


def search(estimator, X, y):
    def run(n_jobs):
        return vars(clone(estimator).set_params(n_jobs=n_jobs).fit(X, y))

    return run


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Functions of n_jobs by name."""
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=240)
    memory = rng.normal(size=(240, 48)).astype(np.float32)
    memory[np.arange(240), y] += 2
    path = tmp_path_factory.mktemp("rows") / "X"
    X = np.memmap(path, np.float16, "w+", shape=memory.shape)
    X[:] = memory
    words = np.array([f"word{i % 30}" for i in range(240)])
    network = planted("decoder", n_texts=12)
    groups = np.arange(240) // 4
    exact = snx.LinearProbeClassifier(**EXACT)
    return {
        "classifier": search(snx.LinearProbeClassifierCV(**GRID, **EXACT), memory, y),
        "classifier, adam": search(snx.LinearProbeClassifierCV(**GRID, **ADAM), X, y),
        "regressor": search(snx.LinearProbeRegressorCV(**GRID, **EXACT), X, memory[:, 5]),
        "regressor, adam": search(snx.LinearProbeRegressorCV(**GRID, **ADAM), memory, memory[:, 5]),
        "GridSearchCV": search(
            GridSearchCV(exact, {"lambda_l2": [1e-3, 1e-2]}, cv=3), memory, y
        ),
        "layers": lambda n_jobs: vars(
            snx.layerwise_scores(
                snx.LinearProbeClassifierCV(**GRID | {"cv": 2, "lambdas_l2": [1e-3]}, **ADAM), X, y,
                n_layers=3, cv=3, groups=groups, n_jobs=n_jobs,
            )
        ),
        "ablation": lambda n_jobs: vars(
            snx.ablation_curve(
                exact, X, y, ranking=snx.ProbelessSelector(), cv=3, random_state=0, n_jobs=n_jobs
            )
        ),
        "selectivity": lambda n_jobs: vars(
            snx.selectivity_score(
                snx.LinearProbeClassifier(**ADAM), X, y, words=words, cv=3, n_controls=3,
                random_state=0, n_jobs=n_jobs,
            )
        ),
        "codelength": lambda n_jobs: vars(
            snx.codelength(exact, memory, y, random_state=0, n_jobs=n_jobs)
        ),
        "nested": lambda n_jobs: vars(
            snx.nested_layer_scores(
                snx.MeanDifferenceClassifier(), X, y, n_layers=3,
                param_grid={"whiten": [False, True]}, cv=3, n_jobs=n_jobs,
            )
        ),
        "transfer": lambda n_jobs: snx.transfer_scores(
            exact, {"a": (memory[:120], y[:120]), "b": (memory[120:], y[120:])}, cv=3,
            random_state=0, n_jobs=n_jobs,
        ).to_frame().to_numpy(),
        "placebos": lambda n_jobs: vars(
            snx.causal_effect(
                network.model, network.texts, tokenizer=network.tokenizer, layer=1,
                edit=snx.LeaceEraser(), labels=network.labels, cv=3, n_placebos=4, random_state=0,
                n_jobs=n_jobs,
            )
        ),
        "patching": lambda n_jobs: vars(
            snx.patching_map(
                network.model, ["w0 w1 w2 w3", "w4 w1 w0 w5"], ["w0 w3 w5 w3", "w2 w1 w1 w5"],
                tokenizer=network.tokenizer, n_jobs=n_jobs,
            )
        ),
    }  # fmt: skip


NAMES = [
    "classifier", "classifier, adam", "regressor", "regressor, adam", "GridSearchCV", "layers",
    "ablation", "selectivity", "codelength", "nested", "transfer", "placebos", "patching",
]  # fmt: skip


@pytest.fixture(scope="module")
def serial(calls):
    found = {}

    def of(name):
        if name not in found:
            found[name] = arrays(calls[name](1))
        return found[name]

    return of


def assert_same(found, expected):
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_threads(calls, serial, name):
    with parallel_config(backend="threading"):
        assert_same(arrays(calls[name](3)), serial(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_loky(calls, serial, name):
    with parallel_config(backend="loky", max_nbytes=1000):  # also small arrays become files
        assert_same(arrays(calls[name](2)), serial(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_dask(cluster, calls, serial, name):
    with parallel_config(backend="dask"):
        assert_same(arrays(calls[name](None)), serial(name))


def processes_of(cluster):
    """Return the processes of both workers, once one that was killed has been replaced."""
    while len(found := cluster.run(os.getpid, on_error="ignore")) < 2:
        time.sleep(0.1)
    return list(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["classifier", "layers", "ablation", "selectivity", "placebos"])
@pytest.mark.parametrize("seconds", [0.05, 0.4])
def test_a_worker_is_killed(cluster, calls, serial, name, seconds):
    """Folds, grids, control tasks and placebos have the same numbers if a worker dies in the middle."""
    expected = serial(name)
    pid = processes_of(cluster)[0]
    killer = threading.Timer(seconds, os.kill, (pid, signal.SIGKILL))
    start = time.monotonic()
    killer.start()
    with parallel_config(backend="dask"):
        assert_same(arrays(calls[name](None)), expected)
    killer.join()
    assert time.monotonic() - start < 300
