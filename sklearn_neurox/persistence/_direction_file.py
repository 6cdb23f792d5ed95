"""The format of a file with a direction: JSON, with one line for each fact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._json import load_json
from .._validation import check_vector
from .._wording import count
from ..activations.columns import Neurons
from ..extraction.model_identity import ModelIdentity
from ..interventions import DirectionProjector, SteeringVector
from ..interventions.edit import check_directions

FORMAT, VERSION = "sklearn_neurox direction", 1
_MAX_WIDTH = 2**31
_DTYPES = ("float64", "float32", "float16")
# The facts in the file, with the types of their values.
_FACTS: dict[str, tuple[type, ...]] = {
    "format": (str,),
    "version": (int,),
    "operation": (str,),
    "layer": (int, str),
    "hook_point": (str,),
    "n_neurons": (int,),
    "neurons": (list, type(None)),
    "strength": (int, float, type(None)),
    "label": (str, int, float, bool, type(None)),
    "model": (str,),
    "model_class": (str,),
    "weights_sha256": (str,),
    "dtype": (str,),
    "directions": (list,),
    "center": (list, type(None)),
}


def to_text(
    edit: SteeringVector | DirectionProjector, neurons: Neurons, label: Any, model: ModelIdentity
) -> str:
    """Return the content of a file.

    Parameters
    ----------
    edit : SteeringVector or DirectionProjector
    neurons : Neurons
        The neurons of a single layer that the edit changes.
    label : str, int, float, bool or None
        What the direction points to.
    model : ModelIdentity
    """
    is_steering = isinstance(edit, SteeringVector)
    directions = (
        check_directions(edit.direction, name="direction")
        if is_steering
        else check_directions(edit.directions, name="directions")
    )
    center = None if is_steering else edit.center
    facts = {
        "format": FORMAT,
        "version": VERSION,
        "operation": "steer" if is_steering else "project",
        "layer": neurons.layers[0],
        "hook_point": neurons.unit,
        "n_neurons": neurons.widths[0],
        "neurons": None if neurons.kept is None else list(neurons.kept),
        "strength": float(edit.strength) if is_steering else None,
        "label": label,
        "model": model.name,
        "model_class": model.model_class,
        "weights_sha256": model.weights_sha256,
        "dtype": directions.dtype.name,
        "directions": directions.tolist(),
        "center": None if center is None else check_vector(center, name="center").tolist(),
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(fact)}" for name, fact in facts.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_text(
    text: bytes,
) -> tuple[SteeringVector | DirectionProjector, Neurons, Any, ModelIdentity]:
    """Read the content of a file, and return what :func:`to_text` received.

    Raises
    ------
    OverflowError, RecursionError, TypeError, ValueError
        If it is not the content of such a file.
    """
    facts = load_json(text)
    _check_facts(facts)
    directions = _numbers(facts["directions"], "directions", facts["dtype"], ndim=2)
    neurons = _neurons(facts)
    if len(neurons) != directions.shape[-1]:
        raise ValueError(
            f"it has directions of {count(directions.shape[-1], 'neuron')} for "
            f"{count(len(neurons), 'neuron')}"
        )
    edit: SteeringVector | DirectionProjector
    if facts["operation"] == "steer":
        if len(directions) != 1 or facts["strength"] is None:
            raise ValueError("it does not contain one direction with its strength")
        edit = SteeringVector(directions[0], float(facts["strength"]))
    else:
        center = facts["center"]
        if center is not None:
            center = _numbers(center, "center", "float64", ndim=1)
        edit = DirectionProjector(directions, center=center)
    edit.fit_transform(np.zeros((1, len(neurons))))  # checks the numbers
    model = ModelIdentity(facts["model"], facts["model_class"], facts["weights_sha256"])
    return edit, neurons, facts["label"], model


def _neurons(facts: Mapping[str, Any]) -> Neurons:
    kept = facts["neurons"]
    if facts["n_neurons"] > _MAX_WIDTH:
        raise ValueError(f"n_neurons is {facts['n_neurons']}")
    if kept is not None:
        kept = tuple(_numbers(kept, "neurons", "int64", ndim=1).tolist())
    return Neurons((facts["layer"],), facts["n_neurons"], facts["hook_point"], kept)


def _check_facts(facts: Any) -> None:
    if not isinstance(facts, Mapping) or facts.get("format") != FORMAT:
        raise ValueError("it is not the description of a direction")
    version = facts.get("version")
    if version != VERSION or isinstance(version, bool):
        raise ValueError(f"its version is {version!r:.40}, but this package reads {VERSION}")
    if set(facts) != set(_FACTS):
        different = sorted(set(facts) ^ set(_FACTS))
        raise ValueError(f"{different[0]!r:.60} is {_presence(different[0] in facts)}")
    for name, kinds in _FACTS.items():
        value = facts[name]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ValueError(f"{name} is {value!r:.60}")
    if facts["operation"] not in ("steer", "project"):
        raise ValueError(f"operation is {facts['operation']!r:.60}")
    if facts["dtype"] not in _DTYPES:
        raise ValueError(f"dtype is {facts['dtype']!r:.60}")


def _presence(is_present: bool) -> str:
    return "unknown" if is_present else "missing"


def _numbers(values: list[Any], name: str, dtype: str, *, ndim: int) -> NDArray:
    """Return nested lists of numbers as an array."""
    rows = values if ndim == 2 else [values]
    if not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        raise ValueError(f"{name} does not contain rows of the same length")
    kind = int if dtype == "int64" else Real
    wrong = [
        each for row in rows for each in row if isinstance(each, bool) or not isinstance(each, kind)
    ]
    if wrong:
        raise ValueError(f"{name} contains {wrong[0]!r:.60}")
    with np.errstate(over="ignore"):  # an infinite number is reported by the edit
        array = np.array(rows).astype(dtype)
    return array if ndim == 2 else array[0]
