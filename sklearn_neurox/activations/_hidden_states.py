"""Token activations from the hidden states that other libraries return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._conversion import as_numpy
from .._labels import check_labels
from .._validation import noting
from ._batches_of_states import StatesOfBatch, batches_of, is_file, read_safetensors
from .bfloat16 import Array, Bfloat16Array, as_activations, concatenate, is_floating
from .columns import Layer, check_layers

_ROWS = ("all", "last", "first")


class _Places(NamedTuple):
    """The text and the position of each row, with padding."""

    texts: NDArray[np.intp]
    positions: NDArray[np.intp]


class FromHiddenStates:
    """Constructor from the hidden states of a batch."""

    @classmethod
    def from_hidden_states(
        cls,
        states: Any,
        *,
        attention_mask: ArrayLike | None = None,
        layers: Sequence[Layer] | None = None,
        rows: str | Sequence[tuple[int, int]] = "all",
        words: Sequence[Sequence[str]] | None = None,
        labels: Sequence[Any] | None = None,
        unit: str = "neuron",
    ) -> Self:
        """Build token activations from hidden states with padding.

        These are what a model of ``transformers`` returns with ``output_hidden_states=True``, and
        what other libraries for reading activations return.

        Parameters
        ----------
        states : mapping, sequence or array
            For each layer, an array or tensor of shape (n_texts, n_positions, width): a mapping of
            layers to arrays, a sequence of arrays that are numbered from 0, or one array of shape
            (n_layers, n_texts, n_positions, width). bfloat16 is kept, and X is float32. Also the
            path of a ``.safetensors`` file of these arrays (with the ``attention_mask``, if there
            is one), or an iterator or a torch ``DataLoader`` of batches, each of which is one of
            these, a pair of one of these and its mask, or a mapping with ``hidden_states`` and
            ``attention_mask``.
        attention_mask : array-like of shape (n_texts, n_positions), default=None
            1 for tokens and 0 for padding on either side. If None, there is no padding.
        layers : sequence of int or str, default=None
            Names of the layers of a sequence or an array, or the layers of a mapping to use. If
            None, all layers.
        rows : {"all", "last", "first"} or sequence of pairs, default="all"
            The tokens that have a row: all of them, the last or the first one of each text, or
            pairs of a text and a position in the arrays, which must not be padding.
        words : sequence of sequences of str, default=None
            The tokens of each text, without padding. If None, their positions are used.
        labels : sequence, default=None
            A label for each text, or for each text a list with one label per token.
        unit : str, default="neuron"
            Kind of the columns, as in :class:`Neurons`.

        Returns
        -------
        TokenActivations
            ``sentence_ids`` are the indices of the texts. ``positions`` count the tokens of a text
            without padding.

        Raises
        ------
        TypeError, ValueError
            If the arrays do not contain floating-point numbers, shapes differ, a text consists of
            padding only, a pair is padding, or the words or labels do not match.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_neurox import TokenActivations
        >>> states = {3: np.arange(12.0).reshape(2, 3, 2), 4: np.zeros((2, 3, 2))}
        >>> mask = [[1, 1, 1], [0, 1, 1]]
        >>> tokens = TokenActivations.from_hidden_states(
        ...     states, attention_mask=mask, rows="first", labels=["a", "b"])
        >>> tokens.X
        array([[0., 1., 0., 0.],
               [8., 9., 0., 0.]])
        """
        if is_file(states):
            states, stored_mask = read_safetensors(states)
            attention_mask = stored_mask if attention_mask is None else attention_mask
        batches = batches_of(states)
        if batches is None:
            arrays, layers = _arrays_of(states, layers)
            mask = _check_mask(attention_mask, arrays[0].shape[:2])
        else:
            if attention_mask is not None:
                raise ValueError("The batches contain their masks, so attention_mask must be None.")
            arrays, layers, mask = _joined_batches(batches, layers)
        places = _places_of(rows, mask)
        positions = (np.cumsum(mask, axis=1) - 1)[places]
        tokens = cls(
            X=concatenate([array[places] for array in arrays], axis=1),
            words=_words_of(words, mask, places.texts, positions),
            sentence_ids=places.texts,
            positions=positions,
            layers=layers,
            y=_labels_of(labels, mask, places.texts, positions),
            unit=unit,
        )  # type: ignore[call-arg]  # the class that inherits this method is a dataclass
        return tokens


def _arrays_of(states: Any, layers: Any) -> tuple[list[Array], tuple[Layer, ...]]:
    """Return an array of three dimensions for each layer."""
    if isinstance(states, Mapping):
        names = check_layers(list(states) if layers is None else layers)
        missing = [name for name in names if name not in states]
        if missing:
            raise ValueError(f"states do not have the layer {missing[0]!r}, only {list(states)}.")
        values = [states[name] for name in names]
    else:
        if not isinstance(states, Sequence):
            states = as_activations(states, name="states")
        values = list(states)
        names = check_layers(list(range(len(values))) if layers is None else layers)
        if len(names) != len(values):
            raise ValueError(f"Got states of {len(values)} layers, but {len(names)} layers.")
    if not values:
        raise ValueError("states must contain at least one layer.")
    arrays: list[Array] = []
    for name, value in zip(names, values, strict=True):
        array = as_activations(value, name=f"Layer {name}")
        array = array if isinstance(array, Bfloat16Array) else np.asarray(array)
        if array.ndim != 3 or not is_floating(array) or not array.size:
            raise ValueError(
                f"Layer {name} must contain floating-point numbers of shape (n_texts, n_positions, "
                f"width), got {array.dtype} of shape {array.shape}."
            )
        if arrays and (array.shape, array.dtype) != (arrays[0].shape, arrays[0].dtype):
            raise ValueError(
                f"Layer {name} is {array.dtype} of shape {array.shape}, but layer {names[0]} is "
                f"{arrays[0].dtype} of shape {arrays[0].shape}."
            )
        arrays.append(array)
    return arrays, names


def _joined_batches(
    batches: Iterator[StatesOfBatch], layers: Any
) -> tuple[list[Array], tuple[Layer, ...], NDArray[np.bool_]]:
    """Return the states of all batches as one text of one position per token, and their mask."""
    parts: list[list[Array]] = []
    masks: list[NDArray[np.bool_]] = []
    names: tuple[Layer, ...] | None = None
    for number, batch in enumerate(batches):
        with noting(f"in batch {number}"):
            arrays, found = _arrays_of(batch.states, layers)
            mask = _check_mask(batch.attention_mask, arrays[0].shape[:2])
        if names not in (None, found):
            raise ValueError(
                f"Batch {number} has the layers {found}, but those before have {names}."
            )
        names = found
        parts.append(arrays)
        masks.append(mask)
    if names is None:
        raise ValueError("states must contain at least one batch.")
    longest = max(mask.shape[1] for mask in masks)
    joined = [
        concatenate([_padded(arrays[layer], longest) for arrays in parts])
        for layer in range(len(names))
    ]
    return joined, names, np.concatenate([_padded(mask, longest) for mask in masks])


def _padded(array: Any, length: int) -> Any:
    """Append positions, which are masked, on the right."""
    values = array.bits if isinstance(array, Bfloat16Array) else array
    added = [(0, 0)] * values.ndim
    added[1] = (0, length - values.shape[1])
    wide = np.pad(values, added)
    return Bfloat16Array(wide) if isinstance(array, Bfloat16Array) else wide


def _check_mask(mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask is None:
        return np.ones(shape, dtype=bool)
    array = np.asarray(as_numpy(mask, name="attention_mask"))
    if array.shape != shape or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"attention_mask must contain 0 and 1 and have the shape {shape} of the states, got "
            f"{array.dtype} of shape {array.shape}."
        )
    array = array.astype(bool)
    if not array.any(axis=1).all():
        raise ValueError(f"Text {int(array.any(axis=1).argmin())} consists of padding only.")
    return array


def _places_of(rows: Any, mask: NDArray[np.bool_]) -> _Places:
    if isinstance(rows, str):
        if rows not in _ROWS:
            raise ValueError(f"rows must be one of {list(_ROWS)} or pairs, got {rows!r:.60}.")
        if rows == "all":
            return _Places(*np.nonzero(mask))
        n_texts, n_positions = mask.shape
        first = mask.argmax(axis=1)
        last = n_positions - 1 - mask[:, ::-1].argmax(axis=1)
        return _Places(np.arange(n_texts), first if rows == "first" else last)
    pairs = np.asarray(rows)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise TypeError(
            f"rows must be one of {list(_ROWS)}, or pairs of a text and a position, got "
            f"{rows!r:.60}."
        )
    outside = ((pairs < 0) | (pairs >= mask.shape)).any(axis=1)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(
            f"rows[{row}] is {tuple(pairs[row].tolist())}, but the states have "
            f"{mask.shape[0]} texts and {mask.shape[1]} positions."
        )
    texts, positions = pairs.astype(np.intp).T
    padding = ~mask[texts, positions]
    if padding.any():
        row = int(padding.argmax())
        raise ValueError(
            f"rows[{row}] is position {positions[row]} of text {texts[row]}, which is padding."
        )
    return _Places(texts, positions)


def _words_of(
    words: Any, mask: NDArray[np.bool_], texts: NDArray[np.intp], positions: NDArray[np.intp]
) -> NDArray[np.object_]:
    if words is None:
        return np.array([str(position) for position in positions], dtype=object)
    words = list(words)
    _check_number(len(words), mask, "words")
    for text, (own, n_tokens) in enumerate(zip(words, mask.sum(axis=1), strict=True)):
        if isinstance(own, str) or len(own) != n_tokens:
            raise ValueError(
                f"Text {text} has {n_tokens} tokens without padding, but words[{text}] is "
                f"{own!r:.60}."
            )
    found = [words[text][position] for text, position in zip(texts, positions, strict=True)]
    return np.array([*found, None], dtype=object)[:-1]


def _labels_of(
    labels: Any, mask: NDArray[np.bool_], texts: NDArray[np.intp], positions: NDArray[np.intp]
) -> NDArray | None:
    if labels is None:
        return None
    _check_number(len(labels), mask, "labels")
    if not isinstance(next(iter(labels)), list | tuple | np.ndarray):
        return check_labels(labels, name="labels")[texts]
    labels = list(labels)
    for text, (own, n_tokens) in enumerate(zip(labels, mask.sum(axis=1), strict=True)):
        if len(own) != n_tokens:
            raise ValueError(
                f"Text {text} has {n_tokens} tokens without padding, but {len(own)} labels."
            )
    pairs = zip(texts, positions, strict=True)
    return check_labels([labels[text][position] for text, position in pairs], name="labels")


def _check_number(n: int, mask: NDArray[np.bool_], name: str) -> None:
    if n != len(mask):
        raise ValueError(f"The states are those of {len(mask)} texts, but {name} has {n}.")
