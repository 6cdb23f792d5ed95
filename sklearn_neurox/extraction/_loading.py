"""Models and tokenizers of ``transformers``, given by name or already loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from .._device import resolve_device
from .._optional import import_optional
from .._process import ProcessSetting
from ._network import Network, is_peft, network_of, unwrapped
from ._randomness import seeded
from ._vocabulary import check_vocabulary

# How the paths of modules of position embeddings end.
_POSITIONS = ("position_embeddings", "wpe", "embed_positions")
# Names of modules of stacks that do not affect the states of any layer.
_UNREAD = frozenset({"pooler"})


def load_model(
    model: str | PathLike | torch.nn.Module,
    device: str | torch.device,
    *,
    random_weights: bool = False,
    seed: int = 0,
) -> Network:
    """Load a model with a stack of layers, and move it to the device.

    Parameters
    ----------
    model : str, path-like or torch.nn.Module
        A loaded model stays on its device if `device` is "auto".
    device : str or torch.device
    random_weights : bool, default=False
        Whether to initialize all weights randomly, as before training.
    seed : int, default=0
        Seed of the random weights; the global random states are left unchanged.

    Returns
    -------
    Network
        The network, and the part of it that is read, as found by :func:`~._network.network_of`.

    Raises
    ------
    ValueError
        If the device is not available, the model cannot be loaded or moved, weights of its layers
        are missing in its files, or it does not have a stack of layers.
    ImportError
        If ``transformers`` is required and not installed.
    """
    return load_with_head(model, device, random_weights=random_weights, seed=seed, load=_load)[0]


def load_with_head(
    model: Any,
    device: str | torch.device,
    *,
    random_weights: bool = False,
    seed: int = 0,
    load: Callable[[Any], Any] | None = None,
) -> tuple[Network, torch.nn.Module]:
    """Load a model as :func:`load_model` does, and return its network and the model.

    If `load` is None, a model that is given by its name is loaded with the head that it has in its
    files, such as ``LlamaForCausalLM``.
    """
    target = resolve_device(device)
    if isinstance(model, torch.nn.Module):
        network = network_of(model)  # also checks a model whose weights are not used
        if not random_weights:
            return (network if device == "auto" else _moved(network, model, target)), model
        if device == "auto":
            target = network.device
    with seeded(seed):  # a pooler that is missing in the files is random, too
        loaded = _initialize(model) if random_weights else (load or _load_saved)(model)
    return _moved(network_of(loaded), loaded, target), loaded


def _load_saved(name: Any) -> Any:
    """Load a model with the class that it was saved from, if it is known."""
    with _named("model", name), _without_prompts(name):
        config = _transformers("Loading a model by name").AutoConfig.from_pretrained(name)
    saved = _saved_class(config)
    model, missing = (None, True) if saved is None else _loaded(saved, name)
    return _load(name) if missing else model  # raises an error if the layers are missing


def _load(name: Any) -> Any:
    """Load a model, whose files must contain all weights of the layers that are read.

    transformers initializes missing weights randomly. For example, a file of ``BartForCausalLM``
    only contains a decoder, but the base class reads the encoder. Such a model is loaded with the
    class that it was saved from.
    """
    model, missing = _loaded(_transformers("Loading a model by name").AutoModel, name)
    saved = _saved_class(model.config)
    if missing and saved not in (None, type(model)):
        model, missing = _loaded(saved, name)
    if missing:
        raise ValueError(
            f"Cannot load the model {str(name)!r}: {len(missing)} weights of the layers of "
            f"{type(model).__name__} are missing in its files or have other shapes there. The "
            f"first is {missing[0]!r}."
        )
    return model


def _loaded(kind: Any, name: str | PathLike) -> tuple[Any, list[str]]:
    """Load a model with a class, and return the names of weights whose values were not found."""
    with _NO_PROGRESS_BAR, _named("model", name), _without_prompts(name):
        model, report = kind.from_pretrained(
            name, output_loading_info=True, ignore_mismatched_sizes=True
        )
    absent = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    stack = network_of(model).stack
    read = {id(weight) for path, weight in _tensors(stack) if _UNREAD.isdisjoint(path.split("."))}
    return model, [
        path for path, weight in _tensors(model) if path in absent and id(weight) in read
    ]


@contextmanager
def _without_prompts(name: str | PathLike) -> Iterator[None]:
    """Explain errors about adapters that transformers, unlike PEFT, cannot load."""
    try:
        yield
    except ValueError as error:
        utils = _transformers("Loading a model by name").utils
        if utils.find_adapter_config_file(name) is None:
            raise
        raise ValueError(
            "It is an adapter of PEFT that transformers does not load, such as one for prefix or "
            "prompt tuning. Load it with PEFT, for example by AutoPeftModelForCausalLM, and pass "
            f"the model and its tokenizer. {error}"
        ) from error


def _tensors(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield all weights and buffers with all their paths, because some weights are shared."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _saved_class(config: Any) -> Any:
    """Return the class of transformers that a model was saved from, or None if it is not known."""
    transformers = _transformers("Loading a model by name")
    names = getattr(config, "architectures", None) or [""]
    saved = getattr(transformers, str(names[0]), None)
    is_model = isinstance(saved, type) and issubclass(saved, transformers.PreTrainedModel)
    return saved if is_model else None


def _moved(network: Network, model: torch.nn.Module, device: torch.device) -> Network:
    """Move the whole model that contains a network, so that its parts stay on one device."""
    if network.is_dispatched:
        raise ValueError(
            f"{type(model).__name__} is distributed over devices by accelerate, so it cannot be "
            f"moved to {device}. Leave out device."
        )
    model.to(device)
    return network


def _initialize(model: Any) -> Any:
    """Build a model with random weights, as before training, in the dtype of a loaded model."""
    transformers = _transformers("A model with random weights")
    if not isinstance(model, torch.nn.Module):
        with _named("model", model):
            config = transformers.AutoConfig.from_pretrained(model)
            saved = _saved_class(config)
            if saved is None:
                return transformers.AutoModel.from_config(config)
            dtype = config.dtype if isinstance(config.dtype, torch.dtype) else None
            return saved(config).to(dtype=dtype)
    model = unwrapped(model)
    if is_peft(model):
        raise ValueError(
            f"random_weights=True cannot be used with {type(model).__name__}, whose base model "
            "contains adapters. Load the base model again, and pass it without adapters."
        )
    with _named("model", type(model).__name__):
        # The configuration is copied, because a model may modify it.
        return type(model)(deepcopy(model.config)).to(model.dtype)


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


def n_positions(network: Network) -> int:
    """Return the number of positions that a network has for sub-words."""
    for path, module in network.stack.named_modules():
        if path.endswith(_POSITIONS) and isinstance(module, torch.nn.Embedding):
            # RoBERTa counts positions from padding_idx + 1, OPT and BART from an offset.
            padding = 0 if module.padding_idx is None else module.padding_idx + 1
            n_reserved = max(padding, getattr(module, "offset", 0))
            return module.num_embeddings - n_reserved - network.n_virtual
    known = getattr(network.stack.config, "max_position_embeddings", None)
    return known - network.n_virtual if known and known > 0 else 10**9


def _disable_progress_bar() -> Callable[[], None]:
    logging = _transformers("Loading a model by name").utils.logging
    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    return logging.enable_progress_bar if was_enabled else logging.disable_progress_bar


_NO_PROGRESS_BAR = ProcessSetting(_disable_progress_bar)


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
