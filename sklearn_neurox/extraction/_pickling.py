"""Pickling and hashing of loaded networks and tokenizers in estimators."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Any

import cloudpickle
import torch
from joblib import hash as joblib_hash
from joblib.hashing import Hasher
from sklearn.base import BaseEstimator
from torch import nn

from ._digests import check_in_memory, digest_tensors, fingerprint
from ._locks import alone_with

_STAMPS = "_stamps_of_folders"
# A model of transformers that returned all its hidden states keeps hooks that record them. They
# are local functions, which cannot be pickled. Without this note, transformers installs them again.
_RECORDERS = "transformers.utils.output_capturing"
_NOTE = "_output_capturing_hooks_installed"


class HashedByContent(BaseEstimator):
    """Estimator whose joblib hash depends on the content of its networks and tokenizers.

    ``Pipeline(memory=...)`` looks up its results by the ``joblib.hash`` of the estimators. The
    parameters named in `_by_content` are networks or tokenizers, or their folders. A loaded network
    is hashed by its weights and configuration, so the same network has the same hash in every
    process. A folder is hashed by the names, sizes and times of its files, so new weights at an old
    path are detected.

    A relative path is resolved when the estimator is fitted or pickled. Otherwise, it would mean
    another folder in a process with another working directory.
    """

    _by_content: tuple[str, ...] = ()
    _folders: Mapping[str, str] = MappingProxyType({})  # absolute paths of relative paths

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        values = {name: state.get(name) for name in self._by_content}
        for name, value in values.items():
            if hasattr(value, "__dict__") and not isinstance(value, os.PathLike):
                state[name] = _Loaded(value)
        if folders := {**_folders_of(values.values()), **self._folders}:
            state["_folders"] = folders
        return state | {_STAMPS: {name: _stamp(value) for name, value in self._located().items()}}

    def _resolve_folders(self) -> None:
        """Remember which folders the relative paths are, for calls after the fit."""
        self._folders = _folders_of(getattr(self, name) for name in self._by_content)

    def _located(self) -> dict[str, Any]:
        """Return the networks and tokenizers, with absolute paths of folders that are known."""
        return {name: self._locate(getattr(self, name)) for name in self._by_content}

    def _locate(self, value: Any) -> Any:
        if isinstance(value, str) and "," in value and value not in self._folders:
            return ",".join(self._locate(name.strip()) for name in value.split(","))
        known = (
            self._folders.get(os.fspath(value)) if isinstance(value, str | os.PathLike) else None
        )
        return value if known is None or not Path(known).is_dir() else type(value)(known)

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = {
            name: value.value if isinstance(value, _Loaded) else value
            for name, value in state.items()
            if name != _STAMPS
        }
        super().__setstate__(state)


class _Loaded:
    """Holder of a loaded network or tokenizer in the state of an estimator.

    torch pickles the content. It keeps tensors that share memory together, and with cloudpickle
    it also pickles classes and functions that another process cannot import.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getstate__(self) -> bytes:
        if isinstance(self.value, nn.Module):
            check_in_memory(dict(self.value.named_parameters()))
        file = io.BytesIO()
        with _at_rest(self.value):
            torch.save(self.value, file, pickle_module=cloudpickle)
        return file.getvalue()

    def __setstate__(self, state: bytes) -> None:
        self.value = torch.load(io.BytesIO(state), weights_only=False)


def _save_identity(hasher: Hasher, loaded: _Loaded) -> None:
    with _at_rest(loaded.value):
        hasher.save(_identity(loaded.value))


# joblib hashes the output of its own pickler, which looks up types in this table. Other picklers
# call `_Loaded.__getstate__`, because an object cannot know whether it is pickled or hashed. With
# this entry, hashing neither pickles the network nor depends on how torch pickles it.
Hasher.dispatch[_Loaded] = _save_identity


def _identity(value: Any) -> list[Any]:
    """Return what distinguishes a network or tokenizer from others, for ``joblib.hash``."""
    if isinstance(value, nn.Module):
        check_in_memory(dict(value.named_parameters()))
        buffers = dict(value.named_buffers(remove_duplicate=False))  # including non-persistent ones
        # A module without weights that is used twice occurs twice in the network.
        named = value.named_modules(remove_duplicate=False)
        modules = [(name, *_settings(module)) for name, module in named]
        return [fingerprint(value), digest_tensors(buffers), modules]
    state = dict(vars(value))
    backend = getattr(value, "backend_tokenizer", None)
    if backend is not None:
        # Each call sets the truncation and the padding anew.
        content = json.loads(backend.to_str()) | {"truncation": None, "padding": None}
        state = {name: part for name, part in state.items() if part is not backend}
        state["backend"] = json.dumps(content)
    return [_plain(type(value)), joblib_hash(_plain(state))]


def _settings(module: nn.Module) -> tuple[Any, str]:
    """Return the class of a module and a hash of its attributes except weights and submodules."""
    state: dict[str, Any] = module.__getstate__()
    settings = {name: value for name, value in state.items() if name not in _BOOKKEEPING}
    # User-defined hooks may change the output of a layer.
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    return _plain(type(module)), joblib_hash(_plain(settings | {"hooks": hooks}))


# The attributes that every module has: its weights, submodules and hooks, and the training mode.
_BOOKKEEPING = frozenset(vars(nn.Module()))


def _plain(value: Any) -> Any:
    """Replace tensors and code, at any depth of containers, with values that joblib can hash."""
    match value:
        case torch.Tensor():
            return digest_tensors({"": value})
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case type() | FunctionType():
            return cloudpickle.dumps(value)  # by name, or by code if it cannot be imported
    return value


@contextmanager
def _at_rest(value: Any) -> Iterator[None]:
    """Lock a network or tokenizer, and remove the hooks of transformers within the context."""
    with alone_with(value):
        if not isinstance(value, nn.Module):
            yield
            return
        hooks = [(module._forward_hooks, dict(module._forward_hooks)) for module in value.modules()]
        notes = [vars(module) for module in value.modules() if _NOTE in vars(module)]
        try:
            for current, before in hooks:
                for key, hook in before.items():
                    if getattr(hook, "__module__", None) == _RECORDERS:
                        del current[key]
            for attributes in notes:
                del attributes[_NOTE]
            yield
        finally:
            for current, before in hooks:
                current.clear()
                current.update(before)
            for attributes in notes:
                attributes[_NOTE] = True


def _folders_of(values: Iterable[Any]) -> dict[str, str]:
    """Return the absolute paths of relative paths of folders, of one or of several in a string."""
    paths = [os.fspath(value) for value in values if isinstance(value, str | os.PathLike)]
    names = chain(paths, *(path.split(",") for path in paths))
    relative = {name.strip() for name in names if name.strip() and not os.path.isabs(name.strip())}
    return {name: os.path.abspath(name) for name in sorted(relative) if Path(name).is_dir()}


def _stamp(name: Any) -> list[tuple[str, int, int]] | None:
    """Return the names, sizes and times of the files in a folder, to detect changes."""
    if not isinstance(name, str | os.PathLike) or not Path(name).is_dir():
        return None
    files = ((path.name, path.stat()) for path in Path(name).iterdir() if path.is_file())
    return sorted((name, about.st_size, about.st_mtime_ns) for name, about in files)
