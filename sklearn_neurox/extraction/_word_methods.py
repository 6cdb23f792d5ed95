"""The method of an extractor that reads words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..activations.tokens import TokenActivations
from ..datasets.sentences import Sentence, check_corpus, check_word_labels
from ._batching import pieces
from ._conversations import is_conversation
from ._encoded_sentence import EncodedSentence, word_offsets
from ._encoding import Encoder
from ._limits import encode_words
from ._locks import alone_with
from ._padding import without_leaks
from ._running import word_indices
from ._storing import check_target, provenance, write_store
from .state_edits import Edits, check_optional_edits, edited_during


class WordMethods:
    """Extraction from sentences that are split into words."""

    model: Any
    tokenizer: Any
    aggregation: str
    include_special_tokens: bool
    on_empty_word: str
    get_params: Callable[..., dict[str, Any]]
    _check_parameters: Callable[[], None]
    _prepare: Callable[..., tuple[Any, Any, Any]]

    def extract(
        self,
        sentences: Iterable[Sentence],
        labels: Iterable[Sequence[Any]] | None = None,
        *,
        drop_label: Any = None,
        store: str | PathLike | None = None,
        append: bool = False,
        shard: tuple[int, int] | None = None,
        split_layers: bool = False,
        max_file_size: int | str | None = None,
        edits: Edits | None = None,
    ) -> TokenActivations:
        """Run the model over the words of a corpus.

        Parameters
        ----------
        sentences : sequence of sentences, or iterable of sentences if `store` is given
            A sentence is a sequence of words, or a string of words separated by single spaces. The
            text of a :class:`SpacedSentence` has its own spaces, and its words may contain spaces.
        labels : sequence of sequences, default=None
            A label for each word of each sentence. With `store`, an iterable.
        drop_label : str, int, float or bool, default=None
            Label of words that do not have a row, such as "_", the missing label of CoNLL-U. The
            model reads them together with the other words.
        store : str or path-like, default=None
            Folder that the activations are written to during the extraction, instead of being kept
            in memory. Repeating the call resumes an interrupted run. A few thousand words are
            written at a time. An error is raised if the folder contains a store of another model,
            corpus or parameters. A model with random weights requires an integer `random_state`.
        append : bool, default=False
            Whether to append the rows to `store` if it already exists and is finished. It must have
            the same model, parameters and layers. Sentences are then counted from the highest
            number in the store. Repeating the call resumes it if it was interrupted, and appends
            the rows again otherwise.
        shard : tuple of int, default=None
            (rank, world_size) of this process if `world_size` processes write one `store`. Each of
            them makes the same call with its own rank, and runs the model over its share of the
            sentences. The files of the finished store are those that a single process writes.
            Under ``torchrun``, the two numbers are the environment variables RANK and WORLD_SIZE.
            Cannot be used with `append`.
        split_layers : bool, default=False
            Whether each layer has its own files in `store`, which can be read and downloaded
            without those of the others. X is then joined when it is read.
        max_file_size : int or str, default=None
            Largest size of a file of `store` in bytes, or as a text such as "5GB".
        edits : mapping of places to edits, default=None
            Edits of the states of the model while it runs, as in :func:`intervene`. They cannot be
            used with `store`.

        Returns
        -------
        TokenActivations
            One row per word, in the order of the corpus. With `store`, X is a memory map. With
            `shard`, the rows of this process; :meth:`TokenActivations.load` opens the store when
            all processes have finished.

        Raises
        ------
        TypeError
            If `sentences` or `labels` are not lists but, for example, sets or iterators.
        ValueError
            If the corpus or a sentence is empty, a word is empty or contains white space (unless it
            is that of a SpacedSentence), the tokenizer drops words (unless `on_empty_word` allows
            it), a sentence exceeds the limit of the model (unless `on_truncate` allows it) or
            contains a special token (unless `split_special_tokens` is set), labels do not match the
            words, the model does not have a layer or module, the tokenizer does not know any word
            or does not fit the model, or an edit does not fit the model. The message lists several
            words that contain white space or are dropped.
        ImportError
            If ``transformers`` is required and not installed.

        Warns
        -----
        UserWarning
            If words do not have a row, most sub-words are unknown to the tokenizer, or padding
            would change the states, so only sentences of equal length share a batch.
        """
        self._check_parameters()
        if store is not None:
            sentences, labels = listed(sentences), listed(labels)
        corpus, y = self._check_corpus(sentences, labels, drop_label)
        edits = check_optional_edits(edits, store)
        parameters = self.get_params(deep=False)
        target = check_target(
            store, parameters, append=append, shard=shard,
            split_layers=split_layers, max_file_size=max_file_size,
        )  # fmt: skip
        kept = None if y is None or drop_label is None else y != drop_label
        encode = partial(
            _encode,
            corpus=corpus,
            kept=kept,
            special_tokens=self.include_special_tokens,
            on_empty_word=self.on_empty_word,
        )
        with alone_with(self.model, self.tokenizer):
            run, tokenizer, encoded = self._prepare(encode, self.aggregation)
            if y is not None:
                y = y[word_indices(corpus, encoded)]
            offsets = word_offsets(corpus, encoded)
            parts = [slice(None)] if target is None else list(pieces(encoded))
            about = provenance(
                parameters, run, tokenizer, encoded,
                rows="word", stored=target is not None, edited=edits is not None,
            )  # fmt: skip
            with edited_during(run.network.runner, edits):
                run = without_leaks(run, encoded, parts)
                if target is None:
                    return run.tokens(encoded, y, offsets=offsets, provenance=about)
            # Some words do not have a row, or rows are not words.
            some = self.include_special_tokens or self.on_empty_word == "drop" or kept is not None
            return write_store(
                target, run, encoded, parts,
                labels=y, parameters=about, are_tokens=some, offsets=offsets,
            )  # fmt: skip

    def _check_corpus(
        self,
        sentences: Any,
        labels: Any,
        drop_label: Any,
    ) -> tuple[list[list[str]], NDArray | None]:
        """Check the words of sentences and their labels."""
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
        if drop_label is not None and y is None:
            raise ValueError("drop_label is a label of words without a row, so it needs labels.")
        if y is not None and drop_label is not None and (y == drop_label).all():
            raise ValueError(f"All words have the label drop_label={drop_label!r:.60}.")
        return corpus, y


def listed(values: Any) -> Any:
    """Return an iterator as a list, and anything else as it is."""
    return list(values) if isinstance(values, Iterator) else values


def _encode(
    encoder: Encoder, corpus: list[list[str]], kept: NDArray | None, **options: Any
) -> Sequence[EncodedSentence]:
    """Tokenize sentences, with one row for each of the words to keep."""
    encoded = encode_words(encoder, corpus, **options)
    if kept is None:
        return encoded
    ends = np.cumsum([len(words) for words in corpus])[:-1]
    flags = np.split(kept, ends)
    some = [sentence.with_words(flags[sentence.sentence_id]) for sentence in encoded]
    found = [sentence for sentence in some if sentence.n_rows]
    if not found:
        raise ValueError("No word with a label to keep has a row.")
    return found
