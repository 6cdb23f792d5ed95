"""The columns of X: the layer, kind, index and name of each one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._indices import check_indices
from ._column_names import Layer, Place, name_of, parse_names

__all__ = ["Layer", "Neurons", "check_layers", "find_columns", "neurons_of", "parse_names"]

_N_SHOWN = 5  # layers in an error message


@dataclass(frozen=True)
class Neurons:
    """The neurons that the columns of X represent.

    A layer is a run of columns: the columns of the first layer come first. Column names such as
    ``layer_3_neuron_17`` are built and parsed only here, so a column that was selected by an
    estimator can be located in the network.

    Parameters
    ----------
    layers : sequence of int or str
        The layers, in the order of the columns. Layer 0 consists of the embeddings. In a network
        that is not a stack of blocks, layers are paths of modules.
    width : int or sequence of int
        Number of neurons in each layer, or a single number if all layers have the same width.
    unit : str, default="neuron"
        Kind of the columns: "neuron" (residual stream), "attention" (outputs of the attention
        heads), "mlp" (neurons of the feed-forward network), or the path of a module within each
        block.
    kept : sequence of int, default=None
        Indices of the columns that are present, in their order, if some neurons are missing or
        reordered. Indices refer to the columns of all layers. If None, all columns are present.

    Attributes
    ----------
    names : ndarray of str of shape (n_neurons,)
        The name of each column.
    widths : tuple of int
        Number of neurons in each layer, including neurons that are not present.

    Raises
    ------
    TypeError
        If a layer is neither an integer nor a string.
    ValueError
        If there are no layers, a layer is repeated, or a width is not positive.

    See Also
    --------
    TokenActivations : Its attribute ``neurons`` describes the columns of its X.
    LayerSelector : Selects the columns of some layers.

    Examples
    --------
    >>> from sklearn_neurox import Neurons
    >>> neurons = Neurons(layers=(4, 8), width=3)
    >>> len(neurons), neurons.names[4]
    (6, 'layer_8_neuron_1')
    >>> neurons.columns(8)
    slice(3, 6, None)
    >>> neurons.locate(4)
    (8, 1)
    >>> neurons.find(["layer_8_neuron_1", "layer_4_neuron_0"])
    array([4, 0])
    >>> Neurons.from_names(neurons.names) == neurons
    True
    """

    layers: tuple[Layer, ...]
    width: int | tuple[int, ...]
    unit: str = "neuron"
    kept: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        layers = check_layers(self.layers)
        widths = [self.width] if isinstance(self.width, int | np.integer) else [*self.width]
        if len(widths) not in (1, len(layers)):
            raise ValueError(f"Got {len(widths)} widths for {len(layers)} layers.")
        if not all(isinstance(width, int | np.integer) and width > 0 for width in widths):
            raise ValueError(f"width must be positive integers, got {self.width!r}.")
        if not isinstance(self.unit, str) or not self.unit:
            raise ValueError(f"unit must be a non-empty string, got {self.unit!r}.")
        distinct = set(map(int, widths))
        object.__setattr__(self, "layers", layers)
        object.__setattr__(
            self, "width", distinct.pop() if len(distinct) == 1 else tuple(map(int, widths))
        )
        if self.kept is not None:
            size = sum(self.widths)
            kept = tuple(check_indices(self.kept, size, what="neuron").tolist())
            # Compared only if all are present: an index in a name may be any number.
            is_whole = len(kept) == size and kept == tuple(range(size))
            object.__setattr__(self, "kept", None if is_whole else kept)

    @classmethod
    def from_names(cls, names: Iterable[str]) -> Neurons:
        """Parse the names of columns.

        Parameters
        ----------
        names : iterable of str
            Names such as ``layer_3_neuron_17``, of all or of some columns, in any order.

        Returns
        -------
        Neurons
            The layers are in the order in which they first occur in the names. If some neurons are
            missing, the width of a layer is one more than its largest index.

        Raises
        ------
        ValueError
            If there are no names, a name is not that of a neuron, a name is repeated, or the
            columns are of several kinds.
        """
        listed = list(names)
        parsed = parse_names(listed)
        if not listed or None in parsed:
            example = f"got {listed[parsed.index(None)]!r}" if listed else "got none"
            raise ValueError(f"Expected column names such as 'layer_3_neuron_17', {example}.")
        return cls._of_places([place for place in parsed if place is not None])

    @classmethod
    def _of_places(cls, places: list[Place]) -> Neurons:
        if len(set(places)) < len(places):
            repeated, _ = Counter(places).most_common(1)[0]
            raise ValueError(f"The column name {name_of(*repeated)!r} is repeated.")
        units = sorted({place.unit for place in places})
        if len(units) > 1:
            raise ValueError(
                f"The columns are of several kinds, {' and '.join(map(repr, units))}: select the "
                "columns of one kind first."
            )
        widths: dict[Layer, int] = {}
        for place in places:
            widths[place.layer] = max(widths.get(place.layer, 0), place.number + 1)
        starts = dict(zip(widths, np.cumsum([0, *widths.values()]).tolist(), strict=False))
        kept = tuple(starts[place.layer] + place.number for place in places)
        return cls(tuple(widths), tuple(widths.values()), units[0], kept)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons in each layer, including neurons that are not present."""
        return (self.width,) * len(self.layers) if isinstance(self.width, int) else self.width

    def __len__(self) -> int:
        return sum(self.widths) if self.kept is None else len(self.kept)

    def __getitem__(self, columns: slice | ArrayLike) -> Neurons:
        """Return the neurons of some columns.

        Parameters
        ----------
        columns : slice, array-like of bool of shape (n_neurons,), or array-like of int

        Returns
        -------
        Neurons
        """
        chosen = columns if isinstance(columns, slice) else np.asarray(columns)
        if isinstance(chosen, np.ndarray) and not chosen.size:
            chosen = chosen.astype(np.intp)  # an empty list selects nothing
        return Neurons(self.layers, self.width, self.unit, tuple(self._kept[chosen].tolist()))

    __iter__ = None  # not a sequence: iterate over `names` instead

    @cached_property
    def names(self) -> NDArray[np.object_]:
        """The name of each column, such as ``layer_3_neuron_17``."""
        runs = np.searchsorted(self._starts, self._kept, side="right") - 1
        places = zip(runs.tolist(), (self._kept - self._starts[runs]).tolist(), strict=True)
        names = [name_of(self.layers[run], self.unit, index) for run, index in places]
        return np.array(names, dtype=object)

    def columns(self, layer: Layer) -> slice | NDArray[np.intp]:
        """Return the columns of a layer.

        Parameters
        ----------
        layer : int or str
            One of `layers`.

        Returns
        -------
        slice or ndarray of int
            An index for the columns of X: a slice, so that ``X[:, columns]`` is a view, if all
            neurons of all layers are present.

        Raises
        ------
        ValueError
            If X does not contain the layer.
        """
        start, stop = self._run(layer)
        if self.kept is None:
            return slice(start, stop)
        return np.flatnonzero((self._kept >= start) & (self._kept < stop))

    def locate(self, column: int) -> tuple[Layer, int]:
        """Return the layer of a column and its index within the layer.

        Parameters
        ----------
        column : int

        Returns
        -------
        layer : int or str
        index : int

        Raises
        ------
        ValueError
            If there is no such column.
        """
        (checked,) = check_indices([column], len(self), what="neuron")
        place = int(self._kept[checked])
        run = int(np.searchsorted(self._starts, place, side="right")) - 1
        return self.layers[run], place - int(self._starts[run])

    def find(self, neurons: int | str | Iterable[int | str]) -> NDArray[np.intp]:
        """Return the columns of neurons that are specified by index or name.

        Parameters
        ----------
        neurons : int, str, or iterable of them
            Columns of X, or names such as ``layer_3_neuron_17``.

        Returns
        -------
        ndarray of int
            In the order given.

        Raises
        ------
        TypeError
            If a neuron is neither an integer nor a string.
        ValueError
            If a neuron is not a column of X, or is repeated.
        """
        return find_columns(neurons, self.names)

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        return np.cumsum((0, *self.widths))[:-1]

    @cached_property
    def _kept(self) -> NDArray[np.intp]:
        return np.arange(sum(self.widths)) if self.kept is None else np.array(self.kept, np.intp)

    def _run(self, layer: Layer) -> tuple[int, int]:
        if isinstance(layer, bool) or layer not in self.layers:
            raise ValueError(
                f"X does not contain layer {layer!r}. It contains the layers "
                f"{', '.join(map(repr, self.layers))}."
            )
        place = self.layers.index(layer)
        start = int(self._starts[place])
        return start, start + self.widths[place]


