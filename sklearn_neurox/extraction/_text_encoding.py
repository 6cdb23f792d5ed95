"""Texts as tokens: strings, conversations and token indices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import groupby, islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .._warnings import warn
from .._wording import count
from ..datasets.texts import is_table
from ._conversations import ChatTemplate, check_conversation, contents_of, is_conversation
from ._special_tokens import AmbiguousTokenError, SpecialTokens
from ._subwords import NOT_INPUTS, subwords_of
from .texts import EncodedText, Message, fill_gaps

_AT_ONCE = 1024  # texts that a tokenizer is called with
_CONTEXT = 8  # tokens before a text that may change how its first token is decoded
_INCOMPLETE = "\ufffd"  # in the text of tokens that contain only some bytes of a character

_READ_OR_SPLIT = (
    "If this is a conversation to which a chat template was applied, pass the messages. Otherwise, "
    "set split_special_tokens=False to read it as the special token, or split_special_tokens=True "
    "to split it into sub-words like ordinary text."
)


class _Prepared(NamedTuple):
    """A text before it is tokenized."""

    number: int  # of the text
    text: str
    options: tuple[tuple[str, bool], ...]  # of the call of the tokenizer
    turns: tuple[Message, ...] | ValueError | None


class TextEncoder:
    """Tokenize strings, conversations and token indices as plain ``transformers`` does.

    The tokens of a string are those of ``tokenizer(text)``, and the tokens of a conversation are
    those of ``tokenizer.apply_chat_template(conversation)``.

    Parameters
    ----------
    tokenizer : tokenizer
    template : ChatTemplate
    split_special_tokens : bool, default=None
        As in ``ActivationExtractor``.
    """

    def __init__(
        self, tokenizer: Any, template: ChatTemplate, *, split_special_tokens: bool | None = None
    ):
        self.tokenizer = tokenizer
        self._template = template
        self._split = split_special_tokens
        self._special_tokens = SpecialTokens(tokenizer, split_special_tokens)
        special = sorted(special_ids_of(tokenizer))
        self._are_special = np.zeros(max(special, default=-1) + 2, dtype=bool)  # the last is not
        self._are_special[special] = True
        self._name = type(tokenizer).__name__

    def encode(self, texts: Iterable[Any]) -> Iterator[EncodedText]:
        """Yield the encoded texts in their order.

        Raises
        ------
        TypeError
            If a text is neither a string, a list of messages nor a list of token indices.
        ValueError
            If a text is empty or contains a special token that can be read in two ways, a message
            is not valid, or the tokenizer does not have a chat template for a conversation.
        """
        n_doubled, dropped = 0, []
        numbered = enumerate(texts)
        while chunk := list(islice(numbered, _AT_ONCE)):
            for encoded in self._encode_chunk(chunk):
                n_doubled += self._has_two_beginnings(encoded)
                dropped += _dropped_messages(encoded)
                yield encoded
        if dropped:
            warn(
                f"The chat template of {self._name} leaves out {count(len(dropped), 'message')}; "
                f"the first is {dropped[0]}. Check its role."
            )
        if n_doubled:
            warn(
                f"{count(n_doubled, 'text')} already start{'s' * (n_doubled == 1)} with "
                f"{self.tokenizer.bos_token!r}, and {self._name} adds another one before it. If a "
                "chat template was applied to conversations, pass the messages instead."
            )

    def are_special(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which token indices are those of special tokens."""
        return self._are_special[np.minimum(ids, len(self._are_special) - 1)]

    def decoded(
        self, ids: NDArray[np.integer], first: int = 0, *, after: NDArray[np.integer] | None = None
    ) -> tuple[str, NDArray[np.intp]]:
        """Return the text of tokens, and the characters of each token.

        The tokens are decoded one by one, each together with those before it that it depends on.

        Parameters
        ----------
        ids : ndarray of int of shape (n_tokens,)
        first : int, default=0
            Number of characters before the text.
        after : ndarray of int, default=None
            Tokens before the first one, which is decoded differently at the beginning of a text.
        """
        before_all = ids[:0] if after is None else after[-_CONTEXT:]
        every = np.concatenate([before_all, ids])
        known, read = 0, len(before_all)  # the text of the tokens up to `read` is known
        text, offsets = "", np.empty((len(ids), 2), dtype=np.intp)
        for place in range(len(ids)):
            end = len(before_all) + place + 1
            before, now = self._decode(every[known:read]), self._decode(every[known:end])
            is_part = now.endswith(_INCOMPLETE) and end < len(every)
            new = "" if is_part else now[len(before) :]
            # Each part of a character that consists of several tokens has this character.
            offsets[place] = len(text), len(text) + (1 if is_part else len(new))
            text += new
            if new:
                known, read = read, end
        return text, np.minimum(offsets, len(text)) + first

    def _decode(self, ids: NDArray[np.integer]) -> str:
        return self.tokenizer.decode(ids.tolist(), clean_up_tokenization_spaces=False)

    def _encode_chunk(self, chunk: Sequence[tuple[int, Any]]) -> list[EncodedText]:
        encoded: dict[int, EncodedText] = {}
        prepared = []
        for index, text in chunk:
            if isinstance(text, str) or is_conversation(text):
                prepared.append(self._prepare(text, index))
            else:
                encoded[index] = self._of_ids(text, index)
        prepared.sort(key=lambda each: each.options)
        for options, same in groupby(prepared, key=lambda each: each.options):
            for each in self._tokenize(list(same), dict(options)):
                encoded[each.index] = each
        return [encoded[index] for index, _ in chunk]

    def _prepare(self, text: Any, index: int) -> _Prepared:
        """Render a conversation, and determine how the tokenizer is to be called."""
        if isinstance(text, str):
            if not text:
                raise ValueError(f"Text {index} is an empty string.")
            options = self._options(str(text), f"Text {index}")
            return _Prepared(index, str(text), tuple(options.items()), None)
        check_conversation(text, index)
        self._template.check()
        if self._split:
            raise ValueError(
                f"Text {index} is a conversation, whose chat template contains special tokens, so "
                "split_special_tokens=True cannot be used. Set it to None or False."
            )
        for number, message in enumerate(text):
            for content in contents_of(message):
                self._options(content, f"Text {index}, message {number}")
        rendered, turns = self._template.apply(text, index)
        if not rendered or (
            isinstance(turns, tuple) and not any(turn.spans or turn.is_empty for turn in turns)
        ):
            raise ValueError(
                f"Text {index}: the result of the chat template, {rendered!r:.80}, does not "
                f"contain any of the messages, whose roles are {[m['role'] for m in text]}. "
                "Check the roles and chat_template."
            )
        # The template contains the special tokens, as in apply_chat_template.
        return _Prepared(index, rendered, (("add_special_tokens", False),), turns)

    def _options(self, text: str, place: str) -> dict[str, bool]:
        try:
            text.encode()
            return self._special_tokens.options(text)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{place}, character {error.start}: the text contains {text[error.start]!r}, "
                "which is half of a character. Read the text with its encoding, such as UTF-8."
            ) from None
        except AmbiguousTokenError as error:
            advice = _READ_OR_SPLIT if "message" not in place else (
                "The chat template would treat it as its own. Remove it, or set "
                "split_special_tokens=False to read it as the special token."
            )  # fmt: skip
            raise ValueError(
                f"{place}, character {error.start}: the text contains {error.token!r}, a special "
                f"token of {self._name}. {advice}"
            ) from None

    def _tokenize(self, texts: list[_Prepared], options: dict[str, bool]) -> Iterator[EncodedText]:
        """Tokenize texts with the same options."""
        if not self.tokenizer.is_fast:
            for each in texts:
                yield self._of_slow(each, options)
            return
        output = self.tokenizer(
            [each.text for each in texts], truncation=False, padding=False, verbose=False, **options
        )
        names = [name for name in output if name not in NOT_INPUTS]
        for row, each in enumerate(texts):
            encoding = output.encodings[row]
            added = np.array(encoding.special_tokens_mask, dtype=bool)
            offsets = np.array(encoding.offsets, dtype=np.intp).reshape(-1, 2)
            inputs = {name: output[name][row] for name in names}
            yield self._encoded(each, inputs, added, offsets)

    def _of_slow(self, each: _Prepared, options: dict[str, bool]) -> EncodedText:
        subwords = subwords_of(self.tokenizer, each.text, options)
        if subwords is not None:
            return self._encoded(each, subwords.inputs, np.array(subwords.added), None)
        output = self.tokenizer(
            each.text, truncation=False, padding=False, verbose=False, **options
        )
        inputs = {name: output[name] for name in output if name not in NOT_INPUTS}
        return self._encoded(each, inputs, np.zeros(len(inputs["input_ids"]), dtype=bool), None)

    def _of_ids(self, text: Any, index: int) -> EncodedText:
        """Encode a text that is a list of token indices, or a dict of inputs of the model."""
        given = text if isinstance(text, Mapping) else {"input_ids": text}
        inputs = {name: _check_ids(ids, name, index) for name, ids in given.items()}
        ids = inputs["input_ids"]
        if ids.max() >= len(self.tokenizer):
            raise ValueError(
                f"Text {index} contains the token index {ids.max()}, but {self._name} has "
                f"{len(self.tokenizer)} tokens."
            )
        if "token_type_ids" in self.tokenizer.model_input_names:
            inputs.setdefault("token_type_ids", np.zeros_like(ids))
        decoded, offsets = self.decoded(ids)
        added = np.zeros(len(ids), dtype=bool)
        return self._encoded(_Prepared(index, decoded, (), None), inputs, added, offsets)

    def _encoded(
        self,
        each: _Prepared,
        inputs: Mapping[str, Any],
        added: NDArray[np.bool_],
        offsets: NDArray[np.intp] | None,
    ) -> EncodedText:
        arrays = {name: np.array(ids, dtype=np.int32) for name, ids in inputs.items()}
        ids = arrays["input_ids"]
        if not len(ids):
            raise ValueError(
                f"Text {each.number}: {self._name} does not return any tokens for "
                f"{each.text!r:.60}."
            )
        if offsets is not None and added.any():
            offsets[added] = offsets[added][:, :1]  # an added token does not have characters
        if offsets is not None:
            fill_gaps(offsets, ~added)
        is_special = added | self.are_special(ids)
        return EncodedText(
            each.number, each.text, arrays, self.tokenizer, is_special, offsets, each.turns
        )

    def _has_two_beginnings(self, text: EncodedText) -> bool:
        beginning = self.tokenizer.bos_token_id
        first = text.inputs["input_ids"][:2].tolist()
        return (
            beginning is not None
            and first == [beginning, beginning]
            and text.text.startswith(self.tokenizer.bos_token)
        )


