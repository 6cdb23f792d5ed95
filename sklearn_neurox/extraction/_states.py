"""Reading the states of layers of a transformer, without computing the layers above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from .hook_points import hooked, layer_points

_REMEDY = (
    "Set modules to the path of a module within its blocks that has one state per sub-word, or "
    "read any of its modules with ModuleActivations."
)


class _EnoughError(Exception):
    """Raised to end a forward pass once the state of the highest layer has been read."""


class LayerStates:
    """Run a model on batches and read the states of some of its layers.

    Parameters
    ----------
    model : torch.nn.Module
        An encoder or decoder of ``transformers``.
    layers : sequence of int
        In ascending order; layer 0 is the embeddings.
    modules : str, default=None
        As in :func:`~.hook_points.layer_points`.

    Raises
    ------
    ValueError
        If the model does not have such modules.
    """

    def __init__(self, model: Any, layers: Sequence[int], modules: str | None = None):
        self.model = model
        self.layers = layers
        self.modules = modules
        self._points = layer_points(model, layers, modules)
        self._read: dict[int, Tensor] = {}
        self._hooks = ExitStack()

    def __enter__(self) -> LayerStates:
        if self._points is not None:
            self._hooks.enter_context(hooked(self._points, self._on_state))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._hooks.close()

    def _on_state(self, layer: int, state: Tensor) -> None:
        self._read[layer] = state.clone()  # copied, because the next module may work in place
        if layer == self.layers[-1]:
            raise _EnoughError

    def __call__(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the states of each layer, of shape (n_sentences, n_subwords, width)."""
        self._read.clear()
        if self._points is None:
            states = self.model(**inputs, output_hidden_states=True).hidden_states
            self._read.update(enumerate(states))
        else:
            with suppress(_EnoughError):
                self.model(**inputs)
        missing = [layer for layer in self.layers if layer not in self._read]
        if missing:
            reason = "does not use it" if self.modules else "does not call its blocks one by one"
            raise ValueError(
                f"The module of layer {missing[0]} did not run: {type(self.model).__name__} "
                f"{reason}. {_REMEDY}"
            )
        shape = inputs["input_ids"].shape
        return [self._by_subword(layer, shape) for layer in self.layers]

    def _by_subword(self, layer: int, shape: torch.Size) -> Tensor:
        """Reshape the states of a layer by sentence and sub-word: some models flatten them."""
        state = self._read[layer]
        if state.ndim == 2 and len(state) == shape.numel():
            state = state.unflatten(0, shape)
        if state.ndim != 3 or state.shape[:2] != shape:
            raise ValueError(
                f"Layer {layer} has states of shape {tuple(state.shape)} for {shape[0]} sentences "
                f"of {shape[1]} sub-words. Expected one state per sub-word, but "
                f"{type(self.model).__name__} pads, shortens or transposes its inputs. {_REMEDY}"
            )
        return state
