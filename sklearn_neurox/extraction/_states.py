"""States of the layers of a transformer, without computing or keeping those not asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

# The modules, within a block, whose input is meant; the first that is there is taken.
INSIDE = {
    # Outputs of the heads, side by side, before they are mixed.
    "attention_heads": (
        "attention.output.dense",  # BERT and its kin
        "attn.c_proj",  # GPT-2
        "self_attn.o_proj",  # Llama, Mistral, Qwen, Gemma
        "self_attn.out_proj",  # BART, OPT
        "layer.0.SelfAttention.o",  # T5
        "attention.out_lin",  # DistilBERT
        "attention.attn.o",  # MPNet
        "attention.dense",  # GPT-NeoX
    ),
    # Neurons of the feed-forward network, after their activation function.
    "mlp": (
        "output.dense",
        "mlp.c_proj",
        "mlp.down_proj",
        "fc2",
        "layer.1.DenseReluDense.wo",
        "ffn.lin2",
        "mlp.dense_4h_to_h",
    ),
}


# What to do with a model that has no states of sub-words where they are looked for.
_INSTEAD = (
    "Take modules=... with a module within its blocks that gives a state for each sub-word, or "
    "read any of its modules with ModuleActivations."
)


class _EnoughError(Exception):
    """The highest layer asked for is there."""


class LayerStates:
    """Runs a model on batches and catches the states of some of its layers.

    The state of layer k is what block k (from 0) gets as its input, and that of the last layer
    the output of the model. A model that is not a list of blocks is asked for all its hidden
    states.

    Parameters
    ----------
    model : torch.nn.Module
        An encoder or decoder of ``transformers``.
    layers : sequence of int
        Ascending; 0 are the embeddings.
    modules : str, default=None
        "attention_heads", "mlp", or the path of a module within each block: its output is caught
        instead of hidden states. Block k is layer k + 1.

    Raises
    ------
    ValueError
        If the model has no such module.
    """

    def __init__(self, model: Any, layers: Sequence[int], modules: str | None = None):
        self.model = model
        self.layers = layers
        self.modules = modules
        self._caught: dict[int, Tensor] = {}
        self._handles: list[Any] = []
        self._n_hidden = model.config.num_hidden_layers
        self._blocks = blocks_of(model)
        self._points = [] if self._blocks is None else self._hooking_points(modules)
        if modules is not None and self._blocks is None:
            raise ValueError(f"{type(model).__name__} has no list of blocks to find modules in.")

    def _hooking_points(self, modules: str | None) -> list[tuple[int, nn.Module, bool]]:
        """Layers, modules, and whether their input is meant or their output."""
        assert self._blocks is not None
        if modules is None:
            inner = [layer for layer in self.layers if layer < self._n_hidden]
            return [(layer, self._blocks[layer], True) for layer in inner]
        blocks = [self._blocks[layer - 1] for layer in self.layers]
        found = [(find_module(block, modules), modules in INSIDE) for block in blocks]
        return [(layer, *point) for layer, point in zip(self.layers, found, strict=True)]

    def __enter__(self) -> LayerStates:
        for layer, module, is_input in self._points:
            catch = self._catcher(layer)
            if is_input:
                handle = module.register_forward_pre_hook(catch, with_kwargs=True)
            else:
                handle = module.register_forward_hook(
                    lambda module, args, output, catch=catch: catch(module, (output,), {})
                )
            self._handles.append(handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._handles:
            self._handles.pop().remove()

    def _catcher(self, layer: int) -> Callable[[nn.Module, tuple, Mapping], None]:
        """Make a hook that keeps what comes, and ends the run when nothing else is wanted."""

        def catch(module: nn.Module, args: tuple, kwargs: Mapping) -> None:
            # What a module gives, the next may change in place.
            self._caught[layer] = first_tensor(args if args else kwargs["hidden_states"]).clone()
            if layer == self.layers[-1]:
                raise _EnoughError

        return catch

    def __call__(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the states (n_sentences, n_subwords, width) of each layer."""
        self._caught.clear()
        try:
            if self._blocks is None:
                states = self.model(**inputs, output_hidden_states=True).hidden_states
                self._caught.update(enumerate(states))
            else:
                self._caught[self._n_hidden] = self.model(**inputs).last_hidden_state
        except _EnoughError:
            pass
        missing = [layer for layer in self.layers if layer not in self._caught]
        if missing:
            raise ValueError(
                f"The module of layer {missing[0]} did not run: {type(self.model).__name__} "
                f"{'does not use it' if self.modules else 'lays out its blocks otherwise'}. "
                f"{_INSTEAD}"
            )
        shape = inputs["input_ids"].shape
        return [self._per_subword(layer, shape) for layer in self.layers]

    def _per_subword(self, layer: int, shape: torch.Size) -> Tensor:
        """See that there is one state for each sub-word; some models flatten the batch."""
        state = self._caught[layer]
        if state.ndim == 2 and len(state) == shape.numel():
            state = state.unflatten(0, shape)
        if state.ndim != 3 or state.shape[:2] != shape:
            raise ValueError(
                f"Layer {layer} has states of shape {tuple(state.shape)} for {shape[1]} sub-words "
                f"of {shape[0]} sentences: its states are not those of sub-words, as "
                f"{type(self.model).__name__} pads, shortens or turns its inputs by itself. "
                f"{_INSTEAD}"
            )
        return state


def blocks_of(model: Any) -> nn.ModuleList | None:
    """Find the list of the blocks of a model, the outermost where there are several.

    XLNet's blocks have the positions before the sentences: it is asked for all its states.
    """
    if model.config.model_type == "xlnet":
        return None
    lists = [
        (name.count("."), module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == model.config.num_hidden_layers
    ]
    return min(lists, key=lambda pair: pair[0])[1] if lists else None


def find_module(block: nn.Module, name: str) -> nn.Module:
    """Find a module in a block: by its path, or "attention_heads" and "mlp" by what they are."""
    inside = dict(block.named_modules())
    for path in INSIDE.get(name, (name,)):
        if path and path in inside:
            return inside[path]
    raise ValueError(
        f"modules={name!r} is not in {type(block).__name__}; expected {' or '.join(INSIDE)}, or "
        f"one of {[path for path in inside if path]}."
    )


def first_tensor(output: Any) -> Tensor:
    """Find the tensor in what a module gives: itself, or the first of a tuple or a mapping."""
    while not isinstance(output, Tensor):
        values = list(output.values()) if isinstance(output, Mapping) else list(output)
        output = values[0]
    return output
