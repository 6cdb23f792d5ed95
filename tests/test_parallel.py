"""Calls in threads and processes have the results, the warnings and the errors of serial ones."""

import os
import signal
import threading
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import sklearn
import torch
from joblib import parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import sklearn_neurox as snx
from sklearn_neurox import _row_copies
from sklearn_neurox._parallel import run_parallel
from sklearn_neurox._warnings import silenced, warn
from sklearn_neurox.evaluation._jobs import run_jobs

BACKENDS = ["threading", "loky"]


def run(function, jobs, backend=None):
    if backend is None:
        return list(run_parallel(function, jobs, n_jobs=None))
    with parallel_config(backend=backend):
        return list(run_parallel(function, jobs, n_jobs=2))


VIEWS = {
    "whole": lambda X: X,
    "rows": lambda X: X[1:3],
    "columns": lambda X: X[:, 1:3],
    "every second column": lambda X: X[:, ::2],
    "transposed": lambda X: X.T,
    "columns of the transposed": lambda X: X.T[:, 1:],
    "reversed rows": lambda X: X[::-1],
    "reversed columns": lambda X: X[:, ::-1],
    "a column": lambda X: X[:, 1],
    "a reversed column": lambda X: X[::-1, 1],
    "repeated": lambda X: np.broadcast_to(X[0], (3, X.shape[1])),
    "one row": lambda X: X[:1],
    "no rows": lambda X: X[:0],
}


