"""Sentences in the two file formats of NeuroX, .hdf5 and .json."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._json import load_json
from .._wording import count
from ._hdf5_reading import Hdf5File
from ._hdf5_writing import hdf5_writer
from .dtypes import DTYPES, native_name

_INDEX = "sentence_to_index"
_NOT_NEUROX = (
    "a JSON object in a dataset of one string. It was not written by NeuroX, or writing it was "
    "interrupted."
)


class FileSentence(NamedTuple):
    """A sentence as stored in a file."""

    number: int
    words: list[str]
    layers: tuple[int, ...]
    values: Any  # (n_layers, n_words, width), or (n_words, width) of one layer; possibly on disk
    positions: list[int] | None = None  # of the words, unless they are numbered from 0


# An .hdf5 file has a dataset (n_layers, n_words, width) for each sentence, named by its number, and
# `sentence_to_index`, a JSON object that maps the texts of the sentences to these numbers. If only
# some words have a row, the dataset has the attribute `positions`.


def read_hdf5(file: Hdf5File) -> list[FileSentence]:
    """Read the sentences of an open .hdf5 file, leaving their values on disk."""
    path = file.path
    keys = _hdf5_keys(file)
    unnamed = set(file.members) - {_INDEX, *keys}
    if unnamed:
        raise ValueError(
            f"{path}: {_INDEX} does not contain a sentence for the datasets {sorted(unnamed)[:3]}."
        )
    texts, sentences = set(keys.values()), []
    for name, key in keys.items():
        place = f"{path}, sentence {name} ({key[:80]!r})"
        values = file.dataset(name)
        if values is None or values.ndim not in {2, 3} or native_name(values.dtype) not in DTYPES:
            found = file.members.get(name, {}).get("text")
            raise ValueError(
                f"{place}: expected a dataset {name!r} of floats of shape (n_layers, n_words, "
                f"width) or (n_words, width), got {found}."
            )
        n_layers = values.shape[0] if values.ndim == 3 else 1
        # write_activations stores the numbers of the layers; NeuroX does not.
        layers = tuple(range(n_layers) if file.layers is None else file.layers)
        if not all(map(_is_number, layers)) or len(set(layers)) != n_layers:
            raise ValueError(
                f"{place}: got {n_layers} layers, but the attribute 'layers' is {layers!r:.80} "
                f"({len(layers)} values)."
            )
        if not n_layers:
            raise ValueError(f"{place}: expected at least one layer, got shape {values.shape}.")
        _check_width(values.shape[-1], place)
        words = _split_key(key, values.shape[-2], texts, place)
        positions = _check_positions(file.members[name].get("positions"), len(words), place)
        sentences.append(FileSentence(int(name), words, layers, values, positions))
    return sentences


def _hdf5_keys(file: Hdf5File) -> dict[str, str]:
    """Return a dict from the names of the datasets to the texts of their sentences."""
    path = file.path
    stored = file.dataset(_INDEX)
    if stored is None or stored.dtype.kind not in "OS" or math.prod(stored.shape) != 1:
        raise ValueError(f"{path} does not contain {_INDEX}, {_NOT_NEUROX}")
    text = bytes(file.receive(file.request(_INDEX))).rstrip(b"\0")  # which pads fixed lengths
    try:
        index = load_json(text)
        keys = {str(name): key for key, name in index.items()}
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} does not contain {_INDEX}, {_NOT_NEUROX} ({type(error).__name__}: {error})"
        ) from error
    for name in keys:
        if not re.fullmatch("0|[1-9][0-9]{0,18}", name) or not _is_number(int(name)):
            raise ValueError(f"{path}, {_INDEX}: expected numbers, got {name!r:.60}.")
    if len(keys) < len(index):
        raise ValueError(f"{path}, {_INDEX}: two sentences have the same number.")
    return keys


def _split_key(key: str, n_rows: int, keys: Collection[str], place: str) -> list[str]:
    """Split the text of a sentence into words.

    The number of rows distinguishes the three words "a (Occurrence 2)" from the second of two
    sentences "a".
    """
    words = key.split(" ")
    copy = re.fullmatch(r"(.*) \(Occurrence [0-9]+\)", key, re.DOTALL)
    if copy and len(words) == n_rows + 2 and copy[1] in keys:
        words = words[:-2]
    if len(words) != n_rows or not n_rows:
        raise ValueError(
            f"{place}: got {count(len(words), 'word')}, but {count(n_rows, 'row')} of activations. "
            "Extract the file again, with words separated by single spaces and without sentences "
            "that exceed the maximum length of the model."
        )
    return words


def write_hdf5(path: Path, sentences: Iterator[FileSentence]) -> None:
    """Write sentences into an .hdf5 file."""
    keys: dict[str, str] = {}
    seen: Counter[str] = Counter()
    with hdf5_writer(path) as writer:
        for s in sentences:
            dataset = writer.file.create_dataset(str(s.number), data=s.values)
            if s.positions is not None:  # NeuroX does not read them
                dataset.attrs["positions"] = s.positions
            writer.file.attrs["layers"] = s.layers
            key = text = " ".join(s.words)
            while key in keys:  # NeuroX counts repeated sentences from 2
                seen[text] += 1
                key = f"{text} (Occurrence {seen[text] + 1})"
            keys[key] = str(s.number)
            if writer.has_failed:
                break
        writer.add_text(_INDEX, json.dumps(keys))


# A .json file has a line for each sentence: {"linex_index": 0, "features": [{"token": "Hello",
# "layers": [{"index": 0, "values": [...]}, ...]}, ...]}


def read_json(path: Path) -> Iterator[FileSentence]:
    """Read the sentences of a .json file."""
    with path.open("rb") as file:
        for row, line in enumerate(file, start=1):
            try:
                yield _json_sentence(load_json(line))
            except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
                raise ValueError(
                    f"{path}, line {row} is truncated, damaged or not written by NeuroX "
                    f"({type(error).__name__}: {error})."
                ) from error


def _json_sentence(content: Any) -> FileSentence:
    number, features = content["linex_index"], content["features"]
    if not _is_number(number) or not isinstance(features, list) or not features:
        raise ValueError(
            f"expected a number and words, got linex_index {number!r:.60}, {features!r:.60}"
        )
    words, values, first = [], [], None
    for word in features:
        layers = tuple(layer["index"] for layer in word["layers"])
        if len(set(layers)) < len(layers) or layers != (first := first or layers):
            raise ValueError(
                f"the layers of {word['token']!r:.60} are {layers}, but those of the first word "
                f"are {first}"
            )
        rows = [layer["values"] for layer in word["layers"]]
        if not {type(value) for row in rows for value in row} <= {float, int}:
            raise ValueError(f"the values of {word['token']!r:.60} are not all numbers")
        words.append(word["token"])
        values.append(rows)
    widths = sorted({len(row) for rows in values for row in rows})
    if len(widths) > 1:
        raise ValueError(f"the lists of values have different lengths, {widths}")
    array = np.array(values, dtype=np.float64).swapaxes(0, 1)
    if array.ndim != 3 or {*map(type, words)} != {str} or not all(map(_is_number, first or [""])):
        raise ValueError(
            "expected strings as token, non-negative integers as index, lists as values, got the "
            f"layers {first}"
        )
    _check_width(array.shape[-1], "the sentence")
    positions = _check_positions(content.get("positions"), len(words), "the sentence")
    return FileSentence(number, words, first or (), array, positions)


def _check_positions(positions: Any, n_words: int, place: str) -> list[int] | None:
    """Check the positions of words, which files of NeuroX do not contain."""
    if positions is None:
        return None
    if (
        not isinstance(positions, list)
        or len(positions) != n_words
        or not all(type(each) is int and -1 <= each < 2**31 for each in positions)
    ):
        raise ValueError(
            f"{place}: expected a position of each of the {n_words} words, got {positions!r:.60}."
        )
    return positions


def _is_number(value: object) -> bool:
    """Return whether a value is a valid number of a sentence or layer."""
    return type(value) is int and 0 <= value < 2**63


def _check_width(width: int, place: str) -> None:
    if not width:
        raise ValueError(f"{place}: expected at least one value for each word and layer, got none.")


def write_json(path: Path, sentences: Iterator[FileSentence]) -> None:
    """Write sentences into a .json file."""
    # ASCII, because NeuroX reads in the encoding of the machine. Values are written with all digits
    # of float64, which is exact, while NeuroX rounds to 8 decimals.
    with path.open("w", encoding="ascii", newline="\n") as file:
        for s in sentences:
            features = [
                {
                    "token": word,
                    "layers": [
                        {"index": layer, "values": row.tolist()}
                        for layer, row in zip(s.layers, rows, strict=True)
                    ],
                }
                for word, rows in zip(s.words, s.values.swapaxes(0, 1), strict=True)
            ]
            content = {"linex_index": s.number, "features": features}
            if s.positions is not None:  # NeuroX does not read them
                content["positions"] = s.positions
            file.write(json.dumps(content) + "\n")
