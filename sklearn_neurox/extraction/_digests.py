"""Digests of the weights of networks, in memory or offloaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch


def fingerprint(model: torch.nn.Module) -> str:
    """Return a SHA-256 hash of all weights of a model and their names.

    Weights that ``accelerate`` has offloaded to memory or disk are read one at a time.

    Raises
    ------
    ValueError
        If weights do not have values.
    """
    return digest_tensors(dict(plain_tensors(model.state_dict())), partial(_offloaded, model))


def plain_tensors(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the tensors of a state of a model, of which quantized ones become several.

    Modules that torch has quantized have tuples of tensors and dtypes among their weights.
    """
    for name, value in entries.items():
        if isinstance(value, tuple | list):
            yield from plain_tensors({f"{name}.{i}": each for i, each in enumerate(value)})
        elif not isinstance(value, torch.Tensor):
            yield name, torch.tensor(list(repr(value).encode()), dtype=torch.uint8)
        elif not value.is_quantized:
            yield name, value
        elif value.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
            yield name, value.int_repr()
            yield f"{name}.scale", torch.tensor([value.q_scale(), value.q_zero_point()])
        else:
            yield name, value.int_repr()
            yield f"{name}.scale", value.q_per_channel_scales()
            yield f"{name}.zero_point", value.q_per_channel_zero_points()


def digest_tensors(
    tensors: Mapping[str, Any], find: Callable[[str], torch.Tensor | None] | None = None
) -> str:
    """Return a SHA-256 hash of tensors and their names, which does not depend on the device.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    find : callable, default=None
        Returns the values of a tensor on the device "meta", given its name, or None.

    Raises
    ------
    ValueError
        If a tensor does not have values.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        values = tensor
        if tensor.is_meta and find is not None and (found := find(name)) is not None:
            values = found.to(tensor.dtype)
        if values.is_meta:
            check_in_memory(tensors)
        flat = values.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy())  # the buffer itself, not a copy
    return digest.hexdigest()


def check_in_memory(tensors: Mapping[str, Any]) -> None:
    """Check that weights have values, which offloaded weights only have while a model runs.

    Raises
    ------
    ValueError
        If they do not. The message contains the name of the first such weight.
    """
    offloaded = [name for name, tensor in tensors.items() if getattr(tensor, "is_meta", False)]
    if offloaded:
        raise ValueError(
            f"{len(offloaded)} of {len(tensors)} weights are on the device 'meta', so their values "
            f"cannot be saved or compared; the first is {offloaded[0]!r}. Load the model without "
            "offloading."
        )


def _offloaded(model: torch.nn.Module, name: str) -> torch.Tensor | None:
    """Return an offloaded weight, which a hook of its module or of one around it loads."""
    path, key = name.split("."), ""
    while path:
        key = ".".join([path.pop(), *([key] if key else [])])
        hook = getattr(model.get_submodule(".".join(path)), "_hf_hook", None)
        for each in getattr(hook, "hooks", [hook]):
            weights = getattr(each, "weights_map", None)
            if weights is not None and key in weights:
                return weights[key]
    return None
