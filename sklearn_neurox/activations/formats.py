"""Activations in the files of NeuroX: .hdf5 and .json."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from numbers import Integral
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._layouts import (
    _DTYPES,
    _hdf5_sentences,
    _json_sentences,
    _open_hdf5,
    _Sentence,
    _write_hdf5,
    _write_json,
)
from .tokens import TokenActivations

_REFUSED = {
    ".t7": "A .t7 file is a Lua object, which needs Torch 7 or torch < 1.0",
    ".pt": "A .pt file is a pickle, and to load one is to run it",
    ".acts": "An .acts file is a pickle, and to load one is to run it",
}


@validate_params(
    {
        "path": [str, os.PathLike],
        "layers": [StrOptions({"all"}), "array-like"],
        "n_layers": [Interval(Integral, 1, None, closed="left"), None],
        "dtype": [StrOptions(set(_DTYPES)), None],
        "decompose_layers": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def read_activations(
    path: str | os.PathLike[str],
    *,
    layers: str | Sequence[int] = "all",
    n_layers: int | None = None,
    dtype: str | None = None,
    decompose_layers: bool = False,
) -> TokenActivations:
    """Read activations from a file of NeuroX.

    Sentences come in the order of their numbers in the file, which become `sentence_ids`. An
    .hdf5 file has no words but sentences, which are split at single spaces; what was added to
    tell equal ones apart, as in ``"so it goes (Occurrence 2)"``, is taken off. No such file has
    labels. Values are kept as they are, NaN and infinite ones too.

    Parameters
    ----------
    path : str or path-like
        A file that ends with ``.hdf5`` or ``.json``.
    layers : "all" or list of int, default="all"
        Layers to keep, in this order, by their numbers in the file. NeuroX counts them from 0 in
        each file, whichever they were in the model.
    n_layers : int, default=None
        Number of layers, where the file has them side by side as one of n_layers * width values;
        they are then numbered from 0. None takes the layers as they are in the file.
    dtype : {"float16", "float32", "float64"}, default=None
        Of X. None keeps that of an .hdf5 file. A .json file has none, and None is float32, as in
        NeuroX's loader; float64 gives every decimal of the file.
    decompose_layers : bool, default=False
        For the path ``name.hdf5``, read the files ``name-layer0.hdf5``, ``name-layer1.hdf5``,
        ... that `decompose_layers` writes here and in NeuroX. These names number the layers.

    Returns
    -------
    TokenActivations
        X of shape (n_words, n_layers * width), without labels.

    Raises
    ------
    ValueError
        If the ending is unknown or a parameter out of range; if the file is cut, not in this
        layout, or without a sentence; if a sentence has not one row per word, or not the layers
        and dtype of the first; or if a finite value is infinite in `dtype`. It names the file,
        and the sentence or line.
    TypeError
        If a parameter is of the wrong type.
    FileNotFoundError
        If the file is not there.
    ImportError
        If the file is .hdf5 and h5py is not installed.

    Notes
    -----
    A .json file cut exactly at the end of a line cannot be told from a whole one.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_neurox import read_activations
    >>> line = ('{"linex_index": 0, "features": [{"token": "Hello", "layers": '
    ...         '[{"index": 0, "values": [0.5, 1.0]}, {"index": 1, "values": [2.0, -1.5]}]}]}')
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "activations.json"
    ...     _ = path.write_text(line)
    ...     read_activations(path).X
    array([[ 0.5,  1. ,  2. , -1.5]], dtype=float32)
    """
    path = _check_path(path)
    wanted = None if isinstance(layers, str) else _check_layers(layers)
    if not decompose_layers:
        return _read(path, wanted, n_layers, dtype)
    if n_layers is not None:
        raise ValueError(f"decompose_layers=True reads one layer a file; got {n_layers=}.")
    return _read_layers(path, wanted, dtype)


@validate_params(
    {
        "path": [str, os.PathLike],
        "tokens": "no_validation",  # the message of scikit-learn would hold all of an array
        "dtype": [StrOptions(set(_DTYPES)), None],
        "decompose_layers": ["boolean"],
        "overwrite": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def write_activations(
    path: str | os.PathLike[str],
    tokens: TokenActivations,
    *,
    dtype: str | None = None,
    decompose_layers: bool = False,
    overwrite: bool = False,
) -> None:
    """Write activations into a file that NeuroX reads.

    :func:`read_activations` gives them back bit for bit, with the numbers of the sentences and
    layers; from a .json file, if it is told the dtype. `y` is not written: these files have no
    place for labels.

    Parameters
    ----------
    path : str or path-like
        A path that ends with ``.hdf5`` or ``.json``. The file is there whole or not at all.
    tokens : TokenActivations
        Sentences in ascending order, each with the positions 0, 1, 2, ...
    dtype : {"float16", "float32", "float64"}, default=None
        Dtype to round to. None keeps that of X.
    decompose_layers : bool, default=False
        Write a file for each layer: for the path ``name.hdf5``, layer 4 is ``name-layer4.hdf5``.
    overwrite : bool, default=False
        Replace files that are there.

    Raises
    ------
    TypeError
        If a parameter is of the wrong type, X is not float16, float32 or float64, or a word is
        not a string.
    ValueError
        If the ending is unknown; if there is no word; if sentences or positions are not as
        above, which the file would not hold; if a word has a space in it, where an .hdf5 file
        would split it; or if a finite value is infinite in `dtype`.
    FileExistsError
        If a file is there and `overwrite` is false; or that of a layer that is not written.
    FileNotFoundError
        If the folder is not there.
    ImportError
        If the file is .hdf5 and h5py is not installed.

    Notes
    -----
    NeuroX's loader passes an .hdf5 file through float32, and so rounds float64.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn_neurox import TokenActivations
    >>> from sklearn_neurox import read_activations, write_activations
    >>> tokens = TokenActivations(
    ...     X=np.eye(2), words=np.array(["to", "be"]), sentence_ids=np.array([0, 0]),
    ...     positions=np.array([0, 1]), layers=(4, 8))
    >>> with TemporaryDirectory() as folder:
    ...     write_activations(Path(folder) / "activations.json", tokens)
    ...     read_activations(Path(folder) / "activations.json", layers=[8], dtype="float64").X
    array([[0.],
           [1.]])
    """
    path = _check_path(path)
    if not isinstance(tokens, TokenActivations):
        shape = f" of shape {tokens.shape}" if hasattr(tokens, "shape") else ""
        raise TypeError(f"tokens must be TokenActivations, got {type(tokens).__name__}{shape}.")
    sentences = _check_sentences(tokens, splits=path.suffix == ".hdf5")
    if np.asarray(tokens.X).dtype.newbyteorder("=").name not in _DTYPES:
        raise TypeError(f"X must be one of {_DTYPES}, got {tokens.X.dtype}.")
    for rows in sentences:  # the message names the sentence
        _cast(tokens.X[rows], dtype, f"Sentence {tokens.sentence_ids[rows.start]}")
    targets = {path: tokens.layers}
    if decompose_layers:
        targets = {_layer_path(path, layer): (layer,) for layer in tokens.layers}
    _check_targets(path, targets, overwrite)
    write = _write_hdf5 if path.suffix == ".hdf5" else _write_json
    with _replacing(targets) as unfinished:
        for file, layers in zip(unfinished, targets.values(), strict=True):
            write(file, _sentences_of(tokens, sentences, layers, dtype))


def _check_path(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix not in {".hdf5", ".json"}:
        why = _REFUSED.get(path.suffix, f"The ending {path.suffix!r} is unknown")
        raise ValueError(f"{path}: expected a file that ends with .hdf5 or .json. {why}.")
    return path


def _check_layers(layers: Sequence[int]) -> tuple[int, ...]:
    if any(isinstance(layer, bool) or not isinstance(layer, Integral) for layer in layers):
        raise TypeError(f"layers must be 'all' or a list of integers, got {layers!r}.")
    if not len(layers) or len(set(layers)) < len(layers):
        raise ValueError(f"layers must be different, and at least one; got {layers!r}.")
    return tuple(map(int, layers))


def _cast(values: NDArray, dtype: str | None, place: str) -> NDArray:
    """Native byte order, and no finite value made infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype or values.dtype.newbyteorder("="), copy=False)
    if cast.itemsize < values.itemsize and (np.isinf(cast) & ~np.isinf(values)).any():
        raise ValueError(f"{place} has a finite value that is infinite as {dtype}.")
    return cast


