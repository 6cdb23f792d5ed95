"""Activations in the file formats of NeuroX: .hdf5 and .json."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from .._files import replacing
from .._indices import check_indices
from ..datasets.sentences import Sentence
from ._corpus_joining import check_pair, join_corpus
from ._neurox_files import write_hdf5, write_json
from ._neurox_reading import layer_files, layer_path, read_file, read_layer_files
from ._neurox_writing import check_values, sentence_slices, sentences_of
from .bfloat16 import Bfloat16Array
from .dtypes import BFLOAT16, DTYPES, NUMPY_DTYPES
from .tokens import TokenActivations

_REFUSED = {
    ".t7": "A .t7 file is a Lua object, which needs Torch 7 or torch < 1.0",
    ".pt": "A .pt file is a pickle, and loading it can execute arbitrary code",
    ".acts": "An .acts file is a pickle, and loading it can execute arbitrary code",
}


@validate_params(
    {
        "path": [str, os.PathLike],
        "sentences": "no_validation",
        "labels": "no_validation",
        "layers": [StrOptions({"all"}), "array-like"],
        "n_layers": [Interval(Integral, 1, None, closed="left"), None],
        "dtype": [StrOptions(set(DTYPES)), None],
        "decompose_layers": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def read_activations(
    path: str | os.PathLike[str],
    *,
    sentences: Sequence[Sentence] | None = None,
    labels: Sequence[Sequence[Any]] | None = None,
    layers: str | Sequence[int] = "all",
    n_layers: int | None = None,
    dtype: str | None = None,
    decompose_layers: bool = False,
) -> TokenActivations:
    """Read activations from a NeuroX file, and join them with their corpus.

    Sentences are sorted by their numbers in the file, which become `sentence_ids`. The words of a
    file are tokens of the tokenizer, such as ``"some##thing"`` or ``""``, which `sentences`
    replaces by the words of the corpus. An .hdf5 file contains texts rather than words: they are
    split on single spaces, and the suffix that distinguishes repeated texts, as in ``"so it goes
    (Occurrence 2)"``, is removed. Values are not changed, and may be NaN or infinite.

    Parameters
    ----------
    path : str or path-like
        A file with the suffix ``.hdf5``, ``.h5`` or ``.json``, in upper or lower case.
    sentences : sequence of str, or of sequences of str, default=None
        The corpus from which the file was extracted: the words of each sentence, or a string to
        split on single spaces. Sentence 0 of the file must be the first one, and so on. Words are
        compared without accents, case and the marks of tokenizers. If None, use the words of the
        file.
    labels : sequence of sequences, default=None
        A label for each word of each sentence.
    layers : "all" or list of int, default="all"
        Numbers of the layers to read, in this order. NeuroX numbers the layers of a file from 0,
        regardless of which layers of the model they are.
    n_layers : int, default=None
        Number of layers, if the file stores them side by side as a single layer of n_layers * width
        values; they are then numbered from 0. If None, use the layers of the file.
    dtype : {"float16", "float32", "float64", "bfloat16"}, default=None
        Dtype of the activations, to which they are rounded. If None, use the dtype of an .hdf5
        file. A .json file has no dtype: in that case, None means float32, as in the loader of
        NeuroX, and "float64" keeps all decimals of the file.
    decompose_layers : bool, default=False
        Whether to read one file per layer. For the path ``name.hdf5``, the files
        ``name-layer0.hdf5``, ``name-layer1.hdf5``, ... are read, which are written with
        `decompose_layers`, here and in NeuroX. Their names contain the numbers of the layers.

    Returns
    -------
    TokenActivations
        X of shape (n_words, n_layers * width), with `labels` as y.

    Raises
    ------
    ValueError
        If the suffix is unknown or a parameter is out of range; if the file is truncated, damaged,
        has another format, contains no sentences, or refers to other files; if a sentence does not
        have one row per word, or differs from the first one in layers or dtype; if a finite value
        exceeds the range of `dtype`; if the file does not contain exactly the sentences of the
        corpus; or if the activations do not fit in memory. The message names the file and the
        sentence or line.
    TypeError
        If a parameter is of the wrong type.
    FileNotFoundError
        If the file does not exist.
    ImportError
        If the file is .hdf5 and h5py is not installed.

    Warns
    -----
    UserWarning
        If rows are all zero, which NeuroX writes for words without tokens; or if `sentences` is
        None and the file contains words that are not words of a corpus.

    Notes
    -----
    A .json file that was truncated at the end of a line can be distinguished from a complete one
    only by `sentences` or `labels`.

    An .hdf5 file is read in a process of its own, because a damaged file can crash the HDF5
    library. Files with external links, external values or virtual datasets are refused.

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
    ...     tokens = read_activations(path, sentences=["Hello"], labels=[["INTJ"]])
    >>> tokens.X, tokens.y
    (array([[ 0.5,  1. ,  2. , -1.5]], dtype=float32), array(['INTJ'], dtype='<U4'))
    """
    path = _check_path(path, {".hdf5", ".h5", ".json"}, Path(path).suffix.lower())
    corpus, y = check_pair(sentences, labels)
    wanted = None
    if not isinstance(layers, str):
        wanted = tuple(check_indices(layers, None, what="layer").tolist())
        if not wanted:
            raise ValueError("layers is empty: expected at least one layer.")
    if decompose_layers and n_layers is not None:
        raise ValueError(
            "n_layers must be None if decompose_layers=True, because each file contains one "
            f"layer, got {n_layers}."
        )
    wide = "float32" if dtype == BFLOAT16 else dtype
    try:
        if decompose_layers:
            tokens = read_layer_files(path, wanted, wide)
        else:
            tokens = read_file(path, wanted, n_layers, wide)
    except MemoryError as error:
        raise ValueError(
            f"{path}: the activations do not fit in memory ({error}). Pass fewer layers or a "
            "narrower dtype, or write the layers to separate files."
        ) from error
    tokens = join_corpus(tokens, path, corpus, y, labels)
    return replace(tokens, X=_rounded(tokens.X, path)) if dtype == BFLOAT16 else tokens


@validate_params(
    {
        "path": [str, os.PathLike],
        "tokens": "no_validation",  # the message of scikit-learn would contain the whole array
        "dtype": [StrOptions(set(NUMPY_DTYPES)), None],
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
    """Write activations to a file that NeuroX can read.

    :func:`read_activations` reads them back bit for bit, with the numbers of sentences and layers
    (for a .json file, if the dtype is passed). `y` is not written, because these formats do not
    support labels.

    Parameters
    ----------
    path : str or path-like
        A path with the suffix ``.hdf5`` or ``.json``. The file is written either completely or not
        at all.
    tokens : TokenActivations
        Rows of any words and layers, with the sentences in ascending order. If only some words of
        a sentence have a row, the file contains their positions, which NeuroX does not read.
    dtype : {"float16", "float32", "float64"}, default=None
        Dtype to convert X to. If None, keep the dtype of X. Activations of bfloat16, which these
        formats do not have, are written as float32, which is exact.
    decompose_layers : bool, default=False
        Whether to write one file per layer. For the path ``name.hdf5``, layer 4 is written to
        ``name-layer4.hdf5``.
    overwrite : bool, default=False
        Whether to replace existing files.

    Raises
    ------
    TypeError
        If a parameter is of the wrong type, X is not float16, float32 or float64, or a word is
        not a string.
    ValueError
        If the suffix is unknown; if there are no words; if sentences are not in ascending order,
        because the file cannot store another order; if a word is empty or contains tabs,
        line breaks, null characters or lone surrogates, or a space, at which an .hdf5 file would be
        split; or if a finite value exceeds the range of `dtype`.
    FileExistsError
        If a file exists and `overwrite` is False, or the file of a layer that is not written
        exists.
    FileNotFoundError
        If the folder does not exist.
    ImportError
        If the file is .hdf5 and h5py is not installed.

    Notes
    -----
    The loader of NeuroX converts an .hdf5 file to float32, and therefore rounds float64.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from sklearn_neurox import TokenActivations, read_activations, write_activations
    >>> X = np.array([[0.0, 1.0], [2.0, 4.0]])
    >>> tokens = TokenActivations.from_sentences([X], ["to be"], layers=(4, 8))
    >>> with TemporaryDirectory() as folder:
    ...     write_activations(Path(folder) / "activations.json", tokens)
    ...     read_activations(Path(folder) / "activations.json", layers=[8], dtype="float64").X
    array([[1.],
           [4.]])
    """
    path = _check_path(path, {".hdf5", ".json"}, Path(path).suffix)
    if not isinstance(tokens, TokenActivations):
        shape = f" of shape {tokens.shape}" if hasattr(tokens, "shape") else ""
        raise TypeError(f"tokens must be TokenActivations, got {type(tokens).__name__}{shape}.")
    numbers = check_indices(tokens.layers, None, what="layer").tolist()
    slices = sentence_slices(tokens, splits=path.suffix == ".hdf5")
    if tokens.dtype not in DTYPES:
        raise TypeError(f"X must be of dtype {', '.join(DTYPES)}, got {tokens.dtype}.")
    check_values(tokens, slices, dtype)
    targets: dict[Path, tuple[int, ...]] = {path: tuple(numbers)}
    if decompose_layers:
        targets = {layer_path(path, layer): (layer,) for layer in numbers}
    _check_targets(path, targets, overwrite)
    write = write_hdf5 if path.suffix == ".hdf5" else write_json
    with replacing(targets) as unfinished:
        for file, layers in zip(unfinished, targets.values(), strict=True):
            write(file, sentences_of(tokens, slices, layers, dtype))


def _rounded(X: NDArray, path: Path) -> Any:
    try:
        return Bfloat16Array.from_rounding(X)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _check_path(path: str | os.PathLike[str], suffixes: set[str], suffix: str) -> Path:
    if suffix not in suffixes:
        why = _REFUSED.get(suffix, f"The suffix {suffix!r} is unknown")
        if suffix.lower() in {".hdf5", ".h5", ".json"}:
            why = f"NeuroX cannot read a file with the suffix {suffix!r}"
        raise ValueError(f"{path}: expected a file with the suffix .hdf5 or .json. {why}.")
    return Path(path)


def _check_targets(path: Path, targets: Collection[Path], overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: the folder {path.parent} does not exist.")
    existing = [target for target in targets if target.exists()]
    if existing and not overwrite:
        raise FileExistsError(f"{existing[0]} already exists. Pass overwrite=True to replace it.")
    others = set() if path in targets else set(layer_files(path).values()) - set(targets)
    if others:
        raise FileExistsError(
            f"{min(others)} exists and would be read as another layer. Remove it first."
        )
