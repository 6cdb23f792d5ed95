"""Activations with the words they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._optional import import_optional
from .columns import Neurons
from .store import StoreWriter, describe_store, load_store


@dataclass(frozen=True, eq=False, repr=False)
class TokenActivations:
    """Activations of a network on the words of a corpus: one row per word.

    ``tokens[rows]`` takes some of the words, by a slice, a mask or a list of integers.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons)
        Activations; a layer is a run of n_neurons / n_layers columns.
    words : ndarray of str of shape (n_words,)
        The words.
    sentence_ids : ndarray of int of shape (n_words,)
        Sentence of each word, as numbered in the corpus. Pass it as ``groups`` to keep a sentence
        on one side of a split.
    positions : ndarray of int of shape (n_words,)
        Place of each word in its sentence, from 0.
    layers : tuple of int
        Layers in X, in the order of the columns; 0 are the embeddings.
    y : ndarray of shape (n_words,), default=None
        Labels of the words.
    unit : str, default="neuron"
        What a column is called in its name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import TokenActivations
    >>> tokens = TokenActivations(
    ...     X=np.zeros((2, 6)), words=np.array(["to", "be"]), sentence_ids=np.array([0, 0]),
    ...     positions=np.array([0, 1]), layers=(0, 1), y=np.array(["PART", "AUX"]))
    >>> tokens
    TokenActivations(2 words in 1 sentence, 6 neurons in 2 layers, float64, with labels)
    >>> tokens.layer(1).shape
    (2, 3)
    >>> tokens.neuron_names[-1]
    'layer_1_neuron_2'
    >>> tokens[tokens.y == "AUX"].words
    array(['be'], dtype='<U2')
    """

    X: NDArray
    words: NDArray
    sentence_ids: NDArray[np.intp]
    positions: NDArray[np.intp]
    layers: tuple[int, ...]
    y: Any = None
    unit: str = "neuron"

    def __post_init__(self):
        for name in ("words", "sentence_ids", "positions", "y"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.X):
                raise ValueError(f"X has {len(self.X)} rows, but {name} has {len(column)}.")
        if not self.layers or len(set(self.layers)) < len(self.layers):
            raise ValueError(f"layers must be different, and at least one; got {self.layers}.")
        if self.X.shape[1] % len(self.layers):
            raise ValueError(
                f"{len(self.layers)} layers do not divide the {self.X.shape[1]} neurons of X."
            )

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, rows: slice | ArrayLike) -> TokenActivations:
        """Take some of the words.

        Parameters
        ----------
        rows : slice, array-like of bool of shape (n_words,), or array-like of int
            A mask keeps the words that are True; integers choose words, in their order, negative
            ones from the end.

        Returns
        -------
        TokenActivations
            With a slice, X is a view; else a copy of these rows.

        Raises
        ------
        TypeError
            For anything else, such as one number.
        IndexError
            If the mask has another length, or there is no such word.
        """
        place = rows if isinstance(rows, slice) else _check_rows(rows, len(self))
        return replace(
            self,
            X=self.X[place],
            words=self.words[place],
            sentence_ids=self.sentence_ids[place],
            positions=self.positions[place],
            y=None if self.y is None else np.asarray(self.y)[place],
        )

    __iter__ = None  # rows are no sequence of their own: words and X are

    def __repr__(self) -> str:
        n_words, n_neurons = self.X.shape
        n_sentences = len(np.unique(self.sentence_ids))
        return (
            f"{type(self).__name__}({_count(n_words, 'word')} in "
            f"{_count(n_sentences, 'sentence')}, {_count(n_neurons, 'neuron')} in "
            f"{_count(self.n_layers, 'layer')}, {self.X.dtype}"
            f"{', with labels' if self.y is not None else ''})"
        )

    @property
    def n_layers(self) -> int:
        """Number of layers in X."""
        return len(self.layers)

    @cached_property
    def neurons(self) -> Neurons:
        """Which layer, kind and index each column of X is."""
        return Neurons(self.layers, self.X.shape[1] // self.n_layers, self.unit)

    @property
    def neuron_names(self) -> NDArray:
        """Names of the neurons: ``layer_3_neuron_17`` is neuron 17 of layer 3."""
        return self.neurons.names

    def layer(self, layer: int) -> NDArray:
        """Activations of one layer.

        Parameters
        ----------
        layer : int
            As in `layers`.

        Returns
        -------
        ndarray of shape (n_words, n_neurons / n_layers)
            A view.

        Raises
        ------
        ValueError
            If the layer is not in X.
        """
        return self.X[:, self.neurons.columns(layer)]

    def save(self, path: str | PathLike) -> None:
        """Write the activations into a folder, which :meth:`load` opens as a map.

        Parameters
        ----------
        path : str or path
            A folder that is not there yet, or empty.

        Raises
        ------
        ValueError
            If the folder holds something else, or rows are not the words of sentences in order,
            as special tokens are not.
        """
        if not len(self):
            raise ValueError("There are no words to save.")
        change = np.flatnonzero(np.diff(self.sentence_ids)) + 1
        words = [part.tolist() for part in np.split(self.words, change)]
        expected = np.concatenate([np.arange(len(part)) for part in words])
        if not np.array_equal(self.positions, expected):
            raise ValueError("A store holds all words of a sentence in order, and nothing else.")
        writer = StoreWriter(
            path,
            layers=self.layers,
            width=self.X.shape[1] // self.n_layers,
            dtype=self.X.dtype.name,
            words=words,
            sentence_ids=self.sentence_ids[np.concatenate([[0], change])],
            labels=self.y,
            parameters={"unit": self.unit},
        )
        with writer:
            writer.append(self.X, k=len(words))

    @classmethod
    def load(
        cls, path: str | PathLike, *, verify: bool = False, partial: bool = False
    ) -> TokenActivations:
        """Open a store: its words in memory, its activations as a memory map.

        Parameters
        ----------
        path : str or path-like
            A folder written by :meth:`save`, :meth:`ActivationExtractor.extract` or
            :class:`StoreWriter`.
        verify : bool, default=False
            Read all rows and compare their checksum. Everything else is always verified.
        partial : bool, default=False
            Load the sentences that are already written if the store is unfinished.

        Returns
        -------
        TokenActivations
            X is a read-only ``np.memmap``, which takes no memory until it is read.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        ValueError
            If the folder is not a store, or the store is of another schema, unfinished (unless
            `partial`), or damaged. The message says which files are intact.
        """
        return cls(**load_store(path, partial=partial, verify=verify))

    @classmethod
    def describe(cls, path: str | PathLike) -> dict[str, Any]:
        """Describe a store without loading its words and activations.

        Parameters
        ----------
        path : str or path-like
            The folder of the store.

        Returns
        -------
        dict
            ``layers``, ``width``, ``dtype``, ``n_sentences``, ``n_words``, ``n_done``,
            ``n_words_done`` and the ``parameters`` that it was written with.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        ValueError
            If the folder is not a store, or its ``store.json`` or ``progress.json`` is damaged.
        """
        return describe_store(path)

    def to_frame(self) -> Any:
        """Activations as a table that scikit-learn carries names through.

        Returns
        -------
        pandas.DataFrame of shape (n_words, n_neurons)
            Columns named by `neuron_names`, rows by sentence_id, position and word.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        index = pandas.MultiIndex.from_arrays(
            [self.sentence_ids, self.positions, self.words],
            names=["sentence_id", "position", "word"],
        )
        return pandas.DataFrame(self.X, index=index, columns=self.neuron_names, copy=False)


def _check_rows(rows: Any, n_words: int) -> NDArray:
    """Check a mask or integers that choose rows."""
    place = np.asarray(rows)
    if place.ndim == 1 and not place.size and not isinstance(rows, np.ndarray):
        place = place.astype(np.intp)  # an empty list chooses nothing
    if place.ndim != 1 or place.dtype.kind not in "biu":
        raise TypeError(
            "Words are chosen by a slice, a mask or a list of integers, got "
            f"{type(rows).__name__} {rows!r:.60}."
        )
    if place.dtype.kind == "b" and len(place) != n_words:
        raise IndexError(f"The mask has {len(place)} values, but there are {n_words} words.")
    outside = (place < -n_words) | (place >= n_words)
    if place.dtype.kind != "b" and outside.any():
        raise IndexError(f"There is no word {place[outside][0]}: there are {n_words} words.")
    return place


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
