"""Special tokens that are written in a text, such as "[MASK]" or "<|user|>"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


class SpecialTokens:
    """The strings that a tokenizer reads as special tokens, and how they are to be read.

    Parameters
    ----------
    tokenizer : tokenizer
    split : bool or None
        As `split_special_tokens` in ``ActivationExtractor``.
    """

    def __init__(self, tokenizer: Any, split: bool | None):
        self._tokenizer = tokenizer
        self._split = split
        added = [token for token in tokenizer.added_tokens_decoder.values() if token.special]
        self._special = {*tokenizer.all_special_tokens, *(token.content for token in added)}
        self._verbatim = _any_of(self._special)
        # A tokenizer that, for example, lowercases text may also find a token in the result.
        normalizer = tokenizer.backend_tokenizer.normalizer if tokenizer.is_fast else None
        self._normalize = normalizer.normalize_str if normalizer else str
        normalized = [token.content for token in added if token.normalized] if normalizer else []
        self._contents = {self._normalize(content): content for content in normalized}
        self._normalized = _any_of(self._contents)

    def options(self, text: str) -> dict[str, bool]:
        """Return how the tokenizer is to be called on a text.

        It is called without options if the text does not contain a special token. Otherwise, slow
        tokenizers might also split their other added tokens.

        Raises
        ------
        AmbiguousTokenError
            If the text contains a special token and `split` is None.
        """
        found = self.find(text)
        if found is None:
            return {}
        if self._split is not None:
            return {"split_special_tokens": self._split}
        # A token that must be a single word may be part of another one, which is not ambiguous.
        tokenize = self._tokenizer.tokenize
        if tokenize(text, split_special_tokens=True) == tokenize(text, split_special_tokens=False):
            return {}
        raise AmbiguousTokenError(*found)

    def find(self, text: str) -> tuple[int, str] | None:
        """Return the index of the first special token in a text, and the token, or None."""
        if self._verbatim and (match := self._verbatim.search(text)):
            return match.start(), match.group()
        if self._normalized and (match := self._normalized.search(self._normalize(text))):
            token = self._contents[match.group()]
            return self._place(text, self._tokenizer.convert_tokens_to_ids(token)), token
        return None

    def written(self, text: str, token_id: int) -> str | None:
        """Return the special token with this index if a text contains it, or None.

        A sub-word may also have the index of a special token because it is unknown.
        """
        token = self._tokenizer.added_tokens_decoder.get(token_id)
        if token is None or token.content not in self._special:
            return None
        normalize = self._normalize if token.normalized else str
        return token.content if normalize(token.content) in normalize(text) else None

    def _place(self, text: str, token_id: int) -> int:
        """Return the index of the character where a fast tokenizer finds a token."""
        encoding = self._tokenizer(
            text,
            split_special_tokens=False,
            add_special_tokens=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        places = zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
        return next((start for number, (start, _) in places if number == token_id), 0)


class AmbiguousTokenError(Exception):
    """Raised if a text contains a special token that can be read in two ways."""

    def __init__(self, start: int, token: str):
        super().__init__(start, token)
        self.start = start
        self.token = token


def _any_of(strings: Iterable[str]) -> re.Pattern[str] | None:
    """Compile a pattern that finds any of the strings, preferring the longest."""
    unique = sorted({string for string in strings if string}, key=lambda s: (-len(s), s))
    return re.compile("|".join(map(re.escape, unique))) if unique else None