# Reading: sentences of either format become rows.


def _read(path: Path, wanted: tuple[int, ...] | None, n_layers: int | None, dtype: str | None):
    if not path.exists() and _layer_files(path):
        raise FileNotFoundError(f"There is no {path}, but files of layers: decompose_layers=True.")
    with ExitStack() as stack:
        if path.suffix == ".hdf5":
            sentences = _hdf5_sentences(stack.enter_context(_open_hdf5(path)), path)
        else:
            sentences, dtype = list(_json_sentences(path)), dtype or "float32"
        if not sentences:
            raise ValueError(f"{path} holds no sentence.")
        return _collect(path, sorted(sentences, key=lambda s: s.number), wanted, n_layers, dtype)


def _collect(path, sentences: list[_Sentence], wanted, n_layers, dtype) -> TokenActivations:
    stored, width, kind = _layout(sentences[0])
    for s, before in zip(sentences, [None, *sentences], strict=False):
        if before and before.number == s.number:
            raise ValueError(f"{_place(path, s)}: another sentence has this number.")
        if _layout(s) != (stored, width, kind):
            raise ValueError(
                f"{_place(path, s)}: expected layers, width and dtype as before, "
                f"{(stored, width, kind.name)}; got {(*_layout(s)[:2], s.values.dtype.name)}."
            )
    layers = stored if n_layers in {None, len(stored)} else tuple(range(n_layers))
    if len(stored) * width % len(layers) or len(stored) not in {1, len(layers)}:
        raise ValueError(f"{path} has {len(stored)} x {width} values a word, not {n_layers=}.")
    missing = set(wanted or ()) - set(layers)
    if missing:
        raise ValueError(f"{path} has the layers {layers}, not {sorted(missing)}.")
    chosen = [layers.index(layer) for layer in wanted or layers]

    lengths = [len(s.words) for s in sentences]
    shape = sum(lengths), len(chosen), len(stored) * width // len(layers)
    X = np.empty(shape, dtype or kind.newbyteorder("="))
    for s, end in zip(sentences, np.cumsum(lengths), strict=True):
        values = s.values[()]
        by_word = values if values.ndim == 2 else values.swapaxes(0, 1)
        split = by_word.reshape(len(s.words), len(layers), shape[2])[:, chosen]
        X[end - len(s.words) : end] = _cast(split, dtype, _place(path, s))
    return TokenActivations(
        X=X.reshape(len(X), -1),
        words=np.array([word for s in sentences for word in s.words], dtype=object),
        sentence_ids=np.repeat([s.number for s in sentences], lengths),
        positions=np.concatenate([np.arange(n) for n in lengths]),
        layers=tuple(layers[place] for place in chosen),
    )


