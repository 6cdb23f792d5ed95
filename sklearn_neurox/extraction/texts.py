"""Texts as a model receives them: tokens, the characters that they cover, and messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Message(NamedTuple):
    """A message of a conversation, and where its content is in the text."""

    role: str
    spans: tuple[tuple[int, int], ...]  # empty if the template leaves the content out
    # Where the part of the content begins that the text contains. None if there is no such part.
    first: int | None = 0
    is_empty: bool = False  # whether there is no content, as in a message that only calls a tool


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A text and its tokens.

    Parameters
    ----------
    index : int
        Index of the text in the corpus.
    text : str
        The characters. A conversation is a text after its chat template has been applied.
    inputs : dict of arrays of int
        Inputs of the model, one number per token: ``input_ids``, and ``token_type_ids`` if the
        model uses them.
    tokenizer : tokenizer
    is_special : ndarray of bool of shape (n_tokens,)
        Whether each token is special: added by the tokenizer, or a special token in the text.
    known_offsets : ndarray of int of shape (n_tokens, 2), default=None
        The first character of each token, and the character after its last one. They are equal for
        a token that the tokenizer adds. None if the tokenizer does not report them.
    turns : tuple of Message or ValueError, default=None
        Messages of a conversation, or why they cannot be found in the text. None for any other
        text.
    n_prompt : int, default=None
        Number of tokens before those that the model has generated.
    """

    index: int
    text: str
    inputs: dict[str, NDArray[np.int32]]
    tokenizer: Any
    is_special: NDArray[np.bool_]
    known_offsets: NDArray[np.intp] | None = None
    turns: tuple[Message, ...] | ValueError | None = None
    n_prompt: int | None = None

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return len(self.inputs["input_ids"])

    @cached_property
    def tokens(self) -> list[str]:
        """Tokens as the vocabulary contains them, such as "Ġthe" or "[CLS]"."""
        return self.tokenizer.convert_ids_to_tokens(self.inputs["input_ids"])

    @property
    def messages(self) -> tuple[Message, ...]:
        """Messages of a conversation.

        Raises
        ------
        ValueError
            If the text is not a conversation, or the messages cannot be found in it.
        """
        if isinstance(self.turns, ValueError):
            raise self.turns
        if self.turns is None:
            raise ValueError(
                f"Text {self.index} is not a conversation, so its tokens do not have roles and "
                "turns. Pass a list of messages, such as [{'role': 'user', 'content': 'Hello'}]."
            )
        return self.turns

    @property
    def known_turns(self) -> tuple[Message, ...]:
        """Messages of a conversation, as far as they are known."""
        return self.turns if isinstance(self.turns, tuple) else ()

    @property
    def offsets(self) -> NDArray[np.intp]:
        """The first character of each token and the character after its last one.

        Raises
        ------
        ValueError
            If they are not known.
        """
        if self.known_offsets is None:
            raise ValueError(
                f"Text {self.index}: the characters of each token are not known, because the "
                "tokenizer is not a fast one or the text was passed as token indices that do not "
                "result from a text. Select tokens by their places."
            )
        return self.known_offsets

    def words(self, places: Sequence[int]) -> list[str]:
        """Return the characters of some tokens, or the name of a token without characters."""
        found = [""] * len(places)
        if self.known_offsets is not None:
            found = [self.text[start:stop] for start, stop in self.known_offsets[places].tolist()]
        ids = self.inputs["input_ids"]
        return [
            word or self.tokenizer.convert_ids_to_tokens(int(ids[place]))
            for word, place in zip(found, places, strict=True)
        ]

    def within(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Return which tokens contain any of the characters from `start` to `stop`."""
        first, end = self.offsets.T
        return (first < stop) & (end > start) & (first < end) & (start < stop)


def fill_gaps(offsets: NDArray[np.intp], own: NDArray[np.bool_]) -> None:
    """Give tokens of white space their characters, which some tokenizers cut off.

    Parameters
    ----------
    offsets : ndarray of int of shape (n_tokens, 2)
        Changed in place.
    own : ndarray of bool of shape (n_tokens,)
        Which tokens are part of the text.
    """
    empty = np.flatnonzero(own & (offsets[:, 0] == offsets[:, 1]))
    if not len(empty):
        return
    wide = np.flatnonzero(own & (offsets[:, 0] < offsets[:, 1]))
    for place in empty:
        before, after = wide[wide < place], wide[wide > place]
        start = offsets[before[-1], 1] if len(before) else 0
        stop = offsets[after[0], 0] if len(after) else offsets[place, 1]
        if start < stop:
            offsets[place] = start, stop
