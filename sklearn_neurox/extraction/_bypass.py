"""Running a network again from a place on, without computing the blocks below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .hook_points import replace_first


class Bypass:
    """Blocks whose outputs are recorded in one call of a network and returned in later calls.

    The blocks that end before a place is reached do not depend on what happens there. Their
    embeddings, masks and everything else outside of the blocks are computed in every call.

    Parameters
    ----------
    blocks : sequence of torch.nn.Module
        In the order in which the network calls them.
    is_enabled : bool, default=True
        Whether outputs are recorded at all.
    """

    def __init__(self, blocks: Sequence[nn.Module], *, is_enabled: bool = True):
        self._blocks, self.is_enabled = blocks, is_enabled
        self._outputs: dict[int, Any] = {}
        self._is_repeated = self.is_reached = False
        self.mode: Literal["off", "record", "replay"] = "off"

    def reset(self) -> None:
        """Prepare for a call of the network."""
        self.is_reached = False
        if self.mode == "record":
            self.forget()

    def reach(self) -> bool:
        """Note that the place is reached, and return whether it is for the first time."""
        is_first = not self.is_reached
        self.is_reached = True
        return is_first

    @property
    def n_bypassed(self) -> int:
        """Number of blocks that are not computed again."""
        return len(self._outputs)

    @property
    def has_hooks(self) -> bool:
        """Whether a block that is not computed again, or a module within it, has a hook."""
        modules = (each for number in self._outputs for each in self._blocks[number].modules())
        return any(map(_has_hooks, modules))

    def finish(self) -> None:
        """End a call that was recorded."""
        if self._is_repeated:  # a shared block may also run above the place
            self._outputs.clear()

    def disable(self) -> None:
        """Compute all blocks in all calls from now on."""
        self.forget()
        self.is_enabled = False

    def forget(self) -> None:
        """Release the recorded outputs."""
        self._outputs.clear()
        self._is_repeated = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within the context, the blocks obey `mode`."""
        with ExitStack() as replaced:
            for number, block in enumerate(self._blocks):
                replaced.enter_context(_forward_replaced(block, self._wrap(number, block.forward)))
            yield

    def _wrap(self, number: int, original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            if self.mode == "replay" and number in self._outputs:
                # Copied, because the next module may work in place.
                return replace_first(self._outputs[number], Tensor.clone)
            output = original(*args, **kwargs)
            if self.mode == "record":
                self._record(number, output)
            return output

        return forward

    def _record(self, number: int, output: Any) -> None:
        self._is_repeated |= number in self._outputs
        if self.is_reached or self._is_repeated or not self.is_enabled:
            return
        # Each block keeps its own output, because heads may read the states of all blocks.
        self._outputs[number] = replace_first(output, Tensor.clone)


def _has_hooks(module: nn.Module) -> bool:
    """Return whether a module has hooks, except those with which transformers collects states.

    What these collect is returned by the network, so it can be compared.
    """
    hooks = (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
    return any(getattr(hook, "__module__", "") != _COLLECTORS for hook in hooks)


_COLLECTORS = "transformers.utils.output_capturing"


def same_tensors(found: Any, expected: Any, *, tolerance: float) -> bool:
    """Return whether nested objects contain the same tensors.

    Parameters
    ----------
    found, expected : objects
        Sequences, mappings and objects with attributes are compared recursively. Anything else
        that is not a tensor is not compared.
    tolerance : float
        Largest difference of floating point numbers, as a share of the largest one of their tensor.
    """
    if isinstance(expected, Tensor):
        return isinstance(found, Tensor) and _close(found, expected, tolerance)
    if type(found) is not type(expected):
        return False
    own, others = _parts(found), _parts(expected)
    return own.keys() == others.keys() and all(
        same_tensors(own[name], others[name], tolerance=tolerance) for name in others
    )


def _parts(value: Any) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    if isinstance(value, nn.Module | type | ModuleType) or callable(value):
        return {}
    return getattr(value, "__dict__", {})


def _close(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return False
    if not expected.is_floating_point():
        return torch.equal(found, expected)
    finite = expected[expected.isfinite()].abs()
    atol = tolerance * float(finite.max()) if len(finite) else 0.0
    return torch.allclose(found, expected, rtol=0, atol=atol, equal_nan=True)


@contextmanager
def _forward_replaced(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    own = vars(module).get("forward")  # set, for example, by accelerate
    vars(module)["forward"] = forward
    try:
        yield
    finally:
        if own is None:
            del vars(module)["forward"]
        else:
            vars(module)["forward"] = own
