"""Names of columns, such as ``layer_3_neuron_17``: the only place that builds and parses them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

Layer: TypeAlias = int | str

# A numbered layer of a transformer with any unit, or the path of a module of any other network.
_NUMBERED = re.compile(r"layer_(0|[1-9][0-9]*)_(.+)_(0|[1-9][0-9]*)")
_BY_PATH = re.compile(r"(.+)_(neuron)_(0|[1-9][0-9]*)")


class Place(NamedTuple):
    """A column: its layer, its kind, and its number within the layer."""

    layer: Layer
    unit: str
    number: int


def name_of(layer: Layer, unit: str, index: int) -> str:
    """Return the name of a column."""
    prefix = layer if isinstance(layer, str) else f"layer_{layer}"
    return f"{prefix}_{unit}_{index}"


def parse_names(names: Iterable[Any]) -> list[Place | None]:
    """Parse the names of columns; None stands for a name that is not that of a neuron."""
    listed = list(names)
    places = [_numbered(name) or _by_path(name) for name in listed]
    # The module path "layer_1_norm" looks like layer 1 with the unit "norm_neuron".
    if any(place is not None and place.unit.endswith("_neuron") for place in places):
        return [_by_path(name) for name in listed]
    return places


def _numbered(name: Any) -> Place | None:
    match = _NUMBERED.fullmatch(name) if isinstance(name, str) else None
    return match and Place(int(match[1]), match[2], int(match[3]))


def _by_path(name: Any) -> Place | None:
    match = _BY_PATH.fullmatch(name) if isinstance(name, str) else None
    return match and Place(match[1], match[2], int(match[3]))
