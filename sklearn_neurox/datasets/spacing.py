"""Sentences whose words keep the spaces of their text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self, SupportsIndex, overload


class SpacedSentence(list[str]):
    """The words of a sentence, and what separates them in its text.

    A list of words does not say how they are separated, so
    :class:`~sklearn_neurox.ActivationExtractor` writes single spaces between them. With this list,
    it reads the original text, and words may contain spaces, as in Vietnamese.

    Parameters
    ----------
    words : iterable of str
        The words.
    separators : sequence of str of length n_words - 1, default=None
        What is written between each word and the next one, such as ``" "`` or ``""``. If None, all
        are single spaces.

    Attributes
    ----------
    separators : tuple of str
        What is written between each word and the next one.
    text : str
        The text of the sentence.

    Raises
    ------
    ValueError
        If there is another number of separators, or a separator is not white space.

    See Also
    --------
    read_conllu : Returns these sentences.

    Notes
    -----
    A slice is a SpacedSentence. If words are inserted or removed in place, the numbers of words and
    separators do not match, which is an error when the sentence is used.

    Examples
    --------
    >>> from sklearn_neurox import SpacedSentence
    >>> words = SpacedSentence(["It", "is", "n't", "."], [" ", "", ""])
    >>> words.text
    "It isn't."
    >>> words[1:].text
    "isn't."
    >>> SpacedSentence.from_text("It isn't.", ["It", "is", "n't", "."]) == words
    True
    """

    separators: tuple[str, ...]

    def __init__(self, words: Iterable[str], separators: Sequence[str] | None = None):
        super().__init__(words)
        n_between = max(0, len(self) - 1)
        self.separators = (" ",) * n_between if separators is None else tuple(separators)
        for place, separator in enumerate(self.separators):
            if not isinstance(separator, str) or separator.strip():
                raise ValueError(
                    f"separators[{place}] must be white space or an empty string, got "
                    f"{separator!r:.60}."
                )
        self.check()

    @classmethod
    def from_text(cls, text: str, words: Iterable[str]) -> Self:
        """Find the words of a text.

        Parameters
        ----------
        text : str
        words : iterable of str
            The words in their order. Apart from white space, they are the whole text.

        Returns
        -------
        SpacedSentence

        Raises
        ------
        ValueError
            If the text contains something else than the words.
        """
        listed = list(words)
        separators, end = [], 0
        for place, word in enumerate(listed):
            start = text.find(word, end)
            if not word or start < 0 or text[end:start].strip():
                raise ValueError(
                    f"Word {place}, {word!r:.60}, does not follow character {end} of the text "
                    f"{text!r:.80}."
                )
            separators.append(text[end:start])
            end = start + len(word)
        if text[end:].strip():
            raise ValueError(f"The text {text!r:.80} has no words for its end {text[end:]!r:.60}.")
        return cls(listed, separators[1:])

    @property
    def text(self) -> str:
        """The text of the sentence."""
        self.check()
        pairs = zip(self, (*self.separators, ""), strict=bool(self))
        return "".join(word + separator for word, separator in pairs)

    def check(self) -> None:
        """Check that there is a separator between each word and the next one.

        Raises
        ------
        ValueError
            If there is another number of separators.
        """
        if len(self.separators) != max(0, len(self) - 1):
            raise ValueError(
                f"The sentence has {len(self)} words, so it needs {max(0, len(self) - 1)} "
                f"separators, but has {len(self.separators)}."
            )

    @overload
    def __getitem__(self, place: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        if not isinstance(place, slice):
            return found
        if place.step not in (None, 1):
            return list(found)
        start, stop, _ = place.indices(len(self))
        return type(self)(found, self.separators[start : max(start, stop - 1)])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self), self.separators)


def text_of(words: Sequence[str]) -> str:
    """Return the text of a sentence, with single spaces unless it is a SpacedSentence."""
    return words.text if isinstance(words, SpacedSentence) else " ".join(words)


def separators_of(words: Sequence[str]) -> Sequence[str]:
    """Return what separates each word from the next one."""
    if isinstance(words, SpacedSentence):
        words.check()
        return words.separators
    return (" ",) * (len(words) - 1)
