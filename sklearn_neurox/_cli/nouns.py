"""What the rows of a store are called on its page."""

from __future__ import annotations

from typing import Any, NamedTuple


class Nouns(NamedTuple):
    """The names of a row and of the text that it belongs to."""

    row: str = "word"
    text: str = "sentence"


WORDS = Nouns()
_NOUNS = {"word": WORDS, "token": Nouns("token", "text"), "prompt": Nouns("prompt", "prompt")}


def nouns_of(tokens: Any) -> Nouns:
    """Return the names for activations, which their provenance determines."""
    rows = (tokens.provenance or {}).get("rows")
    kind = "token" if rows is None and tokens.offsets is not None else rows
    return _NOUNS.get(kind or "word", WORDS)


def types_of(tokens: Any) -> list[str]:
    """Return what a control task assigns random labels to: words, tokens or whole prompts.

    The rows of prompts may all be the same token, such as the last one of a template.
    """
    if nouns_of(tokens).row == "prompt":
        return [f"prompt {number}" for number in tokens.sentence_ids]
    return tokens.words.tolist()
