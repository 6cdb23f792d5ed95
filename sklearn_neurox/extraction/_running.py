"""Running a model over batches of sentences."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from .._device import full_precision
from ..activations.bfloat16 import Array, Bfloat16Array
from ..activations.dtypes import stored_dtype
from ..activations.tokens import TokenActivations, pack_sentences
from ._batching import batches
from ._encoded_sentence import EncodedSentence
from ._encoding import Pieces, pad
from ._network import Network
from ._packed_sentences import n_rows_of, n_subwords_of
from ._states import LayerStates
from .aggregation import AGGREGATIONS, spans
from .hook_points import unit_of

# Called with sentences and a length to pad them to; returns the states of each layer, and the
# pieces that rows consist of.
Forward: TypeAlias = Callable[..., tuple[list[torch.Tensor], Pieces]]


@dataclass(frozen=True)
class Run:
    """Settings for running sentences through a model and aggregating its states.

    Parameters
    ----------
    network : Network
    layers : tuple of int
    modules : str or None
        As in ``ActivationExtractor``.
    aggregation : str
        How the states of the sub-words of a row are aggregated, a key of ``AGGREGATIONS``.
    pad_id : int
        Index of the sub-word that sentences are padded with.
    batch_tokens : int
        Number of sub-words in a batch.
    dtype : str
        Dtype of the rows.
    autocast : str or None
        Dtype of the matrix products of the model, if narrower than that of its weights.
    verbose : int
        Verbosity level. If positive, show a progress bar.
    padding : bool, default=True
        Whether sentences of different lengths may share a batch.
    """

    network: Network
    layers: tuple[int, ...]
    modules: str | None
    aggregation: str
    pad_id: int
    batch_tokens: int
    dtype: str
    autocast: str | None
    verbose: int
    padding: bool = True

    @contextmanager
    def forward(self) -> Iterator[Forward]:
        """Prepare the model, and yield a function from sentences to the states of sub-words."""
        device = self.network.device
        narrow = torch.autocast(
            device.type,
            getattr(torch, self.autocast or "bfloat16"),
            enabled=self.autocast is not None,
        )
        running = LayerStates(self.network, self.layers, self.modules)

        def forward(
            sentences: list[EncodedSentence], length: int | None = None
        ) -> tuple[list[torch.Tensor], Pieces]:
            inputs, pieces = pad(sentences, self.pad_id, length)
            return states_of({name: ids.to(device) for name, ids in inputs.items()}), pieces

        with torch.inference_mode(), full_precision(), narrow, running as states_of:
            yield forward

    def rows(self, encoded: Sequence[EncodedSentence], *, quiet: bool = False) -> Array:
        """Run the model over sentences.

        Parameters
        ----------
        encoded : sequence of EncodedSentence
        quiet : bool, default=False
            Whether to hide the progress bar even if `verbose` is positive.

        Returns
        -------
        ndarray or Bfloat16Array of shape (n_rows, n_layers * width)
            Rows in the order of the sentences, regardless of the batches.

        Raises
        ------
        ValueError
            If an activation is NaN or infinite (the message names the sentence), or the layers have
            different widths.
        """
        starts = np.cumsum([0, *n_rows_of(encoded)])
        stored = stored_dtype(self.dtype)
        X = np.empty((0, 0), dtype=stored)
        progress = tqdm(
            total=sum(n_subwords_of(encoded)),
            unit="sub-word",
            desc="extract",
            disable=quiet or not self.verbose,
        )
        with progress, self.forward() as forward:
            for batch in batches(encoded, self.batch_tokens, padding=self.padding):
                sentences = [encoded[i] for i in batch]
                states, pieces = forward(sentences)
                _check_widths(states, self.layers)
                if not X.size:
                    X = np.empty((starts[-1], sum(s.shape[-1] for s in states)), dtype=stored)
                rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in batch])
                column = 0
                for block in self._aggregated(states, pieces):
                    _check_finite(block, sentences)
                    X[rows, column : column + block.shape[1]] = _values(block)
                    column += block.shape[1]
                progress.update(sum(sentence.n_subwords for sentence in sentences))
        return X if stored.name == self.dtype else Bfloat16Array(X)

    def tokens(
        self,
        encoded: Sequence[EncodedSentence],
        y: NDArray | None,
        *,
        offsets: NDArray | None,
        provenance: dict[str, Any],
    ) -> TokenActivations:
        """Run the model over sentences and return the rows with their words and labels."""
        X = self.rows(encoded)
        words, ids, positions = [], array("q"), array("q")
        for sentence in encoded:
            words.append(sentence.words)
            ids.append(sentence.sentence_id)
            positions.extend(sentence.positions)
        return pack_sentences(
            X,
            words,
            sentence_ids=np.array(ids, dtype=np.intp),
            positions=np.array(positions, dtype=np.intp),
            layers=self.layers,
            y=y,
            unit=unit_of(self.modules),
            offsets=offsets,
            provenance=provenance,
        )

    def _aggregated(self, states: list[torch.Tensor], pieces: Pieces) -> Iterator[torch.Tensor]:
        """Yield the rows of a batch, layer by layer."""
        aggregate = AGGREGATIONS[self.aggregation]
        first, counts = spans(pieces.row_ids)
        for state in states:
            # The mean is returned in float32 at least, not in the dtype of a narrower model.
            own = pieces.of(state)
            rows = aggregate(own.float() if own.dtype.itemsize < 4 else own, first, counts)
            yield rows.to(getattr(torch, self.dtype)).cpu()


def digest_of(encoded: Sequence[EncodedSentence]) -> str:
    """Return a digest of the sub-words of a corpus and of the rows that they belong to."""
    digest = hashlib.sha256()
    for sentence in encoded:
        inputs = {name: np.asarray(ids).tolist() for name, ids in sentence.inputs.items()}
        ids = inputs.pop("input_ids")
        others = [other for other in sorted(inputs.items()) if any(other[1])]
        if sentence.pieces is not None:
            others.append(("pieces", sentence.pieces))
        digest.update(repr((ids, sentence.row_ids, *others)).encode())
    return digest.hexdigest()


def word_indices(corpus: list[list[str]], encoded: Sequence[EncodedSentence]) -> NDArray[np.intp]:
    """Return the index of the word of each row among all words of the corpus."""
    starts = np.cumsum([0] + [len(words) for words in corpus])
    return np.concatenate([starts[s.sentence_id] + s.positions for s in encoded])


def _values(rows: torch.Tensor) -> NDArray:
    """Return the values of rows, or the bits of bfloat16."""
    return Bfloat16Array.from_tensor(rows).bits if rows.dtype == torch.bfloat16 else rows.numpy()


def _check_widths(states: list[torch.Tensor], layers: Sequence[int]) -> None:
    widths = [state.shape[-1] for state in states]
    if len(set(widths)) > 1:
        raise ValueError(
            f"The layers {list(layers)} have different widths, {widths}. Extract layers of "
            "different widths separately."
        )


def _check_finite(rows: torch.Tensor, sentences: list[EncodedSentence]) -> None:
    finite = torch.isfinite(rows).all(dim=1)
    if not finite.all():
        owners = [s.sentence_id for s in sentences for _ in range(s.n_rows)]
        raise ValueError(
            f"Sentence {owners[int(finite.int().argmin())]} has activations that are NaN or "
            f"infinite in {str(rows.dtype).removeprefix('torch.')}."
        )
