"""Extraction into a store, which can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import nn

from .._files import resolve
from ..activations.shards import ShardWriter, load_part
from ..activations.store import StoreWriter, layout_of
from ..activations.tokens import TokenActivations
from ._digests import fingerprint, plain_tensors
from ._encoded_sentence import EncodedSentence
from ._running import Run, digest_of
from .hook_points import is_edited, unit_of

# Weights in bytes whose digest is computed for activations in memory, which takes about a second.
_MAX_HASHED = 2**30


@dataclass(frozen=True)
class Target:
    """A store that activations are written to.

    Parameters
    ----------
    path : Path
        Absolute path of the folder, without links.
    append : bool, default=False
        Whether to append the sentences to a finished store.
    shard : tuple of int, default=None
        (rank, world_size) of this process if several processes write the store.
    layout : dict, default={}
        Arguments of StoreWriter: how X is divided into files.
    """

    path: Path
    append: bool = False
    shard: tuple[int, int] | None = None
    layout: Mapping[str, Any] = field(default_factory=dict)


def check_target(
    path: Any,
    parameters: Mapping[str, Any],
    *,
    append: bool = False,
    shard: Any = None,
    split_layers: bool = False,
    max_file_size: int | str | None = None,
) -> Target | None:
    """Check that activations can be written to a store before the extraction starts.

    The working directory and links may change during the extraction, so the path is resolved here.

    Parameters
    ----------
    path : str, path-like or None
    parameters : mapping
        Parameters of the extractor.
    append : bool, default=False
    shard : tuple of int, default=None
        The shard of one process is None.
    split_layers : bool, default=False
    max_file_size : int or str, default=None

    Returns
    -------
    Target or None
        None if `path` is None.

    Raises
    ------
    TypeError
        If `path` is not a path, `shard` not a pair of integers, or `split_layers` not a boolean.
    ValueError
        If `path` is empty, the states of the model are edited, or the rows could not be
        reproduced when the extraction is resumed; if there is no store to append to or to divide;
        if `shard` is out of range or used with `append`; or if `max_file_size` is not a size.
    """
    checked = None if shard is None else _check_shard(shard)
    layout = layout_of(split_layers, max_file_size)
    if path is None:
        if layout:
            name, value = next(iter(layout.items()))
            raise ValueError(f"{name}={value} divides a store into files, so it needs store.")
        if append:
            raise ValueError("append=True appends rows to a store, so it needs store.")
        if shard is not None:
            raise ValueError(
                f"shard={shard} divides a store among several processes, so it needs store."
            )
        return None
    if append and checked is not None:
        raise ValueError(
            f"append=True cannot be used with shard={shard}. Append rows in a single process, or "
            "write another store."
        )
    return Target(_check_store(path, parameters), append, checked, layout)


def _check_shard(shard: Any) -> tuple[int, int] | None:
    if (
        not isinstance(shard, Sequence)
        or len(shard) != 2
        or not all(isinstance(n, Integral) and not isinstance(n, bool) for n in shard)
    ):
        raise TypeError(f"shard must be a pair of integers, (rank, world_size), got {shard!r:.60}.")
    rank, world_size = map(int, shard)
    if not 0 <= rank < world_size:
        raise ValueError(
            f"The rank of shard=(rank, world_size) must be from 0 to world_size - 1, got {shard}."
        )
    return None if world_size == 1 else (rank, world_size)


def _check_store(path: Any, parameters: Mapping[str, Any]) -> Path:
    if not isinstance(path, str | PathLike):
        raise TypeError(
            f"store must be the path of a folder, got {type(path).__name__} {path!r:.60}."
        )
    if not str(path):
        raise ValueError("store must be the path of a folder, got an empty string.")
    if isinstance(parameters["model"], nn.Module) and is_edited(parameters["model"]):
        raise ValueError(
            "A store cannot be written within intervene, because it does not record the edits. "
            "Extract without store."
        )
    random_state = parameters["random_state"]
    if parameters["random_weights"] and not isinstance(random_state, Integral):
        raise ValueError(
            "To write the activations of a model with random weights to a store, random_state "
            "must be an integer, because the extraction could not be resumed otherwise, got "
            f"{random_state!r}."
        )
    return resolve(path)


def write_store(
    target: Target,
    run: Run,
    encoded: Sequence[EncodedSentence],
    parts: list[slice],
    *,
    labels: NDArray | None,
    parameters: dict[str, Any],
    are_tokens: bool = False,
    offsets: NDArray | None = None,
) -> TokenActivations:
    """Write activations to a store part by part, and skip the parts that it already contains.

    Parameters
    ----------
    target : Target
    run : Run
    encoded : sequence of EncodedSentence
        All sentences, even if this process writes only a shard.
    parts : list of slice
        Parts of `encoded`, in order. They must not depend on where a run was interrupted or on the
        number of processes, because rounding depends on the batches.
    labels : ndarray of shape (n_words,) or None
    parameters : dict
        As returned by :func:`provenance`.
    are_tokens : bool, default=False
        Whether the rows may be other tokens than the words of sentences.
    offsets : ndarray of int of shape (n_rows, 2), default=None
        Characters of each row in its text.

    Returns
    -------
    TokenActivations
        The content of the store, or the shard of this process.
    """
    first_row = run.rows(encoded[:1], quiet=True)
    content: dict[str, Any] = {
        "layers": run.layers,
        "width": first_row.shape[1] // len(run.layers),
        "dtype": run.dtype,
        "words": [sentence.words for sentence in encoded],
        "sentence_ids": [sentence.sentence_id for sentence in encoded],
        "labels": labels,
        "parameters": parameters,
        "positions": [p for s in encoded for p in s.positions] if are_tokens else None,
        "offsets": offsets,
        **target.layout,
    }
    if target.shard is not None:
        rank, world_size = target.shard
        # The bounds of shards are those of parts, so the batches are those of a single process.
        bounds = [rank * len(parts) // world_size for rank in range(world_size + 1)]
        ends = [parts[bound - 1].stop if bound else 0 for bound in bounds[1:]]
        with ShardWriter(target.path, rank=rank, ends=ends, **content) as writer:
            _append(writer, run, encoded, parts[bounds[rank] : bounds[rank + 1]])
            first, end = writer.shard.first[0], writer.shard.end[0]
        return load_part(target.path, slice(first, end))
    with StoreWriter(
        target.path, append=target.append, varying=["subwords_sha256"], **content
    ) as writer:
        _append(writer, run, encoded, parts)
    return TokenActivations.load(target.path)


def _append(
    writer: StoreWriter, run: Run, encoded: Sequence[EncodedSentence], parts: Iterable[slice]
) -> None:
    n_before = writer.n_sentences - len(encoded)  # of a store to which sentences are appended
    for part in parts:
        if n_before + part.start >= writer.n_done:
            sentences = encoded[part]
            writer.append(run.rows(sentences), n_sentences=len(sentences))


def provenance(
    parameters: Mapping[str, Any],
    run: Run,
    tokenizer: Any,
    encoded: Sequence[EncodedSentence],
    *,
    rows: str,
    stored: bool,
    edited: bool = False,
) -> dict[str, Any]:
    """Describe what the activations depend on, including every weight and sub-word.

    Parameters
    ----------
    parameters : mapping
        Parameters of the extractor.
    run : Run
    tokenizer : tokenizer
    encoded : iterable of EncodedSentence
    rows : {"word", "token", "prompt"}
        What a row is.
    stored : bool
        Whether the activations are written to a store. Otherwise, the digest of large or offloaded
        weights is None.
    edited : bool, default=False
        Whether the states of the model are edited while it runs.
    """
    stack = run.network.stack
    names = (
        "modules", "aggregation", "max_length", "on_truncate", "split_special_tokens",
        "add_prefix_space", "batch_tokens", "autocast", "random_weights",
    )  # fmt: skip
    of_chats = ("chat_template", "add_generation_prompt", "chat_template_kwargs")
    return (
        {
            "model": getattr(stack, "name_or_path", ""),
            "revision": getattr(stack.config, "_commit_hash", None),
            "model_class": type(stack).__name__,
            "weights_sha256": _digest_of_weights(run.network.runner, needed=stored),
            "tokenizer_class": type(tokenizer).__name__,
            "subwords_sha256": digest_of(encoded),
            "unit": unit_of(run.modules),
            "rows": rows,
        }
        | {name: parameters[name] for name in names}
        | {name: parameters[name] for name in of_chats if parameters[name]}
        | ({"on_empty_word": "drop"} if parameters["on_empty_word"] == "drop" else {})
        | ({"edited": True} if edited or is_edited(stack) else {})
    )


def _digest_of_weights(model: nn.Module, *, needed: bool) -> str | None:
    weights = [weight for _, weight in plain_tensors(model.state_dict())]
    if not needed and (
        any(weight.is_meta for weight in weights)
        or sum(weight.nbytes for weight in weights) > _MAX_HASHED
    ):
        return None
    return fingerprint(model)
