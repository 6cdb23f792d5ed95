"""Sentences encoded as sub-words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch

from ..datasets.sentences import Sentence, check_sentence


class EncodedSentence(NamedTuple):
    """A tokenized sentence, and the row of X that each sub-word belongs to."""

    sentence_id: int
    words: list[str]  # one per row
    positions: list[int]  # of each row in the sentence, or -1 for a special token
    inputs: dict[str, list[int]]  # input_ids, and token_type_ids if the model uses them
    row_ids: list[int | None]  # one per sub-word

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.words)


# The inputs of the model and the word of each sub-word.
Aligned: TypeAlias = tuple[dict[str, list[int]], list[int | None]]
# Called with a tokenizer, the words of a sentence and the index of the sentence.
Alignment: TypeAlias = Callable[[Any, list[str], int], Aligned]


def alignment_of(tokenizer: Any) -> Alignment:
    """Choose how to find the sub-words of each word.

    A fast tokenizer provides them as ``word_ids``, unless it joins words that are passed as a list,
    as byte-level tokenizers without a prefix space do. In that case, offsets in the text are used.
    """
    if not tokenizer.is_fast:
        return _by_pieces
    as_list = tokenizer(["a", "a"], is_split_into_words=True, verbose=False)
    if as_list["input_ids"] == tokenizer("a a", verbose=False)["input_ids"]:
        return _by_word_ids
    return _by_offsets


def tokenize(
    tokenizer: Any,
    words: list[str],
    index: int,
    *,
    align: Alignment | None = None,
    special_tokens: bool = False,
) -> EncodedSentence:
    """Tokenize the words of a sentence, with one row per word.

    Parameters
    ----------
    tokenizer : tokenizer
    words : list of str
    index : int
        Index of the sentence in the corpus.
    align : callable, default=None
        Returned by :func:`alignment_of`, which is slow and should be called only once per corpus.
    special_tokens : bool, default=False
        Whether to also create a row for each special token that the tokenizer adds.

    Returns
    -------
    EncodedSentence

    Raises
    ------
    ValueError
        If the tokenizer drops a word, or the sub-words of a word cannot be found.
    """
    inputs, word_ids = (align or alignment_of(tokenizer))(tokenizer, words, index)
    dropped = set(range(len(words))) - set(word_ids)
    if dropped:
        position = min(dropped)
        raise ValueError(
            f"Sentence {index}, word {position}: the tokenizer drops {words[position]!r}, so it "
            "does not have an activation. Remove the word from the sentence, or replace it."
        )
    if not special_tokens:
        return EncodedSentence(index, words, list(range(len(words))), inputs, word_ids)
    names = tokenizer.convert_ids_to_tokens(inputs["input_ids"])
    rows: list[tuple[str, int]] = []
    row_ids: list[int | None] = []
    previous: int | None = None
    inside = [place for place, word in enumerate(word_ids) if word is not None]
    for place, (name, word) in enumerate(zip(names, word_ids, strict=True)):
        if word is None and inside[0] < place < inside[-1]:
            row_ids.append(None)  # the space between two words, in a character-level model
            continue
        if word is None or word != previous:
            rows.append((name, -1) if word is None else (words[word], word))
        row_ids.append(len(rows) - 1)
        previous = word
    texts, positions = (list(column) for column in zip(*rows, strict=True))
    return EncodedSentence(index, texts, positions, inputs, row_ids)


def _by_word_ids(tokenizer: Any, words: list[str], index: int) -> Aligned:
    """Find the sub-words of words with the ``word_ids`` of a fast tokenizer."""
    encoding = tokenizer(
        words,
        is_split_into_words=True,
        split_special_tokens=True,  # "[SEP]" in the text is an ordinary word
        truncation=False,
        verbose=False,
    )
    return _inputs_of(encoding), encoding.word_ids()


def _by_offsets(tokenizer: Any, words: list[str], index: int) -> Aligned:
    """Find the sub-words of words from their offsets in the text."""
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
                f"Sentence {index}: {type(tokenizer).__name__} combines {text[start:end]!r} into "
                "a single sub-word, which belongs to two words."
            )
        word_ids.append(None if special or not own else own.pop())
    return _inputs_of(encoding), word_ids


def _by_pieces(tokenizer: Any, words: list[str], index: int) -> Aligned:
    """Find the sub-words of words with a tokenizer that does not report them.

    The words are tokenized separately, and the result is compared with that of the whole sentence.
    A space that is a separate sub-word, as in models of characters or bytes, does not belong to any
    word.
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
    inputs = _inputs_of(tokenizer(" ".join(words), truncation=False, **options))
    whole = inputs["input_ids"]
    n_added = len(whole) - len(ids)
    for before in range(n_added + 1):
        if whole[before : before + len(ids)] == ids:
            return inputs, [None] * before + word_ids + [None] * (n_added - before)
    raise ValueError(
        f"Sentence {index}: {type(tokenizer).__name__} tokenizes the sentence differently from "
        "its words, so sub-words cannot be assigned to words. Use a fast tokenizer."
    )


