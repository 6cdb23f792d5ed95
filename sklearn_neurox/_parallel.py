"""Calls in other threads and processes, with the results and the warnings of calls in this one.

joblib alone would lose the configuration of scikit-learn and the warnings, and it changes the
values of some views of memory maps.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import sklearn
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray

from ._files import backing_of
from ._row_copies import copy_rows
from ._warnings import Issued, collected, warn


def run_parallel(
    function: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], n_jobs: int | None
) -> Iterator[Any]:
    """Call a function with the arguments of each job.

    Parameters
    ----------
    function : callable
    jobs : iterable of tuple
        The arguments of each call.
    n_jobs : int or None
        Number of jobs to run in parallel, as in ``joblib.Parallel``.

    Yields
    ------
    object
        The results, in the order of the jobs. The warnings of a call are issued before its result.
    """
    if effective_n_jobs(n_jobs) > 1:
        copies: dict[int, tuple[NDArray, NDArray]] = {}
        jobs = (_as_sent(job, copies) for job in jobs)
    here = _place(), sklearn.get_config(), list(warnings.filters)
    calls = (delayed(_call)(here, function, job) for job in jobs)
    with closing(Parallel(n_jobs=n_jobs, return_as="generator")(calls)) as results:
        for result, issued in results:
            for message, category, kind in issued:
                warn(message, category, kind=kind)
            yield result


def _place() -> tuple[int, int]:
    """Return the process and the thread of the caller."""
    return os.getpid(), threading.get_ident()


def _call(
    caller: tuple[tuple[int, int], dict[str, Any], list[Any]],
    function: Callable[..., Any],
    job: tuple[Any, ...],
) -> tuple[Any, list[Issued]]:
    """Return the result of a call, and the warnings that the caller must issue."""
    place, config, filters = caller
    if place == _place():
        return function(*job), []
    with sklearn.config_context(**config), collected() as issued:
        if place[0] == os.getpid():  # threads share the filters and the registry of warnings
            return function(*job), issued
        with warnings.catch_warnings(record=True) as others:
            warnings.filters[:] = filters  # type: ignore[index]
            result = function(*job)
        return result, issued + [(str(each.message), each.category, None) for each in others]


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
