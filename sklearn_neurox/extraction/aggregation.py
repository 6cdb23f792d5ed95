"""From the sub-words of a tokenizer to one row per word."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

AGGREGATIONS = ("first", "last", "mean")


def aggregate_subwords(states: Any, word_ids: Sequence[int | None], how: str) -> Any:
    """Aggregate the states of sub-words into one state per word.

    Parameters
    ----------
    states : ndarray or torch.Tensor of shape (..., n_subwords, n_units)
        States of the sub-words, with any leading axes, as (n_layers, n_subwords, n_units).
    word_ids : sequence of n_subwords int or None
        Word of each sub-word, numbered from 0; None for special tokens and padding. The
        sub-words of a word are neighbours.
    how : {"first", "last", "mean"}
        Keep the first or the last sub-word of a word, or the mean of all.

    Returns
    -------
    ndarray or torch.Tensor of shape (..., n_words, n_units)
        A copy, of the kind and dtype of `states`.

    Raises
    ------
    ValueError
        If `how` is unknown, lengths differ, a word has no sub-word (there is never a made-up
        row), or its sub-words are apart.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox.activations import aggregate_subwords
    >>> states = np.array([[9.0], [1.0], [3.0], [5.0], [9.0]])
    >>> aggregate_subwords(states, [None, 0, 0, 1, None], "mean")
    array([[2.],
           [5.]])
    """
    if how not in AGGREGATIONS:
        raise ValueError(f"aggregation must be one of {AGGREGATIONS}, got {how!r}.")
    if len(word_ids) != states.shape[-2]:
        raise ValueError(
            f"Got {states.shape[-2]} states of sub-words, but {len(word_ids)} word_ids."
        )
    return aggregate_spans(states, *spans(word_ids), how)


def aggregate_spans(
    states: Any, first: NDArray[np.intp], counts: NDArray[np.intp], how: str
) -> Any:
    """Aggregate the states of words whose first sub-words and numbers of sub-words are known."""
    if how == "last":
        return states[..., first + counts - 1, :]
    aggregated = states[..., first, :]
    if how == "first":
        return aggregated
    for piece in range(1, counts.max(initial=0)):
        longer = np.flatnonzero(counts > piece)
        aggregated[..., longer, :] += states[..., first[longer] + piece, :]
    divisor = (
        counts.astype(aggregated.dtype)
        if isinstance(states, np.ndarray)
        else (aggregated.new_tensor(counts))
    )
    return aggregated / divisor[:, None]


def aggregate_bpe(
    states: Any, pieces: Sequence[str], how: str, *, marker: str = "@@"
) -> tuple[Any, list[str]]:
    """Aggregate the states of the pieces of byte-pair encoding, as in "un@@ likely".

    Parameters
    ----------
    states : ndarray or torch.Tensor of shape (..., n_pieces, n_units)
        States of the pieces.
    pieces : sequence of n_pieces str
        A piece that ends with the marker goes on in the next.
    how : {"first", "last", "mean"}
        As in :func:`aggregate_subwords`.
    marker : str, default="@@"
        End of a piece that is not the last of its word.

    Returns
    -------
    states : ndarray or torch.Tensor of shape (..., n_words, n_units)
    words : list of n_words str
        The pieces put together.

    Raises
    ------
    ValueError
        If the last piece ends with the marker, lengths differ, or `how` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox.activations import aggregate_bpe
    >>> aggregate_bpe(np.array([[1.0], [3.0], [5.0]]), ["un@@", "likely", "."], "mean")
    (array([[2.],
           [5.]]), ['unlikely', '.'])
    """
    if pieces and pieces[-1].endswith(marker):
        raise ValueError(f"The last piece, {pieces[-1]!r}, ends with the marker {marker!r}.")
    word_ids: list[int | None] = []
    words: list[str] = []
    goes_on = False
    for piece in pieces:
        if not goes_on:
            words.append("")
        goes_on = piece.endswith(marker)
        words[-1] += piece.removesuffix(marker) if goes_on else piece
        word_ids.append(len(words) - 1)
    return aggregate_subwords(states, word_ids, how), words


def aggregate_characters(
    states: Any, characters: Sequence[str], how: str, *, space: str = " "
) -> tuple[Any, list[str]]:
    """Aggregate the states of a model of characters into one state per word.

    Parameters
    ----------
    states : ndarray or torch.Tensor of shape (..., n_characters, n_units)
        States of the characters, spaces included.
    characters : sequence of n_characters str
    how : {"first", "last", "mean"}
        As in :func:`aggregate_subwords`.
    space : str, default=" "
        What parts the words; its states belong to none.

    Returns
    -------
    states : ndarray or torch.Tensor of shape (..., n_words, n_units)
    words : list of n_words str

    Raises
    ------
    ValueError
        If there are spaces at an end or two in a row, lengths differ, or `how` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox.activations import aggregate_characters
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
                raise ValueError(f"A word is missing before the space at place {place}.")
            words.append("")
        else:
            words[-1] += character
        word_ids.append(None if character == space else len(words) - 1)
    if not words[-1]:
        raise ValueError("A word is missing at the end.")
    return aggregate_subwords(states, word_ids, how), words


def spans(word_ids: Sequence[int | None]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First sub-word and number of sub-words of each word."""
    pieces = np.array([i for i, word in enumerate(word_ids) if word is not None], dtype=np.intp)
    ids = np.full(len(word_ids), -1)
    for i in pieces:
        if not isinstance(word_ids[i], Integral) or word_ids[i] < 0:
            raise ValueError(f"word_ids must be None or from 0, got {word_ids[i]!r} at place {i}.")
        ids[i] = word_ids[i]
    words, first, counts = np.unique(ids[pieces], return_index=True, return_counts=True)
    if not np.array_equal(words, np.arange(len(words))):
        missing = np.setdiff1d(np.arange(words.max() + 1), words)
        raise ValueError(f"Every word needs a sub-word; word {missing[0]} has none.")
    first, last = pieces[first], pieces[first + counts - 1]
    if (last - first + 1 != counts).any() or (ids[last] != words).any():
        raise ValueError("The sub-words of a word must be neighbours.")
    return first, counts
