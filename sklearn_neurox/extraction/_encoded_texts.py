"""Texts as batches of sub-words, with the settings of an extractor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..datasets.sentences import check_corpus, check_texts, is_sentence
from ..datasets.spacing import text_of
from ._encoded_sentence import EncodedSentence
from ._encoding import Encoder
from ._limits import encode_texts, encode_words, limit_of
from ._network import Network
from ._padding import without_leaks
from ._running import Run
from ._text_encoding import text_encoder_of
from ._text_rows import Rows, prompt_row, rows_in
from ._vocabulary import check_ids, pad_id_of, warn_unknown
from .extractor import ActivationExtractor
from .hook_points import n_layers_of
from .positions import Where


def encode(
    texts: Sequence[Any],
    extractor: ActivationExtractor,
    network: Network,
    tokenizer: Any,
    *,
    words: bool = False,
    mark: Where | None = None,
) -> list[EncodedSentence]:
    """Tokenize texts with the settings of an extractor.

    Parameters
    ----------
    texts : sequence of str, of sequences of str, of conversations or of lists of token indices
    extractor : ActivationExtractor
    network : Network
    tokenizer : tokenizer
    words : bool, default=False
        Whether each word has a row, instead of each text.
    mark : Where, default=None
        Rule for the tokens that are marked.

    Raises
    ------
    TypeError, ValueError
        As in :meth:`ActivationExtractor.extract` and :meth:`ActivationExtractor.extract_prompts`.
    """
    encoder = Encoder(
        tokenizer,
        split_special_tokens=extractor.split_special_tokens,
        add_prefix_space=extractor.add_prefix_space,
    )
    limit, on_truncate = limit_of(network, tokenizer, extractor.max_length), extractor.on_truncate
    if words:
        corpus = check_corpus(texts)
        encoded = list(
            encode_words(
                encoder, corpus, limit=limit, on_truncate=on_truncate, special_tokens=False
            )
        )
    elif isinstance(extractor.pooling, Where) or not all(map(is_sentence, check_texts(texts))):
        at: Any = "first" if extractor.pooling == "cls" else extractor.pooling
        rows = Rows()
        for text in rows_in(text_encoder_of(extractor, tokenizer).encode(texts), limit, drop=False):
            rows.add(text, [prompt_row(text, at, None)])
        encoded = list(rows.sentences)
    else:
        encoded = encode_texts(
            encoder, list(texts), limit=limit, on_truncate=on_truncate, pooling=extractor.pooling
        )
    check_ids(network.stack, tokenizer, encoded)
    warn_unknown(tokenizer, encoded)
    return encoded if mark is None else _marked(encoded, texts, extractor, tokenizer, mark)


def _marked(
    encoded: list[EncodedSentence],
    texts: Sequence[Any],
    extractor: ActivationExtractor,
    tokenizer: Any,
    rule: Where,
) -> list[EncodedSentence]:
    """Mark the tokens that a rule selects."""
    prefix = " " if extractor.add_prefix_space else ""
    strings = [
        (prefix + (text if isinstance(text, str) else text_of(text))) if is_sentence(text) else text
        for text in texts
    ]
    marked = []
    whole = text_encoder_of(extractor, tokenizer).encode(strings)
    for sentence, text in zip(encoded, whole, strict=True):
        if text.inputs["input_ids"].tolist() != list(sentence.inputs["input_ids"]):
            raise ValueError(
                f"Text {text.index} is truncated, so {rule!r} cannot select its tokens. Shorten it."
            )
        marked.append(sentence._replace(marked=rule.select(text)))
    return marked


def can_pad(
    encoded: list[EncodedSentence],
    extractor: ActivationExtractor,
    network: Network,
    tokenizer: Any,
) -> bool:
    """Return whether texts of different lengths can share a batch.

    Warns
    -----
    UserWarning
        If padding changes the states.
    """
    run = Run(
        network,
        layers=(n_layers_of(network.stack),),
        modules=None,
        aggregation="mean",
        pad_id=pad_id_of(network.stack, tokenizer),
        batch_tokens=extractor.batch_tokens,
        dtype="float32",
        autocast=extractor.autocast,
        verbose=0,
    )
    return without_leaks(run, encoded, [slice(None)]).padding


def pooled_positions(texts: list[EncodedSentence], pooling: str | Where, length: int) -> Tensor:
    """Return the positions that `pooling` selects.

    Parameters
    ----------
    texts : list of EncodedSentence
        With one row per text, whose positions `pooling` has selected, or one row per word.
    pooling : {"mean", "cls", "last"} or Where
        As in :class:`ActivationExtractor`.
    length : int
        Length of the padded texts.

    Returns
    -------
    Tensor of bool of shape (n_texts, length)
    """
    mask = torch.zeros(len(texts), length, dtype=torch.bool)
    for selected, text in zip(mask, texts, strict=True):
        pieces = range(text.n_subwords) if text.pieces is None else text.pieces
        own = [place for place, row in zip(pieces, text.row_ids, strict=True) if row is not None]
        if isinstance(pooling, str):
            own = {"last": own[-1:], "cls": [0]}.get(pooling, own)
        selected[own] = True
    return mask
