"""Settings of the whole process that are changed for a while, possibly by several threads at once.

A setting that each thread reads, changes and restores by itself is wrong afterwards if two threads
overlap: the second reads, and finally restores, the value that the first has set.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from types import TracebackType

import torch
from threadpoolctl import ThreadpoolController

# Number of multiplications per step above which a second thread is faster.
_THREADING_PAYS_FROM = 100_000_000
# Rows and columns up to which a second thread gains nothing, but may wait for a busy core.
_MATRIX_FOR_ONE_THREAD = 512


class ProcessSetting:
    """A setting of the process, changed while any thread is inside a ``with`` block.

    The first block to begin changes the setting, and the last one to end restores it. Blocks may be
    nested.

    Parameters
    ----------
    change : callable
        Changes the setting, and returns the function that restores it.
    """

    def __init__(self, change: Callable[[], Callable[[], object]]):
        self._change = change
        self._lock = threading.Lock()
        self._n_inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._n_inside:
                self._restore = self._change()
            self._n_inside += 1

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                self._restore()


@cache
def _blas() -> ThreadpoolController:
    # Selected here, because a limiter of all libraries would also restore the threads of OpenMP,
    # which differ between the threads of Python.
    return ThreadpoolController().select(user_api="blas")


_ONE_BLAS_THREAD = ProcessSetting(lambda: _blas().limit(limits=1).restore_original_limits)


def blas_threads(size: int) -> AbstractContextManager[None]:
    """Limit NumPy and SciPy to one thread if `size`, the number of rows and columns, is small."""
    return _ONE_BLAS_THREAD if size <= _MATRIX_FOR_ONE_THREAD else nullcontext()


class _OneTorchThread(threading.local):
    """The limit of torch to one thread.

    torch has a number for the process, and each thread of Python copies it when it first uses
    torch. Every thread therefore sets and restores its own copy. Only the copy of a thread that
    first uses torch while another one is inside a block is wrong: it is the limit.
    """

    _lock = threading.Lock()
    _n_inside = 0
    _of_process = 1

    def __init__(self) -> None:
        self._depth = 0  # of nested blocks in this thread
        self._is_unsure = threading.current_thread() is not threading.main_thread()

    @contextmanager
    def block(self) -> Iterator[None]:
        self._depth += 1
        if self._depth == 1:
            self._enter()
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._leave()

    def _enter(self) -> None:
        cls = type(self)
        with cls._lock:
            self._before = torch.get_num_threads()
            if self._is_unsure and self._before == 1:
                is_first = not cls._n_inside
                self._before = _threads_in_a_new_thread() if is_first else cls._of_process
            self._is_unsure = False
            if not cls._n_inside:
                cls._of_process = self._before
            cls._n_inside += 1
            torch.set_num_threads(1)

    def _leave(self) -> None:
        cls = type(self)
        with cls._lock:
            cls._n_inside -= 1
            torch.set_num_threads(self._before)


def _threads_in_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


_ONE_TORCH_THREAD = _OneTorchThread()


def torch_threads(multiply_adds: int) -> AbstractContextManager[None]:
    """Limit torch to one CPU thread if the steps are small, and restore the number afterwards.

    Do not suspend a generator inside the block: it would keep the limit until it is closed.

    Parameters
    ----------
    multiply_adds : int
        Number of multiplications per step. On an idle machine, a small step gains little from a
        second thread. On a busy machine, the threads wait for each other at every operation, which
        was seen to make training thirty times slower.
    """
    return _ONE_TORCH_THREAD.block() if multiply_adds < _THREADING_PAYS_FROM else nullcontext()
