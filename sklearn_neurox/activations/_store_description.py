"""The description of a store: whether its entries are valid, and the names of its files."""

from __future__ import annotations

from ._store_format import IDS, LABEL_DTYPE, LABELS, PLACES, WORDS, Json, is_count
from ._store_layout import check_layout
from .dtypes import DTYPES

_LARGEST = 2**60  # bytes of X; systems count the bytes of a file in 63 bits


def check_description(store: Json) -> None:
    """Check the description of a store, which was either passed or read.

    Raises
    ------
    ValueError
        If a value is out of range, or values contradict each other.
    """
    layers, width, dtype = (store.get(key) for key in ("layers", "width", "dtype"))
    if (
        not isinstance(layers, list)
        or not layers
        or not (all(map(is_count, layers)) or all(type(layer) is str for layer in layers))
    ):
        raise ValueError(
            "layers must be a list of at least one non-negative integer, or of paths of modules, "
            f"got {str(layers)[:80]}."
        )
    if len(set(layers)) < len(layers):
        raise ValueError(f"layers must be distinct, got {str(layers)[:80]}.")
    if not is_count(width) or not width:
        raise ValueError(f"width must be a positive integer, got {str(width)[:80]}.")
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {str(dtype)[:80]!r}.")
    n_sentences, n_words = store.get("n_sentences", -1), store.get("n_words", -1)
    if not (
        _has_files_of_labels(store)
        and is_count(n_sentences)
        and is_count(n_words)
        and 0 < n_sentences <= n_words
        and isinstance(store.get("parameters"), dict)
    ):
        raise ValueError("its values contradict each other.")
    layout = check_layout(store)
    if (size := n_words * layout.row_bytes) > _LARGEST:
        n_columns = layout.shape[1]
        raise ValueError(
            f"its {n_words:,} rows of {n_columns:,} numbers would have {size:,} bytes."
        )
    _check_growth(store)
    unit = store["parameters"].get("unit", "neuron")
    if not isinstance(unit, str) or not unit:
        raise ValueError(f"the parameter 'unit' must be a string that is not empty, got {unit!r}.")


def _check_growth(store: Json) -> None:
    """Check what a store says about its content before it has grown."""
    before, generation = store.get("grown_from"), store.get("generation", 0)
    if before is None and generation == 0:
        return
    if not (
        is_count(generation)
        and generation > 0
        and isinstance(before, dict)
        and before.keys() == {"sha256", "n_sentences", "n_words", "varying"}
        and isinstance(before["sha256"], str)
        and isinstance(before["varying"], dict)
        and all(is_count(before[name]) for name in ("n_sentences", "n_words"))
        and 0 < before["n_sentences"] <= before["n_words"]
        and before["n_sentences"] < store["n_sentences"]
        and before["n_words"] < store["n_words"]
    ):
        raise ValueError("what it says about its growth is not valid.")


def file_name(store: Json, name: str) -> str:
    """Return the name of a file, which is another one after a store has grown.

    A growing store keeps its old files until its description refers to the new ones.
    """
    generation = store.get("generation", 0)
    if not generation or name not in (WORDS, IDS, LABELS, PLACES):
        return name
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.{generation}.{suffix}"


def _has_files_of_labels(store: Json) -> bool:
    files, y = store.get("files"), store.get("labels", "")
    if not isinstance(files, dict) or not all(type(digest) is str for digest in files.values()):
        return False
    if files.keys() - {PLACES} != {WORDS, IDS} | ({LABELS} if y is not None else set()):
        return False
    return y is None or (isinstance(y, str) and LABEL_DTYPE.fullmatch(y) is not None)
