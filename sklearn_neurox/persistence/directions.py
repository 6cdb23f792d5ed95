"""Directions in files: an edit with its place, and the identity of its model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._files import replace_file
from .._validation import validate_params
from .._wording import count
from ..activations.columns import Neurons
from ..extraction.editing import intervene
from ..extraction.model_identity import ModelIdentity, identity_of, neurons_at
from ..interventions import DirectionProjector, SteeringVector
from ._direction_file import from_text, to_text


@dataclass(frozen=True, eq=False, repr=False)
class Direction:
    """A direction that was read from a file by :func:`load_direction`.

    Parameters
    ----------
    edit : SteeringVector or DirectionProjector
    layer : int, str or Neurons
        The place of the edit, as in :func:`intervene`.
    label : str, int, float, bool or None
        What the direction points to, such as the class of a probe.
    model_name : str
        Name or path of the model that the direction belongs to, or "".
    model_class : str
        Class of the model, without its head.
    weights_sha256 : str
        Digest of the weights of the model, without its head.
    """

    edit: SteeringVector | DirectionProjector
    layer: int | str | Neurons
    label: Any
    model_name: str
    model_class: str
    weights_sha256: str

    def __repr__(self) -> str:
        label = "" if self.label is None else f" of {self.label!r}"
        model = self.model_name or self.model_class
        return (
            f"Direction({type(self.edit).__name__}{label}, {count(self.edit.width, 'neuron')} at "
            f"{self.layer!r} of {model})"
        )

    @property
    def edits(self) -> dict[int | str | Neurons, SteeringVector | DirectionProjector]:
        """The edit by its place, for :func:`intervene`."""
        return {self.layer: self.edit}


@validate_params({"path": [str, os.PathLike]})
def save_direction(
    edit: Any,
    path: str | os.PathLike[str],
    *,
    model: Any,
    layer: int | str | Neurons,
    label: Any = None,
) -> None:
    """Save a direction with its place in a model, so that it can be used elsewhere.

    The file is JSON and describes itself: what the edit does, its layer and hook point, its
    strength, what it points to, and the name and a digest of the weights of the model.

    Parameters
    ----------
    edit : SteeringVector, DirectionProjector, or linear probe
        A fitted probe, such as :class:`MeanDifferenceClassifier` or
        :class:`LinearProbeClassifier`, is saved as a :class:`SteeringVector` of strength 1 along
        its ``direction_`` or, if it does not have this attribute, its ``coef_``.
    path : str or path-like
        Path of the file, usually with the suffix ``.json``. An existing file is replaced in one
        step.
    model : torch.nn.Module, str, path-like or ActivationExtractor
        The model that the direction belongs to. All its weights are read for the digest.
    layer : int, str or Neurons
        Place of the edit, as in :func:`intervene`.
    label : str, int, float or bool, default=None
        What the direction points to. For a classifier, it is the class whose direction is saved: by
        default, the second of two classes. The direction of the first class has the opposite sign.

    Raises
    ------
    TypeError
        If `edit` is of another type.
    ValueError
        If the model does not have the place, the edit has another width than the states, the probe
        has several directions and `label` is not one of its classes, its directions are not those
        of classes (as those of an SVC with more than two classes, which are those of pairs), or
        weights of the model do not have values.

    See Also
    --------
    load_direction : Load the file.
    save : Saves any estimator.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from sklearn_neurox import SteeringVector, intervene, load_direction, save_direction
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    >>> steer = SteeringVector([1.0, 0.0], strength=2.0)
    >>> with TemporaryDirectory() as folder:
    ...     save_direction(steer, Path(folder) / "up.json", model=network, layer="0", label="up")
    ...     direction = load_direction(Path(folder) / "up.json", network)
    >>> direction.edit, direction.layer, direction.label
    (SteeringVector(direction=array([1., 0.]), strength=2.0), '0', 'up')
    >>> with intervene(network, direction):
    ...     steered = network(torch.zeros(1, 2))
    """
    if not isinstance(edit, SteeringVector | DirectionProjector):
        edit, label = _steering_of(edit, label)
    label = label.item() if isinstance(label, np.generic) else label
    if not isinstance(label, str | int | float | None):
        raise TypeError(f"label must be a string or a number, got {label!r:.60}.")
    with intervene(model, {layer: edit}) as network:  # checks the place
        identity = identity_of(network)
    text = to_text(edit, neurons_at(layer, edit.width), label, identity)
    replace_file(Path(path), text.encode())


@validate_params({"path": [str, os.PathLike], "force": ["boolean"]})
def load_direction(
    path: str | os.PathLike[str],
    model: Any = None,
    *,
    layer: int | str | Neurons | None = None,
    force: bool = False,
) -> Direction:
    """Load a direction that was saved by :func:`save_direction`. No code is run.

    Parameters
    ----------
    path : str or path-like
        The file.
    model : torch.nn.Module, str, path-like or ActivationExtractor, default=None
        The model to use the direction in. It must have the weights of the model that the direction
        belongs to, except for its head. If None, the model is not checked.
    layer : int, str or Neurons, default=None
        The place to use the direction at, which must be the one that it was saved with. If None,
        use this place.
    force : bool, default=False
        Whether to accept another model and another place, if the width of the states fits.

    Returns
    -------
    Direction
        Its attribute ``edits`` can be passed to :func:`intervene`.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file was not written by :func:`save_direction` or is damaged, the model or the place
        is another one and `force` is False, or the model does not have the place.

    See Also
    --------
    save_direction : Save a direction, with an example of both.
    """
    try:
        edit, neurons, label, saved = from_text(Path(path).read_bytes())
    except (OverflowError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(
            f"Cannot load {path}: it was not written by save_direction, or it is damaged "
            f"({str(error).rstrip('.') or type(error).__name__})."
        ) from error
    place = _place_of(neurons)
    if layer is not None:
        expected = _place_of(neurons_at(layer, edit.width))
        if expected != place and not force:
            raise ValueError(
                f"The direction in {path} belongs to {_named(place)}, not to {_named(expected)}. "
                "If it can be used there, set force=True."
            )
        place = expected
    if model is not None:
        with intervene(model, {place: edit}) as network:  # checks the place
            if not force:
                _check_model(path, saved, network)
    return Direction(edit, place, label, saved.name, saved.model_class, saved.weights_sha256)


def _check_model(path: Any, saved: ModelIdentity, network: nn.Module) -> None:
    found = identity_of(network)
    if found.weights_sha256 != saved.weights_sha256:
        raise ValueError(
            f"The direction in {path} belongs to {saved}, not to {found}. If it can be used in "
            "this model, for example because its weights have only been converted to another "
            "dtype, set force=True."
        )


def _place_of(neurons: Neurons) -> int | str | Neurons:
    """Return the shortest form of a place."""
    is_whole = neurons.kept is None and neurons.unit == "neuron"
    return neurons.layers[0] if is_whole else neurons


def _named(place: int | str | Neurons) -> str:
    if isinstance(place, str):
        return f"the output of {place!r}"
    if not isinstance(place, Neurons):
        return f"layer {place}"
    what = "all neurons" if place.kept is None else count(len(place.kept), "neuron")
    unit = "" if place.unit == "neuron" else f" of {place.unit!r}"
    return f"{what}{unit} of layer {place.layers[0]!r}"


def _steering_of(probe: Any, label: Any) -> tuple[SteeringVector, Any]:
    """Return the direction of a probe as an edit, and the label that it points to."""
    if isinstance(probe, type) or not any(
        hasattr(probe, name) for name in ("direction_", "coef_", "fit")
    ):
        raise TypeError(
            "Expected a SteeringVector, a DirectionProjector or a fitted linear probe, got "
            f"{probe!r:.60}."
        )
    check_is_fitted(probe)
    found = getattr(probe, "direction_", getattr(probe, "coef_", None))
    if found is None:
        raise TypeError(
            f"{type(probe).__name__} does not have direction_ or coef_. Pass a SteeringVector of "
            "its direction in the units of the activations."
        )
    rows = np.atleast_2d(np.asarray(found))
    classes = getattr(probe, "classes_", None)
    if classes is None:
        if len(rows) > 1:
            raise ValueError(
                f"{type(probe).__name__} has {len(rows)} directions. Pass a SteeringVector of one "
                "of them."
            )
        return SteeringVector(rows[0]), label
    name, n_classes = type(probe).__name__, len(classes)
    # SVC and its relatives also have three rows for three classes, one for each pair of them.
    if n_classes > 2 and hasattr(probe, "decision_function_shape"):
        raise ValueError(
            f"{name} with {n_classes} classes has one direction for each pair of classes, not for "
            "each class. Pass a probe with one for each class, such as LinearSVC, or fit it on two "
            "classes."
        )
    if len(rows) not in (1, n_classes):
        raise ValueError(
            f"{name} has {len(rows)} directions for {n_classes} classes. Pass a SteeringVector of "
            "one of them."
        )
    row, label = _row_of(rows, list(np.asarray(classes)), label, name)
    return SteeringVector(row), label


def _row_of(
    rows: NDArray, classes: list[Any], label: Any, name: str
) -> tuple[NDArray[np.floating], Any]:
    """Return the direction to a class, and the class."""
    if label is None and len(rows) == 1:
        label = classes[-1]
    if label not in classes:
        shown = [each.item() if isinstance(each, np.generic) else each for each in classes]
        raise ValueError(
            f"label must be the class of {name} that the direction points to, one of {shown}, got "
            f"{label!r}."
        )
    index = classes.index(label)
    if len(rows) > 1:
        return rows[index], classes[index]
    return (rows[0] if index else -rows[0]), classes[index]
