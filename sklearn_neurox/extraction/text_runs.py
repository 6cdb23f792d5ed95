"""What a network returns for a batch of texts, and the states that are read on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ._encoded_sentence import EncodedSentence
from ._encoding import Pieces
from .aggregation import AGGREGATIONS, spans


@dataclass(frozen=True, eq=False)
class TextRun:
    """One run of a network on a batch of texts.

    Parameters
    ----------
    outputs : object
        What the network returns, or None if only a part of it was run.
    inputs : mapping of str to Tensor
        The inputs of the network, such as ``input_ids`` and ``attention_mask``.
    texts : list of EncodedSentence
        The texts of the batch. Their ids are the positions in the list of all texts.
    pieces : Pieces
        The positions that rows consist of.
    pooled_positions : Tensor of bool of shape (n_texts, n_positions)
        The positions whose mean is the row of a text.
    final : Tensor of shape (n_texts, n_positions, n_neurons) or None
        The output of the stack of layers, or None if it was not read.
    states : mapping of str to Tensor
        The states of other layers of the same run, by the names under which they are requested.
    aggregation : str, default="mean"
        How the positions of a row are aggregated, a key of ``AGGREGATIONS``.
    model_name : str, default="The model"
        Class of the network, for messages.
    """

    outputs: Any
    inputs: Mapping[str, Tensor]
    texts: list[EncodedSentence]
    pieces: Pieces
    pooled_positions: Tensor
    final: Tensor | None = None
    states: Mapping[str, Tensor] = field(default_factory=dict)
    aggregation: str = "mean"
    model_name: str = "The model"

    @property
    def attended(self) -> Tensor:
        """Positions of the texts without padding, a boolean tensor (n_texts, n_positions)."""
        return self.inputs["attention_mask"].bool()

    @property
    def logits(self) -> Tensor | None:
        """The logits that the network returns, without those of virtual tokens, or None."""
        logits = getattr(self.outputs, "logits", None)
        if not isinstance(logits, Tensor) or logits.ndim == 2:
            return logits if isinstance(logits, Tensor) else None
        return logits[:, -self.attended.shape[1] :]  # virtual tokens come first

    @property
    def batch(self) -> dict[str, Tensor]:
        """The inputs, and the numbers of the texts as "text_ids"."""
        ids = torch.tensor([text.sentence_id for text in self.texts])
        return dict(self.inputs) | {"text_ids": ids}

    def rows(self, states: Tensor) -> Tensor:
        """Aggregate states of shape (n_texts, n_positions, n_neurons) to the rows of the texts."""
        first, counts = spans(self.pieces.row_ids)
        rows: Tensor = AGGREGATIONS[self.aggregation](_wide(self.pieces.of(states)), first, counts)
        return rows

    def pooled(self, states: Tensor) -> Tensor:
        """Pool states of shape (n_texts, n_positions, n_neurons) to one row for each text."""
        return mean_at(states, self.pooled_positions)

    def mean_by_text(self, values: Tensor) -> Tensor:
        """Average values of the rows, of shape (n_rows,), within each text."""
        sizes = torch.tensor([text.n_rows for text in self.texts], device=values.device)
        owners = torch.repeat_interleave(torch.arange(len(sizes), device=values.device), sizes)
        total = torch.zeros(len(sizes), dtype=values.dtype, device=values.device)
        return total.index_add(0, owners, values) / sizes


def mean_at(states: Tensor, positions: Tensor) -> Tensor:
    """Average states of shape (n_texts, n_positions, n_neurons) over some positions of each text.

    Parameters
    ----------
    states : Tensor of shape (n_texts, n_positions, n_neurons)
    positions : Tensor of bool of shape (n_texts, n_positions)
        At least one of each text.

    Returns
    -------
    Tensor of shape (n_texts, n_neurons)
        In float32 at least.
    """
    wide = _wide(states)
    weights = positions.to(wide)
    return torch.einsum("tp,tpn->tn", weights / weights.sum(dim=1, keepdim=True), wide)


def _wide(states: Tensor) -> Tensor:
    return states.float() if states.dtype.itemsize < 4 else states
