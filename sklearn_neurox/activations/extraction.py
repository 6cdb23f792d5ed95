"""Activations of a transformer, one row per word or per sentence."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from ._encoding import (
    EncodedSentence,
    Sentence,
    alignment_of,
    check_corpus,
    check_labels,
    tokenize,
    tokenize_text,
    words_within,
)
from ._loading import (
    fingerprint,
    load_model,
    load_tokenizer,
    n_positions,
    split_pair,
)
from ._running import digest_of, pieces, places, run_batches
from .aggregation import AGGREGATIONS
from .store import StoreWriter, load_store
from .tokens import TokenActivations


class ActivationExtractor(TransformerMixin, BaseEstimator):
    """Extract the activations of a transformer on the words of a corpus, or on whole sentences.

    :meth:`extract` gives a row for every word. The words are given to the tokenizer as they are,
    and its own map from sub-words to words says which states belong to a word. What cannot have a
    row is an error that names the sentence and the word.

    :meth:`transform` gives a row for every sentence, and makes the extractor the first step of a
    Pipeline that is fitted on text.

    Parameters
    ----------
    model : str, path, or torch.nn.Module
        Name or path of a model of ``transformers`` (encoder or decoder; of an encoder-decoder the
        encoder is read), or a loaded one. A loaded model stays where it is unless `device` says
        otherwise, and goes back to its training mode. "model,tokenizer" names both.
    tokenizer : str, path or tokenizer, default=None
        None loads the one that belongs to `model`.
    layers : "all" or list of int, default="all"
        Layers to keep, ascending; 0 are the embeddings. Layers above the last are not computed.
    modules : str, default=None
        Look inside the layers: "attention_heads", the outputs of the heads side by side before
        they are mixed; "mlp", the neurons of the feed-forward network after their activation
        function; or the path of a module within each block, such as "attention.output", whose
        output is taken. Layers then count from 1. None takes the hidden states.
    aggregation : {"last", "first", "mean"}, default="last"
        State of a word: that of its first or last sub-word (character, byte), or the mean.
    include_embeddings : bool, default=True
        Keep layer 0 where `layers` is "all".
    include_special_tokens : bool, default=False
        Keep a row also for each special token that the tokenizer adds, as [CLS], with position
        -1. They have no labels.
    pooling : {"mean", "cls", "last"}, default="mean"
        For :meth:`transform`: the mean over the sub-words of a sentence, special tokens aside;
        the special token in front of it; or its last sub-word, the one that has seen all others
        in a decoder.
    max_length : int, default=None
        Longest input in sub-words, special tokens included. None takes the model's limit.
    on_truncate : {"error", "warn", "drop"}, default="error"
        What happens to a sentence past the limit: an error; its last words get no row, with a
        warning; or the whole sentence gets no rows (in :meth:`extract` only).
    batch_tokens : int, default=2048
        Sub-words in a batch, padding included. Sentences of similar length are put together.
    dtype : {"float32", "float16", "float64"}, default="float32"
        Of X.
    autocast : {"bfloat16", "float16"}, default=None
        Run the products of the model in a narrower type, which is faster on CUDA and less exact.
    random_weights : bool, default=False
        Take the model as it was before training, all weights drawn anew: what its architecture
        and tokenizer tell by themselves.
    device : str or torch.device, default="auto"
        Where the model runs: "auto" is CUDA where there is a CUDA device.
    random_state : int, RandomState instance or None, default=None
        Draws the random weights.
    verbose : int, default=0
        Show a progress bar.

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
        "modules": [str, None],
        "aggregation": [StrOptions(set(AGGREGATIONS))],
        "include_embeddings": ["boolean"],
        "include_special_tokens": ["boolean"],
        "pooling": [StrOptions({"mean", "cls", "last"})],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "on_truncate": [StrOptions({"error", "warn", "drop"})],
        "batch_tokens": [Interval(Integral, 1, None, closed="left")],
        "dtype": [StrOptions({"float16", "float32", "float64"})],
        "autocast": [StrOptions({"bfloat16", "float16"}), None],
        "random_weights": ["boolean"],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        model,
        tokenizer=None,
        *,
        layers="all",
        modules=None,
        aggregation="last",
        include_embeddings=True,
        include_special_tokens=False,
        pooling="mean",
        max_length=None,
        on_truncate="error",
        batch_tokens=2048,
        dtype="float32",
        autocast=None,
        random_weights=False,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.model = model
        self.tokenizer = tokenizer
        self.layers = layers
        self.modules = modules
        self.aggregation = aggregation
        self.include_embeddings = include_embeddings
        self.include_special_tokens = include_special_tokens
        self.pooling = pooling
        self.max_length = max_length
        self.on_truncate = on_truncate
        self.batch_tokens = batch_tokens
        self.dtype = dtype
        self.autocast = autocast
        self.random_weights = random_weights
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        tags.no_validation = True
        return tags

    def extract(
        self,
        sentences: Sequence[Sentence],
        labels: Sequence[Sequence] | None = None,
        *,
        store: str | PathLike | None = None,
    ) -> TokenActivations:
        """Run the model over the words of a corpus.

        Parameters
        ----------
        sentences : sequence of sentences
            A sentence is a sequence of words, or a string whose words are parted by single
            spaces.
        labels : sequence of sequences, default=None
            A label for each word of each sentence.
        store : str or path, default=None
            Folder to write the activations into as they come, instead of keeping them in memory.
            The same call goes on where a run that was broken off, at whatever moment, left; a
            store of another model, corpus or parameters is refused. A random model needs an
            integer `random_state`.

        Returns
        -------
        TokenActivations
            One row per word, in the order of the corpus; with `store`, X is mapped from there.

        Raises
        ------
        ValueError
            For an empty corpus or sentence, an empty word or one with white space in it, a word
            that the tokenizer drops, a sentence past the model's length (unless `on_truncate`
            says otherwise), labels that do not fit, or a layer or module that the model has not.
        ImportError
            If ``transformers`` is needed and not installed.
        """
        self._validate_params()
        corpus = check_corpus(sentences)
        y = None if labels is None else check_labels(corpus, labels)
        if y is not None and self.include_special_tokens:
            raise ValueError(
                "Special tokens have no labels: with include_special_tokens, give the labels to "
                "the rows afterwards (positions >= 0)."
            )
        model, tokenizer = self._load()
        layers = self._resolve_layers(model)
        encoded = self._encode(corpus, model, tokenizer)
        if store is not None:
            return self._extract_into(store, model, tokenizer, encoded, layers, y, corpus)
        X = self._run(model, tokenizer, encoded, layers, self.aggregation)

        return TokenActivations(
            X=X,
            words=np.array([word for s in encoded for word in s.words], dtype=object),
            sentence_ids=np.repeat([s.sentence_id for s in encoded], [s.n_rows for s in encoded]),
            positions=np.concatenate([s.positions for s in encoded]),
            layers=layers,
            y=None if y is None else y[places(corpus, encoded)],
            unit=self._unit(),
        )

    def _extract_into(self, path, model, tokenizer, encoded, layers, y, corpus):
        """Extract into a store, some thousand words at a time, from where it stands."""
        if self.include_special_tokens:
            raise ValueError("A store holds the words of a corpus, not special tokens.")
        if self.random_weights and not isinstance(self.random_state, Integral):
            raise ValueError("To go on later, a random model needs an integer random_state.")
        one = self._run(model, tokenizer, encoded[:1], layers, self.aggregation, quiet=True)
        writer = StoreWriter(
            path,
            layers=layers,
            width=one.shape[1] // len(layers),
            dtype=self.dtype,
            words=[sentence.words for sentence in encoded],
            sentence_ids=[sentence.sentence_id for sentence in encoded],
            labels=None if y is None else y[places(corpus, encoded)],
            parameters=self._provenance(model, tokenizer, encoded),
        )
        with writer:
            # The same pieces whether the run was broken off or not: rounding depends on the batch.
            for piece in pieces(encoded):
                if piece.start >= writer.n_done:
                    some = encoded[piece]
                    X = self._run(model, tokenizer, some, layers, self.aggregation)
                    writer.append(X, k=len(some))
        return load_store(path)

    def _provenance(self, model, tokenizer, encoded) -> dict[str, Any]:
        """Tell what made the activations, to the last weight and sub-word."""
        return {
            "model": getattr(model, "name_or_path", ""),
            "revision": getattr(model.config, "_commit_hash", None),
            "model_class": type(model).__name__,
            "weights_sha256": fingerprint(model),
            "tokenizer_class": type(tokenizer).__name__,
            "subwords_sha256": digest_of(encoded),
            "unit": self._unit(),
            "modules": self.modules,
            "aggregation": self.aggregation,
            "max_length": self.max_length,
            "on_truncate": self.on_truncate,
            "batch_tokens": self.batch_tokens,
            "autocast": self.autocast,
            "random_weights": self.random_weights,
        }

    def fit(self, X=None, y=None):
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        X, y : Ignored

        Returns
        -------
        self : ActivationExtractor
        """
        self._validate_params()
        return self

    def transform(self, X: Sequence[Sentence]) -> NDArray:
        """Run the model over sentences, one row each.

        Parameters
        ----------
        X : sequence of str, or of sequences of str
            Text as it comes, or words.

        Returns
        -------
        ndarray of shape (n_sentences, n_neurons)
            Pooled as `pooling` says, of the dtype `dtype`.

        Raises
        ------
        TypeError
            If it is no list of sentences.
        ValueError
            For an empty list or sentence, or a sentence past the model's length (unless
            ``on_truncate="warn"``).
        """
        self._validate_params()
        if isinstance(X, str) or getattr(X, "ndim", 1) > 1 or not len(X):
            raise TypeError(
                f"Expected a list of at least one sentence, got {type(X).__name__} {X!r:.60}."
            )
        if self.on_truncate == "drop":
            raise ValueError(
                "A step of a Pipeline keeps a row for every sentence: choose on_truncate='error' "
                "or 'warn'."
            )
        X = list(X)
        model, tokenizer = self._load()
        layers = self._resolve_layers(model)
        limit = self._limit(model, tokenizer)
        pooling, how = self.pooling, "mean" if self.pooling == "mean" else "last"
        encoded = [
            tokenize_text(tokenizer, text, i, pooling=pooling, limit=None)
            for i, text in enumerate(X)
        ]
        long = [s.sentence_id for s in encoded if len(s.row_ids) > limit]
        if long:
            message = (
                f"{len(long)} of {len(encoded)} sentences are longer than the limit of {limit} "
                f"sub-words; the first is sentence {long[0]}"
            )
            if self.on_truncate == "error":
                raise ValueError(f"{message}. Split them, or choose on_truncate='warn'.")
            warnings.warn(f"{message}. Their ends are cut off.", UserWarning, stacklevel=2)
            for i in long:
                encoded[i] = tokenize_text(tokenizer, X[i], i, pooling=pooling, limit=limit)
        return self._run(model, tokenizer, encoded, layers, how)

    def get_feature_names_out(self, input_features=None) -> NDArray:
        """Names of the columns that ``transform`` returns, as ``layer_3_neuron_17``.

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        ndarray of str
            The model is loaded, and run on one word, to count its neurons.
        """
        model, tokenizer = self._load()
        layers = self._resolve_layers(model)
        sentence = tokenize(tokenizer, ["a"], 0)
        X = self._run(model, tokenizer, [sentence], layers, self.aggregation)
        none = np.zeros(1, dtype=np.intp)
        return TokenActivations(X, none, none, none, layers, unit=self._unit()).neuron_names

    def _unit(self) -> str:
        """Call a column by what it is."""
        short = {None: "neuron", "attention_heads": "attention"}
        return short.get(self.modules, str(self.modules).replace(".", "_"))

    def _load(self) -> tuple[Any, Any]:
        model, tokenizer = split_pair(self.model, self.tokenizer)
        if tokenizer is None:
            is_loaded = isinstance(model, torch.nn.Module)
            tokenizer = getattr(model, "name_or_path", "") if is_loaded else model
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        loaded = load_model(model, self.device, random_weights=self.random_weights, seed=seed)
        return loaded, load_tokenizer(tokenizer)

    def _resolve_layers(self, model) -> tuple[int, ...]:
        n_hidden = model.config.num_hidden_layers
        first = 0 if self.modules is None else 1
        if isinstance(self.layers, str):
            keep_first = self.include_embeddings or first == 1
            return tuple(range(first if keep_first else 1, n_hidden + 1))
        layers = tuple(self.layers)
        if any(isinstance(layer, bool) or not isinstance(layer, Integral) for layer in layers):
            raise TypeError(f"layers must be 'all' or a list of integers, got {list(layers)}.")
        if not layers or list(layers) != sorted(set(layers)):
            raise ValueError(f"layers must be different and ascending, got {list(layers)}.")
        if layers[0] < first or layers[-1] > n_hidden:
            known = "0 (embeddings)" if first == 0 else "1 (the first block)"
            raise ValueError(f"The model has the layers {known} to {n_hidden}, got {list(layers)}.")
        return layers

    def _encode(self, corpus: list[list[str]], model, tokenizer) -> list[EncodedSentence]:
        """Tokenize every sentence, and see that every word is there."""
        limit = self._limit(model, tokenizer)
        align, special = alignment_of(tokenizer), self.include_special_tokens
        how: dict[str, Any] = {"align": align, "special_tokens": special}
        encoded = [tokenize(tokenizer, words, i, **how) for i, words in enumerate(corpus)]
        long = [s for s in encoded if len(s.row_ids) > limit]
        if not long:
            return encoded
        worst = max(long, key=lambda s: len(s.row_ids))
        message = (
            f"{len(long)} of {len(corpus)} sentences are longer than the limit of {limit} "
            f"sub-words; sentence {worst.sentence_id} has {len(worst.row_ids)}"
        )
        if self.on_truncate == "error":
            lost = words_within(worst, limit)
            raise ValueError(
                f"{message}, and its word {lost} ({corpus[worst.sentence_id][lost]!r}) is past the "
                "limit. Split the sentence, or choose on_truncate='warn' or 'drop'."
            )
        kept = [s for s in encoded if len(s.row_ids) <= limit]
        if self.on_truncate == "warn":
            for s in long:
                first_words = corpus[s.sentence_id][: words_within(s, limit)]
                if first_words:
                    kept.append(tokenize(tokenizer, first_words, s.sentence_id, **how))
            kept.sort(key=lambda s: s.sentence_id)
            n_lost = sum(s.n_rows for s in encoded) - sum(s.n_rows for s in kept)
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

    def _run(self, model, tokenizer, encoded, layers, how, *, quiet=False) -> NDArray:
        """Forward the batches and put the rows where the corpus has them."""
        return run_batches(
            model,
            encoded,
            layers,
            modules=self.modules,
            how=how,
            pad_id=tokenizer.pad_token_id or 0,
            batch_tokens=self.batch_tokens,
            dtype=self.dtype,
            autocast=self.autocast,
            verbose=bool(self.verbose) and not quiet,
        )
