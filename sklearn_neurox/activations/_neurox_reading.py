"""Reading NeuroX files: the sentences of a file, or of one file per layer, become rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._hdf5_reading import StoredValues, open_hdf5
from ._neurox_files import FileSentence, read_hdf5, read_json
from .tokens import TokenActivations, pack_sentences


def read_file(
    path: Path, wanted: tuple[int, ...] | None, n_layers: int | None, dtype: str | None
) -> TokenActivations:
    """Read one file.

    Parameters
    ----------
    path : Path
    wanted : tuple of int or None
        Layers to read, in this order. If None, read all layers.
    n_layers : int or None
        Number of layers that the file stores side by side as a single one.
    dtype : str or None
    """
    if not path.exists() and layer_files(path):
        raise FileNotFoundError(
            f"{path} does not exist, but files of single layers do. Pass decompose_layers=True to "
            "read them."
        )
    with ExitStack() as stack:
        if path.suffix.lower() == ".json":
            sentences, dtype = list(read_json(path)), dtype or "float32"
        else:
            sentences = read_hdf5(stack.enter_context(open_hdf5(path)))
        if not sentences:
            raise ValueError(f"{path} does not contain any sentences.")
        sentences.sort(key=lambda s: s.number)
        stored = _check_equal_layouts(path, sentences)
        layers = _layers_in(path, sentences[0], n_layers)
        missing = set(wanted or ()) - set(layers)
        if missing:
            raise ValueError(
                f"{path} does not contain the layers {sorted(missing)}. It contains the layers "
                f"{layers}."
            )
        chosen = [layers.index(layer) for layer in wanted or layers]
        X = _rows(path, sentences, len(layers), chosen, stored, dtype)
    return pack_sentences(
        X,
        [s.words for s in sentences],
        sentence_ids=[s.number for s in sentences],
        positions=[s.positions or list(range(len(s.words))) for s in sentences],
        layers=[layers[place] for place in chosen],
    )


def _check_equal_layouts(path: Path, sentences: list[FileSentence]) -> np.dtype:
    """Check that all sentences have the same layers, width and dtype, and return the dtype."""
    first = sentences[0]
    for previous, s in zip([None, *sentences], sentences, strict=False):
        if previous is not None and previous.number == s.number:
            raise ValueError(f"{_place(path, s)}: another sentence has the same number.")
        if _layout(s) != _layout(first):
            raise ValueError(
                f"{_place(path, s)}: expected the layers, width and dtype of the first sentence, "
                f"{_layout(first)}, got {_layout(s)}."
            )
    return first.values.dtype


def _layers_in(path: Path, first: FileSentence, n_layers: int | None) -> tuple[int, ...]:
    stored, width = first.layers, first.values.shape[-1]
    layers = stored if n_layers in (None, len(stored)) else tuple(range(n_layers or 0))
    if len(stored) * width % len(layers) or len(stored) not in {1, len(layers)}:
        raise ValueError(
            f"{path} has {len(stored)} x {width} values per word, which do not match {n_layers=}."
        )
    return layers


def _rows(
    path: Path,
    sentences: list[FileSentence],
    n_layers: int,
    chosen: list[int],
    stored: np.dtype,
    dtype: str | None,
) -> NDArray:
    """Return the values of the chosen layers of all words."""
    first = sentences[0]
    width = len(first.layers) * first.values.shape[-1] // n_layers
    lengths = [len(s.words) for s in sentences]
    X = np.empty((sum(lengths), len(chosen), width), dtype or stored.newbyteorder("="))
    for s, end in zip(sentences, np.cumsum(lengths), strict=True):
        n_beside = n_layers // len(s.layers)  # layers that the file stores as a single one
        rows = X[end - len(s.words) : end]
        for stored_layer, start, block in _blocks(s.values):
            split = block.reshape(len(block), n_beside, width)
            for place, layer in enumerate(chosen):
                if layer // n_beside == stored_layer:
                    part = cast(split[:, layer % n_beside], dtype, _place(path, s))
                    rows[start : start + len(block), place] = part
    return X.reshape(len(X), -1)


def _blocks(values: NDArray | StoredValues) -> Iterator[tuple[int, int, NDArray]]:
    """Yield the layer, the first row and the values of each block of a sentence."""
    if isinstance(values, StoredValues):
        yield from values.blocks()
    else:
        for layer, block in enumerate(values):
            yield layer, 0, block


def _layout(s: FileSentence) -> tuple[tuple[int, ...], int, str]:
    return s.layers, s.values.shape[-1], s.values.dtype.str


def _place(path: Path, s: FileSentence) -> str:
    return f"{path}, sentence {s.number} ({' '.join(s.words)[:80]!r})"


def layer_path(path: Path, layer: int) -> Path:
    """Return the path of the file of one layer: ``name-layer0.hdf5`` for ``name.hdf5``."""
    return path.with_name(f"{path.stem}-layer{layer}{path.suffix}")


def layer_files(path: Path) -> dict[int, Path]:
    """Find the files of single layers, keyed by the numbers in their names."""
    pattern = re.compile(re.escape(path.stem) + "-layer(0|[1-9][0-9]*)" + re.escape(path.suffix))
    names = os.listdir(path.parent) if path.parent.is_dir() else []
    layers = sorted(int(match[1]) for match in map(pattern.fullmatch, names) if match)
    return {layer: layer_path(path, layer) for layer in layers}


def read_layer_files(
    path: Path, wanted: tuple[int, ...] | None, dtype: str | None
) -> TokenActivations:
    """Read the files of single layers."""
    files = layer_files(path)
    missing = [layer_path(path, layer) for layer in wanted or files or [0] if layer not in files]
    if missing:
        raise FileNotFoundError(
            f"{missing[0]} does not exist. Files were found for the layers {list(files)}."
        )
    parts = {layer: read_file(files[layer], None, None, dtype) for layer in wanted or files}
    first = next(iter(parts.values()))
    for layer, part in parts.items():
        same = part.X.shape == first.X.shape and part.X.dtype == first.X.dtype
        columns = [
            (part.words, first.words),
            (part.sentence_ids, first.sentence_ids),
            (part.positions, first.positions),
        ]
        if part.n_layers > 1 or not same or not all(np.array_equal(a, b) for a, b in columns):
            raise ValueError(
                f"{files[layer]}: {part} is not a single layer with the words, width and dtype of "
                f"the others, {first}."
            )
    return replace(first, X=np.hstack([part.X for part in parts.values()]), layers=tuple(parts))


def cast(values: NDArray, dtype: str | None, place: str) -> NDArray:
    """Convert values to a dtype in native byte order, and check that finite values stay finite.

    Raises
    ------
    ValueError
        If a finite value becomes infinite. The message begins with `place`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        converted = values.astype(dtype or values.dtype.newbyteorder("="), copy=False)
    is_narrower = converted.itemsize < values.itemsize
    if is_narrower and (np.isinf(converted) & ~np.isinf(values)).any():
        raise ValueError(f"{place} has a finite value that exceeds the range of {dtype}.")
    return converted
