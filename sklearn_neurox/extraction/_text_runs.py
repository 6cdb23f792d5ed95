"""How an extractor runs a model over texts, and keeps the rows that are selected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..activations.tokens import TokenActivations
from ._batching import pieces
from ._limits import limit_of
from ._locks import alone_with
from ._padding import without_leaks
from ._running import Run
from ._spooling import Spool
from ._storing import Target, provenance, write_store
from ._text_encoding import text_encoder_of
from ._text_rows import Row, Rows, roles_of, rows_in
from ._vocabulary import check_ids, warn_unknown
from .positions import Where
from .state_edits import Edits, check_optional_edits, edited_during
from .texts import EncodedText, Message

# The rows of a text.
RowsOf = Callable[[EncodedText], list[Row]]


class TextRuns:
    """Runs of a model over strings, conversations and token indices."""

    model: Any
    tokenizer: Any
    add_prefix_space: bool
    on_truncate: str
    max_length: int | None
    modules: str | None
    get_params: Callable[..., dict[str, Any]]
    _check_parameters: Callable[[], None]
    _load: Callable[[], tuple[Any, Any]]
    _run: Callable[..., Run]

    def _check_text_parameters(self) -> None:
        self._check_parameters()
        if self.on_truncate == "warn":
            raise ValueError(
                "on_truncate='warn' leaves out the ends of sentences, which would change which "
                "tokens of a text are selected. Use 'error' or 'drop'."
            )
        if self.add_prefix_space:
            raise ValueError(
                "add_prefix_space=True applies to sentences of words. Texts are tokenized as they "
                "are, so add the space to each text instead."
            )

    def _extract(
        self,
        texts: Iterable[Any],
        rows_of: RowsOf,
        target: Target | None,
        edits: Edits | None,
        *,
        by_token: bool,
        rule: Where | None = None,
    ) -> TokenActivations:
        """Tokenize texts, and run the model over them."""
        edits = check_optional_edits(edits, target)
        with alone_with(self.model, self.tokenizer):
            network, tokenizer = self._load()
            limit = limit_of(network, tokenizer, self.max_length)
            encoded = rows_in(
                text_encoder_of(self, tokenizer).encode(texts),
                limit,
                drop=self.on_truncate == "drop",
            )
            with edited_during(network.runner, edits):
                return self._extract_encoded(
                    network, tokenizer, encoded, rows_of, target,
                    by_token=by_token, rule=rule, edited=edits is not None,
                    spooled=isinstance(texts, Iterator),
                )  # fmt: skip

    def _extract_encoded(
        self,
        network: Any,
        tokenizer: Any,
        texts: Iterable[EncodedText],
        rows_of: RowsOf,
        target: Target | None,
        *,
        by_token: bool,
        rule: Where | None,
        edited: bool = False,
        spooled: bool = False,
    ) -> TokenActivations:
        """Run the model over encoded texts, and return the rows that are selected."""
        # The mean of a single state is this state.
        run = self._run(network, tokenizer, "first" if by_token else "mean")
        rows = Rows(Spool()) if spooled else Rows()
        turns: dict[str, Message] = {}
        for text in texts:
            rows.add(text, rows_of(text))
            turns |= {turn.role: turn for turn in text.known_turns}
        if not rows.sentences:
            what = (
                "No token is in a span" if rule is None else f"{rule!r} does not select any token"
            )
            raise ValueError(
                f"{what} of any text, or any that is in a span.{roles_of(turns.values())}"
            )
        check_ids(network.stack, tokenizer, rows.sentences)
        warn_unknown(tokenizer, rows.sentences)
        parts = [slice(None)] if target is None else list(pieces(rows.sentences))
        run = without_leaks(run, rows.sentences, parts)
        about = provenance(
            self.get_params(deep=False), run, tokenizer, rows.sentences,
            rows="token" if by_token else "prompt", stored=target is not None, edited=edited,
        )  # fmt: skip
        offsets, y = rows.all_offsets(), rows.y()
        if target is None:
            return run.tokens(rows.sentences, y, offsets=offsets, provenance=about)
        return write_store(
            target, run, rows.sentences, parts,
            labels=y, parameters=about, are_tokens=True, offsets=offsets,
        )  # fmt: skip