def _layout(s: _Sentence) -> tuple[tuple[int, ...], int, np.dtype]:
    return s.layers, s.values.shape[-1], s.values.dtype


def _place(path: Path, s: _Sentence) -> str:
    return f"{path}, sentence {s.number} ({' '.join(s.words)[:80]!r})"


# A file for each layer: name-layer0.hdf5, name-layer1.hdf5, ...


def _layer_path(path: Path, layer: int) -> Path:
    return path.with_name(f"{path.stem}-layer{layer}{path.suffix}")


def _layer_files(path: Path) -> dict[int, Path]:
    pattern = re.compile(re.escape(path.stem) + "-layer(-?[0-9]+)" + re.escape(path.suffix))
    names = os.listdir(path.parent) if path.parent.is_dir() else []
    layers = sorted(int(match[1]) for match in map(pattern.fullmatch, names) if match)
    return {layer: _layer_path(path, layer) for layer in layers}


def _read_layers(path: Path, wanted: tuple[int, ...] | None, dtype: str | None) -> TokenActivations:
    files = _layer_files(path)
    missing = [_layer_path(path, layer) for layer in wanted or files or [0] if layer not in files]
    if missing:
        raise FileNotFoundError(f"There is no {missing[0]}. Layers found: {list(files)}.")
    parts = {layer: _read(files[layer], None, None, dtype) for layer in wanted or files}
    first = next(iter(parts.values()))
    for layer, part in parts.items():
        same = part.X.shape == first.X.shape and part.X.dtype == first.X.dtype
        columns = [(part.words, first.words), (part.sentence_ids, first.sentence_ids)]
        if part.n_layers > 1 or not same or not all(np.array_equal(a, b) for a, b in columns):
            raise ValueError(
                f"{files[layer]}: {part} is not one layer of the words, width and dtype of the "
                f"others, {first}."
            )
    return replace(first, X=np.hstack([part.X for part in parts.values()]), layers=tuple(parts))


