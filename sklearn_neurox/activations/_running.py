"""Batches through a model, and their rows to where the corpus has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm  # skorch brings it

from ._encoding import EncodedSentence, pad
from ._loading import evaluating
from ._states import LayerStates
from .aggregation import aggregate_spans, spans

_WORDS = 8192  # extracted before a store takes them
_WORTH_A_FORWARD = 512  # sub-words
_SIMILAR = 0.85  # of the longest sentence of a batch


def run_batches(
    model: Any,
    encoded: list[EncodedSentence],
    layers: Sequence[int],
    *,
    modules: str | None,
    how: str,
    pad_id: int,
    batch_tokens: int,
    dtype: str,
    autocast: str | None,
    verbose: bool,
) -> NDArray:
    """Run a model over sentences.

    Parameters
    ----------
    model : torch.nn.Module
    encoded : list of EncodedSentence
    layers : sequence of int
    modules : str or None
        As in ``ActivationExtractor``.
    how : {"first", "last", "mean"}
        How the states of the sub-words of a row become one.
    pad_id : int
        Token that sentences are padded with; it is masked.
    batch_tokens : int
        Sub-words in a batch.
    dtype : str
        Of the result.
    autocast : str or None
        Dtype of the products of the model, where it is narrower.
    verbose : bool
        Show a progress bar.

    Returns
    -------
    ndarray of shape (n_rows, n_layers * width)
        Rows in the order of the sentences, whatever the batches.

    Raises
    ------
    ValueError
        For activations that are NaN or infinite, naming the sentence.
    """
    starts = np.cumsum([0] + [sentence.n_rows for sentence in encoded])
    X = np.empty((0, 0), dtype=dtype)
    n_subwords = sum(len(sentence.row_ids) for sentence in encoded)
    progress = tqdm(total=n_subwords, unit="sub-word", desc="extract", disable=not verbose)
    running = LayerStates(model, layers, modules)
    narrow = torch.autocast(
        model.device.type, getattr(torch, autocast or "bfloat16"), enabled=autocast is not None
    )
    with progress, evaluating(model), torch.inference_mode(), narrow, running as states_of:
        for batch in _batches(encoded, batch_tokens):
            sentences = [encoded[i] for i in batch]
            inputs, row_ids = pad(sentences, pad_id)
            first, counts = spans(row_ids)
            states = states_of({name: ids.to(model.device) for name, ids in inputs.items()})
            _check_widths(states, layers)
            if not X.size:
                X = np.empty((starts[-1], sum(s.shape[-1] for s in states)), dtype=dtype)
            rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in batch])
            column = 0
            for state in states:
                exact = state.float() if state.dtype.itemsize < 4 else state  # a mean needs it
                words = aggregate_spans(exact.flatten(0, 1), first, counts, how)
                words = words.to(getattr(torch, dtype)).cpu()
                _check_finite(words, sentences)
                X[rows, column : column + state.shape[-1]] = words.numpy()
                column += state.shape[-1]
            progress.update(sum(len(sentence.row_ids) for sentence in sentences))
    return X


def digest_of(encoded: list[EncodedSentence]) -> str:
    """Digest of the sub-words of a corpus, and of the rows that they belong to."""
    digest = hashlib.sha256()
    for sentence in encoded:
        digest.update(repr((sentence.inputs["input_ids"], sentence.row_ids)).encode())
    return digest.hexdigest()


def _check_widths(states: list[torch.Tensor], layers: Sequence[int]) -> None:
    widths = [state.shape[-1] for state in states]
    if len(set(widths)) > 1:
        raise ValueError(
            f"The layers {list(layers)} have {widths} neurons; extract layers of one width "
            "together, and others by themselves."
        )


def _check_finite(words: torch.Tensor, sentences: list[EncodedSentence]) -> None:
    finite = torch.isfinite(words).all(dim=1)
    if not finite.all():
        owners = [s.sentence_id for s in sentences for _ in range(s.n_rows)]
        raise ValueError(
            f"Sentence {owners[int(finite.int().argmin())]} has activations that are NaN or "
            f"infinite as {str(words.dtype).removeprefix('torch.')}."
        )


def _batches(encoded: list[EncodedSentence], batch_tokens: int) -> Iterator[list[int]]:
    """Places in `encoded`, sentences of similar length together.

    A batch that is worth its forward is closed early rather than padded by more than a sixth.
    """
    lengths = [len(sentence.row_ids) for sentence in encoded]
    batch: list[int] = []
    for i in sorted(range(len(encoded)), key=lengths.__getitem__, reverse=True):
        if batch:
            longest = lengths[batch[0]]  # which the others are padded to
            is_full = (len(batch) + 1) * longest > batch_tokens
            is_worth_it = len(batch) * longest >= _WORTH_A_FORWARD
            if is_full or (is_worth_it and lengths[i] < _SIMILAR * longest):
                yield batch
                batch = []
        batch.append(i)
    yield batch


def places(corpus: list[list[str]], encoded: list[EncodedSentence]) -> NDArray[np.intp]:
    """Place in the corpus of the word of each row."""
    starts = np.cumsum([0] + [len(words) for words in corpus])
    return np.concatenate([starts[s.sentence_id] + s.positions for s in encoded])


def pieces(encoded: list[EncodedSentence]) -> Iterator[slice]:
    """Yield runs of sentences of some thousand words."""
    first = n_words = 0
    for i, sentence in enumerate(encoded):
        n_words += sentence.n_rows
        if n_words >= _WORDS or i == len(encoded) - 1:
            yield slice(first, i + 1)
            first, n_words = i + 1, 0
