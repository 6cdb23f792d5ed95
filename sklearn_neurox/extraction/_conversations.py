"""Conversations as text: the chat template, and the place of each message in its result."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

from .texts import Message

# A list of messages, such as [{"role": "user", "content": "Hello"}].
Conversation: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ChatTemplate:
    """The chat template of a tokenizer, with the options that it is rendered with.

    Parameters
    ----------
    tokenizer : tokenizer
    template : str, default=None
        A Jinja template, or the name of one of the tokenizer's templates. If None, the default
        template of the tokenizer.
    add_generation_prompt : bool, default=False
        Whether to append the markup that begins an answer of the assistant.
    options : mapping, default={}
        Other variables of the template, such as ``enable_thinking`` or ``tools``.
    """

    tokenizer: Any
    template: str | None = None
    add_generation_prompt: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def render(self, conversation: Conversation, index: int) -> str:
        """Return the text of a conversation.

        Raises
        ------
        ValueError
            If the template raises an error, for example because it does not support a role.
        """
        try:
            return self.tokenizer.apply_chat_template(
                [dict(message) for message in conversation],
                tokenize=False,
                chat_template=self.template,
                add_generation_prompt=self.add_generation_prompt,
                **self.options,
            )
        except Exception as error:  # templates are programs, which can raise any error
            raise ValueError(
                f"Text {index}: the chat template of {type(self.tokenizer).__name__} cannot be "
                f"applied to the roles {[message['role'] for message in conversation]}. "
                f"{type(error).__name__}: {error}"
            ) from error

    def apply(
        self, conversation: Conversation, index: int
    ) -> tuple[str, tuple[Message, ...] | ValueError]:
        """Return the text of a conversation, and its messages or why they cannot be found.

        Parameters
        ----------
        conversation : list of mappings
        index : int
            Index of the text, for the error messages.

        Raises
        ------
        ValueError
            As in :meth:`render`.
        """
        text = self.render(conversation, index)
        try:
            return text, locate(partial(self.render, index=index), conversation, text, index)
        except ValueError as error:  # which matters only if a rule reads the messages
            return text, error

    def check(self) -> None:
        """Raise a ValueError if there is no template."""
        if self.template is None and not getattr(self.tokenizer, "chat_template", None):
            raise ValueError(
                f"{type(self.tokenizer).__name__} does not have a chat template, so it cannot read "
                "conversations. Set chat_template to a Jinja template, or pass strings."
            )


def is_conversation(text: Any) -> bool:
    """Return whether a text is a list of messages."""
    return (
        isinstance(text, Sequence)
        and not isinstance(text, str | bytes)
        and any(isinstance(each, Mapping) and "input_ids" not in each for each in text)
    )


def check_conversation(conversation: Conversation, index: int) -> None:
    """Check the roles and contents of messages.

    Raises
    ------
    TypeError
        If a message, a role or a content is of another type.
    ValueError
        If a message does not have a role, or neither a content nor tool calls.
    """
    for number, message in enumerate(conversation):
        place = f"Text {index}, message {number}"
        if not isinstance(message, Mapping):
            raise TypeError(
                f"{place}: expected a dict with 'role' and 'content', got "
                f"{type(message).__name__} {message!r:.60}."
            )
        if not isinstance(message.get("role"), str):
            raise ValueError(
                f"{place}: expected a role such as 'user' or 'assistant', got "
                f"{message.get('role')!r:.60} in a dict with the keys {sorted(map(str, message))}."
            )
        content = message.get("content")
        if content is None and not message.get("tool_calls"):
            raise ValueError(f"{place}: the message has neither 'content' nor 'tool_calls'.")
        if content is not None and not isinstance(content, str) and not _is_parts(content):
            raise TypeError(
                f"{place}: expected a content that is a string or a list of parts such as "
                "{'type': 'text', 'text': 'Hello'}, got "
                f"{type(content).__name__} {content!r:.60}."
            )


def contents_of(message: Mapping[str, Any]) -> list[str]:
    """Return the texts of a message that are not blank: its content, or those of its parts."""
    content = message.get("content") or []
    if isinstance(content, str):
        return [content] if content.strip() else []
    return [part["text"] for part in content if _has_text(part)]


def locate(
    render: Callable[[Conversation], str], conversation: Conversation, text: str, index: int
) -> tuple[Message, ...]:
    """Find the content of each message in the text of a conversation.

    The template is also rendered with a marker in place of each content. What lies between the
    markers is the markup of the template, between whose pieces the contents are found.

    Parameters
    ----------
    render : callable
    conversation : list of mappings
    text : str
        ``render(conversation)``.
    index : int

    Returns
    -------
    tuple of Message

    Raises
    ------
    ValueError
        If the place of a content is ambiguous.
    """
    stem = "snxq"
    while stem in text:
        stem += "q"
    contents = [content for message in conversation for content in contents_of(message)]
    marked = re.split(f"{stem}([0-9]+)z", render(_with_markers(conversation, stem)))
    markup, owners = marked[::2], [int(number) for number in marked[1::2]]
    places = _by_contents(markup, [contents[owner] for owner in owners], text)
    if places is None:
        places = _by_markup(markup, text, index)
    spans: list[list[tuple[int, int]]] = [[] for _ in contents]
    for place, owner in zip(places, owners, strict=True):
        spans[owner].append(place)
    messages = []
    first = 0
    for message in conversation:
        own = slice(first, first := first + len(contents_of(message)))
        found = tuple(chain.from_iterable(spans[own]))
        kept = None
        if len(contents[own]) == len(found) == 1:
            kept = _place_in(contents[own][0], text[slice(*found[0])])
        messages.append(Message(message["role"], found, kept, not contents[own]))
    return tuple(messages)


def _place_in(content: str, kept: str) -> int | None:
    """Return where the part of a content that a template keeps begins, if this is unambiguous."""
    first = content.find(kept)
    return first if kept and first >= 0 and content.find(kept, first + 1) < 0 else None


def _by_contents(markup: list[str], contents: list[str], text: str) -> list[tuple[int, int]] | None:
    """Find contents that the template keeps, strips or quotes, or return None."""
    if not text.startswith(markup[0]):
        return None
    places, end = [], len(markup[0])
    for content, after in zip(contents, markup[1:], strict=True):
        fitting = (each for each in _variants(content) if text.startswith(each + after, end))
        found = next(fitting, None)
        if found is None:
            return None
        places.append((end, end + len(found)))
        end += len(found) + len(after)
    return places if end == len(text) else None


def _by_markup(markup: list[str], text: str, index: int) -> list[tuple[int, int]]:
    """Find contents that the template changes, such as an answer without its reasoning.

    Their places are known if the markup between them fits in a single way: its leftmost and its
    rightmost places are the same.
    """
    starts, stops = [len(markup[0])], [len(text) - len(markup[-1])]
    for piece in markup[1:-1]:
        place = text.find(piece, starts[-1])
        starts.append(place + len(piece) if place >= 0 else len(text) + 1)
    for piece in markup[-2:0:-1]:
        stops.append(text.rfind(piece, 0, max(stops[-1], 0)))
    stops.reverse()
    ends = [start - len(piece) for start, piece in zip(starts[1:], markup[1:-1], strict=True)]
    fits = text.startswith(markup[0]) and text.endswith(markup[-1]) and starts[-1] <= stops[-1]
    if not fits or ends != stops[:-1]:
        raise ValueError(
            f"Text {index}: the contents of the messages cannot be found in the result of the chat "
            f"template, {text[:200]!r}, because the template changes them or contains them. Select "
            "tokens by where.span, or by their places."
        )
    return list(zip(starts, stops, strict=True))


def _with_markers(conversation: Conversation, stem: str) -> list[dict[str, Any]]:
    """Return the conversation with a marker in place of each content."""
    marked: list[dict[str, Any]] = []
    number = 0
    for message in conversation:
        content = message.get("content")
        if isinstance(content, str):
            is_blank = not content.strip()  # templates may leave out the markup of blank contents
            marked.append(dict(message) if is_blank else {**message, "content": f"{stem}{number}z"})
            number += not is_blank
            continue
        parts = []
        for part in content or []:
            if _has_text(part):
                part = {**part, "text": f"{stem}{number}z"}
                number += 1
            parts.append(part)
        marked.append({**message, "content": parts} if content is not None else dict(message))
    return marked


def _variants(content: str) -> list[str]:
    """Return what templates make of a content: most keep it, and some strip or quote it."""
    quoted = json.dumps(content, ensure_ascii=False)[1:-1]
    variants = [content, content.strip(), content.lstrip(), content.rstrip(), quoted]
    return list(dict.fromkeys(variants))


def _has_text(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("text"), str) and bool(part["text"].strip())


def _is_parts(content: Any) -> bool:
    return isinstance(content, Sequence) and all(
        isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in content
    )
