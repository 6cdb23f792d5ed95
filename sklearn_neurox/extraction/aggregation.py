"""Aggregation of the states of sub-words into one state per word."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from .._validation import as_cells

# The dtypes of tensors that torch can compute with, possibly after a conversion.
_REAL = re.compile(r"torch\.(bool|u?int\d+|bfloat16|float(16|32|64)|float8_\w+)")

# Functions from (states, first, counts) to the states of words. Word k consists of the sub-words
# from first[k] to first[k] + counts[k] - 1 of the second-to-last axis of the states, an array or a
# tensor.
Aggregation: TypeAlias = Callable[[Any, NDArray[np.intp], NDArray[np.intp]], Any]


def _first(states: Any, first: NDArray[np.intp], counts: NDArray[np.intp]) -> Any:
    return states[..., first, :]


def _last(states: Any, first: NDArray[np.intp], counts: NDArray[np.intp]) -> Any:
    return states[..., first + counts - 1, :]


def _mean(states: Any, first: NDArray[np.intp], counts: NDArray[np.intp]) -> Any:
    library: Any = np if isinstance(states, np.ndarray) else torch
    with np.errstate(over="ignore"):
        total = _sums(states, first, counts)
    divisor = counts.astype(total.dtype) if library is np else total.new_tensor(counts)
    mean = total / divisor[:, None]
    finite = library.isfinite(mean)
    if not finite.all():  # the sum may be too large although the mean is not
        scale = 2.0 ** int(counts.max()).bit_length()  # a power of 2, so dividing does not round
        mean = library.where(
            finite, mean, _sums(states / scale, first, counts) / divisor[:, None] * scale
        )
    if library is np:
        return mean if states.dtype.kind in "biu" else mean.astype(states.dtype, copy=False)
    return mean.to(states.dtype) if states.is_floating_point() else mean


def _sums(states: Any, first: NDArray[np.intp], counts: NDArray[np.intp]) -> Any:
    """Return the sum of the states of each word, which is a copy, in a wide dtype."""
    total = _widened(states[..., first, :])  # a copy, because the index is an array
    for piece in range(1, counts.max(initial=0)):
        longer = np.flatnonzero(counts > piece)
        total[..., longer, :] += states[..., first[longer] + piece, :]
    return total


def _widened(values: Any) -> Any:
    """Convert values so that sums neither overflow nor lose digits: float16 to float32."""
    if isinstance(values, np.ndarray):
        is_integer = values.dtype.kind in "biu"
        wide = np.dtype(np.float64) if is_integer else np.result_type(values.dtype, np.float32)
        return values.astype(wide, copy=False)
    if not values.is_floating_point():
        return values.double()
    return values.float() if values.dtype.itemsize < 4 else values


# A new aggregation is a function and its entry here.
AGGREGATIONS: dict[str, Aggregation] = {"first": _first, "last": _last, "mean": _mean}


def aggregate_subwords(states: Any, word_ids: Sequence[int | None], aggregation: str) -> Any:
    """Aggregate the states of sub-words into one state per word.

    Parameters
    ----------
    states : array-like or torch.Tensor of shape (..., n_subwords, n_neurons)
        States of the sub-words, with any leading axes, such as (n_layers, n_subwords, n_neurons).
    word_ids : sequence of n_subwords int or None
        Index of the word of each sub-word, or None for special tokens and padding. The sub-words of
        a word must be adjacent.
    aggregation : {"first", "last", "mean"}
        Whether to use the first sub-word of each word, the last one, or the mean of all its
        sub-words.

    Returns
    -------
    ndarray or torch.Tensor of shape (..., n_words, n_neurons)
        A copy, of the type and dtype of `states`. Means are computed in float32 at least, and means
        of integers are float64. Tensors of 8-bit floats become float32.

    Raises
    ------
    TypeError
        If `states` do not contain real numbers, or are a sparse or quantized tensor.
    ValueError
        If `aggregation` is unknown, `states` have less than two axes, lengths differ, a word does
        not have a sub-word, or the sub-words of a word are not adjacent.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import aggregate_subwords
    >>> states = np.array([[9.0], [1.0], [3.0], [5.0], [9.0]])
    >>> aggregate_subwords(states, [None, 0, 0, 1, None], "mean")
    array([[2.],
           [5.]])
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"aggregation must be one of {list(AGGREGATIONS)}, got {aggregation!r}.")
    states = _as_states(states)
    if len(word_ids) != states.shape[-2]:
        raise ValueError(
            f"Got states of {states.shape[-2]} sub-words, but {len(word_ids)} word_ids."
        )
    return AGGREGATIONS[aggregation](states, *spans(word_ids))


