"""Calls that run as tasks of a dask cluster.

joblib's own backend keeps the arguments in the memory of some workers, and fails if these die. If
dask gives up a call that several workers have died in, it waits forever. Here, arguments are the
results of tasks, which dask repeats if they are lost, and dask's errors reach the caller.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from threading import Lock
from types import NoneType
from typing import Any

from joblib.parallel import get_active_backend

from ._optional import import_optional
from ._pickled_maps import dumps, loads

# dask warns about larger arguments of tasks, and advises to scatter them.
_LARGEST_GRAPH = "1 TiB"
# Seconds after which a result that is lost is computed again, and how often.
_PATIENCE, _ATTEMPTS = 10, 4


def cluster_client() -> Any | None:
    """Return the client of joblib's dask backend, or None if another backend is active."""
    backend, _ = get_active_backend()
    is_dask = type(backend).__name__ == "DaskDistributedBackend"
    return backend.client if is_dask else None


def is_in_cluster() -> bool:
    """Return whether this thread runs a task of a dask cluster."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def run_on_cluster(
    client: Any, function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]
) -> Iterator[Any]:
    """Call a function with the arguments of each job, as tasks of a cluster.

    Parameters
    ----------
    client : distributed.Client
    function : callable
    jobs : sequence of tuple
        The arguments of each call.

    Yields
    ------
    object
        The results, in the order of the jobs.

    Raises
    ------
    RuntimeError
        If several workers died in the same call, or the cluster stopped.
    """
    finished: dict[int, Any] = {}
    n_yielded = 0
    for _ in range(_ATTEMPTS):
        waiting = [number for number in range(n_yielded, len(jobs)) if number not in finished]
        try:
            for number, result in _as_finished(client, function, jobs, waiting):
                finished[number] = result
                while n_yielded in finished:
                    yield finished.pop(n_yielded)
                    n_yielded += 1
        except _LostResultError:
            continue
        if n_yielded < len(jobs):
            raise RuntimeError("The dask cluster stopped before all calls were finished.")
        return
    raise RuntimeError(
        f"Workers of the dask cluster died {_ATTEMPTS} times with results of finished calls, and "
        f"{len(jobs) - n_yielded - len(finished)} of {len(jobs)} calls are not finished."
    )


def _as_finished(
    client: Any, function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], numbers: list[int]
) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and the results of some of the jobs when they are finished."""
    dask = import_optional("dask", extra="dask", purpose="A dask cluster")
    distributed = import_optional("distributed", extra="dask", purpose="A dask cluster")
    killed = distributed.scheduler.KilledWorker
    shared = {id(value): value for value in (function, *_in_several(jobs))}
    futures = {}
    try:
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGEST_GRAPH}):
            # Tasks, because dask repeats them if their results are lost, unlike scattered data.
            sent = {
                key: client.submit(_identity, _pickled(value), pure=False)
                for key, value in shared.items()
            }
            for number in numbers:
                arguments = [
                    sent[id(value)] if id(value) in sent else _pickled(value)
                    for value in jobs[number]
                ]
                future = client.submit(_run, sent[id(function)], arguments, pure=False)
                futures[future] = number
        for future in distributed.as_completed(futures):
            try:
                yield futures[future], _result(future, killed)
            except _LostResultError:
                for other in futures:
                    if other.status == "error":
                        _result(other, killed)  # raises the error
                raise
    finally:
        if client.status == "running":
            client.cancel(list(futures))


class _LostResultError(Exception):
    """A worker died after it had finished a call, and before its result was received."""


def _result(future: Any, killed: type[Exception]) -> Any:
    while True:
        try:
            return future.result(timeout=_PATIENCE).value
        except killed as error:
            raise RuntimeError(
                f"Several workers of the dask cluster died in the same call: {error}"
            ) from error
        except CancelledError as error:
            raise RuntimeError(
                f"The dask cluster stopped, or the call was canceled by another process: {error}"
            ) from error
        except TimeoutError:
            if future.status == "error":  # of the call itself
                raise
            if future.status == "pending":  # dask was seen to wait for such a result forever
                raise _LostResultError from None


def _in_several(jobs: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return the arguments that occur in several jobs, without plain numbers, strings and None."""
    values = {id(value): value for job in jobs for value in job}
    counts = Counter(id(value) for job in jobs for value in job)
    return [
        value
        for key, value in values.items()
        if counts[key] > 1 and not isinstance(value, int | float | str | NoneType)
    ]


def _pickled(value: Any) -> _Sent:
    """Pickle a value in this thread, where an error is not logged by dask."""
    return _Sent(pickled=dumps(value))


def _identity(sent: _Sent) -> _Sent:
    return sent


def _run(function: _Sent, arguments: list[_Sent]) -> _Sent:
    """Call a function in a worker."""
    return _Sent(function.value(*(each.value for each in arguments)))


class _Sent:
    """A value that is pickled by :func:`dumps`, and unpickled in each process when it is used.

    An error of the unpickling is then one of the call that uses the value.
    """

    def __init__(self, value: Any = None, pickled: bytes | None = None):
        self._value, self._pickled = value, pickled
        self._lock = Lock()

    @property
    def value(self) -> Any:
        with self._lock:
            if self._pickled is not None:
                self._value, self._pickled = loads(self._pickled), None
        return self._value

    def __reduce__(self) -> tuple[Any, ...]:
        pickled = self._pickled
        return _Sent, (None, dumps(self.value) if pickled is None else pickled)

    def __sizeof__(self) -> int:
        """Return a size from which dask estimates the memory of a worker."""
        value = self._value if self._pickled is None else self._pickled
        return object.__sizeof__(self) + getattr(value, "nbytes", sys.getsizeof(value))
