"""Activations of a transformer, one row per word."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from tqdm.auto import tqdm  # skorch brings it

from ._encoding import (
    EncodedSentence,
    Sentence,
    check_corpus,
    check_labels,
    pad,
    tokenize,
    words_within,
)
from ._loading import evaluating, load_model, load_tokenizer, n_positions
from .aggregation import AGGREGATIONS, aggregate_subwords
from .tokens import TokenActivations


class ActivationExtractor(BaseEstimator):
    """Extract the activations of a transformer on the words of a corpus.

    The words are given to the tokenizer as they are, and its own map from sub-words to words
    says which states belong to a word. Every word has one row: what cannot have one is an error
    that names the sentence and the word.

    Parameters
    ----------
    model : str, path, or torch.nn.Module
        Name or path of a model of ``transformers``, or a loaded one. A loaded model stays where
        it is unless `device` says otherwise, and goes back to its training mode.
    tokenizer : str, path or tokenizer, default=None
        A fast tokenizer. None loads the one that belongs to `model`.
    layers : "all" or list of int, default="all"
        Layers to keep, ascending; 0 are the embeddings.
    aggregation : {"last", "first", "mean"}, default="last"
        State of a word: that of its first or last sub-word, or the mean.
    include_embeddings : bool, default=True
        Keep layer 0 where `layers` is "all".
    max_length : int, default=None
        Longest input in sub-words, special tokens included. None takes the model's limit.
    on_truncate : {"error", "warn", "drop"}, default="error"
        What happens to a sentence past the limit: an error; its last words get no row, with a
        warning; or the whole sentence gets no rows.
    batch_tokens : int, default=2048
        Sub-words in a batch, padding included. Sentences of similar length are put together.
    dtype : {"float32", "float16", "float64"}, default="float32"
        Of X.
    device : str or torch.device, default="auto"
        Where the model runs: "auto" is CUDA where there is a CUDA device.
    verbose : int, default=0
        Show a progress bar.

    References
    ----------
    .. [1] F. Dalvi et al. (2019). NeuroX: A Toolkit for Analyzing Individual Neurons in Neural
       Networks. AAAI.

    Examples
    --------
    >>> from sklearn_neurox import ActivationExtractor
    >>> extractor = ActivationExtractor("bert-base-cased")  # doctest: +SKIP
    >>> tokens = extractor.extract([["A", "word", "each"], "or split on spaces"])  # doctest: +SKIP
    >>> tokens.X.shape  # doctest: +SKIP
    (7, 9984)
    """

    _parameter_constraints: dict = {
        "model": [str, PathLike, torch.nn.Module],
        "tokenizer": "no_validation",
        "layers": [StrOptions({"all"}), "array-like"],
        "aggregation": [StrOptions(set(AGGREGATIONS))],
        "include_embeddings": ["boolean"],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "on_truncate": [StrOptions({"error", "warn", "drop"})],
        "batch_tokens": [Interval(Integral, 1, None, closed="left")],
        "dtype": [StrOptions({"float16", "float32", "float64"})],
        "device": [str, torch.device],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model,
        tokenizer=None,
        *,
        layers="all",
        aggregation="last",
        include_embeddings=True,
        max_length=None,
        on_truncate="error",
        batch_tokens=2048,
        dtype="float32",
        device="auto",
        verbose=0,
    ):
        self.model = model
        self.tokenizer = tokenizer
        self.layers = layers
        self.aggregation = aggregation
        self.include_embeddings = include_embeddings
        self.max_length = max_length
        self.on_truncate = on_truncate
        self.batch_tokens = batch_tokens
        self.dtype = dtype
        self.device = device
        self.verbose = verbose

    def extract(
        self, sentences: Sequence[Sentence], labels: Sequence[Sequence] | None = None
    ) -> TokenActivations:
        """Run the model over a corpus.

        Parameters
        ----------
        sentences : sequence of sentences
            A sentence is a sequence of words, or a string whose words are parted by single
            spaces.
        labels : sequence of sequences, default=None
            A label for each word of each sentence.

        Returns
        -------
        TokenActivations
            One row per word, in the order of the corpus.

        Raises
        ------
        ValueError
            For an empty corpus or sentence, an empty word or one with white space in it, a word
            that the tokenizer drops, a sentence past the model's length (unless `on_truncate`
            says otherwise), labels that do not fit, or a layer that the model has not.
        ImportError
            If ``transformers`` is needed and not installed.
        """
        self._validate_params()
        corpus = check_corpus(sentences)
        y = None if labels is None else check_labels(corpus, labels)
        model, tokenizer = self._load()
        layers = self._resolve_layers(model)
        encoded = self._encode(corpus, model, tokenizer)
        X = self._run(model, tokenizer, encoded, layers)

        starts = np.cumsum([0] + [len(words) for words in corpus])
        kept = [(sentence.sentence_id, sentence.n_words) for sentence in encoded]
        rows = np.concatenate([np.arange(starts[i], starts[i] + n) for i, n in kept])
        sentence_ids = np.repeat(np.arange(len(corpus)), np.diff(starts))[rows]
        return TokenActivations(
            X=X,
            words=np.array([word for words in corpus for word in words], dtype=object)[rows],
            sentence_ids=sentence_ids,
            positions=rows - starts[sentence_ids],
            layers=layers,
            y=None if y is None else y[rows],
        )

    def _load(self) -> tuple[Any, Any]:
        tokenizer = self.model if self.tokenizer is None else self.tokenizer
        if isinstance(tokenizer, torch.nn.Module):
            tokenizer = getattr(self.model, "name_or_path", "")
        return load_model(self.model, self.device), load_tokenizer(tokenizer)

    def _resolve_layers(self, model) -> tuple[int, ...]:
        n_hidden = model.config.num_hidden_layers
        if isinstance(self.layers, str):
            return tuple(range(0 if self.include_embeddings else 1, n_hidden + 1))
        layers = tuple(self.layers)
        if any(isinstance(layer, bool) or not isinstance(layer, Integral) for layer in layers):
            raise TypeError(f"layers must be 'all' or a list of integers, got {list(layers)}.")
        if not layers or list(layers) != sorted(set(layers)):
            raise ValueError(f"layers must be different and ascending, got {list(layers)}.")
        if layers[0] < 0 or layers[-1] > n_hidden:
            raise ValueError(
                f"The model has the layers 0 (embeddings) to {n_hidden}, got {list(layers)}."
            )
        return layers

    def _encode(self, corpus: list[list[str]], model, tokenizer) -> list[EncodedSentence]:
        """Tokenize every sentence, and see that every word is there."""
        limit = self._limit(model, tokenizer)
        encoded = [tokenize(tokenizer, words, i) for i, words in enumerate(corpus)]
        long = [s for s in encoded if len(s.word_ids) > limit]
        if not long:
            return encoded
        worst = max(long, key=lambda s: len(s.word_ids))
        message = (
            f"{len(long)} of {len(corpus)} sentences are longer than the limit of {limit} "
            f"sub-words; sentence {worst.sentence_id} has {len(worst.word_ids)}"
        )
        if self.on_truncate == "error":
            lost = words_within(worst, limit)
            raise ValueError(
                f"{message}, and its word {lost} ({corpus[worst.sentence_id][lost]!r}) is past the "
                "limit. Split the sentence, or choose on_truncate='warn' or 'drop'."
            )
        kept = [s for s in encoded if len(s.word_ids) <= limit]
        if self.on_truncate == "warn":
            for s in long:
                first_words = corpus[s.sentence_id][: words_within(s, limit)]
                if first_words:
                    kept.append(tokenize(tokenizer, first_words, s.sentence_id))
            kept.sort(key=lambda s: s.sentence_id)
            n_lost = sum(s.n_words for s in encoded) - sum(s.n_words for s in kept)
            warnings.warn(f"{message}. {n_lost} words get no row.", UserWarning, stacklevel=3)
        if not kept:
            raise ValueError(f"{message}: no sentence is left.")
        return kept

    def _limit(self, model, tokenizer) -> int:
        limit = min(tokenizer.model_max_length, n_positions(model))
        if self.max_length is None:
            return limit
        if self.max_length > limit:
            raise ValueError(f"max_length={self.max_length}, but the model's limit is {limit}.")
        return self.max_length

    def _run(self, model, tokenizer, encoded: list[EncodedSentence], layers) -> np.ndarray:
        """Forward the batches and put the rows where the corpus has them."""
        starts = np.cumsum([0] + [sentence.n_words for sentence in encoded])
        width = model.config.hidden_size
        X = np.empty((starts[-1], len(layers) * width), dtype=self.dtype)
        n_subwords = sum(len(sentence.word_ids) for sentence in encoded)
        progress = tqdm(total=n_subwords, unit="sub-word", desc="extract", disable=not self.verbose)
        with progress, evaluating(model), torch.inference_mode():
            for batch in self._batches(encoded):
                sentences = [encoded[i] for i in batch]
                inputs, word_ids = pad(sentences, tokenizer.pad_token_id or 0)
                states = model(
                    **{name: ids.to(model.device) for name, ids in inputs.items()},
                    output_hidden_states=True,
                ).hidden_states
                rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in batch])
                for place, layer in enumerate(layers):
                    words = aggregate_subwords(
                        states[layer].flatten(0, 1), word_ids, self.aggregation
                    )
                    columns = slice(place * width, (place + 1) * width)
                    X[rows, columns] = words.to(getattr(torch, self.dtype)).cpu().numpy()
                finite = np.isfinite(X[rows]).all(axis=1)
                if not finite.all():
                    owners = [s.sentence_id for s in sentences for _ in range(s.n_words)]
                    raise ValueError(
                        f"Sentence {owners[finite.argmin()]} has activations that are NaN or "
                        f"infinite as {self.dtype}."
                    )
                progress.update(sum(len(sentence.word_ids) for sentence in sentences))
        return X

    def _batches(self, encoded: list[EncodedSentence]) -> Iterator[list[int]]:
        """Places in `encoded`, sentences of similar length together."""
        lengths = [len(sentence.word_ids) for sentence in encoded]
        batch: list[int] = []
        for i in sorted(range(len(encoded)), key=lengths.__getitem__, reverse=True):
            # The first of a batch is its longest, which the others are padded to.
            if batch and (len(batch) + 1) * lengths[batch[0]] > self.batch_tokens:
                yield batch
                batch = []
            batch.append(i)
        yield batch
