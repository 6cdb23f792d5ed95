"""Running a network on the same texts with many edits at one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from inspect import Parameter, signature
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from .._device import full_precision
from .._warnings import warn
from ..activations.columns import Neurons
from ._batching import batches
from ._bypass import Bypass, same_tensors
from ._editing_places import find_place, innermost
from ._encoded_sentence import EncodedSentence
from ._encoded_texts import can_pad, encode, pooled_positions
from ._encoding import pad
from ._isolation import EnoughError, isolated
from ._locks import alone_with
from ._network import Network, is_peft, unwrapped
from ._states import by_subword
from ._vocabulary import pad_id_of
from .extractor import ActivationExtractor
from .hook_points import HookPoint, blocks_of, hooked
from .loaded import LoadedModel
from .positions import Where
from .state_edits import EditHook, Positions, recorded_calls
from .text_runs import TextRun, mean_at

# Largest difference of a tensor that rounding can make, as a share of its largest value.
_ROUNDING = 1e-3


class EditedRuns:
    """Run a network on batches of texts, without an edit and with many edits at one place.

    Within the context, :meth:`start` runs a batch without an edit, and :meth:`run` runs the same
    batch with an edit. The blocks below the place are computed by :meth:`start` only. At the end,
    also after an error, the model is as it was before.

    Parameters
    ----------
    model : ActivationExtractor or LoadedModel
        Provides the model, its tokenizer and the settings for running it. A model that is given by
        its name is loaded with the head that it was saved with.
    layer : int, str or Neurons
        The place of the edits, as in :func:`intervene`.
    where : Where or callable, default=None
        Positions that are edited, as in :func:`intervene`. A Where selects tokens of the texts.
    read : mapping of str to places, default=None
        Other places, at or above `layer`, whose states are read in each run.
    words : bool, default=False
        Whether each word of a text has a row, instead of each text.
    bypass : bool, default=None
        Whether the blocks below the place are left out in runs with an edit. If None, the first
        batch that starts determines it: if the output is the same without them.

    Attributes
    ----------
    loaded : LoadedModel
    place : EditedPlace
    tokenizer : tokenizer

    Raises
    ------
    TypeError, ValueError
        If the network does not have a place, or the extractor leaves out texts.
    """

    def __init__(
        self,
        model: ActivationExtractor | LoadedModel,
        *,
        layer: int | str | Neurons,
        where: Where | Positions | None = None,
        read: Mapping[str, Any] | None = None,
        words: bool = False,
        bypass: bool | None = None,
    ):
        extractor = model.extractor if isinstance(model, LoadedModel) else model
        if extractor.on_truncate == "drop":
            raise ValueError(
                "on_truncate='drop' would leave out texts. Use an extractor with 'error' or 'warn'."
            )
        self._extractor, self._words = extractor, words
        self._rule = where if isinstance(where, Where) else None
        self._where: Positions | None = self._marked if isinstance(where, Where) else where
        self.loaded = model if isinstance(model, LoadedModel) else LoadedModel(model)
        self._network, self.tokenizer = self.loaded.network, self.loaded.tokenizer
        self._runner, self._is_whole = _runner(self._network, unwrapped(self.loaded.whole))
        self._options = _options(self._runner)
        self.place = find_place(self._runner, layer)
        self._read = {name: find_place(self._runner, each) for name, each in (read or {}).items()}
        blocks = list(blocks_of(self._network.stack) or [])
        self._bypass = Bypass(blocks, is_enabled=bypass is not False)
        self._inputs: dict[str, Any] = {}  # of the current call, for `where`
        self._edit: EditHook | None = None
        self._is_checked, self._ends_early = bypass is not None, False
        self._pads: bool | None = None
        self._state: Tensor | None = None
        self._states: dict[str, Tensor] = {}
        self._contexts = ExitStack()

    def __enter__(self) -> Self:
        autocast = torch.autocast(
            self._network.device.type,
            getattr(torch, self._extractor.autocast or "bfloat16"),
            enabled=self._extractor.autocast is not None,
        )
        # The edit comes before the readers, so that they read edited states.
        hooks: list[AbstractContextManager[Any]] = [
            self._bypass.installed(),
            recorded_calls(innermost(self._runner), self._inputs),
            self.place.point.edit(self._on_state),
            hooked(self._readers(), self._on_read),
        ]
        with ExitStack() as contexts:
            contexts.enter_context(alone_with(self.loaded.whole, self.tokenizer))
            for each in (torch.inference_mode(), full_precision(), autocast):
                contexts.enter_context(each)
            self._call = contexts.enter_context(
                isolated(self._runner, *hooks, reset=self._bypass.reset)
            )
            self._contexts = contexts.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bypass.forget()
        self._contexts.close()

    def encode(
        self, texts: Sequence[Any], *, words: bool | None = None, mark: bool = True
    ) -> list[Any]:
        """Tokenize texts, and return one EncodedSentence for each.

        Parameters
        ----------
        texts : sequence of texts
        words : bool, default=None
            Whether each word has a row. If None, as for the class.
        mark : bool, default=True
            Whether to mark the positions that are edited, which is required if a rule selects them.
        """
        words = self._words if words is None else words
        rule = self._rule if mark else None
        return encode(texts, self._extractor, self._network, self.tokenizer, words=words, mark=rule)

    def batches(self, encoded: list[EncodedSentence]) -> Iterator[list[EncodedSentence]]:
        """Yield batches of texts of similar length.

        The texts of the first call determine whether padding changes the states, so that texts of
        different lengths do not share a batch.
        """
        if self._pads is None:
            self._pads = can_pad(encoded, self._extractor, self._network, self.tokenizer)
        for batch in batches(encoded, self._extractor.batch_tokens, padding=self._pads):
            yield [encoded[i] for i in batch]

    def read_states(self, texts: list[EncodedSentence]) -> TextRun:
        """Run a batch up to the place only, and return a run without outputs."""
        self._ends_early = not self._network.is_dispatched  # hooks of accelerate run to the end
        try:
            return self._begin(texts)
        finally:
            self._ends_early = False

    def start(self, texts: list[EncodedSentence]) -> TextRun:
        """Run a batch without an edit, and prepare for runs with edits."""
        self._bypass.mode = "record"
        try:
            found = self._begin(texts)
        finally:
            self._bypass.mode = "off"
        self._bypass.finish()
        if not self._is_checked:
            self._check_bypass(found)
        return found

    def run(self, edit: Any) -> TextRun:
        """Run the last batch with an edit, which is a transformer as in :func:`intervene`."""
        self._edit = EditHook(self.place, edit, self._where, self._inputs)
        self._bypass.mode = "replay" if self._bypass.n_bypassed else "off"
        try:
            return self._run(self._given)
        finally:
            self._bypass.mode, self._edit = "off", None

    def again(self, inputs: Mapping[str, Tensor]) -> TextRun:
        """Run other inputs of the shape of the last batch, without an edit."""
        return self._run(dict(inputs))

    @property
    def states(self) -> Tensor:
        """The unedited states at the place in the last batch, (n_texts, n_positions, n_neurons)."""
        assert self._state is not None
        shape = self._given["input_ids"].shape
        state = by_subword(self._state, shape, self._network.n_virtual)
        if state is None:
            raise ValueError(
                f"{self.place.name} has states of shape {tuple(self._state.shape)} for {shape[0]} "
                f"texts of {shape[1]} tokens. Expected one state per token."
            )
        columns = self.place.columns
        return state if columns is None else state[..., torch.as_tensor(columns)]

    @property
    def edited_positions(self) -> Tensor:
        """The positions in the last batch that edits change, (n_texts, n_positions) of bool."""
        attended = self._given["attention_mask"].bool()
        if self._where is None:
            return attended
        hook = EditHook(self.place, None, self._where, self._inputs)
        assert self._state is not None
        return hook.mask(self._state).reshape(attended.shape).to(attended.device) & attended

    def rows(self, run: TextRun) -> Tensor:
        """Return the rows of the last batch at the place, of shape (n_rows, n_neurons).

        There is one row per word, or one row per text: its pooled state or, if only some positions
        are edited, the mean of their states.
        """
        if self._words:
            return run.rows(self.states)
        if self._where is None:
            return run.pooled(self.states)
        edited = self.edited_positions
        counts = edited.sum(dim=1)
        if not counts.all():
            text = run.texts[int(counts.argmin())].sentence_id
            raise ValueError(f"Text {text}: {self.rule_name} does not select any position.")
        return mean_at(self.states, edited)

    @property
    def rule_name(self) -> str:
        """What selects the positions to edit, for messages."""
        return "where" if self._rule is None else repr(self._rule)

    @property
    def n_bypassed(self) -> int:
        """Number of blocks that are not computed again for each edit."""
        return self._bypass.n_bypassed

    @property
    def bypasses(self) -> bool:
        """Whether blocks below the place are left out, which the first batch determines."""
        return self._bypass.is_enabled

    def _begin(self, texts: list[EncodedSentence]) -> TextRun:
        inputs, pieces = pad(texts, pad_id_of(self._network.stack, self.tokenizer))
        device = self._network.device
        self._given = {name: ids.to(device) for name, ids in inputs.items()}
        length = inputs["input_ids"].shape[1]
        pooled = pooled_positions(texts, self._extractor.pooling, length)
        self._batch = texts, pieces, pooled.to(device)
        self._state = None
        found = self._run(self._given)
        if self._state is None:
            raise ValueError(
                f"{type(self._runner).__name__} ran without {self.place.name}, so it cannot be "
                "edited there."
            )
        return found

    def _run(self, inputs: dict[str, Tensor]) -> TextRun:
        self._states.clear()
        outputs = self._call(**(self._network.arguments(inputs) | self._options))
        shape, n_virtual = inputs["input_ids"].shape, self._network.n_virtual
        states = {name: by_subword(state, shape, n_virtual) for name, state in self._states.items()}
        self._states.clear()
        texts, pieces, pooled = self._batch
        return TextRun(
            outputs if self._is_whole else None,
            inputs,
            texts,
            pieces,
            pooled,
            final=states.pop(_FINAL, None),
            states={name: state for name, state in states.items() if state is not None},
            aggregation=self._extractor.aggregation if self._words else "mean",
            model_name=type(self._runner).__name__,
        )

    def _marked(self, inputs: Mapping[str, Any]) -> Tensor:
        """Return the positions of the last batch that the rule selects."""
        mask = torch.zeros(self._given["input_ids"].shape, dtype=torch.bool)
        for row, text in zip(mask, self._batch[0], strict=True):
            row[: text.n_subwords] = torch.from_numpy(text.marked)
        return mask

    def _readers(self) -> dict[str, HookPoint]:
        final = HookPoint(self._network.stack, "output")
        return {_FINAL: final} | {name: place.point for name, place in self._read.items()}

    def _on_state(self, state: Tensor) -> Tensor:
        """Edit or record a state at the place."""
        is_first = self._bypass.reach()
        if self._edit is not None:
            return self._edit(state)
        if is_first:
            self._state = state.clone()  # copied, because the next module may work in place
            if self._ends_early:
                raise EnoughError
        return state

    def _on_read(self, name: str, state: Tensor) -> None:
        if not self._bypass.is_reached and name in self._read:
            raise ValueError(
                f"{self._read[name].name}, where {name!r} is measured, is below "
                f"{self.place.name}, which is edited. Measure at or above the edited layer."
            )
        self._states[name] = state.clone()

    def _check_bypass(self, expected: TextRun) -> None:
        """Compute all blocks for each edit if a result is not the same without those below."""
        self._is_checked = True
        if not self._bypass.n_bypassed:
            return
        if self._bypass.has_hooks:  # which read or change what happens in each run
            self._bypass.disable()
        elif not self._is_same_without_blocks(expected):
            warn(
                f"{type(self._runner).__name__} does not return the same output if the blocks "
                "below the edit are not computed again, so they are computed for each edit."
            )
            self._bypass.disable()

    def _is_same_without_blocks(self, expected: TextRun) -> bool:
        state = self._state
        self._bypass.mode = "replay"
        try:
            found = self._run(self._given)
            pairs = zip(
                (found.outputs, found.final, found.states, self._state),
                (expected.outputs, expected.final, expected.states, state),
                strict=True,
            )
            return all(same_tensors(*pair, tolerance=_ROUNDING) for pair in pairs)
        except Exception:  # such as that of a block that shares keys and values of those below
            return False
        finally:
            self._bypass.mode, self._state = "off", state


_FINAL = "output of the last layer"


def _runner(network: Network, whole: Any) -> tuple[Any, bool]:
    """Return the network to run, and whether it is the whole model with its head.

    Of an encoder-decoder, only the encoder is run.
    """
    inside = whole.get_base_model() if hasattr(whole, "get_base_model") else whole
    if getattr(getattr(inside, "config", None), "is_encoder_decoder", False):
        return network.runner, False
    return (network.runner if is_peft(whole) else whole), True


def _options(runner: nn.Module) -> dict[str, bool]:
    """Return arguments of a model that are not the same as its defaults."""
    parameters = signature(runner.forward).parameters
    others = any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values())
    options = {"return_dict": True} if others or "return_dict" in parameters else {}
    # Decoders build a cache of keys and values that is not read.
    return options | ({"use_cache": False} if "use_cache" in parameters else {})
