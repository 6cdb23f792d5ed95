"""The identity of a network, and of a place in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from ..activations.columns import Neurons
from ._digests import fingerprint
from ._editing_places import LAYER_NAME, innermost


@dataclass(frozen=True)
class ModelIdentity:
    """What distinguishes a network from others.

    Parameters
    ----------
    name : str
        Name or path of the model, or "" if it does not have one.
    model_class : str
        Class of its stack of layers, or of the whole network.
    weights_sha256 : str
        Digest of the names and values of the weights.
    """

    name: str
    model_class: str
    weights_sha256: str

    def __str__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        return f"{self.model_class} ({name}weights {self.weights_sha256[:8]})"


def identity_of(network: nn.Module) -> ModelIdentity:
    """Return the identity of a network.

    It is that of the stack of layers, so a model of ``transformers`` with a head has the identity
    of the same model without it.

    Parameters
    ----------
    network : torch.nn.Module

    Raises
    ------
    ValueError
        If weights do not have values.
    """
    stack = innermost(network)
    name = getattr(stack, "name_or_path", "")
    return ModelIdentity(str(name or ""), type(stack).__name__, fingerprint(stack))


def neurons_at(place: Any, width: int) -> Neurons:
    """Return the neurons at a place that ``intervene`` accepts.

    Parameters
    ----------
    place : int, str or Neurons
    width : int
        Number of neurons at the place, if it is not Neurons.
    """
    if isinstance(place, Neurons):
        return place
    match = LAYER_NAME.fullmatch(place) if isinstance(place, str) else None
    layer = int(match[1]) if match else place
    return Neurons((layer,), width)
