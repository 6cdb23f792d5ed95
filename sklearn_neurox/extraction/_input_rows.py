"""Rows of the inputs of a running network, as rules for tokens read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class InputRow:
    """A row of the inputs of a running network, whose text is not known.

    Parameters
    ----------
    index, n_tokens : int
    rule : str
        The rule that reads it, for the error messages.
    ids : ndarray of int of shape (n_tokens,) or None
    special_ids : collection of int
    """

    index: int
    n_tokens: int
    rule: str
    ids: NDArray[np.intp] | None
    special_ids: Collection[int]

    @property
    def is_special(self) -> NDArray[np.bool_]:
        """Whether each token is special."""
        if self.ids is None or not self.special_ids:
            raise ValueError(
                f"{self.rule} needs the indices of the tokens and of special tokens. Call the "
                "network with input_ids, and pass an ActivationExtractor with its tokenizer."
            )
        return np.isin(self.ids, list(self.special_ids))

    @property
    def messages(self) -> Any:
        """Raise the error of a missing text."""
        raise ValueError(
            f"{self.rule} needs the text, but a running network receives only the indices of "
            "tokens. Use where.first, where.last or where.special, or a function of the inputs."
        )

    text = n_prompt = messages

    def within(self, start: int, stop: int) -> Any:
        """Raise the error of a missing text."""
        return self.messages


def attended_positions(inputs: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return which positions of the inputs are not padding.

    Raises
    ------
    ValueError
        If there is neither an attention mask of two dimensions nor token indices.
    """
    mask = inputs.get("attention_mask")
    if mask is None:
        ids = inputs.get("input_ids")
        mask = torch.ones_like(ids) if isinstance(ids, torch.Tensor) else None
    if not isinstance(mask, torch.Tensor) or mask.ndim != 2:
        raise ValueError(
            "The positions of a Where require input_ids or an attention_mask of shape (n_texts, "
            "n_positions) among the inputs of the network. Use a function of the inputs instead."
        )
    return mask.bool().cpu().numpy()
