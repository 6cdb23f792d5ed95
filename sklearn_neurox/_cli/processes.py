"""The processes of ``torchrun``, according to the environment variables that it sets."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def shard_of(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the rank of this process and the number of processes, or None if there is only one.

    Raises
    ------
    ValueError
        If RANK or WORLD_SIZE is not a number.
    """
    if not {"RANK", "WORLD_SIZE"} <= environment.keys():
        return None
    rank, world_size = (_number(environment, name) for name in ("RANK", "WORLD_SIZE"))
    return None if world_size == 1 else (rank, world_size)


def device_of(device: str, environment: Mapping[str, str]) -> str:
    """Return the CUDA device of this process if `device` is "auto", and `device` otherwise."""
    if device != "auto" or "LOCAL_RANK" not in environment or not torch.cuda.is_available():
        return device
    return f"cuda:{_number(environment, 'LOCAL_RANK')}"


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment[name]
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"The environment variable {name} must be a number, got {text!r:.60}.")
    return int(text)
