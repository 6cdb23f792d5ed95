"""Activations together with the words, sentences and labels that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._optional import import_optional
from .._wording import count
from ..datasets.sentences import Sentence, check_corpus
from ._hidden_states import FromHiddenStates
from ._packing import columns_of_sentences
from ._rows import (
    check_optional_labels,
    check_rows,
    check_sentence_ids,
    labels_of_words,
    stack_sentences,
)
from ._stored_tokens import StoredTokens
from .bfloat16 import Rows, beside, name_of_dtype, to_numpy
from .columns import Layer, Neurons, check_layers
from .texts import TextActivations, rows_by_text


@dataclass(frozen=True, eq=False, repr=False)
class TokenActivations(StoredTokens, FromHiddenStates):
    """Activations of a network on the words of a corpus: one row per word.

    Use ``tokens[rows]`` to select words, and ``tokens.select(layers=...)`` to select layers.

    Parameters
    ----------
    X : ndarray of shape (n_words, n_neurons)
        Activations. A layer is a run of n_neurons / n_layers columns.
    words : ndarray of str of shape (n_words,)
        The words.
    sentence_ids : ndarray of int of shape (n_words,)
        Number of the sentence of each word in the corpus. Pass it as ``groups`` to keep each
        sentence on one side of a split.
    positions : ndarray of int of shape (n_words,)
        Position of each word in its sentence, starting from 0, or -1 for special tokens.
    layers : tuple of int or str
        Layers in X, in the order of the columns. Layer 0 consists of the embeddings.
    y : array-like of shape (n_words,), default=None
        Labels of the words: all strings, all booleans or all finite numbers.
    unit : str, default="neuron"
        Kind of the columns, as in :class:`Neurons`.
    offsets : ndarray of int of shape (n_words, 2), default=None
        First character of each word or token in its text, and the character after its last one.

    provenance : mapping, default=None
        How the activations were computed, such as the model, a digest of its weights, and the
        parameters of the extraction. Selections keep it, and :meth:`save` stores it.

    Attributes
    ----------
    dtype : str
        Dtype of the activations. That of X, unless they are bfloat16, which NumPy does not have: X
        is then float32.
    neurons : Neurons
        Layer, kind and index of each column of X.
    neuron_names : ndarray of str of shape (n_neurons,)
        Names of the columns of X.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurox import TokenActivations
    >>> tokens = TokenActivations.from_sentences(
    ...     [np.zeros((2, 6))], [["to", "be"]], [["PART", "AUX"]], layers=(0, 1))
    >>> tokens
    TokenActivations(2 words in 1 sentence, 6 neurons in 2 layers, float64, with labels)
    >>> tokens.layer(1).shape
    (2, 3)
    >>> tokens.neurons.names[-1]
    'layer_1_neuron_2'
    >>> tokens[tokens.y == "AUX"].words
    array(['be'], dtype=object)
    """

    X: NDArray
    words: NDArray
    sentence_ids: NDArray[np.intp]
    positions: NDArray[np.intp]
    layers: tuple[Layer, ...]
    y: Any = None
    unit: str = "neuron"
    offsets: NDArray[np.intp] | None = None
    provenance: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", check_optional_labels(self.y))
        for name in ("words", "sentence_ids", "positions", "y", "offsets"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self):
                raise ValueError(f"X has {len(self)} rows, but {name} has {len(column)}.")
        object.__setattr__(self, "layers", check_layers(self.layers))
        if self._rows.shape[1] % len(self.layers):
            raise ValueError(
                f"X has {self._rows.shape[1]} neurons, which cannot be divided into "
                f"{len(self.layers)} layers of equal width."
            )
        len(self.neurons)  # raises if the unit is not valid

    @classmethod
    def from_sentences(
        cls,
        arrays: Sequence[ArrayLike] | NDArray,
        sentences: Sequence[Sentence],
        labels: Sequence[Sequence[Any]] | NDArray | None = None,
        *,
        layers: Sequence[Layer] | None = None,
        unit: str = "neuron",
        sentence_ids: ArrayLike | None = None,
    ) -> TokenActivations:
        """Build token activations from one array of activations per sentence.

        Parameters
        ----------
        arrays : sequence of array-like of shape (n_words_of_the_sentence, n_neurons), or ndarray \
                of shape (n_words, n_neurons)
            Activations of each sentence, or of all words in the order of the sentences.
        sentences : sequence of sequences of str, or of str
            Words of each sentence. A string is split on single spaces.
        labels : sequence of sequences, or ndarray of shape (n_words,), default=None
            Labels of the words: a list for each sentence, or a single array for all words.
        layers : sequence of int or str, default=None
            Layers in the arrays, in the order of their columns. If None, a single layer, 0.
        unit : str, default="neuron"
            Kind of the columns, as in :class:`Neurons`.
        sentence_ids : array-like of int of shape (n_sentences,), default=None
            Number of each sentence in the corpus. If None, sentences are numbered from 0.

        Returns
        -------
        TokenActivations

        Raises
        ------
        TypeError, ValueError
            If the array of a sentence does not have one row of floats per word, widths or dtypes
            differ, or the labels do not match the words. The message names the sentence.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_neurox import TokenActivations
        >>> arrays = [np.array([[0.5, 1.0], [0.0, 2.0]]), np.array([[1.5, 0.0]])]
        >>> tokens = TokenActivations.from_sentences(arrays, ["to be", "or"])
        >>> tokens.words.tolist(), tokens.sentence_ids.tolist(), tokens.positions.tolist()
        (['to', 'be', 'or'], [0, 0, 1], [0, 1, 0])
        """
        corpus = check_corpus(sentences)
        lengths = [len(words) for words in corpus]
        X = stack_sentences(arrays, lengths)
        y = labels_of_words(labels, corpus)
        ids = None if sentence_ids is None else check_sentence_ids(sentence_ids, len(corpus))
        layers = (0,) if layers is None else layers
        return pack_sentences(X, corpus, layers=layers, sentence_ids=ids, y=y, unit=unit)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice | ArrayLike) -> TokenActivations:
        """Select words.

        Parameters
        ----------
        rows : slice, array-like of bool of shape (n_words,), or array-like of int
            A slice, a mask, or the indices of the words to select, in this order.

        Returns
        -------
        TokenActivations
            X is a view if `rows` is a slice.

        Raises
        ------
        TypeError, IndexError
            If `rows` is anything else, a mask has another length, or a word does not exist.
        """
        place = rows if isinstance(rows, slice) else check_rows(rows, len(self))
        return replace(
            self,
            X=self._rows[place],
            words=self.words[place],
            sentence_ids=self.sentence_ids[place],
            positions=self.positions[place],
            y=None if self.y is None else self.y[place],
            offsets=None if self.offsets is None else self.offsets[place],
        )

    __iter__ = None  # not a sequence: iterate over `words` or `X` instead

    def __repr__(self) -> str:
        n_words, n_neurons = self._rows.shape
        n_sentences = len(np.unique(self.sentence_ids))
        kind = "word" if self.offsets is None else "token"
        row = (self.provenance or {}).get("rows", kind)
        text = "sentence" if row == "word" else "text"
        return (
            f"{type(self).__name__}({count(n_words, row)} in "
            f"{count(n_sentences, text)}, {count(n_neurons, 'neuron')} in "
            f"{count(self.n_layers, 'layer')}, {self.dtype}"
            f"{', with labels' if self.y is not None else ''})"
        )

    @property
    def _rows(self) -> Any:
        """The activations in their own dtype: X, a BlockArray or a Bfloat16Array."""
        return vars(self)["rows"]

    @property
    def dtype(self) -> str:
        """Name of the dtype of the activations, such as "bfloat16"."""
        return name_of_dtype(self._rows)

    @property
    def n_layers(self) -> int:
        """Number of layers in X."""
        return len(self.layers)

    @cached_property
    def neurons(self) -> Neurons:
        """Layer, kind and index of each column of X."""
        return Neurons(self.layers, self._rows.shape[1] // self.n_layers, self.unit)

    @property
    def neuron_names(self) -> NDArray[np.object_]:
        """Names of the columns of X."""
        return self.neurons.names

    def layer(self, layer: Layer) -> NDArray:
        """Return the activations of one layer.

        Parameters
        ----------
        layer : int or str
            One of `layers`.

        Returns
        -------
        ndarray of shape (n_words, n_neurons / n_layers)
            A view of X. If the activations are bfloat16, an array of float32.

        Raises
        ------
        ValueError
            If X does not contain the layer.
        """
        return to_numpy(self._rows[:, self.neurons.columns(layer)])

    def select(self, *, layers: Sequence[Layer]) -> TokenActivations:
        """Select layers.

        Parameters
        ----------
        layers : sequence of int or str
            Some of `layers`, in any order.

        Returns
        -------
        TokenActivations
            With the layers in the order given.

        Raises
        ------
        ValueError
            If X does not contain a layer, or a layer is repeated.
        """
        chosen = check_layers(layers)
        parts = [self._rows[:, self.neurons.columns(layer)] for layer in chosen]
        X: Any = beside(parts)
        return replace(self, X=X, layers=chosen)

    def by_text(self) -> TextActivations:
        """Return the activations as a sequence of arrays, one per text or sentence.

        scikit-learn's splitters and searches index this sequence by text.

        Returns
        -------
        TextActivations
            A sequence of n_texts arrays of shape (n_rows_of_the_text, n_neurons), in the order in
            which the texts first occur. It has the attributes ``text_ids`` and ``y``.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.model_selection import train_test_split
        >>> from sklearn_neurox import TokenActivations
        >>> tokens = TokenActivations.from_sentences(np.zeros((6, 2)), ["to be", "or", "not to be"])
        >>> texts = tokens.by_text()
        >>> [X.shape for X in texts]
        [(2, 2), (1, 2), (3, 2)]
        >>> train, test = train_test_split(texts, test_size=1, random_state=0)
        >>> len(train), len(test)
        (2, 1)
        """
        return TextActivations(self, rows_by_text(self.sentence_ids))

    def to_frame(self) -> Any:
        """Return the activations as a DataFrame, whose column names are kept by scikit-learn.

        Returns
        -------
        pandas.DataFrame of shape (n_words, n_neurons)
            The columns are named by `neuron_names`, the rows by sentence_id, position and word.
        """
        pandas = import_optional("pandas", extra="plot", purpose="to_frame()")
        index = pandas.MultiIndex.from_arrays(
            [self.sentence_ids, self.positions, self.words],
            names=["sentence_id", "position", "word"],
        )
        return pandas.DataFrame(self.X, index=index, columns=self.neuron_names, copy=False)


def pack_sentences(
    X: Any,
    words: Sequence[Sequence[str]],
    *,
    layers: Sequence[Layer],
    sentence_ids: ArrayLike | None = None,
    positions: Sequence[Sequence[int]] | NDArray[np.intp] | None = None,
    y: NDArray | None = None,
    unit: str = "neuron",
    offsets: NDArray[np.intp] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> TokenActivations:
    """Build token activations from rows and words that are already checked.

    `words`, `sentence_ids` and `positions` have one entry per sentence, unless `positions` is an
    array. If `sentence_ids` or `positions` is None, they are numbered from 0.
    """
    return TokenActivations(
        X=X,
        **columns_of_sentences(words, sentence_ids, positions),
        layers=check_layers(layers),
        y=y,
        unit=unit,
        offsets=offsets,
        provenance=provenance,
    )


def _read(tokens: TokenActivations) -> NDArray:
    columns = vars(tokens)
    if isinstance(columns["rows"], np.ndarray):
        return columns["rows"]
    if "joined" not in columns:
        columns["joined"] = to_numpy(columns["rows"])
    return columns["joined"]


def _write(tokens: TokenActivations, rows: Rows) -> None:
    vars(tokens)["rows"] = rows


# X of bfloat16 is converted, and X of several files is joined, when it is read. The property is
# added after the class has become a dataclass, because a value in the body of the class would be a
# default value.
TokenActivations.X = property(_read, _write, doc="Activations.")  # type: ignore[assignment]  # of a field
