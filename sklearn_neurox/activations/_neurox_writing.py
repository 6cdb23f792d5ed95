"""Writing NeuroX files: rows become sentences, if the file can represent them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ._neurox_files import FileSentence
from ._neurox_reading import cast
from ._rows import check_stored_word
from .tokens import TokenActivations


def sentence_slices(tokens: TokenActivations, *, splits: bool) -> list[slice]:
    """Return the rows of each sentence.

    Parameters
    ----------
    tokens : TokenActivations
    splits : bool
        Whether the file stores the text of a sentence, which is split on spaces when it is read.

    Raises
    ------
    TypeError
        If sentence numbers are not integers, or words are not strings.
    ValueError
        If there are no words, sentences are not in ascending order, or the file would split a word
        that contains a space; or if a word is empty or contains tabs, line
        breaks, null characters or lone surrogates.
    """
    if not len(tokens):
        raise ValueError("tokens is empty: expected at least one word.")
    ids = np.asarray(tokens.sentence_ids)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"sentence_ids must be integers, got dtype {ids.dtype}.")
    ids = ids.astype(np.int64)
    starts = np.flatnonzero(np.append(True, np.diff(ids)))
    ends = np.append(starts[1:], len(ids))
    unordered = np.append(ids[0] < 0, np.diff(ids[starts]) < 0)
    if unordered.any():
        raise ValueError(
            f"Sentence {ids[starts[unordered.argmax()]]} has a negative number, or follows a "
            "sentence with a higher number. Sentences in a file must be in ascending order. Sort "
            "the rows first."
        )
    for number, position, word in zip(ids, tokens.positions, tokens.words, strict=True):
        if not isinstance(word, str):
            raise TypeError(f"Sentence {number}: expected words to be strings, got {word!r}.")
        check_stored_word(word, number, position)
        if splits and " " in word:
            raise ValueError(
                f"Sentence {number}: the word {str(word)!r} would be split in an .hdf5 file. "
                "Write a .json file instead."
            )
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def check_values(tokens: TokenActivations, slices: Sequence[slice], dtype: str | None) -> None:
    """Check that values can be converted before any file is written. The error names a sentence."""
    for rows in slices:
        cast(tokens[rows].X, dtype, f"Sentence {tokens.sentence_ids[rows.start]}")


def sentences_of(
    tokens: TokenActivations,
    slices: Sequence[slice],
    layers: Sequence[int | str],
    dtype: str | None,
) -> Iterator[FileSentence]:
    """Yield the sentences to write."""
    width = len(tokens.neurons) // tokens.n_layers
    places = [tokens.layers.index(layer) for layer in layers]
    for part in slices:
        number = int(tokens.sentence_ids[part.start])
        words = [str(word) for word in tokens.words[part]]
        values = tokens[part].X.reshape(len(words), tokens.n_layers, width)
        values = values[:, places].swapaxes(0, 1)
        values = cast(values, dtype, f"Sentence {number}")
        positions = tokens.positions[part].tolist()
        whole = positions == list(range(len(words)))
        yield FileSentence(
            number, words, tuple(map(int, layers)), values, None if whole else positions
        )
