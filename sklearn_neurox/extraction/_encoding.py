"""Sentences encoded as sub-words."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from ..datasets.sentences import Sentence, check_sentence
from ..datasets.spacing import SpacedSentence, text_of
from ._encoded_sentence import (
    DroppedWord,
    EncodedSentence,
    Owners,
    SharedWords,
    missing_words,
    sentence_of,
)
from ._special_tokens import AmbiguousTokenError, SpecialTokens
from ._subwords import (
    AlignmentError,
    Subwords,
    subwords_of,
    word_at,
    word_ids_of_fast,
    word_ids_of_slow,
    words_of_subwords,
)

_SPLIT_IT = "Set split_special_tokens=True to split it into sub-words like ordinary text."
_OTHER_SUBWORDS = (
    "returns other sub-words in 'tokenize' than when it is called, so special tokens cannot be "
    "distinguished. Use a fast tokenizer, if the model has one."
)


class Encoder:
    """A tokenizer that also determines which sub-words belong to which row of X.

    The sub-words are those that the tokenizer returns for the text of a sentence: for a list of
    words, its words separated by single spaces, unless it is a SpacedSentence.

    Parameters
    ----------
    tokenizer : tokenizer
    split_special_tokens : bool, default=None
    add_prefix_space : bool, default=False
        As in ``ActivationExtractor``.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        split_special_tokens: bool | None = None,
        add_prefix_space: bool = False,
    ):
        self.tokenizer = tokenizer
        self._name = type(tokenizer).__name__
        self._special_tokens = SpecialTokens(tokenizer, split_special_tokens)
        self._prefix = " " if add_prefix_space else ""

    def words(
        self,
        words: list[str],
        index: int,
        *,
        special_tokens: bool = False,
        dropped: list[DroppedWord] | None = None,
    ) -> EncodedSentence:
        """Tokenize the words of a sentence, with one row per word.

        Parameters
        ----------
        words : list of str
        index : int
            Index of the sentence in the corpus.
        special_tokens : bool, default=False
            Whether to also create a row for each special token that the tokenizer adds.
        dropped : list, default=None
            List to which words are appended that the tokenizer drops and that do not have a row. If
            None, they are an error.

        Returns
        -------
        EncodedSentence

        Raises
        ------
        ValueError
            If the tokenizer drops a word, the sub-words of a word cannot be found, or a word
            contains a special token that can be read in two ways.
        """
        text = self._prefix + text_of(words)
        options = self._options(text, index, words, one_row_per_word=True)
        subwords = self._subwords(text, index, options)
        owners = self._owners(text, words, index, subwords, options)
        missing = missing_words(words, owners)
        found = [DroppedWord(index, position, words[position]) for position in missing]
        if found and dropped is None:
            raise ValueError(found[0].message())
        if dropped is not None:
            dropped += found
        names = self.tokenizer.convert_ids_to_tokens(subwords.ids) if special_tokens else None
        return sentence_of(words, index, subwords, owners, missing, names)

    def text(
        self, sentence: Sentence, index: int, *, pooling: str, limit: int | None = None
    ) -> EncodedSentence:
        """Tokenize a whole sentence, with a single row for the sub-words that `pooling` selects.

        Parameters
        ----------
        sentence : str or sequence of str
            Raw text, or words.
        index : int
            Index of the sentence, for the error messages.
        pooling : {"mean", "cls", "last"}
            Whether to select all sub-words except special tokens, the special token at the
            beginning, or the last sub-word.
        limit : int, default=None
            Maximum number of sub-words. The last sub-words of a longer sentence are left out, but
            not the special tokens that the tokenizer adds, regardless of its truncation side.

        Returns
        -------
        EncodedSentence

        Raises
        ------
        TypeError
            If `sentence` is neither a string nor a list of words.
        ValueError
            If `pooling` does not select any sub-word, or the text contains a special token that
            can be read in two ways.
        """
        words = None if isinstance(sentence, str) else check_sentence(sentence, index)
        text = self._prefix + (str(sentence) if words is None else text_of(words))
        subwords = self._subwords(text, index, self._options(text, index, words))
        added = np.array(subwords.added, dtype=bool)
        own = np.flatnonzero(~added)
        if not len(own):
            raise ValueError(
                f"Sentence {index}: the tokenizer does not return any sub-words for "
                f"{sentence!r:.60}."
            )
        if limit is not None and limit <= added.sum():
            raise ValueError(
                f"A limit of {limit} sub-words leaves no space for text in addition to the "
                "special tokens."
            )
        cut = own[: None if limit is None else limit - added.sum()]
        selected = self._pooled(cut, added, pooling)
        row_ids: list[int | None] = [None] * len(added)
        for place in selected:
            row_ids[place] = 0
        encoded = EncodedSentence(index, [str(sentence)], [0], subwords.inputs, row_ids)
        if len(cut) == len(own):
            return encoded
        return encoded.select(np.sort(np.append(np.flatnonzero(added), cut)))

    def _pooled(self, own: np.ndarray, added: np.ndarray, pooling: str) -> np.ndarray:
        """Return the places of the sub-words that `pooling` selects."""
        if pooling == "cls":
            if not added[0]:
                raise ValueError(
                    "pooling='cls' requires a special token at the beginning of a sentence, but "
                    f"{self._name} does not add one. Use 'mean' or 'last'."
                )
            return np.array([0])
        return own[-1:] if pooling == "last" else own

    def _options(
        self, text: str, index: int, words: list[str] | None, *, one_row_per_word: bool = False
    ) -> dict[str, bool]:
        """Return how the tokenizer is to be called on a text, given its words if it has any."""
        try:
            text.encode()
            return self._special_tokens.options(text)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{self._place(text, index, words, error.start)}: the text contains "
                f"{text[error.start]!r}, which is half of a character. Read the text with its "
                "encoding, such as UTF-8."
            ) from None
        except AmbiguousTokenError as error:
            readable = words if one_row_per_word else None
            raise ValueError(
                f"{self._place(text, index, words, error.start)}: the text contains "
                f"{error.token!r}, a special token of {self._name}. {self._advice(text, readable)}"
            ) from None

    def _advice(self, text: str, words: list[str] | None) -> str:
        """Return how to choose the reading of a special token, or why it cannot be read.

        If `words` are given, sub-words must be assigned to them.
        """
        as_token = self._fault(text, words, split=False)
        as_text = self._fault(text, words, split=True)
        if not as_token and not as_text:
            return (
                "Set split_special_tokens=False to read it as the special token, or "
                "split_special_tokens=True to split it into sub-words like ordinary text."
            )
        if as_token and not as_text:
            return f"{as_token} {_SPLIT_IT}"
        if as_text and not as_token:
            return f"{as_text} Set split_special_tokens=False to read it as the special token."
        return f"{as_token} {as_text} Change the sentence."

    def _fault(self, text: str, words: list[str] | None, *, split: bool) -> str:
        """Return why words cannot be read with this `split_special_tokens`, or an empty string."""
        if words is None:
            return ""
        options = {"split_special_tokens": split}
        reading = f"If it is {'split' if split else 'read as the special token'}, "
        subwords = subwords_of(self.tokenizer, text, options)
        if subwords is None:
            return f"{reading}{self._name} {_OTHER_SUBWORDS}"
        try:
            missing = missing_words(words, self._align(text, words, subwords, options))
        except AlignmentError as error:
            if self._token_of(error, subwords, options):
                return "As the special token, it would include a space between words."
            return f"{reading}{self._name} {error}"
        return f"{reading}the tokenizer drops {words[missing[0]]!r}." if missing else ""

    def _place(self, text: str, index: int, words: list[str] | None, start: int) -> str:
        """Return where a character of a text is, for the error messages."""
        if words is None:
            return f"Sentence {index}, character {max(start - len(self._prefix), 0)}"
        return f"Sentence {index}, word {word_at(text, words, start)}"

    def _subwords(self, text: str, index: int, options: dict[str, bool]) -> Subwords:
        subwords = subwords_of(self.tokenizer, text, options)
        if subwords is None:
            raise ValueError(f"Sentence {index}: {self._name} {_OTHER_SUBWORDS}")
        return subwords

    def _owners(
        self, text: str, words: list[str], index: int, subwords: Subwords, options: dict[str, bool]
    ) -> Owners:
        """Return the words of each sub-word."""
        try:
            return self._align(text, words, subwords, options)
        except AlignmentError as error:
            place = f"Sentence {index}"
            token = self._token_of(error, subwords, options)
            if error.cause is None or not token or self._fault(text, words, split=True):
                raise ValueError(f"{place}: {self._name} {error}") from None
            raise ValueError(
                f"{place}, word {error.cause.word}: {self._name} reads {token!r} as a special "
                f"token that includes a space between words. {_SPLIT_IT}"
            ) from None

    def _token_of(
        self, error: AlignmentError, subwords: Subwords, options: dict[str, bool]
    ) -> str | None:
        """Return the special token that is the reason for an error, if it is one."""
        if error.cause is None or options.get("split_special_tokens") is not False:
            return None
        return self._special_tokens.written(error.cause.text, subwords.ids[error.cause.place])

    def _align(
        self, text: str, words: list[str], subwords: Subwords, options: dict[str, bool]
    ) -> Owners:
        """Return the word of each sub-word, or all of its words if they are not separated."""
        if not self.tokenizer.is_fast:
            return word_ids_of_slow(self.tokenizer, text, words, subwords, options)
        try:
            return word_ids_of_fast(self.tokenizer, text, words, subwords)
        except AlignmentError as error:
            if error.cause is None or not isinstance(words, SpacedSentence):
                raise
            return SharedWords(words_of_subwords(text, words, subwords))


