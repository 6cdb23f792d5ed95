"""Reading the states of layers of a transformer, without computing the layers above them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

import torch
from torch import Tensor

from ._isolation import EnoughError, isolated
from ._network import Network
from .hook_points import all_states, hooked, layer_points

_REMEDY = (
    "Set modules to the path of a module within its blocks that has one state per sub-word, or "
    "read any of its modules with ModuleActivations."
)


class LayerStates:
    """Run a network on batches and read the states of some of its layers.

    Parameters
    ----------
    network : Network
    layers : sequence of int
        In ascending order; layer 0 is the embeddings.
    modules : str, default=None
        As in :func:`~.hook_points.layer_points`.

    Raises
    ------
    ValueError
        If the network does not have such modules.
    """

    def __init__(self, network: Network, layers: Sequence[int], modules: str | None = None):
        self.network = network
        self.layers = layers
        self.modules = modules
        self._name = type(network.stack).__name__
        self._points = layer_points(network.stack, layers, modules)
        self._ends_early = not network.is_dispatched  # hooks of accelerate must run to the end
        self._read: dict[int, Tensor] = {}
        self._contexts = ExitStack()

    def __enter__(self) -> LayerStates:
        hooks = (
            all_states(self.network.stack, self._on_states)
            if self._points is None
            else hooked(self._points, self._on_state)
        )
        self._call = self._contexts.enter_context(
            isolated(self.network.runner, hooks, reset=self._read.clear)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._contexts.close()
        # Otherwise, they remain until Python collects the cycle of this object and its hooks.
        self._read.clear()

    def _on_state(self, layer: int, state: Tensor) -> None:
        self._read[layer] = state.clone()  # copied, because the next module may work in place
        if layer == self.layers[-1] and self._ends_early:
            raise EnoughError

    def _on_states(self, states: Sequence[Tensor]) -> None:
        self._read.update(enumerate(states))
        if self._ends_early:
            raise EnoughError

    def __call__(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Return the states of each layer, of shape (n_sentences, n_subwords, width)."""
        self._call(**self.network.arguments(inputs))
        missing = [layer for layer in self.layers if layer not in self._read]
        if missing:
            reason = "does not use it" if self.modules else "does not call its blocks one by one"
            raise ValueError(
                f"The module of layer {missing[0]} did not run: {self._name} {reason}. {_REMEDY}"
            )
        shape = inputs["input_ids"].shape
        return [self._by_subword(layer, shape) for layer in self.layers]

    def _by_subword(self, layer: int, shape: torch.Size) -> Tensor:
        """Reshape the states of a layer by sentence and sub-word: some models flatten them."""
        state = self._read[layer]
        # Longformer and LED append padding up to a multiple of their attention window.
        if hasattr(self.network.stack, "_pad_to_window_size") and state.ndim == 3:
            state = state[:, : self.network.n_virtual + shape[1]]
        found = by_subword(state, shape, self.network.n_virtual)
        if found is None:
            raise ValueError(
                f"Layer {layer} has states of shape {tuple(self._read[layer].shape)} for "
                f"{shape[0]} sentences of {shape[1]} sub-words. Expected one state per sub-word, "
                f"but {self._name} pads, shortens or transposes its inputs. {_REMEDY}"
            )
        return found


def by_subword(state: Tensor, shape: torch.Size, n_virtual: int = 0) -> Tensor | None:
    """Return states by sentence and sub-word, without those of virtual tokens.

    Parameters
    ----------
    state : Tensor
        Of shape (n_sentences, n_positions, width), or (n_sentences * n_positions, width).
    shape : torch.Size
        Numbers of sentences and sub-words.
    n_virtual : int, default=0
        Number of virtual tokens before the sub-words.

    Returns
    -------
    Tensor of shape (n_sentences, n_subwords, width), or None if there is not one state per sub-word
    """
    # Virtual tokens come before the sub-words, except those of a prefix of keys and values.
    for n_before in {0, n_virtual}:
        whole = torch.Size([shape[0], n_before + shape[1]])
        if state.ndim == 2 and len(state) == whole.numel():
            state = state.unflatten(0, whole)
        if state.ndim == 3 and state.shape[:2] == whole:
            return state[:, n_before:]
    return None
