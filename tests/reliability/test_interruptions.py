"""Ctrl-C, killed workers, full disks and vanished files: a clear error, and nothing is left."""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError

import sklearn_neurox as snx
from sklearn_neurox import _row_copies
from sklearn_neurox._row_copies import copy_rows

from ..planted import planted
from .process_state import children


def descendants(process):
    """Return the child processes of a process, and theirs."""
    try:
        found = children(process)
    except FileNotFoundError:
        return []
    return [*found, *(each for child in found for each in descendants(child))]


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "This takes too long."
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["group", "process"])
@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("name", ["search", "layers", "codelength", "placebos"])
@pytest.mark.parametrize("delay", [0.0, 1.0, 6.0])
def test_ctrl_c(tmp_path, name, backend, to, delay):
    """A terminal sends the signal to the whole group of processes, other tools only to one."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.reliability.interrupted_fits", name, backend],
        env=os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = []
    try:
        assert process.stdout.readline() == "begun\n"
        if backend == "loky":
            wait_for(lambda: len(descendants(process.pid)) >= 2)
        time.sleep(delay)
        workers = descendants(process.pid)
        send = os.killpg if to == "group" else os.kill
        send(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
        found = json.loads(out.splitlines()[0])  # a worker may print an error after it
        assert found == {"ended": "interrupted", "fitted": [], "changed": []}, err
        assert process.returncode == 0
        wait_for(lambda: not any(map(is_running, workers)))
        assert not list(temporary.rglob("*.rows"))
    finally:
        for each in [*workers, process.pid]:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        process.communicate()


def loky_workers():
    """Return the worker processes of this process."""
    return [
        each for each in children() if "popen_loky" in Path(f"/proc/{each}/cmdline").read_text()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["search", "layers", "codelength", "placebos"])
def test_a_worker_that_is_killed_at_any_moment(name):
    """An error, or the same numbers, but never a hang or other numbers."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(2000, 32)), rng.randint(3, size=2000)
    probe = snx.LinearProbeClassifier(max_epochs=10, random_state=0, device="cpu")
    search = snx.LinearProbeClassifierCV(
        lambdas_l1=[0, 1e-3],
        lambdas_l2=[0, 1e-3],
        max_epochs=10,
        cv=3,
        random_state=0,
        device="cpu",
    )
    network = planted("decoder", n_texts=40)
    call = {
        "search": lambda n_jobs: search.set_params(n_jobs=n_jobs).fit(X, y).coef_,
        "layers": lambda n_jobs: (
            snx.layerwise_scores(probe, X, y, n_layers=4, cv=5, n_jobs=n_jobs).scores
        ),
        "codelength": lambda n_jobs: (
            snx.codelength(probe, X, y, random_state=0, n_jobs=n_jobs).block_bits
        ),
        "placebos": lambda n_jobs: (
            snx.causal_effect(
                network.model, network.texts, tokenizer=network.tokenizer, layer=1,
                edit=snx.SteeringVector(np.ones(32)), placebos="norm", metrics="kl",
                n_placebos=500, random_state=0, n_jobs=n_jobs,
            ).placebo_effects["norm"]["kl"]
        ),
    }[name]  # fmt: skip
    expected = call(None)
    n_errors = 0
    for delay in (0.0, 0.3, 1.0, 2.0, 4.0):
        done = threading.Event()

        def kill(delay=delay, done=done):
            while not (found := loky_workers()) and not done.is_set():
                time.sleep(0.01)
            if not done.wait(delay):
                for worker in found[:1]:
                    with suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            np.testing.assert_array_equal(call(2), expected)
        except TerminatedWorkerError as error:
            assert "unexpectedly terminated" in str(error)  # noqa: PT017 -- or no error
            n_errors += 1
        done.set()
        killer.join()
    np.testing.assert_array_equal(call(2), expected)
    assert n_errors


# --- Full disks -----------------------------------------------------------------------------


