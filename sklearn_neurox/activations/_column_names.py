"""Names of columns, such as ``layer_3_neuron_17``: the only place that builds and parses them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

Layer: TypeAlias = int | str

# A numbered layer of a transformer with any unit, or the path of a module of any other network.
_NUMBERED = re.compile(r"layer_(\d+)_(.+)_(\d+)")
_BY_PATH = re.compile(r"(.+)_(neuron)_(\d+)")


class Place(NamedTuple):
    """A column: its layer, its kind, and its number within the layer."""

    layer: Layer
    unit: str
    number: int


def names_of_layer(layer: Layer, unit: str, width: int) -> list[str]:
    """Return the names of the columns of a layer."""
    prefix = layer if isinstance(layer, str) else f"layer_{layer}"
    return [f"{prefix}_{unit}_{index}" for index in range(width)]


def parse_names(names: Iterable[Any]) -> list[Place | None]:
    """Parse the names of columns. A name that is not that of a neuron is parsed as None."""
    return [_parse(name) for name in names]


def _parse(name: Any) -> Place | None:
    if not isinstance(name, str):
        return None
    if match := _NUMBERED.fullmatch(name):
        return Place(int(match[1]), match[2], int(match[3]))
    if match := _BY_PATH.fullmatch(name):
        return Place(match[1], match[2], int(match[3]))
    return None
