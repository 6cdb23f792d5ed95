"""The rows of texts, a few thousand at a time, without keeping them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..activations.bfloat16 import Bfloat16Array
from ._batching import pieces, runs
from ._encoded_sentence import EncodedSentence
from ._limits import encode_words, limit_of
from ._locks import alone_with
from ._padding import without_leaks
from ._running import Run
from ._spooling import Spool
from ._text_encoding import text_encoder_of
from ._text_rows import (
    At,
    check_number_of_labels,
    prompt_row,
    rows_in,
    token_rows,
    with_rows,
)
from ._vocabulary import check_ids, warn_unknown
from .extractor import ActivationExtractor
from .positions import Where


class StreamedRows(NamedTuple):
    """Some rows, and where they are in the texts."""

    X: NDArray  # (n_rows, n_layers * width)
    text_ids: NDArray[np.intp]
    positions: NDArray[np.intp]


@dataclass(frozen=True)
class StreamedTexts:
    """Encoded texts, and how to run them.

    Parameters
    ----------
    run : Run
    sentences : sequence of EncodedSentence
    text_ids : ndarray of int of shape (n_sentences,)
        Indices of the texts, of which some may not have rows.
    """

    run: Run
    sentences: Sequence[EncodedSentence]
    text_ids: NDArray[np.intp]

    def rows(self, of_texts: NDArray[np.bool_]) -> Iterator[StreamedRows]:
        """Run some of the texts, and yield a few thousand of their rows at a time.

        Parameters
        ----------
        of_texts : ndarray of bool of shape (n_texts,)
        """
        places = np.flatnonzero(of_texts[self.text_ids]).tolist()
        for some in runs(self.sentences[place] for place in places):
            X = self.run.rows(some)
            yield StreamedRows(
                X.to_float32() if isinstance(X, Bfloat16Array) else X,
                np.repeat([each.sentence_id for each in some], [each.n_rows for each in some]),
                np.concatenate([each.positions for each in some]),
            )

    def columns(self, layer: int, width: int) -> slice:
        """Return the columns of a layer of rows with `width` columns."""
        size = width // len(self.run.layers)
        start = self.run.layers.index(layer) * size
        return slice(start, start + size)


@contextmanager
def streamed(
    extractor: ActivationExtractor,
    texts: list[Any],
    *,
    are_words: bool,
    layers: dict[str, int],
    at: At | None,
    where: Where | None,
    n_labels: NDArray[np.intp] | None,
) -> Iterator[StreamedTexts]:
    """Load the model, and tokenize texts.

    Parameters
    ----------
    extractor : ActivationExtractor
    texts : list
        Sentences as lists of words, or texts. Their tokens are kept in a temporary file.
    are_words : bool
    layers : dict of str to int
        The layer of each estimator.
    at : str, int, Where or callable, or None
        If not None, each text has one row.
    where : Where or None
        Tokens that have rows.
    n_labels : ndarray of int of shape (n_texts,) or None
        Number of labels of each text, which must be that of its tokens.

    Raises
    ------
    ValueError
        If a layer is not one of the layers of the extractor. Also as in
        :meth:`ActivationExtractor.extract`, ``extract_tokens`` and ``extract_prompts``.
    """
    sentences: Sequence[EncodedSentence]
    with alone_with(extractor.model, extractor.tokenizer):
        if are_words:
            encode = partial(
                encode_words,
                corpus=texts,
                special_tokens=extractor.include_special_tokens,
                on_empty_word=extractor.on_empty_word,
                spooled=True,
            )
            run, _, sentences = extractor._prepare(encode, extractor.aggregation)
            run = _with_layers(run, layers)
        else:
            network, tokenizer = extractor._load()
            run = extractor._run(network, tokenizer, "first" if at is None else "mean")
            run = _with_layers(run, layers)
            sentences = _spooled(extractor, network, tokenizer, texts, at, where, n_labels)
        run = without_leaks(run, sentences, pieces(sentences))
        text_ids = np.fromiter((each.sentence_id for each in sentences), np.intp, len(sentences))
        yield StreamedTexts(run, sentences, text_ids)


def _spooled(
    extractor: ActivationExtractor,
    network: Any,
    tokenizer: Any,
    texts: list[Any],
    at: At | None,
    where: Where | None,
    n_labels: NDArray[np.intp] | None,
) -> Spool:
    """Tokenize texts, and keep those that have rows in a temporary file."""
    limit = limit_of(network, tokenizer, extractor.max_length)
    encoded = text_encoder_of(extractor, tokenizer).encode(texts)
    sentences = Spool()
    for text in rows_in(encoded, limit, drop=extractor.on_truncate == "drop"):
        if n_labels is not None:
            check_number_of_labels(text, int(n_labels[text.index]))
        rows = token_rows(text, where, None, None) if at is None else [prompt_row(text, at, where)]
        if rows:
            sentences.append(with_rows(text, rows))
    if not len(sentences):
        raise ValueError(f"{where!r} does not select any token of any text.")
    check_ids(network.stack, tokenizer, sentences)
    warn_unknown(tokenizer, sentences)
    return sentences


def _with_layers(run: Run, layers: dict[str, int]) -> Run:
    """Return the run of the layers of some estimators only."""
    for name, layer in layers.items():
        if layer not in run.layers:
            raise ValueError(
                f"estimators[{name!r}] is for layer {layer}, which is not one of the layers of the "
                f"extractor: {list(run.layers)}."
            )
    return replace(run, layers=tuple(sorted(set(layers.values()))))
