"""What a store contains besides its rows: the words, labels and places of rows, and parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._rows import check_sentence_ids, check_stored_words
from ._store_description import check_description
from ._store_difference import differing_entry
from ._store_folder import StoreFolder
from ._store_format import (
    IDS,
    LABELS,
    PLACES,
    PROGRESS,
    WORDS,
    Json,
    check_json,
    check_places,
    check_stored_labels,
    to_npy,
)
from ._store_layout import LAYOUT, layout_of
from .columns import Layer, check_layers
from .dtypes import check_dtype


@dataclass(frozen=True)
class StoreContent:
    """The content of a store, except its rows.

    Parameters
    ----------
    words : list of list of str
        The words of each sentence.
    sentence_ids : ndarray of int of shape (n_sentences,)
    labels : ndarray of shape (n_words,) or None
    places : ndarray of int of shape (n_words, 3) or None
        The position, the first character and the end of each row in its text.
    about : dict
        Layers, width, dtype, layout and parameters.
    growth : dict, default={}
        If the store has grown: its generation, and what it contained before.
    """

    words: list[list[str]]
    sentence_ids: NDArray[np.int64]
    labels: NDArray | None
    places: NDArray[np.int64] | None
    about: Json
    growth: Json = field(default_factory=dict)

    @classmethod
    def check(
        cls,
        *,
        layers: Sequence[Layer],
        width: int,
        dtype: str,
        words: Sequence[Sequence[str]],
        sentence_ids: ArrayLike,
        labels: ArrayLike | None,
        parameters: Mapping[str, Any] | None,
        positions: ArrayLike | None,
        offsets: ArrayLike | None,
        split_layers: bool,
        max_file_size: int | str | None,
    ) -> StoreContent:
        """Check the arguments of a StoreWriter."""
        corpus = check_stored_words(words, are_tokens=positions is not None)
        lengths = [len(sentence) for sentence in corpus]
        y = None if labels is None else check_stored_labels(labels, sum(lengths))
        places = check_places(positions, offsets, lengths)
        ids = check_sentence_ids(sentence_ids, len(corpus), are_distinct=positions is None)
        about = {
            "layers": list(check_layers(layers)),
            "width": index(width),
            "dtype": check_dtype(dtype),
            "parameters": check_json(dict(parameters or {}), "parameters"),
        } | layout_of(split_layers, max_file_size)
        content = cls(corpus, ids, y, places, about)
        check_description(content.description(content.files()))
        return content

    @property
    def lengths(self) -> list[int]:
        """Numbers of words of the sentences."""
        return [len(sentence) for sentence in self.words]

    def files(self) -> dict[str, bytes]:
        """Return the content of each file."""
        files = {
            WORDS: json.dumps(self.words, separators=(",", ":")).encode(),
            IDS: to_npy(self.sentence_ids),
        }
        if self.labels is not None:
            files[LABELS] = to_npy(self.labels)
        if self.places is not None:
            files[PLACES] = to_npy(self.places.ravel())
        return files

    def description(self, files: Mapping[str, bytes]) -> Json:
        """Return the description of a store with these files."""
        about = dict(self.about)
        parameters = about.pop("parameters")
        return (
            about
            | {
                "n_sentences": len(self.words),
                "n_words": sum(self.lengths),
                "labels": None if self.labels is None else self.labels.dtype.str,
                "files": {name: hashlib.sha256(each).hexdigest() for name, each in files.items()},
                "parameters": parameters,
            }
            | self.growth
        )


def grown(folder: StoreFolder, new: StoreContent, varying: Collection[str]) -> StoreContent:
    """Return the content of a store together with the sentences to append.

    Parameters
    ----------
    folder : StoreFolder
        Of an existing store. If appending the same sentences was interrupted, it is resumed.
    new : StoreContent
    varying : collection of str
        Names of parameters that describe the words, and are combined.

    Raises
    ------
    ValueError
        If the store is damaged, or has other layers, another dtype, other parameters, or labels of
        another kind.
    """
    store = folder.read_description()
    files = folder.read_files(store)
    finished = files[PROGRESS]["n_sentences"] == store["n_sentences"]
    before = store.get("grown_from")
    old = _content_of(store, files)
    if finished:
        known = {name: store["parameters"].get(name) for name in varying}
        before = {
            "sha256": store["sha256"],
            "n_sentences": store["n_sentences"],
            "n_words": store["n_words"],
            "varying": known,
        }
        growth = {"generation": store.get("generation", 0) + 1, "grown_from": before}
    elif before is None:
        return new  # the same call created the store
    else:
        old = _beginning(old, before)
        growth = {"generation": store["generation"], "grown_from": before}
    _check_alike(folder, old, new, varying)
    return _joined(old, new, varying, growth)


def _content_of(store: Json, files: Mapping[str, Any]) -> StoreContent:
    names = ("layers", "width", "dtype", *LAYOUT, "parameters")
    about = {name: store[name] for name in names if name in store}
    labels = files.get(LABELS)
    if labels is not None:
        labels = labels.astype(labels.dtype.newbyteorder("<"))
    return StoreContent(files[WORDS], files[IDS], labels, files.get(PLACES), about)


def _beginning(content: StoreContent, before: Json) -> StoreContent:
    """Return the content of a store before it began to grow."""
    n_sentences, n_words = before["n_sentences"], before["n_words"]
    labels, places = content.labels, content.places
    about = content.about | {"parameters": content.about["parameters"] | before["varying"]}
    return replace(
        content,
        words=content.words[:n_sentences],
        sentence_ids=content.sentence_ids[:n_sentences],
        labels=None if labels is None else labels[:n_words],
        places=None if places is None else places[:n_words],
        about=about,
    )


def _check_alike(
    folder: StoreFolder, old: StoreContent, new: StoreContent, varying: Collection[str]
) -> None:
    """Check that sentences can be appended to a store."""
    difference = differing_entry(old.about, new.about, varying)
    if difference is None and (old.labels is None) != (new.labels is None):
        difference = (
            "the store has no labels, but labels were passed"
            if old.labels is None
            else "the store has labels, but no labels were passed"
        )
    if difference is None and old.labels is not None and new.labels is not None:
        kinds = old.labels.dtype.kind, new.labels.dtype.kind
        if kinds[0] != kinds[1]:
            difference = (
                f"the labels of the store are {old.labels.dtype}, but those of the new sentences "
                f"are {new.labels.dtype}"
            )
    if difference is not None:
        raise ValueError(f"{folder.path} cannot be extended by other activations: {difference}.")


def _joined(
    old: StoreContent, new: StoreContent, varying: Collection[str], growth: Json
) -> StoreContent:
    first = int(old.sentence_ids.max()) + 1
    labels = None
    if old.labels is not None and new.labels is not None:
        labels = np.concatenate([old.labels, new.labels])
        labels = labels.astype(labels.dtype.newbyteorder("<"))
    places = None
    if old.places is not None or new.places is not None:
        places = np.concatenate([_places(old), _places(new)])
    parameters = dict(new.about["parameters"])
    for name in varying:
        both = old.about["parameters"].get(name), parameters.get(name)
        parameters[name] = hashlib.sha256(json.dumps(both).encode()).hexdigest()
    return StoreContent(
        [*old.words, *new.words],
        np.concatenate([old.sentence_ids, new.sentence_ids + first]).astype("<i8"),
        labels,
        places,
        new.about | {"parameters": parameters},
        growth,
    )


def _places(content: StoreContent) -> NDArray[np.int64]:
    if content.places is not None:
        return content.places
    places = np.full((sum(content.lengths), 3), -1, dtype="<i8")
    places[:, 0] = np.concatenate([np.arange(length) for length in content.lengths])
    return places
