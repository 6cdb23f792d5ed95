"""Texts as batches of sub-words, with the settings of an extractor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..datasets.sentences import Sentence, check_corpus, check_texts
from ._encoding import EncodedSentence, Encoder
from ._limits import encode_texts, encode_words, limit_of
from ._network import Network
from ._padding import without_leaks
from ._running import Run
from ._vocabulary import check_ids, pad_id_of, warn_unknown
from .extractor import ActivationExtractor
from .hook_points import n_layers_of


def encode(
    texts: Sequence[Sentence],
    extractor: ActivationExtractor,
    network: Network,
    tokenizer: Any,
    *,
    words: bool = False,
) -> list[EncodedSentence]:
    """Tokenize texts with the settings of an extractor.

    Parameters
    ----------
    texts : sequence of str, or of sequences of str
    extractor : ActivationExtractor
    network : Network
    tokenizer : tokenizer
    words : bool, default=False
        Whether each word has a row, instead of each text.

    Raises
    ------
    TypeError, ValueError
        As in :meth:`ActivationExtractor.extract` and :meth:`ActivationExtractor.transform`.
    """
    encoder = Encoder(
        tokenizer,
        split_special_tokens=extractor.split_special_tokens,
        add_prefix_space=extractor.add_prefix_space,
    )
    options: dict[str, Any] = {
        "limit": limit_of(network, tokenizer, extractor.max_length),
        "on_truncate": extractor.on_truncate,
    }
    if words:
        encoded = encode_words(encoder, check_corpus(texts), special_tokens=False, **options)
    else:
        encoded = encode_texts(encoder, check_texts(texts), pooling=extractor.pooling, **options)
    check_ids(network.stack, tokenizer, encoded)
    warn_unknown(tokenizer, encoded)
    return encoded


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


def pooled_positions(texts: list[EncodedSentence], pooling: str, length: int) -> Tensor:
    """Return the positions that `pooling` selects.

    Parameters
    ----------
    texts : list of EncodedSentence
        With one row per text, whose positions `pooling` has selected, or one row per word.
    pooling : {"mean", "cls", "last"}
        As in :class:`ActivationExtractor`.
    length : int
        Length of the padded texts.

    Returns
    -------
    Tensor of bool of shape (n_texts, length)
    """
    mask = torch.zeros(len(texts), length, dtype=torch.bool)
    for selected, text in zip(mask, texts, strict=True):
        own = [place for place, row in enumerate(text.row_ids) if row is not None]
        selected[{"last": own[-1:], "cls": [0]}.get(pooling, own)] = True
    return mask
