"""Words in NeuroX files: pieces of a tokenizer, which are compared with the words of the corpus."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

# Marks of word boundaries in the vocabularies of tokenizers.
_MARKS = re.compile("##|@@|</w>|[\u2581\u0120\u010a]")  # ▁, Ġ and Ċ
# Marks between pieces, control characters such as tabs, and lone surrogates.
_ARTIFACT = re.compile(r"\S##\S|[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNKNOWN = re.compile(r"\[UNK\]|<unk>")
_BYTE_TOKENS = re.compile("(?:<0x[0-9A-F]{2}>)+")


def find_artifacts(words: Sequence[str]) -> list[int]:
    """Return the indices of words that no corpus contains, as ``""``, ``"some##thing"``, ``"Ġso"``.

    Words with spaces or no-break spaces, such as ``"New York"``, are valid words of a .json file.
    """
    inside = [i for i, word in enumerate(words) if not word or _ARTIFACT.search(word)]
    # Ġ is also a letter. Tokenizers mark almost every word.
    at_start = [i for i, word in enumerate(words) if word.startswith(("\u0120", "\u2581"))]
    return sorted({*inside, *(at_start if len(at_start) > len(words) / 5 else [])})


def is_same_word(stored: str, word: str) -> bool:
    """Return whether a word of a NeuroX file can be a word of the corpus.

    NeuroX stores the concatenated tokens of a word: an uncased tokenizer changes its letters, and
    others insert marks, encode bytes, or replace unknown characters. A word without tokens is
    stored as an empty string.

    Parameters
    ----------
    stored : str
    word : str
    """
    if not stored or stored == word:
        return True
    letters = _letters(word)
    return any(_match(form, letters) for form in _forms(stored))


def _forms(stored: str) -> Iterator[str]:
    """Yield the texts that the tokens of a word can represent."""
    yield stored
    yield _BYTE_TOKENS.sub(_decode_byte_tokens, stored)
    for codes in (_BYTE_LEVEL, _PLAIN_BYTES):
        if all(character in codes for character in stored):
            content = bytes(codes[character] for character in stored)
            yield content.decode("utf-8", "ignore")


def _decode_byte_tokens(tokens: re.Match[str]) -> str:
    return bytes.fromhex(re.sub("[<>]|0x", "", tokens[0])).decode("utf-8", "replace")


def _make_byte_level() -> dict[str, int]:
    """Return the byte of each character in the vocabularies of GPT-2 and its successors."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {
        chr(256 + i): byte for i, byte in enumerate(hidden)
    }


_BYTE_LEVEL = _make_byte_level()
_PLAIN_BYTES = {chr(byte): byte for byte in range(256)}


def _match(form: str, letters: str) -> bool:
    """Return whether a form has these letters, where an unknown token matches any letters."""
    first, *others = map(_letters, _UNKNOWN.split(form))
    if not others:
        return first == letters
    start = len(first)
    end = len(letters) - len(others[-1])
    if start > end or not letters.startswith(first) or not letters.endswith(others[-1]):
        return False
    for part in others[:-1]:
        place = letters.find(part, start, end)
        if place < 0:
            return False
        start = place + len(part)
    return True


def _letters(text: str) -> str:
    """Return what all tokenizers keep: no marks, accents, case and invisible characters."""
    plain = _MARKS.sub("", text).replace("``", '"').replace("''", '"')
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", plain).casefold())
    return "".join(
        character
        for character in decomposed
        if unicodedata.category(character)[0] not in "CZM" and character != "\ufffd"
    )
