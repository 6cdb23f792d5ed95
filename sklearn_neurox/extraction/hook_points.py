"""Hook points: the places in a network where its states are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..activations.columns import check_layers

L = TypeVar("L", int, str)


@dataclass(frozen=True)
class HookPoint:
    """The input or the output of a module.

    Parameters
    ----------
    module : torch.nn.Module
    side : {"input", "output"}
    """

    module: nn.Module
    side: Literal["input", "output"]

    def register(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call `hook` with each state at this point until the handle is removed."""

        def on_input(module: nn.Module, args: tuple, kwargs: Mapping[str, Any]) -> None:
            hook(first_tensor(args or kwargs["hidden_states"]))

        def on_output(module: nn.Module, args: tuple, output: Any) -> None:
            hook(first_tensor(output))

        if self.side == "input":
            return self.module.register_forward_pre_hook(on_input, with_kwargs=True)
        return self.module.register_forward_hook(on_output)


@dataclass(frozen=True)
class Part:
    """A part of a block that is identified by its role rather than by its path.

    Parameters
    ----------
    unit : str
        Kind of the columns, as in ``Neurons``.
    paths : tuple of str
        Paths of the modules whose input is the states of the part, within the blocks of different
        architectures. The first path that a block contains is used.
    """

    unit: str
    paths: tuple[str, ...]


PARTS = {
    # Outputs of the heads, concatenated, before the matrix that mixes them.
    "attention_heads": Part(
        "attention",
        (
            "attention.output.dense",  # BERT and its relatives
            "attn.c_proj",  # GPT-2
            "self_attn.o_proj",  # Llama, Mistral, Qwen, Gemma
            "self_attn.out_proj",  # BART, OPT
            "layer.0.SelfAttention.o",  # T5
            "attention.out_lin",  # DistilBERT
            "attention.attn.o",  # MPNet
            "attention.dense",  # GPT-NeoX
        ),
    ),
    # Neurons of the feed-forward network, after their activation function.
    "mlp": Part(
        "mlp",
        (
            "output.dense",
            "mlp.c_proj",
            "mlp.down_proj",
            "fc2",
            "layer.1.DenseReluDense.wo",
            "ffn.lin2",
            "mlp.dense_4h_to_h",
        ),
    ),
}


def unit_of(modules: str | None) -> str:
    """Return the kind of the columns that `modules` selects, as in ``Neurons``."""
    if modules is None:
        return "neuron"
    return PARTS[modules].unit if modules in PARTS else modules


def layer_points(
    model: Any, layers: Sequence[int], modules: str | None = None
) -> dict[int, HookPoint] | None:
    """Find the hook points of layers of a transformer.

    Parameters
    ----------
    model : torch.nn.Module
        An encoder or decoder of ``transformers``.
    layers : sequence of int
        Layer 0 is the embeddings.
    modules : str, default=None
        "attention_heads", "mlp", or the path of a module within each block, whose output is read.
        Block k is layer k + 1. If None, use the hidden states: layer k is the input of block k, and
        the last layer is the output of the model.

    Returns
    -------
    dict or None
        The point of each layer, or None if the model is not a list of blocks and must return all
        its hidden states.

    Raises
    ------
    ValueError
        If a block does not contain the module, or the model does not have a list of blocks.
    """
    blocks = blocks_of(model)
    if modules is not None:
        if blocks is None:
            raise ValueError(
                f"modules={modules!r} requires a list of blocks, but {type(model).__name__} does "
                "not have one."
            )
        return {layer: point_in_block(blocks[layer - 1], modules) for layer in layers}
    if blocks is None:
        return None
    return {
        layer: HookPoint(blocks[layer], "input")
        if layer < len(blocks)
        else HookPoint(model, "output")
        for layer in layers
    }


def module_points(module: nn.Module, layers: Sequence[str]) -> dict[str, HookPoint]:
    """Find the hook points of layers of any network, which are the outputs of modules.

    Parameters
    ----------
    module : torch.nn.Module
    layers : sequence of str
        Paths of modules, as in ``module.named_modules()``.

    Returns
    -------
    dict
        The point of each layer.

    Raises
    ------
    TypeError, ValueError
        If `layers` are not distinct paths of modules.
    """
    inside = dict(module.named_modules())
    unknown = [layer for layer in check_layers(layers) if layer not in inside]
    if unknown:
        raise ValueError(
            f"layers must be paths of modules, got {unknown[0]!r}. {type(module).__name__} has the "
            f"modules {[path for path in inside if path]}."
        )
    return {layer: HookPoint(inside[layer], "output") for layer in layers}


@contextmanager
def hooked(points: Mapping[L, HookPoint], hook: Callable[[L, Tensor], None]) -> Iterator[None]:
    """Within the context, call `hook` with the layer and the state whenever a point is reached."""
    with ExitStack() as handles:
        for layer, point in points.items():
            handles.enter_context(point.register(partial(hook, layer)))
        yield


def blocks_of(model: Any) -> nn.ModuleList | None:
    """Return the list of the blocks of a model, or None if there is no such list.

    If there are several, the outermost one is returned. XLNet is treated as if it had no such list,
    because in its blocks the axis of positions comes before that of sentences.
    """
    if model.config.model_type == "xlnet":
        return None
    lists = [
        (path.count("."), module)
        for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == model.config.num_hidden_layers
    ]
    return min(lists, key=lambda pair: pair[0])[1] if lists else None


def point_in_block(block: nn.Module, modules: str) -> HookPoint:
    """Return the hook point of "attention_heads", "mlp" or a module path within a block.

    Raises
    ------
    ValueError
        If the block does not contain it.
    """
    inside = {path: module for path, module in block.named_modules() if path}
    paths = PARTS[modules].paths if modules in PARTS else (modules,)
    found = next((path for path in paths if path in inside), None)
    if found is None:
        raise ValueError(
            f"modules={modules!r} was not found in {type(block).__name__}. Expected "
            f"{' or '.join(map(repr, PARTS))}, or one of the paths {list(inside)}."
        )
    return HookPoint(inside[found], "input" if modules in PARTS else "output")


def first_tensor(output: Any) -> Tensor:
    """Return the tensor itself, or the first one within nested tuples or mappings."""
    while not isinstance(output, Tensor):
        values = list(output.values()) if isinstance(output, Mapping) else list(output)
        output = values[0]
    return output
