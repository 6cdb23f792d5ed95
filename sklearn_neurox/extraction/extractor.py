"""Activations of a transformer, one row per word or per sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from numbers import Integral
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import DTypeLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from ..activations.bfloat16 import to_numpy
from ..activations.columns import Neurons
from ..activations.dtypes import DTYPES, check_dtype
from ..datasets.sentences import Sentence, check_texts
from ._conversations import is_conversation
from ._encoded_sentence import EncodedSentence
from ._encoding import Encoder
from ._layers import Layers, check_layer_numbers, resolve_layers
from ._limits import encode_texts, limit_of
from ._loading import check_folders, load_model, load_tokenizer, pair_of
from ._locks import alone_with
from ._padding import without_leaks
from ._pickling import HashedByContent
from ._running import Run
from ._text_methods import TextMethods
from ._vocabulary import check_ids, pad_id_of, warn_unknown
from ._word_methods import WordMethods
from .aggregation import AGGREGATIONS
from .hook_points import unit_of
from .positions import Where
from .state_edits import Edits, check_optional_edits, edited_during


class ActivationExtractor(
    WordMethods, TextMethods, HashedByContent, TransformerMixin, BaseEstimator
):
    """Extract the activations of a transformer on words, tokens, prompts or whole sentences.

    :meth:`extract` returns one row per word. The tokenizer receives the words as one text, with
    single spaces between them, or those of a :class:`SpacedSentence`. It determines which sub-words
    of the text belong to a word. If a word cannot have a row, an error names the sentence and the
    word.

    :meth:`extract_tokens` returns one row per token of strings or conversations, and
    :meth:`extract_prompts` one row per string or conversation. :meth:`generate` generates answers,
    and returns one row per token of the prompts and answers.

    :meth:`transform` returns one row per sentence, so the extractor can be the first step of a
    Pipeline that is fitted on text.

    Parameters
    ----------
    model : str, path-like or torch.nn.Module
        Name or path of a model of ``transformers``, or a loaded model, with or without adapters of
        PEFT. It is an encoder, a decoder, or an encoder-decoder, whose encoder is read. A loaded
        model stays on its device unless `device` is set, is not changed, and is shared by clones.
        "model,tokenizer" specifies both names.
    tokenizer : str, path-like or tokenizer, default=None
        Tokenizer of the model. If None, load the tokenizer that belongs to `model`.
    layers : "all" or list of int, default="all"
        Layers to extract, in ascending order. Layer 0 consists of the embeddings.
    modules : str, default=None
        Modules within the layers that are read instead of the hidden states: "attention_heads", the
        concatenated outputs of the heads before they are mixed; "mlp", the neurons of the
        feed-forward network after their activation function; or the path of a module within each
        block, such as "attention.output", whose output is read. Layers are then numbered from 1.
    aggregation : {"last", "first", "mean"}, default="last"
        How to compute the state of a word: that of its first or last sub-word (or character or
        byte), or the mean over its sub-words.
    include_embeddings : bool, default=True
        Whether ``layers="all"`` includes layer 0. If False, a list of layers must not contain 0.
    include_special_tokens : bool, default=False
        Whether to also return a row for each special token that the tokenizer adds, such as [CLS],
        with position -1. Special tokens do not have labels.
    pooling : {"mean", "cls", "last"} or Where, default="mean"
        Row of a sentence in :meth:`transform`: the mean over its sub-words except special tokens;
        the special token at its beginning; its last sub-word, which sees all in a decoder; or the
        single token that a rule such as ``where.role("user").last()`` selects. Of a conversation,
        "last" is the last token.
    max_length : int, default=None
        Maximum number of sub-words, including special tokens. If None, use the limit of the model.
    on_truncate : {"error", "warn", "drop"}, default="error"
        What to do with a sentence that exceeds the limit: raise an error; leave out its last words,
        with a warning; or leave out the whole sentence (only in :meth:`extract`).
    on_empty_word : {"error", "drop"}, default="error"
        What to do with words of :meth:`extract` that the tokenizer drops, such as a zero-width
        character: raise an error that lists them, or leave out their rows, with a warning.
    split_special_tokens : bool, default=None
        Whether a special token that is written in a sentence, such as "[MASK]", is split like
        ordinary text (True) or read as the special token (False). If None, it raises an error.
    add_prefix_space : bool, default=False
        Whether a space precedes each sentence. Many tokenizers distinguish a word at the beginning
        of a text from a word after a space.
    chat_template : str, default=None
        Jinja template of conversations, or the name of one of the templates of the tokenizer. If
        None, use the default template of the tokenizer.
    add_generation_prompt : bool, default=False
        Whether to append the markup to conversations that begins an answer of the assistant.
    chat_template_kwargs : dict, default=None
        Other variables of the template, such as ``{"enable_thinking": False}``.
    batch_tokens : int, default=2048
        Number of sub-words in a batch of sentences of similar length, including padding.
    dtype : {"float32", "float16", "bfloat16", "float64"} or their NumPy dtypes, default="float32"
        Dtype of the activations. NumPy does not have bfloat16, whose range is that of float32: the
        activations are rounded to it and take 16 bits, but X and the result of :meth:`transform`
        are float32.
    autocast : {"bfloat16", "float16"}, default=None
        Narrower dtype for the matrix products of the model, which is faster on CUDA and less exact.
        If None, all computations use the dtype of the model.
    random_weights : bool, default=False
        Whether to use the model as it was before training, with random weights. Its activations
        show what the architecture and the tokenizer alone encode.
    device : str or torch.device, default="auto"
        Device to run the model on. If "auto", use CUDA if a CUDA device is available, and the CPU
        otherwise.
    random_state : int, RandomState instance or None, default=None
        Controls the initialization of the random weights. Pass an int for reproducible output
        across multiple function calls.
    verbose : int, default=0
        Verbosity level. If positive, show a progress bar.

    See Also
    --------
    ModuleActivations : Activations of any torch module.

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
        # A view, which contains aggregations that are added later.
        "aggregation": [StrOptions(AGGREGATIONS.keys())],
        "include_embeddings": ["boolean"],
        "include_special_tokens": ["boolean"],
        "pooling": [StrOptions({"mean", "cls", "last"}), Where],
        "max_length": [Interval(Integral, 1, None, closed="left"), None],
        "on_truncate": [StrOptions({"error", "warn", "drop"})],
        "on_empty_word": [StrOptions({"error", "drop"})],
        "split_special_tokens": ["boolean", None],
        "add_prefix_space": ["boolean"],
        "chat_template": [str, None],
        "add_generation_prompt": ["boolean"],
        "chat_template_kwargs": [dict, None],
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
        model: str | PathLike | torch.nn.Module,
        tokenizer: Any = None,
        *,
        layers: Layers = "all",
        modules: str | None = None,
        aggregation: str = "last",
        include_embeddings: bool = True,
        include_special_tokens: bool = False,
        pooling: Literal["mean", "cls", "last"] | Where = "mean",
        max_length: int | None = None,
        on_truncate: Literal["error", "warn", "drop"] = "error",
        on_empty_word: Literal["error", "drop"] = "error",
        split_special_tokens: bool | None = None,
        add_prefix_space: bool = False,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        chat_template_kwargs: dict[str, Any] | None = None,
        batch_tokens: int = 2048,
        dtype: DTypeLike = "float32",
        autocast: Literal["bfloat16", "float16"] | None = None,
        random_weights: bool = False,
        device: str | torch.device = "auto",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
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
        self.on_empty_word = on_empty_word
        self.split_special_tokens = split_special_tokens
        self.add_prefix_space = add_prefix_space
        self.chat_template = chat_template
        self.add_generation_prompt = add_generation_prompt
        self.chat_template_kwargs = chat_template_kwargs
        self.batch_tokens = batch_tokens
        self.dtype = dtype
        self.autocast = autocast
        self.random_weights = random_weights
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_clone__(self) -> Self:
        # A loaded model and tokenizer are shared: they are large, and reading does not change them.
        bare = copy(self)
        bare.model, bare.tokenizer = "", None
        cloned = super(ActivationExtractor, bare).__sklearn_clone__()
        cloned.model, cloned.tokenizer = self.model, self.tokenizer
        return cloned

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        tags.no_validation = True
        return tags

    def fit(self, X: object = None, y: object = None) -> Self:
        """Check the parameters without loading the model. Nothing is learned from X.

        Parameters
        ----------
        X, y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : ActivationExtractor
            Fitted extractor.

        Raises
        ------
        TypeError, ValueError
            If parameters are invalid for any model, or the folder of a model does not exist.
        """
        self._resolve_folders()
        self._check_parameters()
        return self

    def transform(self, X: Sequence[Sentence], *, edits: Edits | None = None) -> NDArray:
        """Run the model over sentences and return one row per sentence.

        Parameters
        ----------
        X : sequence of str, of sequences of str, or of conversations
            Raw text, words, or lists of messages as in :meth:`extract_tokens`.
        edits : mapping of places to edits, default=None
            Edits of the states of the model while it runs, as in :func:`intervene`.

        Returns
        -------
        ndarray of shape (n_sentences, n_neurons)
            Pooled activations of dtype `dtype`.

        Raises
        ------
        TypeError
            If `X` is not a list of sentences.
        ValueError
            If the list or a sentence is empty, a sentence exceeds the limit of the model (unless
            ``on_truncate="warn"``) or contains a special token (unless `split_special_tokens` is
            set), the tokenizer does not know any word or does not fit the model, or an edit does
            not fit the model.

        Warns
        -----
        UserWarning
            As in :meth:`extract`.
        """
        self._check_parameters()
        texts = check_texts(X)
        if self.on_truncate == "drop":
            raise ValueError(
                "transform returns one row for every sentence, so on_truncate='drop' is not "
                "supported. Use 'error' or 'warn'."
            )
        if isinstance(self.pooling, Where) or any(map(is_conversation, texts)):
            at = "first" if self.pooling == "cls" else self.pooling
            return self.extract_prompts(texts, at=at, edits=edits).X
        edits = check_optional_edits(edits, None)
        encode = partial(encode_texts, texts=texts, pooling=self.pooling)
        with alone_with(self.model, self.tokenizer):
            # "cls" and "last" select a single sub-word, which equals its mean.
            run, _, encoded = self._prepare(encode, "mean")
            with edited_during(run.network.runner, edits):
                return to_numpy(without_leaks(run, encoded, [slice(None)]).rows(encoded))

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the columns of ``transform``, such as ``layer_3_neuron_17``.

        The model is loaded and run on one word to count its neurons.

        Parameters
        ----------
        input_features : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of str
        """
        with alone_with(self.model, self.tokenizer):
            network, tokenizer = self._load()
            run = self._run(network, tokenizer, self.aggregation)
            word = Encoder(tokenizer, split_special_tokens=False).words(["a"], 0)
            row = run.rows([word], quiet=True)
        return Neurons(run.layers, row.shape[1] // len(run.layers), unit_of(self.modules)).names

    def _check_parameters(self) -> None:
        """Check everything that can be checked without the model."""
        self._validate_params()
        check_dtype(self.dtype)
        check_layer_numbers(self.layers, include_embeddings=self.include_embeddings)
        check_folders(**self._located())

    def _load(self) -> tuple[Any, Any]:
        """Load the model and its tokenizer."""
        model, tokenizer = pair_of(**self._located())
        fresh = self.random_weights  # a draw would move the global random state
        seed = check_random_state(self.random_state).randint(2**31 - 1) if fresh else 0
        network = load_model(model, self.device, random_weights=fresh, seed=seed)
        return network, load_tokenizer(tokenizer)

    def _prepare(
        self, encode: Callable[..., Sequence[EncodedSentence]], aggregation: str
    ) -> tuple[Run, Any, Sequence[EncodedSentence]]:
        """Load the model and its tokenizer, and tokenize sentences."""
        network, tokenizer = self._load()
        run = self._run(network, tokenizer, aggregation)
        encoder = Encoder(
            tokenizer,
            split_special_tokens=self.split_special_tokens,
            add_prefix_space=self.add_prefix_space,
        )
        limit = limit_of(network, tokenizer, self.max_length)
        encoded = encode(encoder, limit=limit, on_truncate=self.on_truncate)
        check_ids(network.stack, tokenizer, encoded)
        warn_unknown(tokenizer, encoded)
        return run, tokenizer, encoded

    def _run(self, network: Any, tokenizer: Any, aggregation: str) -> Run:
        """Return the settings for running sentences through the model."""
        stack, embeddings = network.stack, self.include_embeddings
        return Run(
            network,
            resolve_layers(self.layers, stack, self.modules, include_embeddings=embeddings),
            modules=self.modules,
            aggregation=aggregation,
            pad_id=pad_id_of(stack, tokenizer),
            batch_tokens=self.batch_tokens,
            dtype=check_dtype(self.dtype),
            autocast=self.autocast,
            verbose=self.verbose,
        )