class Pieces(NamedTuple):
    """The pieces of a batch."""

    row_ids: list[int | None]  # numbered consecutively across the sentences
    places: torch.Tensor | None  # in the flattened batch. If None, each place is a piece

    def of(self, states: torch.Tensor) -> torch.Tensor:
        """Return the states of the pieces, given those of a batch."""
        flat = states.flatten(0, 1)
        return flat if self.places is None else flat[self.places.to(flat.device)]


def pad(
    sentences: list[EncodedSentence], pad_id: int, length: int | None = None
) -> tuple[dict[str, torch.Tensor], Pieces]:
    """Build the inputs and the pieces of a batch.

    Padding is always added on the right, regardless of the padding side of the tokenizer: positions
    then count from the first sub-word, and the padding is masked. By default, sentences are padded
    to the length of the longest one.
    """
    length = length or max(sentence.n_subwords for sentence in sentences)
    inputs = {
        name: torch.full((len(sentences), length), pad_id if name == "input_ids" else 0)
        for name in sentences[0].inputs
    }
    inputs["attention_mask"] = torch.zeros((len(sentences), length), dtype=torch.long)
    for row, sentence in enumerate(sentences):
        n = sentence.n_subwords
        for name, ids in sentence.inputs.items():
            inputs[name][row, :n] = torch.as_tensor(ids)
        inputs["attention_mask"][row, :n] = 1
    return inputs, _pieces(sentences, length)


def _pieces(sentences: list[EncodedSentence], length: int) -> Pieces:
    """Return the pieces of a batch, with rows numbered consecutively."""
    all_places = any(sentence.pieces is not None for sentence in sentences)
    row_ids: list[int | None] = []
    places: list[int] = []
    first_row = 0
    for number, sentence in enumerate(sentences):
        row_ids += [None if own is None else own + first_row for own in sentence.row_ids]
        if all_places:
            own = range(sentence.n_subwords) if sentence.pieces is None else sentence.pieces
            places += [number * length + place for place in own]
        else:
            row_ids += [None] * (length - sentence.n_subwords)
        first_row += sentence.n_rows
    return Pieces(row_ids, torch.tensor(places) if all_places else None)
