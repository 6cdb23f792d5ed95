"""Activations of a transformer, one row per word or per sentence."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from ..activations.tokens import TokenActivations
from ..datasets.sentences import (
    Sentence,
    check_corpus,
    check_layers,
    check_texts,
    check_word_labels,
)
from ._batching import pieces
from ._encoding import tokenize
from ._limits import encode_texts, encode_words, limit_of
from ._loading import alone_with, check_folder, load_model, load_tokenizer, split_pair
from ._padding import without_leaks
from ._pickling import HashedByContent
from ._running import Run, places
from ._storing import check_store, provenance, write_store
from ._vocabulary import check_ids, n_embeddings, warn_unknown
from .aggregation import AGGREGATIONS

DTYPES = ("float16", "float32", "float64")


class ActivationExtractor(HashedByContent, TransformerMixin, BaseEstimator):
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
        otherwise, and goes back to its training mode; clones share it. "model,tokenizer" names
        both.
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
        Keep layer 0 where `layers` is "all". A list of layers says itself whether 0 is in it.
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
    dtype : {"float32", "float16", "float64"} or their NumPy dtypes, default="float32"
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
        "dtype": [StrOptions(set(DTYPES)), type, np.dtype],
        "autocast": [StrOptions({"bfloat16", "float16"}), None],
        "random_weights": ["boolean"],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _by_content = ("model", "tokenizer")

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

    def __sklearn_clone__(self):
        # What was loaded is shared: it is large, and reading it changes nothing in it.
        bare = copy(self)
        bare.model = bare.tokenizer = None
        cloned = super(ActivationExtractor, bare).__sklearn_clone__()
        cloned.model, cloned.tokenizer = self.model, self.tokenizer
        return cloned

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
            The same call goes on where a run that was broken off, at whatever moment, left, some
            thousand words at a time; a store of another model, corpus or parameters is refused.
            A random model needs an integer `random_state`.

        Returns
        -------
        TokenActivations
            One row per word, in the order of the corpus; with `store`, X is mapped from there.

        Raises
        ------
        TypeError
            If `sentences` or `labels` are not lists, as sets and iterators are not.
        ValueError
            For an empty corpus or sentence, an empty word or one with white space in it, a word
            that the tokenizer drops, a sentence past the model's length (unless `on_truncate`
            says otherwise), labels that do not fit, a layer or module that the model has not, or
            a tokenizer that knows no word, or more than the model.
        ImportError
            If ``transformers`` is needed and not installed.

        Warns
        -----
        UserWarning
            If words get no row, most sub-words are unknown to the tokenizer, or the model lets
            padding into the states, so that only sentences of equal length share a batch.
        """
        self._check_parameters()
        corpus = check_corpus(sentences)
        y = None if labels is None else check_word_labels(corpus, labels)
        if y is not None and self.include_special_tokens:
            raise ValueError(
                "Special tokens have no labels: with include_special_tokens, give the labels to "
                "the rows afterwards (positions >= 0)."
            )
        if store is not None:
            check_store(store, self)
        with alone_with(self.model, self.tokenizer):
            model, tokenizer = self._load()
            layers = self._resolve_layers(model)
            encoded = encode_words(
                tokenizer,
                corpus,
                limit=limit_of(model, tokenizer, self.max_length),
                on_truncate=self.on_truncate,
                special_tokens=self.include_special_tokens,
            )
            check_ids(model, tokenizer, encoded)
            warn_unknown(tokenizer, encoded)
            if y is not None:
                y = y[places(corpus, encoded)]
            run = self._run(model, tokenizer, layers, self.aggregation)
            parts = [slice(None)] if store is None else list(pieces(encoded))
            run = without_leaks(run, encoded, parts)
            if store is not None:
                about = provenance(self, run, tokenizer, encoded) | {"unit": self._unit()}
                write_store(store, run, encoded, parts, labels=y, parameters=about)
                return TokenActivations.load(store)
            X = run.rows(encoded)

        return TokenActivations(
            X=X,
            words=np.array([word for s in encoded for word in s.words], dtype=object),
            sentence_ids=np.repeat([s.sentence_id for s in encoded], [s.n_rows for s in encoded]),
            positions=np.concatenate([s.positions for s in encoded]),
            layers=layers,
            y=y,
            unit=self._unit(),
        )

    def fit(self, X=None, y=None):
        """Check the parameters, before a model is loaded; there is nothing to learn.

        Parameters
        ----------
        X, y : Ignored

        Returns
        -------
        self : ActivationExtractor

        Raises
        ------
        TypeError, ValueError
            For parameters that no model could have, or a folder of a model that is not there.
        """
        self._check_parameters()
        return self

    def transform(self, X: Sequence[Sentence]) -> NDArray:
        """Run the model over sentences, one row each.

        Parameters
        ----------
        X : sequence of str, or of sequences of str
            Text as it comes, or words. A special token in the text, as "[MASK]", is text.

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
            ``on_truncate="warn"``), or a tokenizer that knows no word, or more than the model.

        Warns
        -----
        UserWarning
            As :meth:`extract`.
        """
        self._check_parameters()
        texts = check_texts(X)
        if self.on_truncate == "drop":
            raise ValueError(
                "A step of a Pipeline keeps a row for every sentence: choose on_truncate='error' "
                "or 'warn'."
            )
        pooling, how = self.pooling, "mean" if self.pooling == "mean" else "last"
        with alone_with(self.model, self.tokenizer):
            model, tokenizer = self._load()
            run = self._run(model, tokenizer, self._resolve_layers(model), how)
            encoded = encode_texts(
                tokenizer,
                texts,
                limit=limit_of(model, tokenizer, self.max_length),
                on_truncate=self.on_truncate,
                pooling=pooling,
            )
            check_ids(model, tokenizer, encoded)
            warn_unknown(tokenizer, encoded)
            run = without_leaks(run, encoded, [slice(None)])
            return run.rows(encoded)

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
        with alone_with(self.model, self.tokenizer):
            model, tokenizer = self._load()
            layers = self._resolve_layers(model)
            sentence = tokenize(tokenizer, ["a"], 0)
            X = self._run(model, tokenizer, layers, self.aggregation).rows([sentence], quiet=True)
        none = np.zeros(1, dtype=np.intp)
        return TokenActivations(X, none, none, none, layers, unit=self._unit()).neuron_names

    def _unit(self) -> str:
        """Call a column by what it is."""
        short = {None: "neuron", "attention_heads": "attention"}
        return short.get(self.modules, str(self.modules).replace(".", "_"))

    def _check_parameters(self) -> None:
        """Check all that can be checked without the model."""
        self._validate_params()
        if self._dtype() not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}.")
        if not isinstance(self.layers, str):
            check_layers(self.layers, include_embeddings=self.include_embeddings)
        for name, what in zip(
            split_pair(self.model, self.tokenizer), ("model", "tokenizer"), strict=True
        ):
            check_folder(name, what)

    def _dtype(self) -> str:
        try:
            return np.dtype(self.dtype).name
        except TypeError:  # a class that is no number
            return ""

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
        if layers[0] < first or layers[-1] > n_hidden:
            known = "0 (embeddings)" if first == 0 else "1 (the first block)"
            raise ValueError(f"The model has the layers {known} to {n_hidden}, got {list(layers)}.")
        return layers

    def _run(self, model, tokenizer, layers, how) -> Run:
        pad_id, size = tokenizer.pad_token_id or 0, n_embeddings(model)
        return Run(
            model,
            layers,
            modules=self.modules,
            how=how,
            pad_id=pad_id if size is None or pad_id < size else 0,  # it is masked
            batch_tokens=self.batch_tokens,
            dtype=self._dtype(),
            autocast=self.autocast,
            verbose=bool(self.verbose),
        )
