"""Batches through a model, and their rows to where the corpus has them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from ._batching import batches
from ._encoding import EncodedSentence, pad
from ._loading import evaluating
from ._states import LayerStates
from .aggregation import aggregate_spans, spans

Forward = Callable[..., tuple[list[torch.Tensor], list[int | None]]]


@dataclass(frozen=True)
class Run:
    """How sentences go through a model, and what is kept.

    Parameters
    ----------
    model : torch.nn.Module
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
        Of the rows.
    autocast : str or None
        Dtype of the products of the model, where it is narrower.
    verbose : bool
        Show a progress bar.
    padding : bool, default=True
        Sentences of different lengths may share a batch.
    """

    model: Any
    layers: Sequence[int]
    modules: str | None
    how: str
    pad_id: int
    batch_tokens: int
    dtype: str
    autocast: str | None
    verbose: bool
    padding: bool = True

    @contextmanager
    def forward(self) -> Iterator[Forward]:
        """Give what takes sentences, and a length to pad them to, to states and their rows."""
        model, device = self.model, self.model.device
        narrow = torch.autocast(
            device.type,
            getattr(torch, self.autocast or "bfloat16"),
            enabled=self.autocast is not None,
        )
        running = LayerStates(model, self.layers, self.modules)

        def forward(sentences: list[EncodedSentence], length: int | None = None):
            inputs, row_ids = pad(sentences, self.pad_id, length)
            return states_of({name: ids.to(device) for name, ids in inputs.items()}), row_ids

        with evaluating(model), torch.inference_mode(), narrow, running as states_of:
            yield forward

    def rows(self, encoded: list[EncodedSentence], *, quiet: bool = False) -> NDArray:
        """Run the model over sentences.

        Parameters
        ----------
        encoded : list of EncodedSentence
        quiet : bool, default=False
            Without a progress bar.

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
        X = np.empty((0, 0), dtype=self.dtype)
        progress = tqdm(
            total=sum(len(sentence.row_ids) for sentence in encoded),
            unit="sub-word",
            desc="extract",
            disable=quiet or not self.verbose,
        )
        with progress, self.forward() as forward:
            for batch in batches(encoded, self.batch_tokens, padding=self.padding):
                sentences = [encoded[i] for i in batch]
                states, row_ids = forward(sentences)
                first, counts = spans(row_ids)
                _check_widths(states, self.layers)
                if not X.size:
                    X = np.empty((starts[-1], sum(s.shape[-1] for s in states)), dtype=self.dtype)
                rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in batch])
                column = 0
                for state in states:
                    exact = state.float() if state.dtype.itemsize < 4 else state  # a mean needs it
                    words = aggregate_spans(exact.flatten(0, 1), first, counts, self.how)
                    words = words.to(getattr(torch, self.dtype)).cpu()
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


def places(corpus: list[list[str]], encoded: list[EncodedSentence]) -> NDArray[np.intp]:
    """Place in the corpus of the word of each row."""
    starts = np.cumsum([0] + [len(words) for words in corpus])
    return np.concatenate([starts[s.sentence_id] + s.positions for s in encoded])