def contents(*arrays):
    return [np.array(array) for array in arrays]


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_views_of_memory_maps_arrive_with_their_values(tmp_path, backend, fortran):
    X = np.arange(20.0).reshape(5, 4)
    np.save(tmp_path / "X.npy", np.asfortranarray(X) if fortran else X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    views = [view(mapped) for view in VIEWS.values()]
    expected = [view(X) for view in VIEWS.values()]
    for found in run(contents, [tuple(views)] * 2, backend):
        for name, one, other in zip(VIEWS, found, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


def nested(part, by_name):
    return [np.array(part[0]), np.array(by_name["X"].X)]


def test_views_inside_other_arguments_arrive_with_their_values(tmp_path):
    from sklearn_neurox.evaluation._transfer_fits import DataSet

    np.save(tmp_path / "X.npy", np.arange(20.0).reshape(5, 4))
    view = np.load(tmp_path / "X.npy", mmap_mode="r").T
    job = ((view, 1), {"X": DataSet(view, view[0], None)})
    for found in run(nested, [job], "loky"):
        np.testing.assert_array_equal(found, [view, view])


def test_a_copy_on_write_map_arrives_with_its_changes(tmp_path):
    np.save(tmp_path / "X.npy", np.zeros((3, 2)))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="c")
    mapped[1] = 5
    assert run(contents, [(mapped,)], "loky")[0][0].tolist() == [[0, 0], [5, 5], [0, 0]]


def test_large_views_are_copied_once_to_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(_row_copies, "_LARGEST_IN_MEMORY", 0)
    np.save(tmp_path / "X.npy", np.arange(20.0).reshape(5, 4))
    view = np.load(tmp_path / "X.npy", mmap_mode="r").T
    copied = []
    copy = _row_copies._temporary_map
    monkeypatch.setattr(
        _row_copies, "_temporary_map", lambda *args: copied.append(1) or copy(*args)
    )
    for (found,) in run(contents, [(view,)] * 3, "loky"):
        np.testing.assert_array_equal(found, view)
    assert copied == [1]


def test_scores_of_a_transposed_memory_map(tmp_path, classification):
    X, y = classification
    np.save(tmp_path / "X.npy", np.ascontiguousarray(X.T))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r").T
    probe = snx.MeanDifferenceClassifier()
    expected = snx.layerwise_scores(probe, X, y, n_layers=2)
    found = snx.layerwise_scores(probe, mapped, y, n_layers=2, n_jobs=2)
    np.testing.assert_array_equal(found.scores, expected.scores)


def place(_):
    return os.getpid(), threading.get_ident(), sklearn.get_config()["assume_finite"]


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_the_configuration_of_scikit_learn(backend):
    here = os.getpid(), threading.get_ident()
    with sklearn.config_context(assume_finite=True):
        found = run(place, [(i,) for i in range(3)], backend)
    assert all(each[2] for each in found)
    if backend is None:
        assert {each[:2] for each in found} == {here}
    else:
        assert here not in {each[:2] for each in found}
        assert ({each[0] for each in found} == {os.getpid()}) == (backend == "threading")


def issue(number):
    warn(f"of the package, {number}", kind="kind")
    warn("silenced", RuntimeWarning)
    warnings.warn("of another library", DeprecationWarning, stacklevel=1)
    return number


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_warnings(backend):
    with warnings.catch_warnings(record=True) as caught, silenced(RuntimeWarning):
        warnings.simplefilter("always")
        assert run(issue, [(0,), (1,)], backend) == [0, 1]
    found = sorted((str(each.message), each.category) for each in caught)
    assert found == [
        ("of another library", DeprecationWarning),
        ("of another library", DeprecationWarning),
        ("of the package, 0", UserWarning),
        ("of the package, 1", UserWarning),
    ]
    ours = [each for each in caught if each.category is UserWarning]
    assert {each.filename for each in ours} == {__file__}


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_filters_of_warnings(backend):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "of another", DeprecationWarning)
        run(issue, [(0,)], backend)
    assert [str(each.message) for each in caught] == ["of the package, 0", "silenced"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with pytest.raises(UserWarning, match=r"of the package, 0"):  # warnings are errors here
            run(issue, [(0,)], backend)


@pytest.mark.parametrize("backend", [None, *BACKENDS])
@pytest.mark.parametrize(
    ("estimator", "count"),
    [
        (snx.LinearProbeClassifier(max_epochs=10, random_state=0, device="cpu"), 1),
        (LogisticRegression(max_iter=1), 4),
    ],
    ids=["of the package", "of scikit-learn"],
)
def test_warnings_of_fits(classification, backend, estimator, count):
    """A warning of the package is issued once for all four fits."""
    X, y = classification
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with parallel_config(backend=backend or "sequential"):
            snx.layerwise_scores(estimator, X, y, n_layers=2, cv=2, n_jobs=2)
    found = [each for each in caught if each.category is ConvergenceWarning]
    assert len(found) == count


def fail(number):
    raise KeyError(number)


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_errors_say_where_they_occurred(backend):
    options = dict(places=["here"], n_jobs=2, verbose=0, name="test")
    with parallel_config(backend=backend or "sequential"), pytest.raises(KeyError) as caught:
        run_jobs(fail, [(5,)], **options)
    assert caught.value.args == (5,)
    assert "The error occurred here." in caught.value.__notes__


class DiesInAWorker(LogisticRegression):
    """Classifier whose process is killed during the fit, if it is a worker."""

    def __init__(self, parent=0):
        super().__init__()
        self.parent = parent

    def fit(self, X, y):
        if os.getpid() != self.parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.mark.slow
def test_a_killed_worker_is_an_error_and_the_next_call_works(classification):
    X, y = classification
    estimator = DiesInAWorker(os.getpid())
    for _ in range(3):
        with pytest.raises(TerminatedWorkerError, match=r"unexpectedly terminated"):
            snx.layerwise_scores(estimator, X, y, n_layers=2, n_jobs=2)
        found = snx.layerwise_scores(LogisticRegression(), X, y, n_layers=2, n_jobs=2)
        expected = snx.layerwise_scores(LogisticRegression(), X, y, n_layers=2)
        np.testing.assert_array_equal(found.scores, expected.scores)


def fail_at_two(number):
    if number == 2:
        raise KeyError(number)
    return number


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_results_before_an_error(n_jobs):
    with parallel_config(backend="threading"):
        results = run_parallel(fail_at_two, [(0,), (1,), (2,)], n_jobs=n_jobs)
        if n_jobs == 1:
            assert [next(results), next(results)] == [0, 1]
        with pytest.raises(KeyError, match="2"):
            list(results)


def test_calls_take_turns_with_the_devices(monkeypatch):
    used = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device", lambda index: used.append(index) or nullcontext())
    jobs = [(number,) for number in (0, 1, 3)]
    with parallel_config(backend="threading"):
        assert list(run_parallel(fail_at_two, jobs, n_jobs=2)) == [0, 1, 3]
    assert sorted(used) == [0, 0, 1]
    assert list(run_parallel(fail_at_two, jobs, n_jobs=1)) == [0, 1, 3]
    assert sorted(used) == [0, 0, 1]  # the current device
