"""Calls that run in parallel: by joblib or, if its backend is dask, as tasks of the cluster.

The results and the warnings are those of the same calls in this thread. joblib alone would lose the
configuration of scikit-learn and the warnings, and it changes the values of some views of memory
maps.
"""

from __future__ import annotations

import os
import platform
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from pickle import PicklingError
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend
from numpy.typing import NDArray
from sklearn import config_context, get_config

from ._cluster import cluster_client, is_in_cluster, run_on_cluster
from ._files import backing_of
from ._pickled_maps import unpicklable
from ._row_copies import copy_rows
from ._warnings import Issued, collected, warn

# Jobs for each thread or worker of a cluster, if work can be divided anywhere.
_PER_WORKER = 4


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
        The results, in the order of the jobs. The warnings of a call are issued before its result.

    Raises
    ------
    PicklingError
        If the arguments cannot be sent to other processes.
    RuntimeError
        If workers of a dask cluster died too often.
    """
    call = partial(_call, _Caller(_place(), get_config(), list(warnings.filters)), function)
    for result, issued in _results(call, jobs, n_jobs):
        for message, category, kind in issued:
            warn(message, category, kind=kind)
        yield result


def n_parts(n_jobs: int | None) -> int:
    """Return into how many jobs to divide work that can be divided anywhere, at least 1.

    A process of joblib gets a single job, because the arguments are sent with each job. Threads and
    the workers of a cluster get several, so that less is lost if they die or are interrupted.
    """
    if n_jobs == 1 or is_in_cluster():
        return 1
    client = cluster_client()
    if client is not None:
        return max(1, _PER_WORKER * sum(client.nthreads().values()))
    n_workers = effective_n_jobs(n_jobs)
    is_shared = getattr(get_active_backend()[0], "supports_sharedmem", False)
    return n_workers * _PER_WORKER if is_shared and n_workers > 1 else n_workers


def _results(
    call: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], n_jobs: int | None
) -> Iterator[tuple[Any, list[Issued]]]:
    if n_jobs == 1 or is_in_cluster():
        yield from (call(None, job) for job in jobs)
    elif (client := cluster_client()) is not None:
        yield from run_on_cluster(client, call, list(enumerate(jobs)))
    elif effective_n_jobs(n_jobs) == 1:
        yield from (call(None, job) for job in jobs)
    else:
        copies: dict[int, tuple[NDArray, NDArray]] = {}
        calls = (delayed(call)(number, _as_sent(job, copies)) for number, job in enumerate(jobs))
        with (
            _explained(),
            closing(Parallel(n_jobs=n_jobs, return_as="generator")(calls)) as results,
        ):
            yield from results


@contextmanager
def _explained() -> Iterator[None]:
    """Add the reason and an advice to the error of joblib that arguments cannot be pickled."""
    try:
        yield
    except PicklingError as error:
        if not str(error).startswith("Could not pickle the task"):
            raise
        reason = str(error.__cause__ or error).strip(' "\n').splitlines()[-1]  # of a traceback
        raise unpicklable(reason) from error


class _Caller(NamedTuple):
    """What a call in another thread or process has in common with its caller."""

    place: tuple[tuple[str, int], int]
    settings: dict[str, Any]
    filters: list[Any]


def _place() -> tuple[tuple[str, int], int]:
    """Return the process and the thread of this call."""
    return (platform.node(), os.getpid()), threading.get_ident()


def _call(
    caller: _Caller, function: Callable[..., Any], number: int | None, job: tuple[Any, ...]
) -> tuple[Any, list[Issued]]:
    """Return the result of a call, and the warnings that the caller must issue."""
    place = _place()
    if place == caller.place:
        return function(*job), []
    with config_context(**caller.settings), _on_own_device(number), collected() as issued:
        if place[0] == caller.place[0]:  # threads share the filters and the registry of warnings
            return function(*job), issued
        with warnings.catch_warnings(record=True) as others:
            warnings.filters[:] = caller.filters  # type: ignore[index]  # it is a list
            result = function(*job)
        return result, issued + [(str(each.message), each.category, None) for each in others]


def _on_own_device(number: int | None) -> AbstractContextManager[None]:
    """Make calls that run in parallel take turns with the CUDA devices of their machine.

    The device "auto", or "cuda" without a number, is then another one in each call.
    """
    n_devices = torch.cuda.device_count()
    if number is None or n_devices < 2:
        return nullcontext()
    return torch.cuda.device(number % n_devices)


def _as_sent(value: Any, copies: dict[int, tuple[NDArray, NDArray]]) -> Any:
    """Return arguments with copies of the arrays that joblib would change.

    `copies` contains each array by its identity, with its copy, which several jobs share.
    """
    if isinstance(value, np.ndarray):
        if _is_sent_correctly(value):
            return value
        if id(value) not in copies:
            copies[id(value)] = value, copy_rows(value, np.arange(len(value)))
        return copies[id(value)][1]
    if isinstance(value, dict):
        return {name: _as_sent(part, copies) for name, part in value.items()}
    if isinstance(value, tuple):
        parts = [_as_sent(part, copies) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def _is_sent_correctly(array: NDArray) -> bool:
    """Return whether another process receives the values of an array.

    joblib sends the file, offset and shape of a view of a memory map. It loses the order of a
    transposed view, negative strides, and changes to a copy-on-write map. A file that was deleted
    or replaced cannot be opened again, although the memory map is still valid.
    """
    backing = backing_of(array)
    if backing is None:
        return True
    mapped, mapping = backing
    if mapped.mode == "c" or _size_of(mapped.filename) != mapping.size():
        return False
    if array.flags.c_contiguous or array.flags.f_contiguous:
        is_fortran = mapped.ndim > 1 and mapped.flags.f_contiguous
        return array.flags.f_contiguous if is_fortran else array.flags.c_contiguous
    return min(array.strides) >= 0


def _size_of(path: Any) -> int | None:
    try:
        return os.stat(path).st_size
    except (OSError, TypeError):  # deleted, or an open file without a name
        return None