def neurons_of(
    names: Sequence[str] | NDArray | None, n_columns: int, *, n_layers: int | None = None
) -> Neurons:
    """Determine the neurons of the columns of X from their names or from `n_layers`.

    Parameters
    ----------
    names : sequence of str or None
        Names of the columns. If they are None or not names of neurons, `n_layers` is required.
    n_columns : int
    n_layers : int, default=None
        Number of layers of equal width, numbered from 0. Required if names are missing.

    Returns
    -------
    Neurons

    Raises
    ------
    ValueError
        If names and `n_layers` are both missing or disagree, only some of the names are those of
        neurons, or `n_layers` does not divide the number of columns.
    """
    parsed = [] if names is None else parse_names(names)
    places = [place for place in parsed if place is not None]
    if names is not None and places:
        if len(places) < len(parsed):
            raise ValueError(
                f"Some columns of X are neurons, but {names[parsed.index(None)]!r} is not: select "
                "the columns of the neurons first."
            )
        neurons = Neurons._of_places(places)
        if n_layers not in (None, len(neurons.layers)):
            shown = ", ".join(map(repr, neurons.layers))
            raise ValueError(
                f"n_layers={n_layers}, but the names of the columns of X are those of "
                f"{len(neurons.layers)} layers: {shown}. Leave out n_layers."
            )
        return neurons
    if n_layers is None:
        raise ValueError(
            "The columns of X do not have names that indicate their layers, such as "
            "'layer_3_neuron_17'. Pass n_layers."
        )
    if n_columns % n_layers:
        raise ValueError(
            f"X has {n_columns} neurons, which cannot be divided into n_layers={n_layers} layers "
            "of equal width."
        )
    return Neurons(tuple(range(n_layers)), n_columns // n_layers)


def find_columns(
    neurons: int | str | Iterable[int | str],
    names: Sequence[str] | NDArray | None,
    n_columns: int | None = None,
) -> NDArray[np.intp]:
    """Return the columns of neurons that are specified by index or name.

    Parameters
    ----------
    neurons : int, str, or iterable of them
    names : sequence of str or None
        Names of the columns of X, of any kind; None if X has no names.
    n_columns : int, default=None
        Number of columns. If None, use the number of names.

    Returns
    -------
    ndarray of int
        In the order given.

    Raises
    ------
    TypeError
        If a neuron is neither an integer nor a string, or is a name and X has none.
    ValueError
        If a neuron is not a column of X, or is repeated.
    """
    if isinstance(neurons, str | int | np.integer):
        listed: list[Any] = [neurons]
    elif isinstance(neurons, Iterable):
        listed = list(neurons)
    else:
        raise TypeError(f"neurons must be indices or names of columns, got {neurons!r}.")
    size = len(names) if n_columns is None and names is not None else n_columns
    if not any(isinstance(neuron, str) for neuron in listed):
        return check_indices(listed, size, what="neuron")
    if names is None:
        raise TypeError(
            f"neurons={listed!r:.60} contains names, but the columns of X have no names. Pass a "
            "DataFrame, or use indices."
        )
    column_of = {name: column for column, name in enumerate(names)}
    unknown = [name for name in listed if isinstance(name, str) and name not in column_of]
    if unknown:
        raise ValueError(
            f"X does not contain the neuron {unknown[0]!r}. Its columns are named {names[0]!r} to "
            f"{names[-1]!r}."
        )
    columns = [column_of[name] if isinstance(name, str) else name for name in listed]
    return check_indices(columns, size, what="neuron")


def check_layers(layers: Any) -> tuple[Layer, ...]:
    """Check that layers are at least one distinct non-negative integer or distinct string.

    Raises
    ------
    TypeError
        If a layer is neither an integer nor a string, or both are mixed.
    ValueError
        If there are no layers, or a layer is negative or repeated.
    """
    try:
        listed = None if isinstance(layers, str) else list(layers)
    except TypeError:
        listed = None
    if listed is None:
        raise TypeError(f"layers must be a list of integers or module paths, got {layers!r:.60}.")
    if not listed:
        raise ValueError("layers is empty: expected at least one layer.")
    if all(isinstance(layer, str) for layer in listed):
        if len(set(listed)) < len(listed):
            raise ValueError(f"Each layer can be listed only once, got {listed[:_N_SHOWN]}.")
        return tuple(listed)
    return tuple(check_indices(listed, None, what="layer").tolist())
