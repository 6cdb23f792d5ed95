"""Which position of a source belongs to which position of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._wording import count

# Pairs of (position in the text, position in the source), for all texts or for each text.
Pairs: TypeAlias = Sequence[tuple[int, int]] | Sequence[Sequence[tuple[int, int]]]
Alignment: TypeAlias = Literal["start", "end"] | Pairs | None


def align(
    lengths: Sequence[int], source_lengths: Sequence[int], alignment: Alignment
) -> list[NDArray[np.intp]]:
    """Return the pairs of positions of each text.

    Parameters
    ----------
    lengths, source_lengths : sequence of n_texts int
        Numbers of positions of the texts and of their sources.
    alignment : {"start", "end"}, sequence of pairs, or None
        As in :func:`interchange_effect`.

    Returns
    -------
    list of ndarray of shape (n_pairs, 2)
        The position in the text and the position in its source.

    Raises
    ------
    TypeError
        If `alignment` is of another type.
    ValueError
        If lengths differ and `alignment` is None, a position does not exist, or a position of a
        text occurs twice.
    """
    both = list(zip(lengths, source_lengths, strict=True))
    if alignment is None:
        different = [i for i, (own, other) in enumerate(both) if own != other]
        if different:
            own, other = both[different[0]]
            raise ValueError(
                f"Text {different[0]} has {count(own, 'token')}, but its source has {other:,}. Set "
                "alignment to 'end' or 'start' to count positions from there, or to pairs of "
                "positions."
            )
    if alignment is None or isinstance(alignment, str):
        if alignment not in (None, "start", "end"):
            raise ValueError(
                f"alignment must be 'start', 'end' or pairs of positions, got {alignment!r:.60}."
            )
        return [_counted(own, other, alignment) for own, other in both]
    pairs = _listed(alignment, len(both))
    return [_checked(each, i, *both[i]) for i, each in enumerate(pairs)]


def _counted(length: int, source_length: int, side: str | None) -> NDArray[np.intp]:
    shared = np.arange(min(length, source_length))
    if side != "end":
        return np.column_stack([shared, shared])
    return np.column_stack([shared + length - len(shared), shared + source_length - len(shared)])


def _listed(alignment: Any, n_texts: int) -> list[NDArray]:
    """Return the pairs of each text, which are the same for all texts if they are not nested."""
    try:
        listed = list(alignment)
        arrays = [np.asarray(each) for each in listed]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"alignment must be 'start', 'end' or pairs of positions, got {alignment!r:.60}."
        ) from error
    if arrays and all(each.shape == (2,) for each in arrays):
        return [np.array(arrays)] * n_texts
    if len(arrays) != n_texts:
        raise ValueError(
            f"alignment must contain pairs for each of the {count(n_texts, 'text')}, got "
            f"{len(arrays):,}."
        )
    return arrays


def _checked(pairs: NDArray, text: int, length: int, source_length: int) -> NDArray[np.intp]:
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu" or not len(pairs):
        raise ValueError(
            f"alignment of text {text} must be a list of pairs (position in the text, position in "
            f"the source), got {pairs.tolist()!r:.60}."
        )
    found = pairs.astype(np.intp)
    for column, size, what in ((0, length, "text"), (1, source_length, "source of text")):
        outside = found[(found[:, column] < -size) | (found[:, column] >= size), column]
        if len(outside):
            raise ValueError(
                f"alignment contains position {outside[0]}, but {what} {text} has "
                f"{count(size, 'token')}."
            )
        found[:, column] %= size
    places, times = np.unique(found[:, 0], return_counts=True)
    if (times > 1).any():
        raise ValueError(
            f"alignment contains position {places[times > 1][0]} of text {text} twice."
        )
    return found


def select(
    pairs: list[NDArray[np.intp]], positions: Sequence[int] | None
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Choose some of the aligned positions, the same number for each text.

    Parameters
    ----------
    pairs : list of ndarray of shape (n_pairs, 2)
        As returned by :func:`align`.
    positions : sequence of int or None
        Indices into the pairs of each text. Negative ones count from the end.

    Returns
    -------
    list of ndarray of shape (n_positions, 2)
        The chosen pairs of each text.
    ndarray of int of shape (n_positions,)
        The positions.

    Raises
    ------
    TypeError, ValueError
        If positions are not distinct integers, a text does not have one, or `positions` is None and
        the texts have different numbers of aligned positions.
    """
    sizes = np.array([len(each) for each in pairs])
    if positions is None:
        other = int((sizes != sizes[0]).argmax())
        if sizes[other] != sizes[0]:
            raise ValueError(
                f"Text 0 has {count(sizes[0], 'aligned position')}, but text {other} has "
                f"{sizes[other]:,}. Pass the positions of the map, such as positions=range(-3, 0) "
                "for the last three of each text."
            )
        positions = range(sizes[0])
    chosen = np.asarray(list(positions))
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1 or not len(chosen):
        raise TypeError(f"positions must be a list of integers, got {positions!r:.60}.")
    if len(set(chosen.tolist())) < len(chosen):
        raise ValueError(f"positions must be distinct, got {chosen.tolist()}.")
    for position in chosen.tolist():
        short = np.flatnonzero((position >= sizes) | (position < -sizes))
        if len(short):
            raise ValueError(
                f"positions contains {position}, but text {short[0]} has "
                f"{count(sizes[short[0]], 'aligned position')}."
            )
    return [each[chosen] for each in pairs], chosen
