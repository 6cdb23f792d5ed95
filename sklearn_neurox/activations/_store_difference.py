"""Differences between a store on disk and the store to be written."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import zip_longest
from typing import Any

from numpy.typing import NDArray

from ._store_folder import StoreFolder
from ._store_format import IDS, LABELS, PLACES, WORDS, Json
from ._store_layout import LAYOUT


def first_difference(
    folder: StoreFolder, stored: Json, new: Json, corpus: list[list[str]], y: NDArray | None
) -> str | None:
    """Describe the first difference between the stored and the new data, or return None.

    Parameters
    ----------
    folder : StoreFolder
    stored, new : dict
        Descriptions of the store on disk and of the one to write.
    corpus : list of list of str
        Words of the new store.
    y : ndarray of shape (n_words,) or None
        Labels of the new store.
    """
    if difference := differing_entry(stored, new, None):
        return difference
    files = stored["files"], new["files"]
    if files[0][WORDS] != files[1][WORDS]:
        words = folder.read_file(stored, WORDS)
        pairs = enumerate(zip_longest(words, corpus))
        i = next(i for i, (a, b) in pairs if a != b)
        shown = [str(side[i])[:80] if i < len(side) else "missing" for side in (words, corpus)]
        return _differ(f"sentence {i}", *shown)
    if files[0].get(IDS) != files[1].get(IDS):
        return "sentence_ids differ"
    if files[0].get(PLACES) != files[1].get(PLACES):
        return "positions or offsets differ"
    if files[0].get(LABELS) != files[1].get(LABELS):
        return _differing_label(folder, stored, corpus, y)
    return _differing_parameter(stored["parameters"], new["parameters"])


def differing_entry(stored: Json, new: Json, varying: Collection[str] | None) -> str | None:
    """Describe the first entry of a description that differs, or return None.

    Parameters
    ----------
    stored, new : dict
        Descriptions, or parts of them.
    varying : collection of str or None
        If not None, parameters are compared too, except these.
    """
    for key in ("layers", "width", "dtype", *LAYOUT):
        before, after = (side.get(key, LAYOUT.get(key)) for side in (stored, new))
        if before != after:
            return _differ(key, before, after)
    if varying is None:
        return None
    parameters = (
        {name: value for name, value in side["parameters"].items() if name not in varying}
        for side in (stored, new)
    )
    return _differing_parameter(*parameters)


def _differ(what: str, stored: Any, new: Any) -> str:
    return f"{what} is {stored} in the store, but {new} was passed"


def _differing_label(
    folder: StoreFolder, stored: Json, corpus: list[list[str]], y: NDArray | None
) -> str:
    if stored["labels"] is None:
        return "the store has no labels, but labels were passed"
    if y is None:
        return "the store has labels, but no labels were passed"
    before, after = folder.read_file(stored, LABELS).tolist(), y.tolist()
    pairs = enumerate(zip(before, after, strict=True))
    place = next((i for i, (a, b) in pairs if repr(a) != repr(b)), None)
    if place is None:
        return _differ("the dtype of the labels", stored["labels"], y.dtype.str)
    sentence, word = 0, place
    while word >= len(corpus[sentence]):
        word -= len(corpus[sentence])
        sentence += 1
    where = f"the label of sentence {sentence}, word {word} ({corpus[sentence][word]!r:.60}),"
    return _differ(where, f"{before[place]!r:.60}", f"{after[place]!r:.60}")


def _differing_parameter(stored: Json, new: Json) -> str | None:
    for key in new | stored:
        # Compared as text, because True == 1 and 1 == 1.0.
        a, b = (
            json.dumps(side[key], sort_keys=True)[:80] if key in side else "missing"
            for side in (stored, new)
        )
        if a != b:
            return _differ(f"parameters[{key!r}]", a, b)
    return None
