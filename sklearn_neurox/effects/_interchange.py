"""Interchange: states of sources at positions of other texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._indices import check_indices
from ..extraction.edited_runs import EditedRuns
from ..extraction.state_edits import StateEdit
from ..extraction.text_runs import TextRun


@dataclass(frozen=True)
class Interchange:
    """An edit that replaces states at some positions of a batch of texts.

    Parameters
    ----------
    values : Tensor of shape (n_positions, n_neurons)
        The states of the sources.
    texts, positions : Tensor of int of shape (n_positions,)
        The text within the batch, and the position within the text, of each state.
    shape : torch.Size
        Number of texts, and length of the batch.
    neurons : Tensor of int of shape (n_interchanged,) or None
        The neurons that are replaced. If None, all.
    """

    values: Tensor
    texts: Tensor
    positions: Tensor
    shape: torch.Size
    neurons: Tensor | None = None

    def state_edit(self, dtype: torch.dtype, device: torch.device) -> StateEdit:
        """Return the edit as a function of tensors."""
        texts, positions = self.texts.to(device), self.positions.to(device)
        values = self.values.to(device=device, dtype=dtype)

        def put(states: Tensor) -> Tensor:
            edited = states.clone(memory_format=torch.contiguous_format)
            # Some models flatten texts and positions, and virtual tokens come first.
            by_text = edited.view(self.shape[0], -1, edited.shape[-1])
            own = by_text[:, by_text.shape[1] - self.shape[1] :]
            if self.neurons is None:
                own[texts, positions] = values
            else:
                neurons = self.neurons.to(device)
                own[texts[:, None], positions[:, None], neurons] = values[:, neurons]
            return edited

        return put


class SourceStates:
    """The states of the sources of a batch of texts, at the aligned positions.

    Parameters
    ----------
    runs : EditedRuns
    batch : list of EncodedSentence
        The texts.
    sources : list of EncodedSentence
        The sources of all texts.
    pairs : list of ndarray of shape (n_pairs, 2)
        Pairs of positions of all texts, as returned by ``align``.
    neurons : sequence of int or None
        The neurons that are interchanged.
    """

    def __init__(
        self,
        runs: EditedRuns,
        batch: Sequence[Any],
        sources: Sequence[Any],
        pairs: Sequence[NDArray[np.intp]],
        neurons: Any = None,
    ):
        self._pairs = [pairs[text.sentence_id] for text in batch]
        self._shape = torch.Size([len(batch), max(text.n_subwords for text in batch)])
        self._states: list[Tensor] = [torch.empty(0)] * len(batch)
        self._neurons = neurons
        for places in _groups(batch, sources):
            runs.read_states([sources[batch[i].sentence_id] for i in places])
            for i, states in zip(places, runs.states, strict=True):
                self._states[i] = states[torch.from_numpy(self._pairs[i][:, 1]).to(states.device)]

    def at(
        self, chosen: Sequence[NDArray[np.bool_] | NDArray[np.intp]] | None = None
    ) -> Interchange:
        """Return the edit that interchanges some of the pairs of each text, or all of them.

        Parameters
        ----------
        chosen : sequence of index arrays, default=None
            For each text, which of its pairs are interchanged.
        """
        if chosen is None:
            chosen = [np.arange(len(pairs)) for pairs in self._pairs]
        positions = [pairs[each, 0] for pairs, each in zip(self._pairs, chosen, strict=True)]
        values = torch.cat(
            [
                states[torch.as_tensor(each, device=states.device)]
                for states, each in zip(self._states, chosen, strict=True)
            ]
        )
        texts = np.repeat(np.arange(len(positions)), [len(each) for each in positions])
        return Interchange(
            values,
            torch.from_numpy(texts),
            torch.from_numpy(np.concatenate(positions)),
            self._shape,
            self._checked_neurons(values.shape[1]),
        )

    def _checked_neurons(self, width: int) -> Tensor | None:
        if self._neurons is None:
            return None
        return torch.from_numpy(check_indices(self._neurons, width, what="neuron"))


def _groups(batch: Sequence[Any], sources: Sequence[Any]) -> list[list[int]]:
    """Return which sources of a batch run together.

    If they have the lengths of their texts, they all do, because the texts share a batch, too.
    Otherwise, only those of equal length do, because padding changes the states in some models.
    """
    lengths = [sources[text.sentence_id].n_subwords for text in batch]
    if lengths == [text.n_subwords for text in batch]:
        return [list(range(len(batch)))]
    groups = defaultdict(list)
    for i, length in enumerate(lengths):
        groups[length].append(i)
    return list(groups.values())


def source_inputs(run: TextRun, sources: Sequence[Any]) -> dict[str, Tensor] | None:
    """Return the inputs of a batch with the tokens of the sources.

    It is None if the lengths of a text and its source differ.
    """
    own = [sources[text.sentence_id] for text in run.texts]
    if any(
        source.n_subwords != text.n_subwords for text, source in zip(run.texts, own, strict=True)
    ):
        return None
    inputs = dict(run.inputs)
    for name in own[0].inputs:
        inputs[name] = inputs[name].clone()
        for row, source in zip(inputs[name], own, strict=True):
            row[: source.n_subwords] = torch.as_tensor(source.inputs[name])
    return inputs
