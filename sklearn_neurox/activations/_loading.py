"""Models and tokenizers of ``transformers``, given by name or loaded already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import torch

from .._device import resolve_device
from .._optional import import_optional


def load_model(model: str | PathLike | torch.nn.Module, device: str | torch.device) -> Any:
    """Load an encoder, and put it on the device.

    Parameters
    ----------
    model : str, path or torch.nn.Module
        A loaded model stays where it is if `device` is "auto".
    device : str or torch.device

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If the device is not there, the model cannot be loaded, or it is no encoder.
    ImportError
        If ``transformers`` is needed and not installed.
    """
    target = resolve_device(device)
    loaded: Any = model
    if not isinstance(model, torch.nn.Module):
        transformers = _transformers("Loading a model by name")
        with _no_progress_bar(transformers), _named("model", model):
            loaded = transformers.AutoModel.from_pretrained(model)
    config: Any = getattr(loaded, "config", None)
    if not hasattr(config, "num_hidden_layers") or config.is_encoder_decoder:
        raise ValueError(
            f"{type(loaded).__name__} is not an encoder of transformers: expected a model with a "
            "stack of hidden layers, and no decoder beside it."
        )
    stays = loaded is model and device == "auto"
    return loaded if stays else loaded.to(target)


def load_tokenizer(tokenizer: Any) -> Any:
    """Load a fast tokenizer.

    Parameters
    ----------
    tokenizer : str, path or tokenizer
        An empty name stands for a loaded model that does not know where it came from.

    Returns
    -------
    tokenizer

    Raises
    ------
    ValueError
        If there is none, it cannot be loaded, or it cannot tell the words of its sub-words.
    ImportError
        If ``transformers`` is needed and not installed.
    """
    if tokenizer == "":
        raise ValueError(
            "A loaded model needs its tokenizer: ActivationExtractor(model, tokenizer)."
        )
    if isinstance(tokenizer, str | PathLike):
        # Byte-level BPE takes words one by one only if each may start with a space.
        transformers = _transformers("Loading a tokenizer by name")
        with _named("tokenizer", tokenizer):
            tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer, add_prefix_space=True)
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"{type(tokenizer).__name__} cannot tell which sub-words belong to a word; expected a "
            "fast tokenizer."
        )
    return tokenizer


def n_positions(model: Any) -> int:
    """Count the positions that the model has embeddings for, the length of its longest input."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            # RoBERTa counts positions from padding_idx + 1.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - unused
    return getattr(model.config, "max_position_embeddings", 10**9)


@contextmanager
def evaluating(model) -> Iterator[None]:
    """No dropout: put the model into eval mode, and each of its modules back into its own."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _no_progress_bar(transformers) -> Iterator[None]:
    """Load without a bar of transformers' own, and put its setting back."""
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def _named(what: str, name: str | PathLike) -> Iterator[None]:
    """Say what could not be loaded; the message of transformers may leave out the name."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Cannot load the {what} {str(name)!r}; expected the name or the path of one of "
            f"transformers. {error}"
        ) from error


def _transformers(purpose: str) -> Any:
    return import_optional("transformers", extra="transformers", purpose=purpose)