# Writing


def _check_sentences(tokens: TokenActivations, *, splits: bool) -> list[slice]:
    """Rows of each sentence, if the file can say where they belong."""
    if not len(tokens):
        raise ValueError("There is no word to write.")
    ids = np.asarray(tokens.sentence_ids)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"sentence_ids must be integers, got {ids.dtype}.")
    ids = ids.astype(np.int64)
    starts = np.flatnonzero(np.append(True, np.diff(ids)))
    ends = np.append(starts[1:], len(ids))
    unordered = np.append(ids[0] < 0, np.diff(ids[starts]) < 0)
    if unordered.any():
        raise ValueError(
            f"Sentence {ids[starts[unordered.argmax()]]} is negative, or after one of a higher "
            "number: the file has the sentences in ascending order. Sort the rows."
        )
    wrong = tokens.positions != np.arange(len(ids)) - np.repeat(starts, ends - starts)
    if np.any(wrong):
        raise ValueError(
            f"Sentence {ids[np.argmax(wrong)]}: the file has no place for positions, which must "
            "be 0, 1, 2, ... Write whole sentences."
        )
    for number, word in zip(ids, tokens.words, strict=True):
        if not isinstance(word, str):
            raise TypeError(f"Sentence {number}: expected words that are strings, got {word!r}.")
        if splits and " " in word:
            raise ValueError(
                f"Sentence {number}: an .hdf5 file would split {str(word)!r}. Write .json."
            )
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)]


def _check_targets(path: Path, targets: Collection[Path], overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} to write into.")
    there = [target for target in targets if target.exists()]
    if there and not overwrite:
        raise FileExistsError(f"{there[0]} is there already: overwrite=True replaces it.")
    others = set() if path in targets else set(_layer_files(path).values()) - set(targets)
    if others:
        raise FileExistsError(
            f"{min(others)} is there, and would be read as a layer of these. Remove it first."
        )


def _sentences_of(tokens: TokenActivations, rows, layers, dtype) -> Iterator[_Sentence]:
    width = tokens.X.shape[1] // tokens.n_layers
    places = [tokens.layers.index(layer) for layer in layers]
    for part in rows:
        number = int(tokens.sentence_ids[part.start])
        words = [str(word) for word in tokens.words[part]]
        values = tokens.X[part].reshape(len(words), tokens.n_layers, width)
        values = values[:, places].swapaxes(0, 1)
        values = _cast(values, dtype, f"Sentence {number}")
        yield _Sentence(number, words, tuple(map(int, layers)), values)


@contextmanager
def _replacing(targets: Collection[Path]) -> Iterator[list[Path]]:
    """Files to write beside the targets, which take their places at the end."""
    unfinished = [target.with_name(f".{secrets.token_hex(8)}.tmp") for target in targets]
    try:
        yield unfinished
        for file, target in zip(unfinished, targets, strict=True):
            os.replace(file, target)
    finally:
        for file in unfinished:
            file.unlink(missing_ok=True)
