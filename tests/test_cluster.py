"""Calls that run on a cluster of real processes."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import distributed
import numpy as np
import pytest
from joblib import parallel_config

from sklearn_neurox import _cluster
from sklearn_neurox._cluster import cluster_client, is_in_cluster, run_on_cluster

SECONDS = 120  # until a test that hangs fails


@pytest.fixture(autouse=True)
def limit():
    """Interrupt a test that hangs."""

    def interrupt(*_):
        raise TimeoutError("The test took too long.")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def dask_backend(cluster):
    with parallel_config(backend="dask"):
        yield cluster


def total(X, number):
    return float(X.sum()) + number


def test_calls_of_a_cluster(dask_backend):
    """Arrays reach the workers with the same alignment, so that sums are the same to the last bit."""
    assert cluster_client() is dask_backend
    X = np.random.RandomState(0).rand(1000, 100)
    jobs = [(X, number) for number in range(5)]
    results = run_on_cluster(dask_backend, total, jobs)
    assert list(results) == [total(*job) for job in jobs]


def fail(number):
    if number == 1:
        raise KeyError("found in the call")
    return number


@pytest.mark.slow
def test_the_error_of_a_call(dask_backend):
    with pytest.raises(KeyError, match="found in the call"):
        list(run_on_cluster(dask_backend, fail, [(number,) for number in range(3)]))


class NotRead:
    """An argument that workers cannot unpickle."""

    def __reduce__(self):
        return int, ("no number",)


def ignore(_):
    return 0


@pytest.mark.slow
def test_an_argument_that_cannot_be_unpickled(dask_backend):
    with pytest.raises(ValueError, match="no number"):
        list(run_on_cluster(dask_backend, ignore, [(NotRead(),)] * 2))


def is_nested(_):
    return is_in_cluster()


@pytest.mark.slow
def test_calls_know_that_they_run_in_a_cluster(dask_backend):
    assert not is_in_cluster()
    assert list(run_on_cluster(dask_backend, is_nested, [(0,)])) == [True]


def wait(X, number, folder):
    (Path(folder) / f"{number}-{os.getpid()}").touch()
    time.sleep(0.5)
    return float(X.sum()) + number


def pids_of(folder):
    return [int(path.name.partition("-")[2]) for path in Path(folder).iterdir()]


def kill_when(is_due, folder):
    """Kill the process of a call when a condition holds."""

    def watch():
        while not is_due():
            time.sleep(0.02)
        os.kill(pids_of(folder)[-1], signal.SIGKILL)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.slow
@pytest.mark.parametrize("n_started", [1, 3])
def test_a_worker_is_killed(dask_backend, tmp_path, n_started):
    X = np.random.RandomState(0).rand(1000, 100)
    jobs = [(X, number, str(tmp_path)) for number in range(6)]
    killer = kill_when(lambda: len(pids_of(tmp_path)) >= n_started, tmp_path)
    assert list(run_on_cluster(dask_backend, wait, jobs)) == [X.sum() + i for i in range(6)]
    killer.join()
    assert len(pids_of(tmp_path)) > 6  # the call was repeated


@pytest.mark.slow
def test_all_workers_are_killed(dask_backend, tmp_path):
    """The arguments, which are then in no worker, are sent again."""
    X = np.random.RandomState(0).rand(1000, 100)
    jobs = [(X, number, str(tmp_path)) for number in range(6)]
    results = run_on_cluster(dask_backend, wait, jobs)
    found = [next(results)]
    for pid in dask_backend.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)
    assert [*found, *results] == [X.sum() + i for i in range(6)]


def die(number):
    if number == 1:
        os._exit(1)
    return number


@pytest.mark.slow
def test_a_call_that_kills_its_workers(dask_backend):
    """joblib's own backend waits forever."""
    with pytest.raises(RuntimeError, match="Several workers of the dask cluster died in the same"):
        list(run_on_cluster(dask_backend, die, [(number,) for number in range(3)]))


@pytest.mark.slow
@pytest.mark.parametrize("n_lost", [1, 4])
def test_a_result_is_lost_before_it_is_received(dask_backend, monkeypatch, n_lost):
    X = np.random.RandomState(0).rand(1000, 100)
    jobs = [(X, number) for number in range(3)]
    receive, lost = _cluster._result, []

    def lose(future, killed):
        result = receive(future, killed)
        if result == total(*jobs[1]) and len(lost) < n_lost:
            lost.append(result)
            raise _cluster._LostResultError
        return result

    monkeypatch.setattr(_cluster, "_result", lose)
    results = run_on_cluster(dask_backend, total, jobs)
    if n_lost == 1:
        assert list(results) == [total(*job) for job in jobs]
    else:
        with pytest.raises(RuntimeError, match=r"died 4 times with results.* calls are not finis"):
            list(results)
    assert len(lost) == n_lost


@pytest.mark.slow
def test_the_cluster_stops(tmp_path):
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        X = np.ones((2, 2))
        results = run_on_cluster(client, wait, [(X, i, str(tmp_path)) for i in range(8)])
        assert next(results) == 4
        cluster.close()
        with pytest.raises(RuntimeError, match="The dask cluster stopped"):
            list(results)


def test_no_cluster(monkeypatch):
    assert cluster_client() is None
    monkeypatch.delitem(sys.modules, "distributed", raising=False)
    assert not is_in_cluster()
