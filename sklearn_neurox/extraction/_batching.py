"""Which sentences share a forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ._encoded_sentence import EncodedSentence
from ._packed_sentences import n_rows_of, n_subwords_of

_WORDS = 8192  # extracted before they are written to a store, or added to sums
_WORTH_A_FORWARD = 512  # sub-words
_SIMILAR = 0.85  # of the length of the longest sentence of a batch


def batches(
    encoded: Sequence[EncodedSentence], batch_tokens: int, *, padding: bool = True
) -> Iterator[list[int]]:
    """Yield batches of indices of sentences of similar length, or of equal length if not padded.

    A batch that is already large enough for an efficient forward pass is closed rather than padded
    by more than a sixth.
    """
    lengths = n_subwords_of(encoded)
    batch: list[int] = []
    for i in sorted(range(len(encoded)), key=lengths.__getitem__, reverse=True):
        if batch:
            longest = lengths[batch[0]]  # the others are padded to this length
            is_full = (len(batch) + 1) * longest > batch_tokens
            is_worth_it = len(batch) * longest >= _WORTH_A_FORWARD
            is_other = not padding and lengths[i] < longest
            if is_full or is_other or (is_worth_it and lengths[i] < _SIMILAR * longest):
                yield batch
                batch = []
        batch.append(i)
    yield batch


def pieces(encoded: Sequence[EncodedSentence]) -> Iterator[slice]:
    """Yield runs of sentences of a few thousand words each."""
    first = n_words = 0
    for i, n_rows in enumerate(n_rows_of(encoded)):
        n_words += n_rows
        if n_words >= _WORDS or i == len(encoded) - 1:
            yield slice(first, i + 1)
            first, n_words = i + 1, 0


def runs(encoded: Iterable[EncodedSentence]) -> Iterator[list[EncodedSentence]]:
    """Yield lists of consecutive sentences of a few thousand words each."""
    run: list[EncodedSentence] = []
    n_words = 0
    for sentence in encoded:
        run.append(sentence)
        n_words += sentence.n_rows
        if n_words >= _WORDS:
            yield run
            run, n_words = [], 0
    if run:
        yield run
