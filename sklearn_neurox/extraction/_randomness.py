"""The global random states of Python, NumPy and torch, which extraction leaves unchanged."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import torch

T = TypeVar("T")

# The states belong to the process. Without the lock, one thread could restore those of another.
_LOCK = RLock()


class RandomStates:
    """The current states of all global generators of random numbers."""

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = pickle.dumps(np.random.get_state(legacy=False))  # noqa: NPY002
        self._torch = [torch.get_rng_state()]
        if torch.cuda.is_initialized():
            self._torch += torch.cuda.get_rng_state_all()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RandomStates)
            and (self._python, self._numpy) == (other._python, other._numpy)
            and len(self._torch) == len(other._torch)
            and all(map(torch.equal, self._torch, other._torch))
        )

    __hash__ = None  # type: ignore[assignment]

    def restore(self) -> None:
        """Set all generators to these states."""
        random.setstate(self._python)
        np.random.set_state(pickle.loads(self._numpy))  # noqa: NPY002
        torch.set_rng_state(self._torch[0])
        if self._torch[1:]:
            torch.cuda.set_rng_state_all(self._torch[1:])


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Seed all global generators within the context, and restore their states afterwards."""
    with _LOCK:
        before = RandomStates()
        try:
            random.seed(seed)
            generator: Any = np.random.mtrand.get_bit_generator()
            np.random.set_state(type(generator)(seed).state)  # noqa: NPY002
            torch.default_generator.manual_seed(seed)
            if torch.cuda.is_initialized():
                torch.cuda.manual_seed_all(seed)
            yield
        finally:
            before.restore()


class Drawing:
    """Calls of a function that may draw random numbers: the same numbers in every call.

    Most models do not draw any in eval mode. For these, the generators are only compared, because
    other threads may be using them. For the others, the generators are seeded before every call.
    """

    def __init__(self) -> None:
        self._draws = False

    def call(self, function: Callable[[], T]) -> T:
        """Call a function, and leave the global random states unchanged."""
        if self._draws:
            with seeded():
                return function()
        before = RandomStates()
        try:
            result = function()
        finally:
            self._draws = RandomStates() != before
            if self._draws:
                before.restore()
        return self.call(function) if self._draws else result
