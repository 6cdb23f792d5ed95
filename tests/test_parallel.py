import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import sklearn
import torch
from joblib import parallel_config

from sklearn_neurox._parallel import run_parallel
from sklearn_neurox._warnings import issued_once, warn


def square(X, number):
    warn(f"number {number}", RuntimeWarning)
    warn("each time another", kind="once")
    return X[number] ** 2, sklearn.get_config()["assume_finite"]


def fail(number):
    if number == 2:
        raise KeyError(number)
    return number


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_configuration_and_warnings(n_jobs):
    X = np.arange(4)
    jobs = [(X, number) for number in (3, 0, 2)]
    with (
        sklearn.config_context(assume_finite=True),
        parallel_config(backend="threading"),
        warnings.catch_warnings(record=True) as caught,
        issued_once(),
    ):
        warnings.simplefilter("always")
        results = list(run_parallel(square, jobs, n_jobs=n_jobs))
    assert results == [(9, True), (0, True), (4, True)]
    messages = ["number 3", "each time another", "number 0", "number 2"]
    assert [str(each.message) for each in caught] == messages
    assert {each.filename for each in caught} == {__file__}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_results_before_an_error(n_jobs):
    with parallel_config(backend="threading"):
        results = run_parallel(fail, [(0,), (1,), (2,)], n_jobs=n_jobs)
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
        assert list(run_parallel(fail, jobs, n_jobs=2)) == [0, 1, 3]
    assert sorted(used) == [0, 0, 1]
    assert list(run_parallel(fail, jobs, n_jobs=1)) == [0, 1, 3]
    assert sorted(used) == [0, 0, 1]  # the current device
