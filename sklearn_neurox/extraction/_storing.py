"""An extraction into a store, which goes on where it was broken off."""

from __future__ import annotations

from numbers import Integral
from os import PathLike
from typing import Any

from ..activations.store import StoreWriter
from ._encoding import EncodedSentence
from ._loading import fingerprint
from ._running import Run, digest_of


def check_store(path: Any, extractor: Any) -> None:
    """See that there can be a store of an extractor's activations, before any work.

    Raises
    ------
    TypeError
        If `path` is no path.
    ValueError
        If it is empty, or the activations are not those of words, or could not be made again.
    """
    if not isinstance(path, str | PathLike):
        raise TypeError(
            f"store must be the path of a folder, got {type(path).__name__} {path!r:.60}."
        )
    if not str(path):
        raise ValueError("store must be the path of a folder, got an empty string.")
    if extractor.include_special_tokens:
        raise ValueError("A store holds the words of a corpus, not special tokens.")
    if extractor.random_weights and not isinstance(extractor.random_state, Integral):
        raise ValueError("To go on later, a random model needs an integer random_state.")


def write_store(
    path: str | PathLike,
    run: Run,
    encoded: list[EncodedSentence],
    parts: list[slice],
    *,
    labels: Any,
    parameters: dict[str, Any],
) -> None:
    """Extract into a store, piece by piece, from where it stands.

    Parameters
    ----------
    path : str or path
    run : Run
    encoded : list of EncodedSentence
    parts : list of slice
        Pieces of `encoded`, in order. They are the same whether the run was broken off or not:
        rounding depends on the batch.
    labels : ndarray of shape (n_words,) or None
    parameters : dict
        What made the activations.
    """
    one = run.rows(encoded[:1], quiet=True)
    writer = StoreWriter(
        path,
        layers=run.layers,
        width=one.shape[1] // len(run.layers),
        dtype=run.dtype,
        words=[sentence.words for sentence in encoded],
        sentence_ids=[sentence.sentence_id for sentence in encoded],
        labels=labels,
        parameters=parameters,
    )
    with writer:
        for part in parts:
            if part.start >= writer.n_done:
                some = encoded[part]
                writer.append(run.rows(some), k=len(some))


def provenance(
    extractor: Any, run: Run, tokenizer: Any, encoded: list[EncodedSentence]
) -> dict[str, Any]:
    """Tell what made the activations, to the last weight and sub-word."""
    names = (
        "modules", "aggregation", "max_length", "on_truncate", "batch_tokens", "autocast",
        "random_weights",
    )  # fmt: skip
    return {
        "model": getattr(run.model, "name_or_path", ""),
        "revision": getattr(run.model.config, "_commit_hash", None),
        "model_class": type(run.model).__name__,
        "weights_sha256": fingerprint(run.model),
        "tokenizer_class": type(tokenizer).__name__,
        "subwords_sha256": digest_of(encoded),
    } | {name: getattr(extractor, name) for name in names}
