"""The method of an extractor that reads words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import Any

from ..activations.tokens import TokenActivations
from ..datasets.sentences import Sentence, check_corpus, check_word_labels
from ._batching import pieces
from ._conversations import is_conversation
from ._limits import encode_words
from ._locks import alone_with
from ._padding import without_leaks
from ._running import word_indices
from ._storing import check_store, provenance, write_store
from .state_edits import Edits, check_optional_edits, edited_during


class WordMethods:
    """Extraction from sentences that are split into words."""

    model: Any
    tokenizer: Any
    aggregation: str
    include_special_tokens: bool
    get_params: Callable[..., dict[str, Any]]
    _check_parameters: Callable[[], None]
    _prepare: Callable[..., tuple[Any, Any, Any]]

    def extract(
        self,
        sentences: Sequence[Sentence],
        labels: Sequence[Sequence[Any]] | None = None,
        *,
        store: str | PathLike | None = None,
        edits: Edits | None = None,
    ) -> TokenActivations:
        """Run the model over the words of a corpus.

        Parameters
        ----------
        sentences : sequence of sentences
            A sentence is a sequence of words, or a string of words separated by single spaces.
        labels : sequence of sequences, default=None
            A label for each word of each sentence.
        store : str or path-like, default=None
            Folder that the activations are written to during the extraction, instead of being kept
            in memory. Repeating the call resumes an interrupted run. A few thousand words are
            written at a time. An error is raised if the folder contains a store of another model,
            corpus or parameters. A model with random weights requires an integer `random_state`.
        edits : mapping of places to edits, default=None
            Edits of the states of the model while it runs, as in :func:`intervene`. They cannot be
            used with `store`.

        Returns
        -------
        TokenActivations
            One row per word, in the order of the corpus. With `store`, X is a memory map.

        Raises
        ------
        TypeError
            If `sentences` or `labels` are not lists but, for example, sets or iterators.
        ValueError
            If the corpus or a sentence is empty, a word is empty or contains white space, the
            tokenizer drops a word, a sentence exceeds the limit of the model (unless `on_truncate`
            allows it) or contains a special token (unless `split_special_tokens` is set), labels do
            not match the words, the model does not have a layer or module, the tokenizer does not
            know any word or does not fit the model, or an edit does not fit the model.
        ImportError
            If ``transformers`` is required and not installed.

        Warns
        -----
        UserWarning
            If words do not have a row, most sub-words are unknown to the tokenizer, or padding
            would change the states, so only sentences of equal length share a batch.
        """
        self._check_parameters()
        for index, sentence in enumerate(sentences if isinstance(sentences, list) else ()):
            if is_conversation(sentence):
                raise TypeError(
                    f"Sentence {index} is a conversation. Use extract_tokens or extract_prompts, "
                    "which apply the chat template."
                )
        corpus = check_corpus(sentences)
        y = None if labels is None else check_word_labels(corpus, labels)
        if y is not None and self.include_special_tokens:
            raise ValueError(
                "labels cannot be used with include_special_tokens=True, because special tokens "
                "do not have labels. Label the rows with positions >= 0 afterwards."
            )
        edits = check_optional_edits(edits, store)
        parameters = self.get_params(deep=False)
        if store is not None:
            store = check_store(store, parameters)
        encode = partial(encode_words, corpus=corpus, special_tokens=self.include_special_tokens)
        with alone_with(self.model, self.tokenizer):
            run, tokenizer, encoded = self._prepare(encode, self.aggregation)
            if y is not None:
                y = y[word_indices(corpus, encoded)]
            parts = [slice(None)] if store is None else list(pieces(encoded))
            with edited_during(run.network.runner, edits):
                run = without_leaks(run, encoded, parts)
                if store is None:
                    return run.tokens(encoded, y)
            about = provenance(parameters, run, tokenizer, encoded)
            write_store(
                store,
                run,
                encoded,
                parts,
                labels=y,
                parameters=about,
                are_tokens=self.include_special_tokens,
            )
        return TokenActivations.load(store)