def _dropped_messages(text: EncodedText) -> list[str]:
    """Describe the messages whose contents are not in the text of a conversation."""
    return [
        f"message {number} of text {text.index}, with the role {turn.role!r}"
        for number, turn in enumerate(text.known_turns)
        if not turn.spans and not turn.is_empty
    ]


def text_encoder_of(extractor: Any, tokenizer: Any, *, answering: bool = False) -> TextEncoder:
    """Return an encoder with the settings of an extractor.

    Parameters
    ----------
    extractor : ActivationExtractor
    tokenizer : tokenizer
    answering : bool, default=False
        Whether to append the markup to conversations that begins an answer.
    """
    template = ChatTemplate(
        tokenizer,
        extractor.chat_template,
        extractor.add_generation_prompt or answering,
        extractor.chat_template_kwargs or {},
    )
    return TextEncoder(tokenizer, template, split_special_tokens=extractor.split_special_tokens)


def check_texts_of_tokens(texts: Any) -> list[Any]:
    """Check that texts are a list, or a dict of inputs as a tokenizer returns them.

    Parameters
    ----------
    texts : sequence of texts, or mapping
        A text is a string, a list of messages, a list of token indices or a dict with
        ``input_ids``. A mapping contains the ``input_ids`` of several texts, and their
        ``attention_mask`` if they are padded.

    Returns
    -------
    list of texts

    Raises
    ------
    TypeError
        If `texts` is a single text or not a list.
    ValueError
        If `texts` is empty, or the inputs of a mapping have different shapes.
    """
    if isinstance(texts, Mapping) and "input_ids" in texts:
        return _rows_of_inputs(texts)
    if is_table(texts):
        raise TypeError(
            f"Expected a list of texts, got a {type(texts).__name__}. Pass one of its columns, or "
            "use read_texts, which also reads labels and spans."
        )
    advice = "Expected a list of strings, conversations or lists of token indices"
    if isinstance(texts, str | Mapping | Set) or is_conversation(texts):
        what = "conversation" if is_conversation(texts) else type(texts).__name__
        raise TypeError(f"{advice}, got a single {what} {texts!r:.60}.")
    if not isinstance(texts, Iterable) or getattr(texts, "ndim", 1) == 0:
        raise TypeError(f"{advice}, got {type(texts).__name__} {texts!r:.60}.")
    listed = list(texts)
    if not listed:
        raise ValueError(f"{advice}, got an empty {type(texts).__name__}.")
    return listed


