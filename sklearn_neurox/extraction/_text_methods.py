"""The methods of an extractor that read tokens and prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

from ..activations.tokens import TokenActivations
from ._generation import check_generation, generated_texts
from ._limits import limit_of
from ._locks import alone_with
from ._storing import check_target
from ._text_encoding import check_texts_of_tokens, text_encoder_of
from ._text_labels import check_spans, check_text_labels, counted
from ._text_rows import (
    At,
    Row,
    check_at,
    check_where,
    prompt_row,
    rows_in,
    token_rows,
    with_labels,
)
from ._text_runs import TextRuns
from ._word_methods import listed
from .positions import Where
from .state_edits import Edits, check_optional_edits, edited_during
from .texts import EncodedText


class TextMethods(TextRuns):
    """Extraction from strings, conversations and token indices, which are not split into words."""

    def extract_tokens(
        self,
        texts: Iterable[Any],
        labels: Iterable[Any] | None = None,
        *,
        spans: Iterable[tuple] | None = None,
        outside: Any = None,
        where: Where | None = None,
        store: str | PathLike | None = None,
        append: bool = False,
        shard: tuple[int, int] | None = None,
        split_layers: bool = False,
        max_file_size: int | str | None = None,
        edits: Edits | None = None,
    ) -> TokenActivations:
        """Run the model over texts and return one row per token.

        A text is

        - a string, whose tokens are those of ``tokenizer(text)``;
        - a conversation, that is, a list of messages such as
          ``{"role": "user", "content": "Hello"}``. Its tokens are those of
          ``tokenizer.apply_chat_template(conversation)``;
        - a list, an array or a tensor of token indices.

        Parameters
        ----------
        texts : sequence of texts, mapping, or iterable of texts if `store` is given
            A mapping, such as the result of a tokenizer, contains ``input_ids`` of several texts,
            and the ``attention_mask`` if they are padded. With `store`, the texts of an iterator
            are read one at a time, and their tokens are kept in a temporary file.
        labels : sequence, default=None
            A label for each text, which all of its tokens get, or for each text a list with one
            label per token.
        spans : iterable of tuples, default=None
            Labels of characters: (text, start, stop, label), where `text` is the index of the text,
            or (text, message, start, stop, label), where characters are counted in the content of a
            message. A token has the label of a span if it contains any of its characters.
        outside : str, int, float or bool, default=None
            Label of tokens that are not in a span. If None, these tokens do not have a row.
        where : Where, default=None
            Rule that selects the tokens that have a row, such as ``where.role("assistant")``. If
            None, these are all tokens, including special tokens.
        store : str or path-like, default=None
            Folder that the activations are written to, as in :meth:`extract`.
        append : bool, default=False
            Whether to append the rows to a finished `store`, as in :meth:`extract`.
        shard : tuple of int, default=None
            (rank, world_size) of one of several processes, as in :meth:`extract`.
        split_layers : bool, default=False
            Whether each layer has its own files in `store`, as in :meth:`extract`.
        max_file_size : int or str, default=None
            Largest size of a file of `store`, as in :meth:`extract`.
        edits : mapping of places to edits, default=None
            Edits of the states of the model while it runs, as in :meth:`extract`.

        Returns
        -------
        TokenActivations
            One row per token. ``sentence_ids`` are the indices of the texts, ``positions`` count
            all tokens of a text, and ``offsets`` are the characters of each token in the text. The
            text of a conversation is that after its chat template has been applied.

        Raises
        ------
        TypeError
            If an argument is of another type.
        ValueError
            If a text is empty, exceeds the limit of the model (unless ``on_truncate="drop"``) or
            contains a special token (unless `split_special_tokens` is set), a span does not contain
            any token, two spans label a token differently, `labels` do not match the texts, `where`
            does not select any token, or a conversation cannot be read.

        Examples
        --------
        >>> from sklearn_neurox import ActivationExtractor, where
        >>> extractor = ActivationExtractor("Qwen/Qwen3-0.6B", layers=[14])  # doctest: +SKIP
        >>> chat = [{"role": "user", "content": "Is Paris in France?"},
        ...         {"role": "assistant", "content": "Yes."}]
        >>> tokens = extractor.extract_tokens(
        ...     [chat], where=where.role("assistant"))  # doctest: +SKIP
        """
        self._check_text_parameters()
        check_where(where)
        if labels is not None and spans is not None:
            raise ValueError("labels and spans cannot be used together. Pass one of them.")
        if outside is not None and spans is None:
            raise ValueError("outside is the label of tokens outside of spans, so it needs spans.")
        texts, n_texts = _check_texts(texts, store)
        known = None if spans is None else check_spans(spans, n_texts)
        y = None if labels is None else check_text_labels(listed(labels), n_texts)
        if n_texts is None:
            texts = counted(texts, y, known)

        def rows_of(text: EncodedText) -> list[Row]:
            rows = token_rows(
                text, where, None if known is None else known.get(text.index, []), outside
            )
            return rows if y is None else with_labels(text, rows, y)

        target = check_target(
            store, self.get_params(deep=False), append=append, shard=shard,
            split_layers=split_layers, max_file_size=max_file_size,
        )  # fmt: skip
        return self._extract(texts, rows_of, target, edits, by_token=True, rule=where)

    def extract_prompts(
        self,
        prompts: Iterable[Any],
        labels: Iterable[Any] | None = None,
        *,
        at: At | Mapping[str, At] = "last",
        where: Where | None = None,
        store: str | PathLike | None = None,
        append: bool = False,
        shard: tuple[int, int] | None = None,
        split_layers: bool = False,
        max_file_size: int | str | None = None,
        edits: Edits | None = None,
    ) -> Any:
        """Run the model over prompts and return one row per prompt.

        Parameters
        ----------
        prompts : sequence of texts, mapping, or iterable of texts if `store` is given
            As `texts` in :meth:`extract_tokens`.
        labels : array-like of shape (n_prompts,), default=None
            A label for each prompt.
        at : {"last", "first", "mean"}, int, Where, callable or dict, default="last"
            The token whose state is the row: the last or first one; the mean over all tokens except
            special tokens; the token with an index, which may be negative; the token that a rule
            such as ``where.span("Paris").last()`` selects; or the index that a function returns,
            which is called with the :class:`EncodedText`. A dict of names and any of these gives a
            dict of results, for which the model runs only once.
        where : Where, default=None
            Rule that selects the tokens among which `at` selects, such as ``where.role("user")``.
            If None, these are all tokens, including special tokens.
        store : str or path-like, default=None
            Folder that the activations are written to, as in :meth:`extract`. Not possible if `at`
            is a dict.
        append : bool, default=False
            Whether to append the rows to a finished `store`, as in :meth:`extract`.
        shard : tuple of int, default=None
            (rank, world_size) of one of several processes, as in :meth:`extract`.
        split_layers : bool, default=False
            Whether each layer has its own files in `store`, as in :meth:`extract`.
        max_file_size : int or str, default=None
            Largest size of a file of `store`, as in :meth:`extract`.
        edits : mapping of places to edits, default=None
            Edits of the states of the model while it runs, as in :meth:`extract`.

        Returns
        -------
        TokenActivations, or dict of TokenActivations
            One row per prompt. ``words`` and ``positions`` are those of the selected token. A mean
            has those of its first token.

        Raises
        ------
        TypeError, ValueError
            As in :meth:`extract_tokens`, or if `at` does not select exactly one token of a prompt.
            The message contains the index of the prompt.

        Examples
        --------
        >>> from sklearn_neurox import ActivationExtractor, where
        >>> extractor = ActivationExtractor("Qwen/Qwen3-0.6B", layers=[14])  # doctest: +SKIP
        >>> rows = extractor.extract_prompts(
        ...     ["Paris is in France.", "Rome is in Spain."], [True, False],
        ...     at={"subject": where.first(), "end": "last"})  # doctest: +SKIP
        >>> rows["end"].X.shape  # doctest: +SKIP
        (2, 1024)
        """
        self._check_text_parameters()
        check_at(at)
        check_where(where)
        prompts, n_prompts = _check_texts(prompts, store)
        named = at if isinstance(at, Mapping) else {"": at}
        if isinstance(at, Mapping) and store is not None:
            raise ValueError(
                "store cannot be used with a dict of several tokens. Call extract_prompts once for "
                "each of them."
            )
        y = None if labels is None else check_text_labels(listed(labels), n_prompts)
        if n_prompts is None:
            prompts = counted(prompts, y, None)

        def rows_of(text: EncodedText) -> list[Row]:
            rows = [prompt_row(text, each, where) for each in named.values()]
            return rows if y is None else with_labels(text, rows, y)

        target = check_target(
            store, self.get_params(deep=False), append=append, shard=shard,
            split_layers=split_layers, max_file_size=max_file_size,
        )  # fmt: skip
        tokens = self._extract(prompts, rows_of, target, edits, by_token=False)
        if not isinstance(at, Mapping):
            return tokens
        return {name: tokens[place :: len(named)] for place, name in enumerate(named)}

    def generate(
        self,
        prompts: Sequence[Any],
        *,
        max_new_tokens: int,
        where: Where | None = None,
        store: str | PathLike | None = None,
        split_layers: bool = False,
        max_file_size: int | str | None = None,
        edits: Edits | None = None,
        **generation_kwargs: Any,
    ) -> tuple[list[str], TokenActivations]:
        """Generate an answer to each prompt, and return the answers and one row per token.

        The activations are those of a single run of the model over the prompt and its answer. In a
        decoder, they equal those that the model computes while it generates.

        Parameters
        ----------
        prompts : sequence of texts, or mapping
            As `texts` in :meth:`extract_tokens`. To a conversation, the markup is appended that
            begins an answer of the assistant.
        max_new_tokens : int
            Maximum number of tokens of an answer.
        where : Where, default=None
            Rule that selects the tokens that have a row, such as ``where.generated()``. If None,
            these are all tokens of the prompt and its answer.
        store : str or path-like, default=None
            Folder that the activations are written to, as in :meth:`extract`.
        split_layers : bool, default=False
            Whether each layer has its own files in `store`, as in :meth:`extract`.
        max_file_size : int or str, default=None
            Largest size of a file of `store`, as in :meth:`extract`.
        edits : mapping of places to edits, default=None
            Edits of the states of the model in each step of the generation and while the states are
            read, as in :meth:`extract`.
        **generation_kwargs : dict
            Passed to the method ``generate`` of the model, such as ``do_sample=False``.

        Returns
        -------
        answers : list of str
            The generated texts, without special tokens.
        tokens : TokenActivations
            As in :meth:`extract_tokens`.

        Raises
        ------
        TypeError
            If the model is not a loaded model with the method ``generate``.
        ValueError
            As in :meth:`extract_tokens`, or if a generation argument is not supported.
        """
        self._check_text_parameters()
        check_where(where)
        check_generation(self.model, max_new_tokens, generation_kwargs)
        edits = check_optional_edits(edits, store)
        target = check_target(
            store, self.get_params(deep=False),
            split_layers=split_layers, max_file_size=max_file_size,
        )  # fmt: skip
        texts = check_texts_of_tokens(prompts)
        with alone_with(self.model, self.tokenizer):
            network, tokenizer = self._load()
            encoder = text_encoder_of(self, tokenizer, answering=True)
            limit, drop = limit_of(network, tokenizer, self.max_length), self.on_truncate == "drop"
            encoded = list(
                rows_in(encoder.encode(texts), limit, drop=drop, n_new=int(max_new_tokens))
            )
            with edited_during(network.runner, edits):
                answers, finished = generated_texts(
                    self.model, encoder, encoded, max_new_tokens, generation_kwargs
                )
                tokens = self._extract_encoded(
                    network, tokenizer, finished, lambda text: token_rows(text, where, None, None),
                    target, by_token=True, rule=where, edited=edits is not None,
                )  # fmt: skip
        return answers, tokens


def _check_texts(texts: Any, store: Any) -> tuple[Any, int | None]:
    """Check texts, and return them with their number, which is not known for an iterator."""
    if store is not None and isinstance(texts, Iterator):
        return texts, None
    checked = check_texts_of_tokens(texts)
    return checked, len(checked)
