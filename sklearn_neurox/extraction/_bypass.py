"""Running a network again from a place on, without computing the blocks below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

from torch import Tensor, nn

from .hook_points import first_tensor, replace_first


class Bypass:
    """Blocks whose outputs are recorded in one call of a network and returned in later calls.

    The blocks that end before a place is reached do not depend on what happens there. Their
    embeddings, masks and everything else outside of the blocks are computed in every call.

    Parameters
    ----------
    blocks : sequence of torch.nn.Module
        In the order in which the network calls them.
    """

    def __init__(self, blocks: Sequence[nn.Module]):
        self._blocks = blocks
        self._outputs: dict[int, Any] = {}
        self._is_repeated = self.is_reached = False
        self._is_enabled = True
        self._last: int | None = None
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

    def finish(self) -> None:
        """End a call that was recorded."""
        if self._is_repeated:  # a shared block may also run above the place
            self._outputs.clear()

    def disable(self) -> None:
        """Compute all blocks in all calls from now on."""
        self.forget()
        self._is_enabled = False

    def forget(self) -> None:
        """Release the recorded outputs."""
        self._outputs.clear()
        self._last, self._is_repeated = None, False

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
                output = self._outputs[number]
                # Copied, because the next module may work in place.
                return replace_first(output, Tensor.clone) if number == self._last else output
            output = original(*args, **kwargs)
            if self.mode == "record":
                self._record(number, output)
            return output

        return forward

    def _record(self, number: int, output: Any) -> None:
        self._is_repeated |= number in self._outputs
        if self.is_reached or self._is_repeated or not self._is_enabled:
            return
        self._outputs[number] = replace_first(output, Tensor.clone)
        state = first_tensor(self._outputs[number])
        # The states of the blocks before only reach blocks that are bypassed, so they are released.
        for earlier in self._outputs:
            self._outputs[earlier] = replace_first(self._outputs[earlier], lambda _: state)
        self._last = number


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
