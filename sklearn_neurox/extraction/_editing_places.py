"""Places in a network that users name: layers, neurons and modules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ..activations.columns import Neurons
from ._layers import resolve_layers
from ._network import network_of
from .hook_points import PARTS, HookPoint, layer_points, module_points

_LIKE_LAYER = re.compile(r"(?:l|layer|block)?[ _.-]*(\d{1,4})", re.IGNORECASE)
LAYER_NAME = re.compile(r"layer (0|[1-9][0-9]*)")


@dataclass(frozen=True)
class EditedPlace:
    """A place in a network.

    Parameters
    ----------
    point : HookPoint
    name : str
        For messages, such as "layer 3" or "'encoder.pooler'".
    columns : ndarray of int, default=None
        The neurons that are edited. If None, all.
    width : int, default=None
        Number of neurons of the states, if it is known before the network runs.
    """

    point: HookPoint
    name: str
    columns: NDArray[np.intp] | None = None
    width: int | None = None


def find_place(network: nn.Module, place: Any) -> EditedPlace:
    """Find a place in a network.

    Parameters
    ----------
    network : torch.nn.Module
    place : int, str or Neurons

    Raises
    ------
    TypeError
        If `place` is of another type.
    ValueError
        If the network does not have such a place.
    """
    if isinstance(place, Neurons):
        return _place_of_neurons(network, place)
    if isinstance(place, Integral) and not isinstance(place, bool):
        return _place_of_layer(network, int(place))
    if not isinstance(place, str):
        raise TypeError(
            "A place must be the number of a layer, Neurons of a single layer, or the path of a "
            f"module, got {place!r:.60}."
        )
    if match := LAYER_NAME.fullmatch(place):
        return _place_of_layer(network, int(match[1]))
    _check_path(network, place)
    return EditedPlace(module_points(network, [place])[place], repr(place))


def _check_path(network: nn.Module, path: str) -> None:
    """Raise a ValueError with similar places if a network does not have a module."""
    paths = [each for each, _ in network.named_modules()]
    if path in paths:
        return
    number = _LIKE_LAYER.fullmatch(path)
    if number:
        meant = f"Did you mean 'layer {int(number[1])}', or the number {int(number[1])}?"
    else:
        ends = [each for each in paths if each.endswith(f".{path}")]
        similar = ends or get_close_matches(path, paths, n=3, cutoff=0.75)
        outermost = [repr(name) for name, _ in network.named_children()]
        meant = (
            f"Did you mean {' or '.join(map(repr, similar[:3]))}?"
            if similar
            else f"Its outermost modules are {', '.join(outermost[:10])}."
        )
    raise ValueError(f"{type(network).__name__} does not have the module {path!r}. {meant}")


def innermost(network: nn.Module) -> nn.Module:
    """Return the stack of layers that runs in every call of a network, or the network itself."""
    try:
        return network_of(network).stack
    except ValueError:  # it is not a model of transformers
        return network


def _place_of_layer(network: nn.Module, layer: int, modules: str | None = None) -> EditedPlace:
    try:
        stack = network_of(network).stack
    except ValueError as error:
        raise ValueError(
            f"Layer {layer} requires a model of transformers with a stack of layers. Use the path "
            f"of a module of {type(network).__name__} instead. {error}"
        ) from error
    known = resolve_layers("all", stack, modules, include_embeddings=True)
    name = f"layer {layer}" if modules is None else f"{modules} of layer {layer}"
    if layer not in known:
        first = "the embeddings" if modules is None else "the first block"
        raise ValueError(
            f"{type(stack).__name__} does not have {name}. Its layers are {known[0]} ({first}) to "
            f"{known[-1]}."
        )
    points = layer_points(stack, [layer], modules)
    if points is None:
        raise ValueError(
            f"Layer {layer} cannot be edited, because {type(stack).__name__} does not have a list "
            "of blocks. Use the path of a module instead."
        )
    width = getattr(stack.config, "hidden_size", None) if modules is None else None
    return EditedPlace(points[layer], name, width=width)


def _place_of_neurons(network: nn.Module, neurons: Neurons) -> EditedPlace:
    if len(neurons.layers) > 1:
        raise ValueError(
            f"Neurons that are edited must be of a single layer, got the layers "
            f"{list(neurons.layers)}. Use one place per layer."
        )
    (layer,) = neurons.layers
    if isinstance(layer, str):
        found = find_place(network, layer)
    else:
        by_unit = {part.unit: modules for modules, part in PARTS.items()}
        modules = None if neurons.unit == "neuron" else by_unit.get(neurons.unit, neurons.unit)
        found = _place_of_layer(network, layer, modules)
    columns = None if neurons.kept is None else np.array(neurons.kept)
    return EditedPlace(found.point, found.name, columns, found.width)
