"""Edits as hooks of a network: their checks, and the functions of tensors that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from inspect import signature
from numbers import Integral
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .._optional import import_optional
from .._warnings import warn
from ..activations.columns import Neurons, parse_names
from ._editing_places import EditedPlace, find_place, innermost
from ._locks import reserved

# Edits by their place.
Edits: TypeAlias = Mapping[int | str | Neurons, Any]
# Called with the inputs of the network by name. Returns the positions to edit, a boolean tensor of
# shape (n_texts, n_positions).
Positions: TypeAlias = Callable[[Mapping[str, Any]], Tensor]
# Called with states of shape (..., n_neurons), and returns edited states.
StateEdit: TypeAlias = Callable[[Tensor], Tensor]


@runtime_checkable
class EditsStates(Protocol):
    """A transformer that can edit tensors on their device."""

    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """Return the edit as a function of tensors."""


@contextmanager
def edited(network: nn.Module, edits: Edits, *, where: Positions | None = None) -> Iterator[None]:
    """Edit the states of a network whenever it runs within the context.

    Parameters
    ----------
    network : torch.nn.Module
    edits : mapping of places to edits
        As returned by :func:`check_edits`.
    where : callable, default=None
        As in :func:`intervene`.

    Raises
    ------
    ValueError
        As in :func:`intervene`.

    Warns
    -----
    UserWarning
        As in :func:`intervene`.
    """
    inputs: dict[str, Any] = {}
    hooks = [
        EditHook(find_place(network, place), edit, where, inputs) for place, edit in edits.items()
    ]
    _check_distinct([hook.place for hook in hooks])
    for hook in hooks:
        if hook.place.width is not None and hook.place.columns is None:
            check_width(hook.edit, hook.place.width, hook.place.name)
    with ExitStack() as handles:
        handles.enter_context(reserved(network))
        calls = handles.enter_context(recorded_calls(innermost(network), inputs))
        for hook in hooks:
            handles.enter_context(hook.place.point.edit(hook))
        yield
    missed = [hook.place.name for hook in hooks if calls and not hook.has_run]
    if missed:
        warn(
            f"The edit at {missed[0]} did not have any effect, because {type(network).__name__} "
            "ran without this place. An extraction ends at the last layer that it reads, and a "
            "compiled model does not call hooks that are added after its compilation."
        )


def edited_during(network: nn.Module, edits: Edits | None) -> AbstractContextManager[None]:
    """Return the context of :func:`edited`, or one without edits if there are none."""
    return nullcontext() if edits is None else edited(network, edits)


def check_optional_edits(edits: Any, store: Any) -> Edits | None:
    """Check the edits of an extraction, of which there may be none.

    Raises
    ------
    TypeError, NotFittedError, ValueError
        As in :func:`check_edits`, or if the activations would be written to a store.
    """
    if edits is None:
        return None
    if store is not None:
        raise ValueError(
            "edits cannot be used with store, because a store does not record the edits. Extract "
            "without store."
        )
    return check_edits(edits)


def check_edits(edits: Any) -> Edits:
    """Check that edits are fitted transformers by place.

    Raises
    ------
    TypeError
        If `edits` is not a mapping, or an edit is not a transformer.
    NotFittedError
        If an edit is not fitted.
    ValueError
        If an edit was fitted on columns of another place.
    """
    edits = getattr(edits, "edits", edits)  # of a Direction
    if not isinstance(edits, Mapping):
        raise TypeError(
            "edits must be a mapping of places to edits, such as {3: SteeringVector(direction)}, "
            f"got {type(edits).__name__}."
        )
    return {place: check_edit(edit, place) for place, edit in edits.items()}


def check_edit(edit: Any, place: Any) -> Any:
    """Check that an edit is a fitted transformer."""
    if not hasattr(edit, "transform") or isinstance(edit, type):
        raise TypeError(f"The edit at {place!r} must be a fitted transformer, got {edit!r:.60}.")
    try:
        check_is_fitted(edit)
    except NotFittedError as error:
        raise NotFittedError(f"The edit at {place!r} is not fitted. {error}") from error
    _check_names(edit, place)
    return edit


def _check_names(edit: Any, place: Any) -> None:
    """Check that an edit that was fitted on named columns is used for these columns."""
    names = getattr(edit, "feature_names_in_", None)
    if names is None or not isinstance(place, Integral):
        return
    found = [each for each in parse_names(names) if each is not None]
    expected = [(place, index) for index in range(len(names))]
    if found and [(each.layer, each.number) for each in found] != expected:
        raise ValueError(
            f"The edit at {place!r} was fitted on other columns, of which the first is "
            f"{names[0]!r}. Expected all neurons of layer {place} in their order. Use Neurons as "
            "the place to edit some neurons."
        )


def _check_distinct(places: Sequence[EditedPlace]) -> None:
    """Check that no place is listed twice, such as 3 and "layer 3"."""
    for i, place in enumerate(places):
        for other in places[:i]:
            if place.point == other.point and place.columns is None and other.columns is None:
                raise ValueError(
                    f"edits contains {place.name} twice. Use a Pipeline of both edits instead."
                )


@contextmanager
def recorded_calls(network: nn.Module, inputs: dict[str, Any]) -> Iterator[list[None]]:
    """Keep the inputs of the current call of a network, and count its calls."""
    calls: list[None] = []
    names = list(signature(network.forward).parameters)

    def record(module: nn.Module, args: tuple, kwargs: Mapping[str, Any]) -> None:
        calls.append(None)
        inputs.clear()
        inputs.update(zip(names, args, strict=False), **kwargs)
        ids = inputs.get("input_ids")
        if isinstance(ids, Tensor) and inputs.get("attention_mask") is None:
            # While text is generated, transformers leaves out a mask of ones.
            n_cached = _n_cached(inputs.get("past_key_values"))
            inputs["attention_mask"] = ids.new_ones(len(ids), n_cached + ids.shape[1])

    with network.register_forward_pre_hook(record, with_kwargs=True):
        yield calls


def _n_cached(cache: Any) -> int:
    """Return the number of positions whose keys and values are in a cache of transformers."""
    return int(cache.get_seq_length()) if hasattr(cache, "get_seq_length") else 0


@dataclass
class EditHook:
    """The hook that edits the states at one place.

    Parameters
    ----------
    place : EditedPlace
    edit : transformer
    where : callable or None
        As in :func:`intervene`.
    inputs : mapping
        The inputs of the current call of the network.
    """

    place: EditedPlace
    edit: Any
    where: Positions | None
    inputs: Mapping[str, Any]
    has_run: bool = False
    functions: dict[tuple[torch.dtype, torch.device], StateEdit] = field(default_factory=dict)

    def __call__(self, state: Tensor) -> Tensor:
        """Return the edited state."""
        self.has_run = True
        name, columns = self.place.name, self.place.columns
        if not state.is_floating_point():
            raise ValueError(f"The states at {name} are not floating-point numbers: {state.dtype}.")
        whole = state.shape[-1]
        if columns is not None and len(columns) and columns.max() >= whole:
            raise ValueError(f"{name} has {whole} neurons, so neuron {columns.max()} is missing.")
        width = whole if columns is None else len(columns)
        check_width(self.edit, width, name)
        part = state if columns is None else state[..., torch.as_tensor(columns)]
        key = (state.dtype, state.device)
        if key not in self.functions:
            self.functions[key] = function_of(self.edit, *key)
        edited = self.functions[key](part)
        if edited.shape != part.shape:
            raise ValueError(
                f"The edit at {name} must keep the shape of the states, {tuple(part.shape)}, but "
                f"returns {tuple(edited.shape)}."
            )
        if columns is not None:
            edited = state.index_copy(-1, torch.as_tensor(columns, device=state.device), edited)
        return edited if self.where is None else torch.where(self.mask(state), edited, state)

    def mask(self, state: Tensor) -> Tensor:
        """Return the positions to edit, of shape (..., 1)."""
        assert self.where is not None
        mask, shape = self.where(self.inputs), state.shape[:-1]
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.ndim != 2:
            got = f"{mask.dtype} of shape {tuple(mask.shape)}" if isinstance(mask, Tensor) else mask
            raise ValueError(
                "where must return a boolean tensor of shape (n_texts, n_positions), got "
                f"{got!s:.60}."
            )
        mask = mask.to(state.device)
        attended = self.inputs.get("attention_mask")
        is_whole = isinstance(attended, Tensor) and mask.shape == attended.shape
        if state.ndim == 3 and is_whole and mask.shape[1] > shape[1]:
            mask = mask[
                :, -shape[1] :
            ]  # with a cache of keys and values, only the last positions run
        if mask.numel() != shape.numel() or (state.ndim == 3 and mask.shape != shape):
            raise ValueError(
                f"where must return one value for each of the positions {tuple(shape)} at "
                f"{self.place.name}, got {tuple(mask.shape)}."
            )
        return mask.reshape(*shape, 1)


def check_width(edit: Any, n_neurons: int, name: str) -> None:
    """Raise a ValueError if an edit does not apply to states of `n_neurons` neurons."""
    width = getattr(edit, "width", None) or getattr(edit, "n_features_in_", n_neurons)
    if width != n_neurons:
        raise ValueError(
            f"{type(edit).__name__} edits states of {width} neurons, but {name} has {n_neurons} "
            "neurons."
        )


def function_of(edit: Any, dtype: torch.dtype, device: torch.device) -> StateEdit:
    """Return an edit as a function of states of a dtype on a device."""
    if isinstance(edit, EditsStates):
        return edit.state_edit(dtype, device)
    if isinstance(edit, Pipeline):
        steps = [step for _, step in edit.steps if step not in (None, "passthrough")]
        return _in_sequence([function_of(step, dtype, device) for step in steps])
    warn(
        f"{type(edit).__name__} edits NumPy arrays, so states are converted whenever they are "
        "edited."
    )
    return lambda states: _through_numpy(edit, states)


def _in_sequence(functions: Sequence[StateEdit]) -> StateEdit:
    def run(states: Tensor) -> Tensor:
        for function in functions:
            states = function(states)
        return states

    return run


def _through_numpy(edit: Any, states: Tensor) -> Tensor:
    narrow = states.dtype.itemsize < 4  # NumPy does not have bfloat16
    rows = (states.float() if narrow else states).detach().cpu().flatten(0, -2).numpy()
    names = getattr(edit, "feature_names_in_", None)
    if names is not None:
        pandas = import_optional("pandas", extra="plot", purpose="An edit with column names")
        rows = pandas.DataFrame(rows, columns=names)
    edited = torch.from_numpy(np.array(edit.transform(rows)))
    if len(edited) == len(rows):
        edited = edited.unflatten(0, states.shape[:-1])
    return edited.to(states)
