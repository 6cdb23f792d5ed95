"""Models and tokenizers of ``transformers``, given by name or loaded already."""

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

# Names that modules of position embeddings end in.
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
    """Load a stack of layers, and put it on the device.

    Parameters
    ----------
    model : str, path or torch.nn.Module
        A loaded model stays where it is if `device` is "auto". Of a model with a head, what is
        below the head is taken; of an encoder-decoder, the encoder.
    device : str or torch.device
    random_weights : bool, default=False
        Draw all weights anew, as the model was initialised before its training.
    seed : int, default=0
        For these draws; the global state of torch is left as it was.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If the device is not there, the model cannot be loaded, or has no stack of layers.
    ImportError
        If ``transformers`` is needed and not installed.
    """
    target = resolve_device(device)
    given = model if isinstance(model, torch.nn.Module) else None
    if given is not None and not hasattr(getattr(given, "config", None), "num_hidden_layers"):
        raise ValueError(
            f"{type(given).__name__} is no model of transformers with a stack of hidden layers; "
            "ModuleActivations reads any torch.nn.Module."
        )
    if random_weights:
        loaded = _initialised_anew(model, seed)
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
        raise ValueError(f"{type(loaded).__name__} has no stack of hidden layers.")
    if given is not None and device == "auto":
        return loaded if loaded.device == given.device else loaded.to(given.device)
    return loaded.to(target)


def _initialised_anew(model: Any, seed: int) -> Any:
    """Build a model with weights as before its training, of the dtype of a given one."""
    transformers = _transformers("A model with random weights")
    is_given = isinstance(model, torch.nn.Module)
    with _named("model", type(model).__name__ if is_given else model):
        if is_given:  # a copy, as a model may write into its configuration
            config = deepcopy(model.config)
        else:
            config = transformers.AutoConfig.from_pretrained(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(model)(config) if is_given else transformers.AutoModel.from_config(config)
    return fresh.to(model.dtype) if is_given else fresh


def load_tokenizer(tokenizer: Any) -> Any:
    """Load a tokenizer.

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
        If there is none, it cannot be loaded, or it knows no word.
    TypeError
        If it is no tokenizer of transformers.
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
            loaded = transformers.AutoTokenizer.from_pretrained(tokenizer, add_prefix_space=True)
        check_vocabulary(loaded, tokenizer)
        tokenizer = loaded
    if not hasattr(tokenizer, "model_max_length"):
        raise TypeError(f"Expected a tokenizer of transformers, got {type(tokenizer).__name__}.")
    return tokenizer


def split_pair(model: Any, tokenizer: Any) -> tuple[Any, Any]:
    """Split "model,tokenizer", names of two in one string, unless a path has such a name."""
    if tokenizer is None and isinstance(model, str) and "," in model and not Path(model).exists():
        names = [name.strip() for name in model.split(",")]
        if len(names) != 2 or not all(names):
            raise ValueError(f"Expected 'model' or 'model,tokenizer', got {model!r}.")
        return names[0], names[1]
    return model, tokenizer


def check_folder(name: Any, what: str) -> None:
    """See that a path leads to something, before a hub is asked for a model of such a name.

    Raises
    ------
    ValueError
        If a path, or a string that can only be one, leads nowhere.
    """
    is_path = isinstance(name, str) and name.startswith((".", "~", "/"))
    if (is_path or isinstance(name, PathLike)) and not Path(name).exists():
        raise ValueError(
            f"Cannot load the {what} {str(name)!r}; expected the name or the path of one of "
            f"transformers, but there is no folder {str(Path(name).absolute())!r}."
        )


@contextmanager
def alone_with(*given: Any) -> Iterator[None]:
    """Keep other threads from models and tokenizers that clones of an extractor share.

    While a model runs it has hooks, which would catch what another thread runs; and a fast
    tokenizer keeps what it was last asked for.
    """
    with ExitStack() as held:
        for one in given:
            if isinstance(one, torch.nn.Module) or hasattr(one, "model_max_length"):
                with _LOCK_OF_LOCKS:
                    lock = _LOCKS.setdefault(one, RLock())
                held.enter_context(lock)
        yield


def n_positions(model: Any) -> int:
    """Count the positions that the model has embeddings for, the length of its longest input."""
    for name, module in model.named_modules():
        if name.endswith(_POSITIONS) and isinstance(module, torch.nn.Embedding):
            # RoBERTa counts positions from padding_idx + 1, OPT and BART from an offset.
            padding = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - max(padding, getattr(module, "offset", 0))
    known = getattr(model.config, "max_position_embeddings", None)
    return known if known and known > 0 else 10**9


def fingerprint(model: torch.nn.Module) -> str:
    """Return a SHA-256 of all weights of a model and their names."""
    return digest_tensors(model.state_dict())


def digest_tensors(tensors: Mapping[str, Any]) -> str:
    """Return a SHA-256 of tensors and their names, the same on every device."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy())  # the buffer itself, not a copy
    return digest.hexdigest()


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
def _named(what: str, name: Any) -> Iterator[None]:
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