def _as_states(states: Any) -> Any:
    """Check states, and convert them to an array or a tensor that aggregations can compute with."""
    if not isinstance(states, torch.Tensor):
        states = np.asanyarray(as_cells(states, name="states"))
        is_real = states.dtype.kind in "biuf"
    else:
        is_real = _REAL.fullmatch(str(states.dtype)) is not None
        if states.layout != torch.strided or states.is_nested:
            raise TypeError(f"states must be a dense tensor, got the layout {states.layout}.")
        if is_real and states.is_floating_point() and states.dtype.itemsize == 1:
            states = states.float()
    if not is_real:
        raise TypeError(f"states must contain real numbers, got the dtype {states.dtype}.")
    if states.ndim < 2:
        raise ValueError(
            "states must have the shape (..., n_subwords, n_neurons), got the shape "
            f"{tuple(states.shape)}."
        )
    return states


def aggregate_bpe(
    states: Any, pieces: Sequence[str], aggregation: str, *, marker: str = "@@"
) -> tuple[Any, list[str]]:
    """Aggregate the states of byte-pair encoding pieces, such as "un@@ likely", into words.

    Parameters
    ----------
    states : ndarray or torch.Tensor of shape (..., n_pieces, n_neurons)
        States of the pieces.
    pieces : sequence of n_pieces str
        A piece that ends with the marker continues in the next one.
    aggregation : {"first", "last", "mean"}
        As in :func:`aggregate_subwords`.
    marker : str, default="@@"
        Ending of a piece that is not the last of its word.

    Returns
    -------
    states : ndarray or torch.Tensor of shape (..., n_words, n_neurons)
    words : list of n_words str
        The joined pieces.

    Raises
    ------
    ValueError
        If the last piece ends with the marker, lengths differ, or `aggregation` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import aggregate_bpe
    >>> aggregate_bpe(np.array([[1.0], [3.0], [5.0]]), ["un@@", "likely", "."], "mean")
    (array([[2.],
           [5.]]), ['unlikely', '.'])
    """
    if pieces and pieces[-1].endswith(marker):
        raise ValueError(f"The last piece, {pieces[-1]!r}, ends with the marker {marker!r}.")
    word_ids: list[int | None] = []
    words: list[str] = []
    continues = False
    for piece in pieces:
        if not continues:
            words.append("")
        continues = piece.endswith(marker)
        words[-1] += piece.removesuffix(marker) if continues else piece
        word_ids.append(len(words) - 1)
    return aggregate_subwords(states, word_ids, aggregation), words


def aggregate_characters(
    states: Any, characters: Sequence[str], aggregation: str, *, space: str = " "
) -> tuple[Any, list[str]]:
    """Aggregate the states of a character-level model into one state per word.

    Parameters
    ----------
    states : ndarray or torch.Tensor of shape (..., n_characters, n_neurons)
        States of the characters, including spaces.
    characters : sequence of n_characters str
    aggregation : {"first", "last", "mean"}
        As in :func:`aggregate_subwords`.
    space : str, default=" "
        Separator of words. Its states do not belong to any word.

    Returns
    -------
    states : ndarray or torch.Tensor of shape (..., n_words, n_neurons)
    words : list of n_words str

    Raises
    ------
    ValueError
        If there is a leading, trailing or double space, lengths differ, or `aggregation` is
        unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import aggregate_characters
    >>> states = np.array([[1.0], [3.0], [9.0], [5.0]])
    >>> aggregate_characters(states, ["a", "n", " ", "I"], "mean")
    (array([[2.],
           [5.]]), ['an', 'I'])
    """
    word_ids: list[int | None] = []
    words = [""]
    for place, character in enumerate(characters):
        if character == space:
            if not words[-1]:
                raise ValueError(f"There is no word before the space at index {place}.")
            words.append("")
        else:
            words[-1] += character
        word_ids.append(None if character == space else len(words) - 1)
    if not words[-1]:
        raise ValueError("The last word is empty: the text is empty or ends with a space.")
    return aggregate_subwords(states, word_ids, aggregation), words


def spans(word_ids: Sequence[int | None]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the index of the first sub-word and the number of sub-words of each word."""
    pieces = np.array([i for i, word in enumerate(word_ids) if word is not None], dtype=np.intp)
    own = [word for word in word_ids if word is not None]
    if {*map(type, own)} != {int} or min(own) < 0:
        for i, word in zip(pieces, own, strict=True):
            if not isinstance(word, Integral) or word < 0:
                raise ValueError(
                    f"word_ids must be non-negative integers or None, got {word!r} at index {i}."
                )
    ids = np.full(len(word_ids), -1)
    ids[pieces] = own
    words, first, counts = np.unique(ids[pieces], return_index=True, return_counts=True)
    if not np.array_equal(words, np.arange(len(words))):
        missing = np.setdiff1d(np.arange(words.max() + 1), words)
        raise ValueError(
            f"Every word must have a sub-word, but word {missing[0]} does not have one."
        )
    first, last = pieces[first], pieces[first + counts - 1]
    if (last - first + 1 != counts).any() or (ids[last] != words).any():
        raise ValueError("The sub-words of a word must be adjacent.")
    return first, counts
