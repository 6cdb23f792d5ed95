"""Which network is run, and which part of it is read."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

import torch
from torch import nn

from ._inputs import check_module
from .hook_points import blocks_of

_OF_SENTENCES = ("SentenceTransformer", "CrossEncoder", "SparseEncoder")


@dataclass(frozen=True)
class Network:
    """A stack of layers, and the network that is run to read them.

    Everything that depends on the model is taken from the stack: the number of layers, their
    modules, the embeddings and the configuration.

    Parameters
    ----------
    stack : torch.nn.Module
        The model of ``transformers`` that contains the layers, without a head. Of an
        encoder-decoder, it is the encoder.
    runner : torch.nn.Module
        The network that is called. It is the stack itself, or a model of PEFT around it.
    n_virtual : int, default=0
        Number of virtual tokens that the runner adds before the sub-words.
    """

    stack: Any
    runner: Any
    n_virtual: int = 0

    @property
    def device(self) -> torch.device:
        """The device of the inputs. Hooks of accelerate move them to those of the layers."""
        devices = (weight.device for weight in self.stack.parameters())
        return next((each for each in devices if each.type != "meta"), torch.device("cpu"))

    @property
    def is_dispatched(self) -> bool:
        """Whether hooks of accelerate load the weights while the network runs."""
        return any(hasattr(module, "_hf_hook") for module in self.runner.modules())

    @cached_property
    def _without_cache(self) -> dict[str, Any]:
        """The argument that keeps a decoder from building a cache that nobody reads."""
        has_cache = getattr(self.stack.config, "use_cache", False)
        accepts = "use_cache" in signature(self.stack.forward).parameters
        return {"use_cache": False} if has_cache and accepts else {}

    def arguments(self, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """Complete the inputs of the stack to those of the runner."""
        if self.runner is self.stack:
            return inputs | self._without_cache
        inside = _within_peft(self.runner)
        if getattr(inside.config, "is_encoder_decoder", False) and (
            "decoder_input_ids" in signature(inside.forward).parameters
        ):
            # The decoder runs after the encoder, which is read, so its inputs do not matter.
            inputs = inputs | {"decoder_input_ids": inputs["input_ids"][:, :1]}
        types = inputs.get("token_type_ids")
        if self.n_virtual and types is not None and not types.any():
            # All tokens have the type 0 by default, and PEFT warns that it ignores the types.
            inputs = {name: ids for name, ids in inputs.items() if name != "token_type_ids"}
        return inputs


def network_of(model: nn.Module) -> Network:
    """Find the part of a loaded model that is read.

    Parameters
    ----------
    model : torch.nn.Module
        A model of ``transformers`` with or without a head, or such a model within a model of PEFT
        or of Sentence Transformers.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If it is another module, does not have a stack of layers, or its weights are not loaded.
        The message contains the models within it that can be read.
    """
    model = unwrapped(model)
    peft = is_peft(model)
    inside = _within_peft(model) if peft else model
    check_model(inside, model)
    stack = _stack_of(inside)
    network = Network(stack, model, _n_virtual(model)) if peft else Network(stack, stack)
    _check_loaded(network)
    return network


def unwrapped(model: nn.Module) -> Any:
    """Return the model within containers that run it unchanged."""
    compiled = getattr(model, "_orig_mod", None)  # the result of torch.compile
    if isinstance(compiled, nn.Module):
        return unwrapped(compiled)
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return unwrapped(model.module)
    if any(_is_a(model, "sentence_transformers", name) for name in _OF_SENTENCES):
        inside = next((each for each in model.modules() if _is_model(each) or is_peft(each)), None)
        return model if inside is None else inside
    return model


def is_peft(model: Any) -> bool:
    """Return whether a model is an adapter of PEFT around another model."""
    return _is_a(model, "peft", "PeftModel") or _is_a(model, "peft", "PeftMixedModel")


def _within_peft(model: Any) -> Any:
    if _is_a(model, "peft", "PeftModel"):
        return model.get_base_model()
    return model.base_model.model  # adapters of several kinds


def check_model(inside: Any, given: nn.Module) -> None:
    """Check that a model is one of ``transformers`` that has a stack of layers.

    Raises
    ------
    ValueError
        If it is not.
    """
    if _is_model(inside) and (_counts_layers(inside) or _is_encoder_decoder(inside)):
        return
    check_module(given)  # before another class is advised
    paths = [
        f"{type(module).__name__} {path!r}"
        for path, module in given.named_modules()
        if path and _is_model(module) and _counts_layers(module)
    ]
    advice = "Use ModuleActivations for any other torch.nn.Module."
    if paths:
        advice = f"Pass one of the models that it contains ({', '.join(paths[:4])}). {advice}"
    raise ValueError(
        "model must be a model of transformers with hidden layers, got "
        f"{type(given).__name__}. {advice}"
    )


def _stack_of(model: Any) -> Any:
    """Return the innermost model that contains the blocks, below any head."""
    base = model.base_model
    if _is_encoder_decoder(base):
        base = base.get_encoder()
    if not _counts_layers(base):
        raise ValueError(f"{type(base).__name__} does not have a stack of hidden layers.")
    if base.main_input_name != "input_ids":
        raise ValueError(
            f"{type(base).__name__} reads {base.main_input_name!r}, not the sub-words of a text. "
            "Use ModuleActivations."
        )
    blocks = blocks_of(base)
    around = [
        module for module in base.modules() if _is_model(module) and _contains(module, blocks)
    ]
    return around[-1] if around else base


def _contains(module: nn.Module, blocks: nn.ModuleList | None) -> bool:
    return any(each is blocks for each in module.modules())


def _n_virtual(model: Any) -> int:
    config: Any = None
    if _is_a(model, "peft", "PeftModel"):  # those of several kinds do not add tokens
        config = model.peft_config[model.active_adapter]
    return config.num_virtual_tokens if getattr(config, "is_prompt_learning", False) else 0


def _check_loaded(network: Network) -> None:
    missing = [path for path, weight in network.stack.named_parameters() if weight.is_meta]
    if missing and not network.is_dispatched:
        raise ValueError(
            f"{len(missing)} weights of {type(network.stack).__name__} are on the device 'meta', "
            f"so they do not have values; the first is {missing[0]!r}. Load the weights of the "
            "model before it is run."
        )


def _is_a(value: Any, library: str, name: str) -> bool:
    """Return whether a value has a class of a library, which was imported if this is the case."""
    kind = getattr(sys.modules.get(library), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _is_model(value: Any) -> bool:
    return _is_a(value, "transformers", "PreTrainedModel")


def _is_encoder_decoder(model: Any) -> bool:
    return bool(getattr(model.config, "is_encoder_decoder", False))


def _counts_layers(model: Any) -> bool:
    return hasattr(model.config, "num_hidden_layers")
