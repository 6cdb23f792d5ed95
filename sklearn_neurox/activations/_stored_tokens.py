"""Token activations that are written to stores and read from them."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

from ._packing import columns_of_sentences
from ._saving import save_tokens
from ._store_reader import StoredActivations, describe_store, read_store
from .columns import Layer


class StoredTokens:
    """Writing to a store, and constructor from a store."""

    def save(
        self,
        path: str | PathLike,
        *,
        split_layers: bool = False,
        max_file_size: int | str | None = None,
    ) -> None:
        """Write the activations to a folder, which :meth:`load` opens as a memory map.

        Parameters
        ----------
        path : str or path-like
            A new or empty folder.
        split_layers : bool, default=False
            Whether to write each layer to a file of its own, as in :class:`StoreWriter`.
        max_file_size : int or str, default=None
            Largest size of a file of X, as in :class:`StoreWriter`.

        Raises
        ------
        ValueError
            If the folder contains something else, or there are no rows.

        Notes
        -----
        Any selection of rows and layers can be saved. `provenance` becomes the parameters of the
        store. Rows of bfloat16 are stored as such.
        """
        save_tokens(self, path, split_layers=split_layers, max_file_size=max_file_size)

    @classmethod
    def load(
        cls,
        path: str | PathLike,
        *,
        verify: bool = False,
        partial: bool = False,
        layers: Sequence[Layer] | None = None,
    ) -> Self:
        """Open a store: its words in memory, and its activations as a memory map.

        Parameters
        ----------
        path : str or path-like
            A folder written by :meth:`save`, :meth:`ActivationExtractor.extract` or
            :class:`StoreWriter`.
        verify : bool, default=False
            Whether to read all rows and verify their checksum. Everything else is always verified.
        partial : bool, default=False
            Whether to load the sentences that are already written if the store is unfinished. If
            several processes write it, these are the sentences before the first gap.
        layers : sequence of int or str, default=None
            Layers to load, in this order. If each layer has its own files, the files of all other
            layers may be missing. If None, all layers are loaded.

        Returns
        -------
        TokenActivations
            X is a read-only ``np.memmap``, which does not use memory until it is read. If X is
            divided into several files, ``tokens.layer(layer)`` is such a map of the file of the
            layer, and reading X copies all rows, to a temporary file if they are large. In a store
            of bfloat16, reading X converts all rows to float32 in memory. ``tokens[rows].X``,
            ``tokens.layer(layer)`` and ``tokens.select(layers=...)`` read only a part.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        ValueError
            If it is not a store, has another schema, is unfinished (unless `partial` is True), or
            is damaged, or does not contain a layer. The message says which files are intact.
        """
        return tokens_of(cls, read_store(path, verify=verify, partial=partial, layers=layers))

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
            ``n_words_done``, ``split_layers``, ``max_file_size``, the ``parameters`` that the store
            was written with, and ``files``, the names of the files with each layer. If the rows of
            a sentence are not adjacent, ``n_sentences`` counts its runs of adjacent rows. While
            several processes write the store, ``n_done`` counts the sentences before the first gap.
            If ``progress.json`` is missing, ``n_done`` and ``n_words_done`` are None.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such store, or its ``store.json`` or ``progress.json`` is damaged.
        """
        return describe_store(path)


def tokens_of(kind: Any, stored: StoredActivations) -> Any:
    """Return what was read from a store as an object of a class, which is TokenActivations."""
    return kind(
        X=stored.X,
        **columns_of_sentences(stored.words, stored.sentence_ids, stored.positions),
        layers=stored.layers,
        y=stored.labels,
        unit=stored.parameters.get("unit", "neuron"),
        offsets=stored.offsets,
        provenance=stored.parameters,
    )
