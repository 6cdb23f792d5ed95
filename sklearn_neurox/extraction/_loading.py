"""Models and tokenizers of ``transformers``, given by name or already loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from os import PathLike
from pathlib import Path
from threading import Lock, RLock
from typing import Any
from weakref import WeakKeyDictionary

import torch

from .._device import resolve_device
from .._optional import import_optional
from ._vocabulary import check_vocabulary

# How the paths of modules of position embeddings end.
_POSITIONS = ("position_embeddings", "wpe", "embed_positions")
_LOCKS: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_LOCK_OF_LOCKS = Lock()


def load_model(
    model: str | PathLike | torch.nn.Module,
    device: str | torch.device,
    *,
    random_weights: bool = False,
    seed: int = 0,
) -> Any:
    """Load a model with a stack of layers, and move it to the device.

    Parameters
    ----------
    model : str, path-like or torch.nn.Module
        A loaded model stays on its device if `device` is "auto". If the model has a head, the model
        below the head is returned. If it is an encoder-decoder, its encoder is returned.
    device : str or torch.device
    random_weights : bool, default=False
        Whether to initialize all weights randomly, as before training.
    seed : int, default=0
        Seed of the random weights; the global random state of torch is left unchanged.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If the device is not available, the model cannot be loaded, or it does not have a stack of
        layers.
    ImportError
        If ``transformers`` is required and not installed.
    """
    target = resolve_device(device)
    given = model if isinstance(model, torch.nn.Module) else None
    if given is not None and not hasattr(getattr(given, "config", None), "num_hidden_layers"):
        raise ValueError(
            "model must be a model of transformers with hidden layers, got "
            f"{type(given).__name__}. Use ModuleActivations for any other torch.nn.Module."
        )
    if random_weights:
        loaded = _initialize(model, seed)
    elif given is None:
        transformers = _transformers("Loading a model by name")
        with _no_progress_bar(transformers), _named("model", model):
            loaded = transformers.AutoModel.from_pretrained(model)
    else:
        loaded = given
    loaded = loaded.base_model
    if loaded.config.is_encoder_decoder:
        loaded = loaded.get_encoder()
    if not hasattr(loaded.config, "num_hidden_layers"):
        raise ValueError(f"{type(loaded).__name__} does not have a stack of hidden layers.")
    if given is not None and device == "auto":
        return loaded if loaded.device == given.device else loaded.to(given.device)
    return loaded.to(target)


def _initialize(model: Any, seed: int) -> Any:
    """Build a model with random weights, as before training, in the dtype of a loaded model."""
    transformers = _transformers("A model with random weights")
    is_loaded = isinstance(model, torch.nn.Module)
    with _named("model", type(model).__name__ if is_loaded else model):
        if is_loaded:  # copied, because a model may modify its configuration
            config = deepcopy(model.config)
        else:
            config = transformers.AutoConfig.from_pretrained(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(model)(config) if is_loaded else transformers.AutoModel.from_config(config)
    return fresh.to(model.dtype) if is_loaded else fresh


def load_tokenizer(tokenizer: Any) -> Any:
    """Load a tokenizer.

    Parameters
    ----------
    tokenizer : str, path-like or tokenizer
        An empty string stands for a loaded model that does not know where it was loaded from.

    Returns
    -------
    tokenizer

    Raises
    ------
    ValueError
        If it is missing, cannot be loaded, or does not know any word.
    TypeError
        If it is not a tokenizer of transformers.
    ImportError
        If ``transformers`` is required and not installed.
    """
    if tokenizer == "":
        raise ValueError(
            "A loaded model requires its tokenizer: use ActivationExtractor(model, tokenizer)."
        )
    if isinstance(tokenizer, str | PathLike):
        transformers = _transformers("Loading a tokenizer by name")
        with _named("tokenizer", tokenizer):
            loaded = transformers.AutoTokenizer.from_pretrained(tokenizer)
        check_vocabulary(loaded, tokenizer)
        tokenizer = loaded
    if not hasattr(tokenizer, "model_max_length"):
        raise TypeError(
            f"tokenizer must be a tokenizer of transformers, got {type(tokenizer).__name__}."
        )
    return tokenizer


def pair_of(model: Any, tokenizer: Any) -> tuple[Any, Any]:
    """Return a model and its tokenizer, which are names or loaded.

    Parameters
    ----------
    model : str, path-like or torch.nn.Module
        "model,tokenizer" is split into two names, unless it is the path of an existing file.
    tokenizer : str, path-like, tokenizer or None
        If None, return the name of `model`, which is empty if a loaded model does not know it.

    Raises
    ------
    ValueError
        If `model` consists of more than two names, or one of them is empty.
    """
    if tokenizer is not None:
        return model, tokenizer
    if isinstance(model, torch.nn.Module):
        return model, getattr(model, "name_or_path", "")
    if isinstance(model, str) and "," in model and not Path(model).exists():
        names = [name.strip() for name in model.split(",")]
        if len(names) != 2 or not all(names):
            raise ValueError(f"Expected 'model' or 'model,tokenizer', got {model!r}.")
        return names[0], names[1]
    return model, model


def check_folders(model: Any, tokenizer: Any) -> None:
    """Check that paths exist, to avoid searching for a mistyped path on a model hub.

    Parameters
    ----------
    model, tokenizer
        As in :func:`pair_of`.

    Raises
    ------
    ValueError
        If a path, or a string that can only be a path, does not exist.
    """
    for what, name in zip(("model", "tokenizer"), pair_of(model, tokenizer), strict=True):
        is_path = isinstance(name, str) and name.startswith((".", "~", "/"))
        if (is_path or isinstance(name, PathLike)) and not Path(name).exists():
            raise ValueError(
                f"Cannot load the {what} {str(name)!r}: the folder {str(Path(name).absolute())!r} "
                f"does not exist. Expected the name or path of a {what} of transformers."
            )


@contextmanager
def alone_with(*shared: Any) -> Iterator[None]:
    """Lock models and tokenizers, which clones of an extractor share between threads.

    While a model runs, its hooks would also record what another thread runs, and a fast tokenizer
    stores the padding and truncation of the last call, which are restored.
    """
    with ExitStack() as held:
        for each in shared:
            if isinstance(each, torch.nn.Module) or hasattr(each, "model_max_length"):
                with _LOCK_OF_LOCKS:
                    lock = _LOCKS.setdefault(each, RLock())
                held.enter_context(lock)
                held.enter_context(_settings_kept(getattr(each, "backend_tokenizer", None)))
        yield


@contextmanager
def _settings_kept(backend: Any) -> Iterator[None]:
    """Restore the settings of a tokenizer of ``tokenizers``, if any, that calls change."""
    if backend is None:
        yield
        return
    truncation, padding = backend.truncation, backend.padding
    special = backend.encode_special_tokens
    try:
        yield
    finally:
        backend.no_truncation()
        backend.no_padding()
        if truncation is not None:
            backend.enable_truncation(**truncation)
        if padding is not None:
            backend.enable_padding(**padding)
        backend.encode_special_tokens = special


def n_positions(model: Any) -> int:
    """Return the number of positions that a model has embeddings for."""
    for path, module in model.named_modules():
        if path.endswith(_POSITIONS) and isinstance(module, torch.nn.Embedding):
            # RoBERTa counts positions from padding_idx + 1, OPT and BART from an offset.
            padding = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - max(padding, getattr(module, "offset", 0))
    known = getattr(model.config, "max_position_embeddings", None)
    return known if known and known > 0 else 10**9


def fingerprint(model: torch.nn.Module) -> str:
    """Return a SHA-256 hash of all weights of a model and their names."""
    return digest_tensors(model.state_dict())


def digest_tensors(tensors: Mapping[str, Any]) -> str:
    """Return a SHA-256 hash of tensors and their names, which does not depend on the device."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy())  # the buffer itself, not a copy
    return digest.hexdigest()


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put a model into eval mode, without dropout, and restore the mode of each of its modules."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _no_progress_bar(transformers: Any) -> Iterator[None]:
    logging = transformers.utils.logging
    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()


@contextmanager
def _named(what: str, name: Any) -> Iterator[None]:
    """Add the name of what could not be loaded to errors of transformers, which may lack it."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Cannot load the {what} {str(name)!r}. Expected the name or path of a {what} of "
            f"transformers. {error}"
        ) from error


def _transformers(purpose: str) -> Any:
    return import_optional("transformers", extra="transformers", purpose=purpose)
