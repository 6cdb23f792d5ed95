"""Memory, files, threads, processes, figures and hooks do not grow with the number of calls."""

import gc
import tempfile
import tracemalloc

import numpy as np
import pytest

from .calls import CALLS, DISPLAYS, EVALUATION, FILES, NETWORKS, NEURONS, PROBES
from .inputs import Inputs, network
from .process_state import handles, hooks, objects, resident

# These take a few milliseconds.
QUICK = [
    "Adam", "ridge", "Gaussian", "LDA", "Adam in batches", "rankings", "ProbelessSelector",
    "CorrelationClustering", "NeuronAblator, interchange", "LeaceEraser", "ModuleActivations",
    "intervene",
]  # fmt: skip
# Most of these calls run ten fits or networks, or write and draw several files and pictures.
SEVERAL = {
    *EVALUATION, *NETWORKS, *FILES, *DISPLAYS, *(name for name in PROBES if name.endswith("grid")),
} - {"ModuleActivations", "intervene"}  # fmt: skip
# Calls after which the free lists of Python have their final sizes.
WARM_UP = 20
# Bytes that Python and torch keep for new objects after a warm-up, whatever the number of calls. A
# copy of X has 4,608 bytes.
KEPT = 1 << 16
# MB that the allocators of the C library may need after a warm-up.
SLACK = 12


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return Inputs.make(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def growth_of(call, n_calls):
    """Return the growth of everything over a number of calls, after a warm-up."""
    networks = [network(kind).model for kind in ("encoder", "decoder")]

    def state():
        found = objects()
        memory = {"bytes": tracemalloc.get_traced_memory()[0], "MB": resident()}
        return found | memory | handles() | {"hooks": hooks(*networks)}

    for _ in range(3):
        call()
    gc.collect()
    gc.freeze()  # so that only objects from here on are counted
    tracemalloc.start()
    try:
        for _ in range(WARM_UP):
            call()
        before = state()
        for _ in range(n_calls):
            call()
        after = state()
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    return {name: after[name] - before[name] for name in after}


def assert_nothing_leaks(call, n_calls, known_objects=0):
    growth = growth_of(call, n_calls)
    assert growth.pop("bytes") < KEPT
    assert growth.pop("objects") < known_objects + n_calls
    assert growth.pop("MB") < SLACK
    assert not any(growth.values()), growth


@pytest.mark.parametrize("name", QUICK)
def test_a_few_calls(inputs, name):
    assert_nothing_leaks(lambda: CALLS[name](inputs, 0, None), 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_200_fits(inputs, name):
    n_calls = 20 if name in SEVERAL else 200
    assert_nothing_leaks(lambda: CALLS[name](inputs, 0, None), n_calls)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["on_disk", "in_a_store"])
@pytest.mark.parametrize("name", [*PROBES, *NEURONS, "layerwise_scores"])
def test_fits_of_files(inputs, name, place):
    """The copies of rows are temporary files."""
    stored = getattr(inputs, place)()
    assert_nothing_leaks(lambda: CALLS[name](stored, 0, None), 20)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("name", ["Adam, grid", "layerwise_scores"])
def test_fits_in_threads_and_processes(inputs, name, backend):
    from joblib import Parallel, delayed, parallel_config

    def plain():
        with parallel_config(backend=backend):
            list(Parallel(n_jobs=2, return_as="generator")(delayed(abs)(i) for i in range(4)))

    def call():
        with parallel_config(backend=backend):
            CALLS[name](inputs, 0, 2)

    # joblib keeps a few small objects for each call with loky.
    assert_nothing_leaks(call, 20, known_objects=growth_of(plain, 20)["objects"])


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["NaN", "labels"])
def test_fits_that_fail(inputs, wrong):
    """An error keeps the frames of the fit alive only as long as it is kept."""
    from sklearn_neurox import LinearProbeClassifierCV

    X, y = inputs.X.copy(), inputs.labels
    if wrong == "NaN":
        X[5, 3] = np.nan
    else:
        y = y[:-1]

    def call():
        with pytest.raises(ValueError):  # noqa: PT011 -- the messages have their own tests
            LinearProbeClassifierCV(device="cpu").fit(X, y)
        gc.collect()

    assert_nothing_leaks(call, 200)


LEAKS = {
    "array": lambda kept, inputs: kept.append(inputs.X.copy()),
    "small object": lambda kept, inputs: kept.append([object()]),
    "file": lambda kept, inputs: kept.append(open(inputs.folder / "X.npy", "rb")),  # noqa: SIM115
    "temporary file": lambda kept, inputs: kept.append(tempfile.mkstemp()[1]),
    "hook": lambda kept, inputs: kept.append(
        network("encoder").model.register_forward_hook(lambda *args: None)
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_leaks_are_found(inputs, leak):
    inputs.on_disk()
    kept = []
    with pytest.raises(AssertionError):
        assert_nothing_leaks(lambda: LEAKS[leak](kept, inputs), 20)
    for each in kept:
        if hasattr(each, "close"):
            each.close()
        if leak == "hook":
            each.remove()
