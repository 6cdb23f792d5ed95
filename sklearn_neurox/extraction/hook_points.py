"""Hook points: the places in a network where its states are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
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

    def register(self, hook: Callable[[Tensor], None], layer: int | str) -> RemovableHandle:
        """Call `hook` with each state at this point until the handle is removed."""

        def on_input(module: nn.Module, args: tuple, kwargs: Mapping[str, Any]) -> None:
            hook(first_tensor(args or kwargs.get("hidden_states", kwargs), layer))

        def on_output(module: nn.Module, args: tuple, output: Any) -> None:
            hook(first_tensor(output, layer))

        if self.side == "input":
            return self.module.register_forward_pre_hook(on_input, with_kwargs=True)
        return self.module.register_forward_hook(on_output)

    @contextmanager
    def edit(self, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Within the context, replace each state at this point by ``function(state)``."""

        def on_input(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[Any, Any]:
            if args:
                return replace_first(args, function), kwargs
            if "hidden_states" not in kwargs:
                return args, replace_first(kwargs, function)
            return args, kwargs | {"hidden_states": function(kwargs["hidden_states"])}

        def on_output(module: nn.Module, args: tuple, output: Any) -> Any:
            return replace_first(output, function)

        if self.side == "input":
            handle = self.module.register_forward_pre_hook(on_input, with_kwargs=True)
        else:
            handle = self.module.register_forward_hook(on_output)
        with handle:
            _EDITED.append(self.module)
            try:
                yield
            finally:
                _EDITED.remove(self.module)


# The modules whose states are currently edited, once for each edit.
_EDITED: list[nn.Module] = []


def is_edited(network: nn.Module) -> bool:
    """Return whether states of a network are currently edited."""
    return any(module is each for module in network.modules() for each in _EDITED)


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
            "self_attention.dense",  # BLOOM, Falcon
            "self_attn.dense",  # Phi
            "attn.out_proj",  # GPT-J
            "attn.Wo",  # ModernBERT
            "self_attn.output",  # LED
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
            "layer.1.mlp.wo",  # the dense blocks of Switch
            "ffn.lin2",
            "mlp.dense_4h_to_h",
            "mlp.fc2",  # Phi
            "mlp.fc_out",  # GPT-J
            "mlp.Wo",  # ModernBERT
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
        return points_in_blocks({layer: blocks[layer - 1] for layer in layers}, modules)
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
            handles.enter_context(point.register(partial(hook, layer), layer))
        yield


@contextmanager
def all_states(model: nn.Module, hook: Callable[[Sequence[Tensor]], None]) -> Iterator[None]:
    """Within the context, let a model return all its hidden states, and call `hook` with them."""

    def ask(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return args, kwargs | {"output_hidden_states": True, "return_dict": True}

    def answer(module: nn.Module, args: tuple, output: Any) -> None:
        states = getattr(output, "hidden_states", None)
        if states is None:
            raise ValueError(
                f"{type(model).__name__} does not have a list of blocks and does not return its "
                "hidden states. Read its modules with ModuleActivations."
            )
        hook(states)

    with (
        model.register_forward_pre_hook(ask, with_kwargs=True),
        model.register_forward_hook(answer),
    ):
        yield


def blocks_of(model: Any) -> nn.ModuleList | None:
    """Return the list of the blocks of a model, or None if there is no such list.

    It is the outermost list of blocks of ``transformers``, if there is a single one. Otherwise, it
    is the outermost list whose length is a number of layers in the configuration: not all models
    derive their blocks from the same class. XLNet is treated as if it had no such list, because in
    its blocks the axis of positions comes before that of sentences.
    """
    if model.config.model_type == "xlnet":
        return None
    lists = sorted(
        (
            (path.count("."), module)
            for path, module in model.named_modules()
            if isinstance(module, nn.ModuleList) and len(module)
        ),
        key=lambda pair: pair[0],
    )
    of_blocks = [(depth, module) for depth, module in lists if all(map(_is_block, module))]
    outermost = [module for depth, module in of_blocks if depth == of_blocks[0][0]]
    if len(outermost) == 1:
        return outermost[0]
    counts = {getattr(model.config, name, None) for name in _COUNTS}
    return next((module for _, module in lists if len(module) in counts), None)


# The names of numbers of layers in configurations. Those of encoder-decoders contain several.
_COUNTS = ("num_hidden_layers", "encoder_layers", "decoder_layers", "num_decoder_layers")


def _is_block(module: nn.Module) -> bool:
    # The public base class of blocks, compared by name because transformers is optional.
    return any(kind.__name__ == "GradientCheckpointingLayer" for kind in type(module).__mro__)


def n_layers_of(model: Any) -> int:
    """Return the number of layers of a model, not counting the embeddings."""
    blocks = blocks_of(model)
    return int(model.config.num_hidden_layers) if blocks is None else len(blocks)


def points_in_blocks(blocks: Mapping[int, nn.Module], modules: str) -> dict[int, HookPoint]:
    """Return the hook points of "attention_heads", "mlp" or a module path within blocks.

    Parameters
    ----------
    blocks : dict
        The block of each layer. Blocks may differ, as if only some have a mixture of experts.
    modules : str

    Raises
    ------
    ValueError
        If a block does not contain it. The message contains what can be read in all of them.
    """
    inside = {
        layer: {path: module for path, module in block.named_modules() if path}
        for layer, block in blocks.items()
    }
    found = {layer: _path_of(modules, paths) for layer, paths in inside.items()}
    missing = [layer for layer, path in found.items() if path is None]
    if missing:
        where = type(blocks[missing[0]]).__name__
        others = [layer for layer in found if layer not in missing]
        if others:
            where += f", the block of layer {missing[0]}"
        reason = _absence(where, modules, inside[missing[0]])
        advice = f" It can be read in the layers {others}." if others else ""
        raise ValueError(f"{reason}{advice} Expected {_choices(list(inside.values()))}.")
    side: Literal["input", "output"] = "input" if modules in PARTS else "output"
    return {layer: HookPoint(inside[layer][path], side) for layer, path in found.items() if path}


def _path_of(modules: str, inside: Mapping[str, nn.Module]) -> str | None:
    paths = PARTS[modules].paths if modules in PARTS else (modules,)
    return next((path for path in paths if path in inside), None)


def _absence(where: str, modules: str, inside: Mapping[str, nn.Module]) -> str:
    """Describe why a block does not contain a module."""
    # JetMoe also has experts of attention, and does not have a module for those of its network.
    mixtures = [
        path
        for name in ("experts", "router")
        for path in inside
        if path.split(".")[-1] == name and "attention" not in path
    ]
    if modules == "mlp" and mixtures:
        return (
            f"modules='mlp' cannot be read in {where}: its feed-forward network is a mixture of "
            f"experts ({mixtures[0]!r}), and a sub-word passes through only some of them."
        )
    return f"modules={modules!r} was not found in {where}."


def _choices(blocks: Sequence[Mapping[str, nn.Module]]) -> str:
    """List the parts and modules that can be read in all blocks."""
    parts = [repr(part) for part in PARTS if all(_path_of(part, inside) for inside in blocks)]
    # A path that is also the name of a part would select the part. The modules of experts do not
    # receive all sub-words.
    paths = [
        path
        for path in blocks[0]
        if path not in PARTS
        and "experts" not in path.split(".")[:-1]
        and all(path in inside for inside in blocks)
    ]
    return f"{' or '.join(parts)}, or one of the paths {paths}" if parts else f"one of {paths}"


def first_tensor(output: Any, layer: int | str | None = None) -> Tensor:
    """Return the tensor itself, or the first one within nested sequences or mappings.

    Raises
    ------
    ValueError
        If there is no tensor. The message names the layer, if given.
    """
    first = output
    while not isinstance(first, Tensor):
        values = list(first.values()) if isinstance(first, Mapping) else first
        if not isinstance(values, list | tuple) or not values:
            expected = "Expected" if layer is None else f"Layer {layer!r}: expected"
            raise ValueError(
                f"{expected} a tensor, or a tuple or mapping that begins with one, "
                f"got {type(output).__name__} {output!r:.60}."
            )
        first = values[0]
    return first


def replace_first(output: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return nested sequences or mappings in which the first tensor is ``function`` of it.

    The containers are copied, because a network may use them again.
    """
    if isinstance(output, Tensor):
        return function(output)
    first_tensor(output)  # raises an error if there is no tensor
    if isinstance(output, Mapping):
        copied: Any = copy(output)
        name = next(iter(copied))
        copied[name] = replace_first(copied[name], function)
        return copied
    first, *others = output
    items = [replace_first(first, function), *others]
    return type(output)(*items) if hasattr(output, "_fields") else type(output)(items)
