"""Running a network without changing it, from the same state every time."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from operator import is_
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ._inputs import LOOKUPS
from ._randomness import Drawing


class EnoughError(Exception):
    """Raised by a hook to end a call of a network once everything has been read."""


# How the states of generators of random numbers are read and set.
_GENERATORS: dict[type, tuple[Callable[[Any], Any], Callable[[Any, Any], object]]] = {
    random.Random: (random.Random.getstate, random.Random.setstate),
    np.random.RandomState: (
        lambda generator: generator.get_state(legacy=False),
        np.random.RandomState.set_state,
    ),
    np.random.Generator: (
        lambda generator: generator.bit_generator.state,
        lambda generator, state: setattr(generator.bit_generator, "state", state),
    ),
    torch.Generator: (torch.Generator.get_state, torch.Generator.set_state),
}


class ChangedWeightError(ValueError):
    """Raised if a network changes a weight while it runs."""


class Snapshot:
    """The state of a network that running it may change.

    Some networks change while they run: BigBird replaces its attention after a short input, models
    with dynamic or long rotary embeddings replace their frequencies, and networks of users may
    count or cache. A snapshot covers all attributes and submodules, nested containers, NumPy
    arrays, generators of random numbers, the configuration, buffers, and the weights that a module
    is known to change. It does not copy other weights, but knows their versions, which torch counts
    at every change in place.

    Parameters
    ----------
    model : torch.nn.Module
    """

    def __init__(self, model: nn.Module):
        self._seen: set[int] = set()
        self._empty: list[Any] = []  # most containers: this makes it fast to compare them
        self._filled: list[tuple[Any, list[Any], list[Any]]] = []  # with their keys and values
        self._tensors: list[tuple[Tensor, Tensor]] = []
        self._arrays: list[tuple[NDArray, NDArray]] = []
        self._generators: list[tuple[Any, Any]] = []
        with torch.inference_mode():
            for module in model.modules():
                self._add(vars(module))
                for weight in _changing_weights(module):
                    self._add_tensor(weight)
        copied = {id(tensor) for tensor, _ in self._tensors}
        self._versions = [
            (weight, weight._version)
            for weight in model.parameters()
            if not weight.is_inference() and id(weight) not in copied
        ]

    def _add(self, value: Any) -> None:
        # Configurations are recognized without importing transformers.
        if isinstance(getattr(value, "model_type", None), str) and not isinstance(value, nn.Module):
            value = vars(value)
        if isinstance(value, nn.Parameter) or id(value) in self._seen:
            return
        if isinstance(value, Tensor):
            self._seen.add(id(value))
            self._add_tensor(value)
        elif isinstance(value, np.ndarray):
            self._seen.add(id(value))
            if value.flags.writeable:
                self._arrays.append((value, value.copy()))
            for item in value.flat if value.dtype.hasobject else ():
                self._add(item)
        elif type(value) in _GENERATORS:
            get_state, _ = _GENERATORS[type(value)]
            self._generators.append((value, get_state(value)))
        elif isinstance(value, dict | list | set | deque):
            self._seen.add(id(value))
            values = list(_values(value))
            if values:
                self._filled.append((value, list(value), values))
            else:
                self._empty.append(value)
            for item in values:
                self._add(item)
        elif isinstance(value, tuple):
            for item in value:
                self._add(item)

    def _add_tensor(self, tensor: Tensor) -> None:
        if not tensor.is_meta:
            self._tensors.append((tensor, tensor.detach().clone()))

    def restore(self) -> None:
        """Undo all changes since the snapshot."""
        for container in self._empty:
            if container:
                container.clear()
        for container, keys, values in self._filled:
            if not (_same(container, keys) and _same(_values(container), values)):
                container.clear()
                if isinstance(container, dict):
                    container.update(zip(keys, values, strict=True))
                elif isinstance(container, set):
                    container.update(values)
                else:
                    container.extend(values)
        for array, content in self._arrays:
            if array.shape != content.shape:
                array.resize(content.shape, refcheck=False)
            np.copyto(array, content)
        for generator, state in self._generators:
            _, set_state = _GENERATORS[type(generator)]
            set_state(generator, state)
        with torch.inference_mode():
            for tensor, before in self._tensors:
                # Sparse tensors cannot be compared.
                if tensor.layout != torch.strided or not _is_equal(tensor, before):
                    tensor.copy_(before)

    def check_weights(self, model: nn.Module) -> None:
        """Check that the network did not change weights that are not copied.

        Raises
        ------
        ChangedWeightError
            If it did. The message contains the path of the first such weight.
        """
        changed = {id(weight) for weight, version in self._versions if weight._version != version}
        if changed:
            paths = [path for path, weight in model.named_parameters() if id(weight) in changed]
            raise ChangedWeightError(
                f"{type(model).__name__} changes its weight {paths[0]!r} while it runs, so its "
                "activations depend on earlier calls. Store values that change in a buffer or an "
                "attribute, which are restored."
            )


def _is_equal(tensor: Tensor, before: Tensor) -> bool:
    if tensor.is_floating_point() and tensor.dtype.itemsize == 1:  # not every torch compares these
        tensor, before = tensor.view(torch.uint8), before.view(torch.uint8)
    return torch.equal(tensor, before)


def _changing_weights(module: nn.Module) -> Iterator[Tensor]:
    """Yield the weights that a module changes, or seems to change, while it runs."""
    if isinstance(module, LOOKUPS) and module.max_norm is not None:  # renormalizes rows
        yield module.weight
    elif hasattr(module, "layers_are_rescaled"):  # RWKV divides weights, and stores that it did
        yield from module.parameters()
    # Recurrent layers move their weights in `flatten_parameters`, which counts as a change.
    is_recurrent = isinstance(module, nn.RNNBase)
    for weight in module.parameters(recurse=False):
        if is_recurrent or weight.is_inference():  # which does not have a version
            yield weight


def _values(container: Any) -> Collection[Any]:
    return container.values() if isinstance(container, dict) else container


def _same(items: Collection[Any], before: list[Any]) -> bool:
    """Return whether a collection still consists of the same objects in the same order."""
    return len(items) == len(before) and all(map(is_, items, before))


@contextmanager
def isolated(
    model: nn.Module,
    *hooks: AbstractContextManager[Any],
    reset: Callable[[], None] = lambda: None,
) -> Iterator[Callable[..., Any]]:
    """Yield a function that calls a model in eval mode without gradients.

    Every call starts from the same state, so its result does not depend on earlier calls. If the
    model draws random numbers, these are also the same in every call. At the end, the model and the
    global random states are as they were before.

    Parameters
    ----------
    model : torch.nn.Module
    *hooks : context managers
        Within which the hooks of the model are registered.
    reset : callable, optional
        Called before the model runs. It runs twice if it turns out to draw random numbers.

    Yields
    ------
    callable
        Called with the arguments of the model. A hook may end a call with :class:`EnoughError`. It
        raises :class:`ChangedWeightError` if the model changes its weights.
    """
    before = Snapshot(model)
    try:
        model.eval()
        with ExitStack() as registered:
            for each in hooks:
                registered.enter_context(each)
            start, drawing = Snapshot(model), Drawing()

            def call(*args: Any, **kwargs: Any) -> Any:
                def forward() -> Any:
                    reset()
                    result = None
                    try:
                        with torch.inference_mode(), suppress(EnoughError):
                            result = model(*args, **kwargs)
                    finally:
                        start.restore()
                    start.check_weights(model)
                    return result

                return drawing.call(forward)

            yield call
    finally:
        before.restore()