def _inputs_of(encoding: Any) -> dict[str, list[int]]:
    """Return the inputs of the model. The attention mask is built together with the batch."""
    left_out = ("attention_mask", "offset_mapping", "special_tokens_mask")
    return {name: encoding[name] for name in encoding if name not in left_out}


def tokenize_text(
    tokenizer: Any, text: Sentence, index: int, *, pooling: str, limit: int | None
) -> EncodedSentence:
    """Tokenize a whole sentence, with a single row for the sub-words that `pooling` selects.

    Parameters
    ----------
    tokenizer : tokenizer
    text : str or sequence of str
        Raw text, or words.
    index : int
        Index of the sentence, for the error messages.
    pooling : {"mean", "cls", "last"}
        Whether to select all sub-words except special tokens, the special token at the beginning,
        or the last sub-word.
    limit : int or None
        Maximum number of sub-words, after which the sentence is truncated.

    Returns
    -------
    EncodedSentence

    Raises
    ------
    TypeError
        If `text` is neither a string nor a list of words.
    ValueError
        If `pooling` does not select any sub-word.
    """
    joined = text if isinstance(text, str) else " ".join(check_sentence(text, index))
    if limit is not None and limit <= tokenizer.num_special_tokens_to_add():
        raise ValueError(
            f"A limit of {limit} sub-words leaves no space for text in addition to the special "
            "tokens."
        )
    encoding = tokenizer(
        joined,
        split_special_tokens=True,  # as for a list of words
        truncation=limit is not None,
        max_length=limit,
        return_special_tokens_mask=True,
        verbose=False,
    )
    special = np.array(encoding["special_tokens_mask"], dtype=bool)
    own = np.flatnonzero(~special)
    if not len(own):
        raise ValueError(
            f"Sentence {index}: the tokenizer does not return any sub-words for {text!r:.60}."
        )
    if pooling == "cls":
        if not special[0]:
            raise ValueError(
                "pooling='cls' requires a special token at the beginning of a sentence, but "
                f"{type(tokenizer).__name__} does not add one. Use 'mean' or 'last'."
            )
        own = np.array([0])
    elif pooling == "last":
        own = own[-1:]
    row_ids: list[int | None] = [None] * len(special)
    for place in own:
        row_ids[place] = 0
    return EncodedSentence(index, [str(text)], [0], _inputs_of(encoding), row_ids)


def pad(
    sentences: list[EncodedSentence], pad_id: int, length: int | None = None
) -> tuple[dict[str, torch.Tensor], list[int | None]]:
    """Build the inputs of a batch, and number the rows consecutively across its sentences.

    Padding is always added on the right, regardless of the padding side of the tokenizer: positions
    then count from the first sub-word, and the padding is masked. By default, sentences are padded
    to the length of the longest one.
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