@contextmanager
def largest_file(size):
    """Limit the size of files that this process writes, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """A memory map whose copies of rows are temporary files in an empty folder."""
    X = np.random.RandomState(0).normal(size=(600, 8)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(_row_copies, "_LARGEST_IN_MEMORY", 0)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


Y = np.arange(600) % 3
COPYING = {
    "rows": lambda X: copy_rows(X, np.arange(500)),
    "layers": lambda X: snx.layerwise_scores(snx.MeanDifferenceClassifier(), X, Y, n_layers=2),
    "search": lambda X: snx.LinearProbeClassifierCV(cv=2, max_epochs=1, device="cpu").fit(X, Y),
    "ablation": lambda X: snx.ablation_curve(
        snx.MeanDifferenceClassifier(), X, Y, ranking=snx.ProbelessSelector(), fractions=[0.5]
    ),
    "null space": lambda X: snx.NullspaceEraser(snx.MeanDifferenceClassifier()).fit(X, Y),
    "transform": lambda X: snx.NeuronAblator([0]).fit_transform(X),
}


@pytest.mark.parametrize("name", COPYING)
def test_a_full_disk_for_temporary_files(mapped, name):
    with largest_file(1000), pytest.raises(OSError, match=r"File too large"):
        COPYING[name](mapped)
    assert not list(Path(tempfile.gettempdir()).iterdir())
    COPYING[name](mapped)


@pytest.mark.slow
def test_a_full_disk_for_the_demo(tmp_path, capsys):  # otherwise, pytest writes stderr to a file
    """The command fails with a message, and leaves no part of a file."""
    from sklearn_neurox.__main__ import main

    out = tmp_path / "out"
    with largest_file(1000):
        assert main(["demo", "--out", str(out)]) == 1
    assert "sklearn_neurox: error: " in capsys.readouterr().err
    assert not [each for each in out.rglob("*") if each.is_file() and each.stat().st_size]


# --- Files that vanish ----------------------------------------------------------------------


FITS = {
    "Adam": lambda: snx.LinearProbeClassifier(max_epochs=2, random_state=0, device="cpu"),
    "exact": lambda: snx.LinearProbeClassifier(solver="owlqn", lambda_l2=0.1, device="cpu"),
    "Gaussian": lambda: snx.GaussianProbeClassifier(),
    "LEACE": lambda: snx.LeaceEraser(),
    "probeless": lambda: snx.ProbelessSelector(),
    "null space": lambda: snx.NullspaceEraser(snx.MeanDifferenceClassifier(), n_iter=2),
}


class Callback:
    """Call a function at the first task of a fit."""

    def __init__(self, function):
        self.function = function

    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_end(self, *args, **kwargs): ...

    def on_fit_task_begin(self, *args, **kwargs):
        self.function()


@pytest.mark.parametrize("name", FITS)
def test_a_file_that_is_deleted_during_the_fit(mapped, tmp_path, name):
    """The memory map stays valid, so the result is the same."""
    expected = FITS[name]().fit(np.array(mapped), Y)
    delete = Callback(lambda: (tmp_path / "X.npy").unlink(missing_ok=True))
    estimator = FITS[name]().set_callbacks(delete)
    estimator.fit(mapped, Y)
    method = "predict" if hasattr(estimator, "predict") else "transform"
    X = np.array(mapped)
    np.testing.assert_allclose(
        getattr(estimator, method)(X), getattr(expected, method)(X), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("then", ["nothing", "another file"])
def test_a_file_that_was_deleted_before_workers_read_it(mapped, tmp_path, then):
    expected = snx.layerwise_scores(snx.MeanDifferenceClassifier(), mapped, Y, n_layers=2)
    os.unlink(tmp_path / "X.npy")
    if then == "another file":
        np.save(tmp_path / "X.npy", np.zeros((700, 8), np.float32))
    found = snx.layerwise_scores(snx.MeanDifferenceClassifier(), mapped, Y, n_layers=2, n_jobs=2)
    np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("name", FITS)
def test_a_file_that_was_truncated(mapped, tmp_path, name):
    os.truncate(tmp_path / "X.npy", 1000)
    with pytest.raises(OSError, match=r"was truncated after it was opened: .*X\.npy"):
        FITS[name]().fit(mapped, Y)


@pytest.mark.parametrize("name", ["Adam", "exact"])
def test_a_file_that_is_truncated_between_two_passes(mapped, tmp_path, monkeypatch, name):
    from sklearn_neurox import _row_chunks

    monkeypatch.setattr(_row_chunks, "_RELEASED_AFTER", 0)
    truncate = Callback(lambda: os.truncate(tmp_path / "X.npy", 1000))
    estimator = FITS[name]().set_callbacks(truncate)
    with pytest.raises(OSError, match=r"was truncated"):
        estimator.fit(mapped, Y)
    assert not hasattr(estimator, "coef_")