def _rows_of_inputs(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Split the inputs of a batch into those of each text, without padding."""
    ids = inputs["input_ids"]
    kept = {
        name: inputs[name]
        for name in ("input_ids", "token_type_ids")
        if inputs.get(name) is not None
    }
    mask = inputs.get("attention_mask")
    if mask is None:
        mask = [np.ones(len(row), dtype=bool) for row in ids]
    lengths = {name: [len(row) for row in rows] for name, rows in kept.items()}
    lengths["attention_mask"] = [len(row) for row in mask]
    for name, found in lengths.items():
        if found != lengths["input_ids"]:
            raise ValueError(
                f"input_ids and {name} must have the same shape, got the lengths "
                f"{lengths['input_ids'][:5]} and {found[:5]} of the first texts."
            )
    masks = [np.asarray(row).astype(bool) for row in mask]
    return [
        {name: np.asarray(rows[row])[own] for name, rows in kept.items()}
        for row, own in enumerate(masks)
    ]


def _check_ids(ids: Any, name: str, index: int) -> NDArray[np.intp]:
    """Check the token indices of a text."""
    if isinstance(ids, torch.Tensor):
        ids = ids.detach().cpu().numpy()
    is_list = isinstance(ids, Sequence | np.ndarray) and not isinstance(ids, bytes)
    numbers = np.asarray(ids) if is_list else np.empty((0, 0))
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise TypeError(
            f"Text {index}: expected a string, a list of messages or a list of token indices, got "
            f"{type(ids).__name__} {ids!r:.60}. For sentences that are lists of words, use extract."
        )
    if not len(numbers):
        raise ValueError(f"Text {index} is empty.")
    if numbers.min() < 0:
        raise ValueError(f"Text {index}: {name} contains the negative number {numbers.min()}.")
    return numbers.astype(np.intp)


def special_ids_of(tokenizer: Any) -> set[int]:
    """Return the indices of special tokens, without that of unknown sub-words."""
    added = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    named = {*tokenizer.all_special_ids, *added}
    others = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    unknown = tokenizer.unk_token_id
    return named if unknown in others else named - {unknown}
