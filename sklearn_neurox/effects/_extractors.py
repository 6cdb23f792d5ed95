"""The extractor that runs the network whose effects are measured."""

from __future__ import annotations

from os import PathLike
from typing import Any

from torch import nn

from ..extraction.extractor import ActivationExtractor


def extractor_of(model: Any, tokenizer: Any) -> ActivationExtractor:
    """Return the extractor that runs a model.

    Parameters
    ----------
    model : torch.nn.Module, str, path-like or ActivationExtractor
    tokenizer : tokenizer, str, path-like or None
        Tokenizer of a model that is not an extractor.

    Raises
    ------
    TypeError
        If `model` is of another type.
    ValueError
        If an extractor and a tokenizer are passed.
    """
    if isinstance(model, ActivationExtractor):
        if tokenizer is not None:
            raise ValueError("The extractor already has a tokenizer. Leave out tokenizer.")
        return model
    if not isinstance(model, nn.Module | str | PathLike):
        raise TypeError(
            "model must be a torch.nn.Module, the name of a model or an ActivationExtractor, got "
            f"{type(model).__name__}."
        )
    return ActivationExtractor(model, tokenizer)
