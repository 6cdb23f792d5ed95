"""The logit of one token minus that of another, as an outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from .._conversion import as_numpy
from .._device import as_tensor
from .._wording import count
from ..extraction.text_runs import TextRun
from ._outcome import Again, Outcome, check_logits

# A token by its index or text, or one for each text.
Tokens: TypeAlias = int | str | Sequence[int | str]


@dataclass(frozen=True)
class LogitDifference(Outcome):
    """Logit of one token minus that of another at the last position.

    Parameters
    ----------
    right, wrong : int, str, or sequence of n_texts int or str
        The tokens.
    """

    right: Tokens
    wrong: Tokens
    name: str = ""

    def __post_init__(self) -> None:
        for field_name in ("right", "wrong"):
            value = getattr(self, field_name)
            if not isinstance(value, str | Integral):
                object.__setattr__(self, field_name, _check_tokens(value, field_name))
        if not self.name:
            shown = [
                repr(each) if isinstance(each, str | Integral) else "..."
                for each in (self.right, self.wrong)
            ]
            object.__setattr__(self, "name", f"logit_difference({', '.join(shown)})")

    @property
    def of_texts(self) -> bool:  # type: ignore[override]  # depends on the tokens
        """Whether there is a token for each text."""
        return not all(isinstance(each, str | Integral) for each in (self.right, self.wrong))

    def resolve(self, tokenizer: Any, n_texts: int) -> LogitDifference:
        """Return the same outcome with the indices of the tokens.

        Parameters
        ----------
        tokenizer : tokenizer
        n_texts : int

        Raises
        ------
        ValueError
            If a text is not a single token, or there is not one token for each text.
        """
        right, wrong = (
            _ids_of(tokens, name, tokenizer, n_texts)
            for tokens, name in ((self.right, "right"), (self.wrong, "wrong"))
        )
        return replace(self, right=right, wrong=wrong)

    def __call__(self, outputs: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Return the difference for each text of a batch, of shape (n_texts,)."""
        logits = outputs.logits
        attended = batch["attention_mask"].to(logits.device)
        n_positions = attended.shape[1]
        last = (torch.arange(n_positions, device=logits.device) * attended.bool()).argmax(dim=1)
        texts = torch.arange(len(last), device=logits.device)
        found = logits[:, -n_positions:][texts, last].float()
        right, wrong = (
            self._chosen(getattr(self, name), batch, name).to(logits.device)
            for name in ("right", "wrong")
        )
        return found[texts, right] - found[texts, wrong]

    def _chosen(self, tokens: Tokens, batch: Mapping[str, Tensor], name: str) -> Tensor:
        """Return the indices of the tokens for the texts of a batch."""
        ids = np.atleast_1d(np.asarray(tokens))
        if ids.dtype.kind not in "iu":
            raise ValueError(
                f"{name} must contain indices of tokens to be used outside of causal_effect, got "
                f"{tokens!r:.60}. tokenizer.convert_tokens_to_ids returns them."
            )
        n_texts = len(batch["attention_mask"])
        if len(ids) == 1:
            return torch.full((n_texts,), int(ids[0]))
        return as_tensor(ids)[batch["text_ids"].cpu()]

    def check(self, run: TextRun, again: Again) -> None:
        """See :class:`Outcome`."""
        check_logits(run, self.name)
        assert run.logits is not None
        size = run.logits.shape[-1]
        for name in ("right", "wrong"):
            highest = int(np.max(getattr(self, name)))
            if highest >= size:
                raise ValueError(
                    f"{name} contains the token {highest}, but {run.model_name} has logits for "
                    f"{size} tokens."
                )

    def measure(self, run: TextRun, unedited: TextRun) -> Tensor:
        """See :class:`Outcome`."""
        return self(run.outputs, run.batch)


def _check_tokens(tokens: Any, name: str) -> tuple[int | str, ...]:
    """Return one token for each text as a tuple."""
    listed = tuple(as_numpy(tokens, name=name)) if isinstance(tokens, Iterable) else ()
    listed = tuple(each.item() if isinstance(each, np.generic) else each for each in listed)
    if not listed or not all(isinstance(each, str | Integral) for each in listed):
        raise TypeError(
            f"{name} must be the index or the text of a token, or a list with one for each text, "
            f"got {tokens!r:.60}."
        )
    return listed


def _ids_of(tokens: Any, name: str, tokenizer: Any, n_texts: int) -> int | tuple[int, ...]:
    if isinstance(tokens, str | Integral):
        return _id_of(tokens, name, tokenizer)
    if len(tokens) != n_texts:
        raise ValueError(
            f"{name} must contain one token for each of the {count(n_texts, 'text')}, got "
            f"{len(tokens)}."
        )
    return tuple(_id_of(each, f"{name}[{i}]", tokenizer) for i, each in enumerate(tokens))


def _id_of(token: Any, name: str, tokenizer: Any) -> int:
    if isinstance(token, Integral):
        if token < 0:
            raise ValueError(f"{name} must be the index of a token, got {token}.")
        return int(token)
    ids = tokenizer(token, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        pieces = tokenizer.convert_ids_to_tokens(ids)
        raise ValueError(
            f"{name} must be a single token, but {token!r} consists of {len(ids)}: {pieces}. Many "
            "tokenizers distinguish a word with a space before it, such as ' yes'."
        )
    return int(ids[0])


def logit_difference(right: Tokens, wrong: Tokens) -> LogitDifference:
    """Return an outcome: the logit of one token minus that of another at the last position.

    Parameters
    ----------
    right, wrong : int, str, or sequence of n_texts int or str
        Tokens, by their index or by their text, which must be a single token. A sequence contains
        one token for each text.

    Returns
    -------
    callable
        Immutable metric of :func:`causal_effect`. With indices of tokens, it can also be called
        with the output of a model and its inputs, and returns a tensor of shape (n_texts,).

    Raises
    ------
    TypeError
        If a token is neither an integer nor a string.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import torch
    >>> from sklearn_neurox import logit_difference
    >>> difference = logit_difference(2, 0)
    >>> outputs = SimpleNamespace(logits=torch.tensor([[[9.0, 9.0, 9.0], [1.0, 2.0, 4.0]]]))
    >>> difference(outputs, {"attention_mask": torch.ones(1, 2)})
    tensor([3.])
    """
    for name, tokens in (("right", right), ("wrong", wrong)):
        if isinstance(tokens, bool) or not isinstance(tokens, str | Integral | Iterable):
            raise TypeError(
                f"{name} must be the index or the text of a token, or a list with one for each "
                f"text, got {tokens!r:.60}."
            )
    return LogitDifference(right, wrong)
