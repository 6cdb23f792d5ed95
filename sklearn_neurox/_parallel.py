"""Calls that run in parallel: by joblib or, if its backend is dask, as tasks of the cluster.

The result does not depend on how the calls run. Each call has the scikit-learn configuration of
the caller, and its warnings are issued by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from joblib import Parallel, delayed, effective_n_jobs
from sklearn import config_context, get_config

from ._cluster import cluster_client, is_in_cluster, run_on_cluster
from ._warnings import collected, warn


def run_parallel(
    function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], *, n_jobs: int | None
) -> Iterator[Any]:
    """Call a function with the arguments of each job.

    Parameters
    ----------
    function : callable
        It does not modify its arguments, which may be read-only.
    jobs : sequence of tuple
        The arguments of each call.
    n_jobs : int or None
        Number of jobs to run in parallel, as in ``joblib.Parallel``. In the context of
        ``joblib.parallel_config(backend="dask")``, 1 means that the calls run in this process, and
        any other value that they use the whole cluster. Inside a task of a cluster, the calls run
        one after the other, because other tasks use the other workers.

    Yields
    ------
    object
        The results, in the order of the jobs.

    Raises
    ------
    RuntimeError
        If workers of a dask cluster died too often.
    """
    call = partial(_call, get_config(), function)
    results: Iterator[tuple[Any, list[tuple[Any, ...]]]]
    if n_jobs == 1 or is_in_cluster():
        results = (call(None, job) for job in jobs)
    elif (client := cluster_client()) is not None:
        results = run_on_cluster(client, call, list(enumerate(jobs)))
    elif effective_n_jobs(n_jobs) == 1:
        results = (call(None, job) for job in jobs)
    else:
        results = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(call)(number, job) for number, job in enumerate(jobs)
        )
    for result, issued in results:
        for each in issued:
            warn(*each)
        yield result


def _call(
    settings: dict[str, Any],
    function: Callable[..., Any],
    number: int | None,
    job: tuple[Any, ...],
) -> tuple[Any, list[tuple[Any, ...]]]:
    """Return the result of a call, and its warnings."""
    with config_context(**settings), _on_own_device(number), collected() as issued:
        return function(*job), issued


def _on_own_device(number: int | None) -> AbstractContextManager[None]:
    """Make calls that run in parallel take turns with the CUDA devices of their machine.

    The device "auto", or "cuda" without a number, is then another one in each call.
    """
    n_devices = torch.cuda.device_count()
    if number is None or n_devices < 2:
        return nullcontext()
    return torch.cuda.device(number % n_devices)
