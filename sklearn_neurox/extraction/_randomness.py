"""The global random states of Python, NumPy and torch, which extraction leaves unchanged.

The states belong to the process. If other threads are running, they may draw numbers at any time,
and restoring a state would give them the same numbers twice. The states of Python and NumPy, whose
draws cannot be attributed to a thread, are then neither seeded nor restored. Those of torch are
seeded and restored only for a network that draws from them.
"""

from __future__ import annotations

import pickle
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

T = TypeVar("T")

# Without the lock, one thread could restore the states of another that also extracts.
_LOCK = threading.RLock()


class RandomStates:
    """The current states of the global generators: those of torch, and of all if `alone`.

    Parameters
    ----------
    alone : bool
        Whether no other thread can be using the generators.
    """

    def __init__(self, *, alone: bool) -> None:
        self._others: tuple[Any, bytes] | None = None
        if alone:
            numpy = np.random.get_state(legacy=False)  # noqa: NPY002 -- the global state is meant
            self._others = random.getstate(), pickle.dumps(numpy)
        self._torch = [torch.get_rng_state()]
        if torch.cuda.is_initialized():
            self._torch += torch.cuda.get_rng_state_all()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RandomStates)
            and self._others == other._others
            and len(self._torch) == len(other._torch)
            and all(map(torch.equal, self._torch, other._torch))
        )

    __hash__ = None  # type: ignore[assignment]  # its state is compared by value

    def restore(self) -> None:
        """Set the generators to these states."""
        if self._others is not None:
            python, numpy = self._others
            random.setstate(python)
            np.random.set_state(pickle.loads(numpy))  # noqa: NPY002 -- the global state is meant
        torch.set_rng_state(self._torch[0])
        if self._torch[1:]:
            torch.cuda.set_rng_state_all(self._torch[1:])


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Seed the global generators within the context, and restore their states afterwards.

    Those of Python and NumPy are left alone if other threads are running.
    """
    with _LOCK:
        alone = _is_alone()
        before = RandomStates(alone=alone)
        try:
            if alone:
                random.seed(seed)
                generator: Any = np.random.mtrand.get_bit_generator()
                np.random.set_state(type(generator)(seed).state)  # noqa: NPY002 -- the global state is meant
            torch.default_generator.manual_seed(seed)
            if torch.cuda.is_initialized():
                torch.cuda.manual_seed_all(seed)
            yield
        finally:
            before.restore()


class Drawing:
    """Calls of a function that may draw random numbers: the same numbers in every call.

    Most models do not draw any in eval mode. For these, the generators are only compared. For the
    others, they are seeded before every call.
    """

    def __init__(self) -> None:
        self._draws = False

    def call(self, function: Callable[[], T]) -> T:
        """Call a function, and leave the global random states unchanged."""
        if not self._draws:
            alone = _is_alone()
            before = RandomStates(alone=alone)
            try:
                result = function()
                if RandomStates(alone=alone) == before:
                    return result
                if not alone:  # another thread may have drawn the numbers
                    with _TorchDraws() as drawn:
                        result = function()
                    if not drawn.any:
                        return result
                self._draws = True
            finally:
                # After an error too, a single thread leaves the states as they were.
                if self._draws or (alone and RandomStates(alone=alone) != before):
                    before.restore()
        with seeded():
            return function()


def _is_alone() -> bool:
    return threading.active_count() == 1


class _TorchDraws(TorchDispatchMode):
    """Within the context, find out whether this thread draws numbers from a generator of torch."""

    # Arguments of operations that make them draw, such as dropout, or of their own generator.
    _SWITCHES = ("train", "training", "dropout_p")

    def __init__(self) -> None:
        super().__init__()
        self.any = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags:
            given = {each.name: each.default_value for each in func._schema.arguments}
            given |= dict(zip(given, args, strict=False)) | kwargs
            switches = [given[name] for name in self._SWITCHES if name in given]
            self.any |= all(switches) and given.get("generator") is None
        return func(*args, **kwargs)
