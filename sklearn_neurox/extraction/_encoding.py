"""Sentences as a tokenizer and a model see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from ..datasets.sentences import Sentence, check_sentence


class EncodedSentence(NamedTuple):
    """A sentence as the tokenizer sees it, and the rows that its sub-words make."""

    sentence_id: int
    words: list[str]  # of each row
    positions: list[int]  # of each row in the sentence; -1 for a special token
    inputs: dict[str, list[int]]  # input_ids, and token_type_ids where the model has them
    row_ids: list[int | None]  # of each sub-word

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.words)


Alignment = Callable[[Any, list[str], int], tuple[dict[str, list[int]], list[int | None]]]


def alignment_of(tokenizer) -> Alignment:
    """Choose how the sub-words of words are found with a tokenizer.

    A fast tokenizer says by its ``word_ids``, unless it glues words that are given one by one
    together, as byte-level ones without a prefix space do: then by the places in the text.
    """
    if not tokenizer.is_fast:
        return _by_pieces
    one_by_one = tokenizer(["a", "a"], is_split_into_words=True, verbose=False)
    if one_by_one["input_ids"] == tokenizer("a a", verbose=False)["input_ids"]:
        return _by_word_ids
    return _by_offsets


def tokenize(
    tokenizer,
    words: list[str],
    index: int,
    *,
    align: Alignment | None = None,
    special_tokens: bool = False,
) -> EncodedSentence:
    """Tokenize the words of a sentence, one row for each word.

    Parameters
    ----------
    tokenizer : tokenizer
    words : list of str
    index : int
        Place of the sentence in the corpus.
    align : callable, default=None
        From :func:`alignment_of`, to ask the tokenizer once.
    special_tokens : bool, default=False
        A row also for each special token that the tokenizer adds.

    Returns
    -------
    EncodedSentence

    Raises
    ------
    ValueError
        If the tokenizer drops a word, or cannot tell the sub-words of words.
    """
    inputs, word_ids = (align or alignment_of(tokenizer))(tokenizer, words, index)
    lost = set(range(len(words))) - set(word_ids)
    if lost:
        position = min(lost)
        raise ValueError(
            f"Sentence {index}, word {position}: the tokenizer drops {words[position]!r}, which "
            "then has no activation. Take it out of the sentence, or replace it."
        )
    if not special_tokens:
        return EncodedSentence(index, words, list(range(len(words))), inputs, word_ids)
    names = tokenizer.convert_ids_to_tokens(inputs["input_ids"])
    rows: list[tuple[str, int]] = []
    row_ids: list[int | None] = []
    before: int | None = None
    inside = [place for place, word in enumerate(word_ids) if word is not None]
    for place, (name, word) in enumerate(zip(names, word_ids, strict=True)):
        if word is None and inside[0] < place < inside[-1]:
            row_ids.append(None)  # a space between words, of a model of characters
            continue
        if word is None or word != before:
            rows.append((name, -1) if word is None else (words[word], word))
        row_ids.append(len(rows) - 1)
        before = word
    texts, positions = (list(column) for column in zip(*rows, strict=True))
    return EncodedSentence(index, texts, positions, inputs, row_ids)


def _by_word_ids(tokenizer, words, index):
    """Model inputs, and the word of each sub-word as a fast tokenizer says."""
    encoding = tokenizer(
        words,
        is_split_into_words=True,
        split_special_tokens=True,  # a word "[SEP]" of the text is a word
        truncation=False,
        verbose=False,
    )
    inputs = {name: encoding[name] for name in encoding if name != "attention_mask"}
    return inputs, encoding.word_ids()


def _by_offsets(tokenizer, words, index):
    """Model inputs, and the word of each sub-word by its place in the text."""
    text = " ".join(words)
    encoding = tokenizer(
        text,
        split_special_tokens=True,
        truncation=False,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        verbose=False,
    )
    owners = [w for w, word in enumerate(words) for _ in range(len(word) + (w > 0))]
    word_ids: list[int | None] = []
    pieces = zip(encoding["offset_mapping"], encoding["special_tokens_mask"], strict=True)
    for (start, end), special in pieces:
        own = {owners[i] for i in range(start, end) if text[i] != " "}
        if len(own) > 1:
            raise ValueError(
                f"Sentence {index}: {type(tokenizer).__name__} makes one sub-word of "
                f"{text[start:end]!r}, which belongs to two words."
            )
        word_ids.append(None if special or not own else own.pop())
    left_out = ("attention_mask", "offset_mapping", "special_tokens_mask")
    return {name: encoding[name] for name in encoding if name not in left_out}, word_ids


def _by_pieces(tokenizer, words, index):
    """Model inputs, and the word of each sub-word of a tokenizer that does not say.

    The words are tokenized one after the other; put together they must be what the tokenizer
    makes of the sentence. A space of its own, as in models of characters or bytes, is no word's.
    """
    options = {"split_special_tokens": True, "verbose": False}
    space = tokenizer.tokenize(" ", **options)
    pieces: list[str] = []
    word_ids: list[int | None] = []
    for number, word in enumerate(words):
        own = tokenizer.tokenize(word if number == 0 else f" {word}", **options)
        n_spaces = len(space) if number and space and own[: len(space)] == space else 0
        word_ids += [None] * n_spaces + [number] * (len(own) - n_spaces)
        pieces += own
    ids = tokenizer.convert_tokens_to_ids(pieces)
    encoding = tokenizer(" ".join(words), truncation=False, **options)
    inputs = {name: encoding[name] for name in encoding if name != "attention_mask"}
    whole = inputs["input_ids"]
    n_added = len(whole) - len(ids)
    for before in range(n_added + 1):
        if whole[before : before + len(ids)] == ids:
            return inputs, [None] * before + word_ids + [None] * (n_added - before)
    raise ValueError(
        f"Sentence {index}: {type(tokenizer).__name__} makes other sub-words of a sentence than of "
        "its words, so that none can be told to be a word's. Take a fast tokenizer."
    )


def tokenize_text(tokenizer, text: Sentence, index: int, *, pooling: str, limit: int | None):
    """Tokenize a whole sentence, one row for what `pooling` takes of it.

    Parameters
    ----------
    tokenizer : tokenizer
    text : str or sequence of str
        Text as it comes, or words.
    index : int
        Place of the sentence, for the messages.
    pooling : {"mean", "cls", "last"}
        All sub-words but special tokens; the special token in front; the last sub-word.
    limit : int or None
        Cut what is longer.

    Returns
    -------
    EncodedSentence

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If nothing is left of it to take.
    """
    given = text if isinstance(text, str) else " ".join(check_sentence(text, index))
    if limit is not None and limit <= tokenizer.num_special_tokens_to_add():
        raise ValueError(f"A limit of {limit} sub-words leaves no room beside the special tokens.")
    encoding = tokenizer(
        given,
        split_special_tokens=True,  # as of words, one by one
        truncation=limit is not None,
        max_length=limit,
        return_special_tokens_mask=True,
        verbose=False,
    )
    special = np.array(encoding["special_tokens_mask"], dtype=bool)
    left_out = ("attention_mask", "special_tokens_mask")
    inputs = {name: encoding[name] for name in encoding if name not in left_out}
    own = np.flatnonzero(~special)
    if not len(own):
        raise ValueError(f"Sentence {index}: the tokenizer leaves nothing of {text!r:.60}.")
    if pooling == "cls":
        if not special[0]:
            raise ValueError(
                f"pooling='cls' needs a special token in front of a sentence, but "
                f"{type(tokenizer).__name__} puts none there; take 'mean' or 'last'."
            )
        own = np.array([0])
    elif pooling == "last":
        own = own[-1:]
    row_ids: list[int | None] = [None] * len(special)
    for place in own:
        row_ids[place] = 0
    return EncodedSentence(index, [str(text)], [0], inputs, row_ids)


def pad(
    sentences: list[EncodedSentence], pad_id: int, length: int | None = None
) -> tuple[dict[str, torch.Tensor], list[int | None]]:
    """Model inputs of a batch, and the rows of its sub-words, numbered through the batch.

    Padding is on the right, whatever side the tokenizer prefers: positions count from the first
    sub-word, and what follows the last is masked. None is the length of the longest sentence.
    """
    length = length or max(len(sentence.row_ids) for sentence in sentences)
    inputs = {
        name: torch.full((len(sentences), length), pad_id if name == "input_ids" else 0)
        for name in sentences[0].inputs
    }
    inputs["attention_mask"] = torch.zeros((len(sentences), length), dtype=torch.long)
    row_ids: list[int | None] = []
    offset = 0
    for row, sentence in enumerate(sentences):
        n = len(sentence.row_ids)
        for name, ids in sentence.inputs.items():
            inputs[name][row, :n] = torch.tensor(ids)
        inputs["attention_mask"][row, :n] = 1
        row_ids += [None if own is None else own + offset for own in sentence.row_ids]
        row_ids += [None] * (length - n)
        offset += sentence.n_rows
    return inputs, row_ids
