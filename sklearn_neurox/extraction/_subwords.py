"""The sub-words of a text, and the word that each of them belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from ..datasets.spacing import separators_of, text_of

# Outputs of tokenizers that are not inputs of models. The attention mask is built with the batch.
NOT_INPUTS = ("attention_mask", "offset_mapping", "special_tokens_mask")


class Subwords(NamedTuple):
    """All sub-words of a text."""

    inputs: dict[str, list[int]]  # input_ids, and token_type_ids if the model uses them
    added: list[bool]  # whether the tokenizer added it to the text, such as [CLS]
    encoding: Any  # of tokenizers, or None for a slow tokenizer

    @property
    def ids(self) -> list[int]:
        """Indices in the vocabulary."""
        return self.inputs["input_ids"]

    @property
    def own_ids(self) -> list[int]:
        """Indices in the vocabulary, without those of sub-words that the tokenizer adds."""
        return [number for number, added in zip(self.ids, self.added, strict=True) if not added]


def subwords_of(tokenizer: Any, text: str, options: Mapping[str, Any]) -> Subwords | None:
    """Tokenize a text, regardless of the truncation and padding that a tokenizer is set to.

    Parameters
    ----------
    tokenizer : tokenizer
    text : str
    options : mapping
        Other arguments of the tokenizer.

    Returns
    -------
    Subwords or None
        None if it cannot be determined which sub-words a slow tokenizer adds to the text.
    """
    output = tokenizer(text, truncation=False, padding=False, verbose=False, **options)
    inputs = {name: output[name] for name in output if name not in NOT_INPUTS}
    if tokenizer.is_fast:
        encoding = output.encodings[0]
        return Subwords(inputs, [bit == 1 for bit in encoding.special_tokens_mask], encoding)
    # Slow tokenizers report the usual places of special tokens, which are not always the real ones.
    own = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text, **options))
    n_added = len(inputs["input_ids"]) - len(own)
    # A special token within the text may be equal to one that is added next to it.
    usual = tokenizer.build_inputs_with_special_tokens([-1]).index(-1)
    for before in sorted(range(n_added + 1), key=lambda place: place != usual):
        if inputs["input_ids"][before : before + len(own)] == own:
            added = [True] * before + [False] * len(own) + [True] * (n_added - before)
            return Subwords(inputs, added, None)
    return None


def word_ids_of_fast(
    tokenizer: Any, text: str, words: list[str], subwords: Subwords
) -> list[int | None]:
    """Find the word of each sub-word of a fast tokenizer.

    In most texts, the characters of each word are exactly those of its sub-words. Otherwise, the
    tokenizer is called on the list of words, for which it reports the words of sub-words. If these
    sub-words differ from those of the text, the offsets of the text are used as they are.

    Parameters
    ----------
    tokenizer : tokenizer
    text : str
        The text of the words, after an optional space.
    words : list of str
    subwords : Subwords
        The last ones that the tokenizer returned, whose settings it still has.

    Returns
    -------
    list of int or None

    Raises
    ------
    AlignmentError
        If a sub-word belongs to two words, or offsets are wrong because characters were dropped.
    """
    owners = _owners(text, words)
    word_ids = _by_complete_offsets(owners, subwords)
    if word_ids is None:
        listed = tokenizer.backend_tokenizer.encode(words, is_pretokenized=True)
        if listed.ids == subwords.ids:
            word_ids = listed.word_ids
        else:
            word_ids = _by_offsets(text, owners, subwords)
    return word_ids


def _by_complete_offsets(owners: list[int | None], subwords: Subwords) -> list[int | None] | None:
    """Return the word of each sub-word if these cover the words one by one, or None otherwise."""
    word_ids: list[int | None] = []
    reached = 0
    for (start, end), added in zip(subwords.encoding.offsets, subwords.added, strict=True):
        if added:
            word_ids.append(None)
            continue
        first = start + 1 if start < end and owners[start] is None else start  # after the space
        if first >= end or owners[first] is None or owners[first] != owners[end - 1]:
            return None
        if first > reached and (first > reached + 1 or owners[reached] is not None):
            return None
        word_ids.append(owners[first])
        reached = max(reached, end)
    return word_ids if reached == len(owners) else None


def _by_offsets(text: str, owners: list[int | None], subwords: Subwords) -> list[int | None]:
    """Return the word of each sub-word from its offsets."""
    _check_complete(owners, subwords)
    word_ids: list[int | None] = []
    places = zip(subwords.encoding.offsets, subwords.added, strict=True)
    for place, ((start, end), added) in enumerate(places):
        own = set() if added else _words_of(owners[start:end])
        if len(own) > 1:
            raise AlignmentError(
                f"combines {text[start:end]!r} into a single sub-word, which belongs to two words.",
                Cause(place, min(own), text[start:end]),
            )
        word_ids.append(own.pop() if own else None)
    return _with_lone_pieces(word_ids, subwords)


def words_of_subwords(text: str, words: list[str], subwords: Subwords) -> list[set[int]]:
    """Return the words of which each sub-word of a fast tokenizer contains a character.

    It is for words that are not separated by spaces, such as "is" and "n't", because a sub-word may
    contain parts of both.

    Parameters
    ----------
    text : str
        The text of the words, after an optional space.
    words : list of str
    subwords : Subwords

    Returns
    -------
    list of set of int

    Raises
    ------
    AlignmentError
        If offsets are wrong because characters were dropped.
    """
    owners = _owners(text, words)
    _check_complete(owners, subwords)
    places = zip(subwords.encoding.offsets, subwords.added, strict=True)
    return [set() if added else _words_of(owners[start:end]) for (start, end), added in places]


def _check_complete(owners: list[int | None], subwords: Subwords) -> None:
    if _leaves_out(owners, subwords):
        raise AlignmentError(
            "leaves out characters of the text, so sub-words cannot be assigned to words."
        )


def _leaves_out(owners: list[int | None], subwords: Subwords) -> bool:
    """Return whether a character is left out in a part of the text that has several words.

    Before a tokenizer looks up sub-words, it splits the text into parts. After a character that it
    does not know and leaves out, offsets may be wrong until the end of the part.
    """
    covered = [owner is None for owner in owners]
    starts: dict[int | None, int] = {}
    places = zip(subwords.encoding.offsets, subwords.encoding.word_ids, strict=True)
    for ((start, end), part), added in zip(places, subwords.added, strict=True):
        if not added:
            covered[start:end] = [True] * (end - start)
            starts.setdefault(part, start)
    parts = pairwise([*starts.values(), len(owners)])
    return not all(covered) and any(len(_words_of(owners[a:b])) > 1 for a, b in parts)


def _words_of(owners: list[int | None]) -> set[int]:
    return {owner for owner in owners if owner is not None}


def word_at(text: str, words: list[str], index: int) -> int:
    """Return the position of the word that contains a character, or follows a space."""
    return next(owner for owner in _owners(text, words)[index:] if owner is not None)


def word_ids_of_slow(
    tokenizer: Any, text: str, words: list[str], subwords: Subwords, options: Mapping[str, Any]
) -> list[int | None]:
    """Find the word of each sub-word with a tokenizer that does not report them.

    The words are tokenized separately, and the result is compared with that of the whole text. A
    space that is a separate sub-word, as in models of characters or bytes, does not belong to any
    word.

    Parameters
    ----------
    tokenizer : tokenizer
    text : str
        The text of the words, after an optional space.
    words : list of str
    subwords : Subwords
    options : mapping
        Other arguments of the tokenizer.

    Returns
    -------
    list of int or None

    Raises
    ------
    AlignmentError
        If the words are tokenized differently from the text.
    """
    space = tokenizer.tokenize(" ", **options)
    pieces: list[str] = []
    owners: list[int | None] = []
    separators = ("" if text == text_of(words) else " ", *separators_of(words))
    for number, word in enumerate(words):
        follows = separators[number] == " "
        own = tokenizer.tokenize(f" {word}" if follows else word, **options)
        n_spaces = len(space) if follows and space and own[: len(space)] == space else 0
        owners += [None] * n_spaces + [number] * (len(own) - n_spaces)
        pieces += own
    separate = tokenizer.convert_tokens_to_ids(pieces)
    if separate != subwords.own_ids:
        raise AlignmentError(
            "tokenizes the sentence differently from its words, so sub-words cannot be assigned "
            "to words. Use a fast tokenizer, if the model has one.",
            _token_with_a_space(tokenizer, words, subwords, separate, owners),
        )
    found = iter(owners)
    return [None if added else next(found) for added in subwords.added]


def _token_with_a_space(
    tokenizer: Any,
    words: list[str],
    subwords: Subwords,
    separate: list[int],
    owners: list[int | None],
) -> Cause | None:
    """Return the added token that is the reason for the first difference from separate words.

    Such a token contains a space between words, or removes the space after it.
    """
    ids = subwords.own_ids
    pairs = enumerate(zip(ids, separate, strict=False))
    first = next((i for i, (a, b) in pairs if a != b), min(len(ids), len(separate)))
    added = tokenizer.added_tokens_decoder
    here, before = (added.get(ids[i]) if 0 <= i < len(ids) else None for i in (first, first - 1))
    if here is not None and " " in here.content:
        place = first
    elif before is not None and before.rstrip:
        place = first - 1
    else:
        return None
    word = next((owner for owner in owners[place:] if owner is not None), len(words) - 1)
    return Cause(subwords.added.index(False) + place, word, text_of(words[word:]))


class Cause(NamedTuple):
    """The sub-word because of which sub-words cannot be assigned to words."""

    place: int  # among all sub-words
    word: int  # the position of the word in which it starts
    text: str  # which starts with that word, or with the sub-word


class AlignmentError(Exception):
    """Raised, with what the tokenizer does, if sub-words cannot be assigned to words."""

    def __init__(self, message: str, cause: Cause | None = None):
        super().__init__(message)
        self.cause = cause


def _owners(text: str, words: list[str]) -> list[int | None]:
    """Return the word of each character, or None for a space, also within a word."""
    separators = separators_of(words)
    n_before = len(text) - sum(map(len, words)) - sum(map(len, separators))
    owners: list[int | None] = [None] * n_before
    for number, word in enumerate(words):
        if number:
            owners += [None] * len(separators[number - 1])
        if " " in word or "\xa0" in word:
            owners += [None if character.isspace() else number for character in word]
        else:
            owners += [number] * len(word)
    return owners


def _with_lone_pieces(word_ids: list[int | None], subwords: Subwords) -> list[int | None]:
    """Assign sub-words without characters of their own to the word in the same part of the text.

    For example, a part is a word with the space before it, but in a model of characters, each
    space is a part.
    """
    parts = subwords.encoding.word_ids
    filled = list(word_ids)
    n = len(filled)
    for places, step in ((range(n - 2, -1, -1), 1), (range(1, n), -1)):  # the next word is first
        for place in places:
            is_lone = filled[place] is None and not subwords.added[place]
            if is_lone and parts[place] == parts[place + step]:
                filled[place] = filled[place + step]
    return filled
