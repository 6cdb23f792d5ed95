"""Networks and tokenizers as bytes that are the same whenever their weights are."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

try:  # joblib brings it, the older versions inside
    import cloudpickle
except ImportError:
    from joblib.externals import cloudpickle

# Of transformers: a model that was once asked for all its hidden states keeps hooks, which are
# local functions, and this note that they are there. It puts them back when it is asked again.
_CAPTURING = "transformers.utils.output_capturing"
_NOTE = "_output_capturing_hooks_installed"
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_STAMPS = "_stamps_of_folders"


# Not the one of C, which shows neither sets nor strings to those who build on it.
_PythonPickler: Any = pickle._Pickler


class PicklesByValue(BaseEstimator):
    """An estimator whose pickle is the same for the same networks, in any process.

    Parameters named in `_by_value` are networks or tokenizers, or the folders of some. Of a
    folder, the names, sizes and times of its files are in the pickle, so that a cache that asks
    for the hash of an estimator sees new weights at an old path.
    """

    _by_value: tuple[str, ...] = ()

    def __getstate__(self):
        state = dict(super().__getstate__())
        given = {name: state.get(name) for name in self._by_value}
        for name, value in given.items():
            if value is not None and not isinstance(value, str | os.PathLike):
                state[name] = _ByValue(value)
        return state | {_STAMPS: {name: _stamp(value) for name, value in given.items()}}

    def __setstate__(self, state):
        state = {name: value for name, value in state.items() if name != _STAMPS}
        for name in self._by_value:
            if isinstance(state.get(name), _ByValue):  # of copy.copy, which pickles nothing
                state[name] = state[name].value
        super().__setstate__(state)


class _ByValue:
    def __init__(self, value: Any):
        self.value = value

    def __reduce__(self):
        return pickle.loads, (dumps(self.value),)


def dumps(value: Any) -> bytes:
    """Pickle a network or tokenizer; the same weights give the same bytes.

    Parameters
    ----------
    value : object
        Tensors that share memory, as tied weights do, share it when they come back.

    Returns
    -------
    bytes
        For ``pickle.loads``.
    """
    file = io.BytesIO()
    _Pickler(file, protocol=4).dump(value)
    return file.getvalue()


class _Pickler(_PythonPickler):
    """Leaves out what differs between equal networks: addresses, orders of sets, identities."""

    def __init__(self, file, protocol):
        super().__init__(file, protocol)
        self._storages: dict[int, torch.UntypedStorage] = {}

    def memoize(self, obj):
        # Whether equal strings are one object depends on where they came from.
        if not isinstance(obj, str | bytes):
            super().memoize(obj)

    def reducer_override(self, obj):
        if type(obj) in (torch.Tensor, nn.Parameter) and _is_plain(obj):
            storage = obj.untyped_storage()
            storage = self._storages.setdefault(storage._cdata, storage)
            place = obj.storage_offset(), tuple(obj.shape), obj.stride()
            is_parameter = isinstance(obj, nn.Parameter)
            return _tensor, (storage, str(obj.dtype)[6:], *place, obj.requires_grad, is_parameter)
        if type(obj) is torch.UntypedStorage:
            content = torch.empty(0, dtype=torch.uint8).set_(obj.cpu()).numpy()
            return _storage, (content, str(obj.device))
        if isinstance(obj, nn.Module):
            return _without_capturing(obj.__reduce_ex__(4))
        if type(obj) is set and all(isinstance(item, str) for item in obj):
            return set, (sorted(obj),)
        if _is_tokenizer(obj):
            return _tokenizer, (type(obj), _without_use(obj.to_str()))
        if isinstance(obj, type | FunctionType) and not _is_importable(obj):
            return cloudpickle.loads, (cloudpickle.dumps(obj),)
        return NotImplemented


def _is_plain(tensor: torch.Tensor) -> bool:
    return (
        tensor.layout == torch.strided
        and tensor.device.type != "meta"
        and not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg())
    )


def _storage(content: np.ndarray, device: str) -> torch.UntypedStorage:
    # A copy, as what comes out of a pickle may be read-only.
    return torch.tensor(content).untyped_storage().to(device=torch.device(device))


def _tensor(storage, dtype, offset, shape, stride, requires_grad, is_parameter) -> torch.Tensor:
    empty = torch.empty(0, dtype=getattr(torch, dtype), device=storage.device)
    tensor = empty.set_(storage, offset, shape, stride)
    if is_parameter:
        return nn.Parameter(tensor, requires_grad)
    return tensor.requires_grad_(requires_grad)


def _without_capturing(reduced: Any) -> Any:
    """Leave out the hooks that transformers puts into a model, and puts back."""
    if isinstance(reduced, str) or len(reduced) < 3 or not isinstance(reduced[2], dict):
        return reduced
    state = {name: value for name, value in reduced[2].items() if name != _NOTE}
    for name in _HOOKS:
        hooks = state.get(name) or {}
        kept = {
            key: hook
            for key, hook in hooks.items()
            if getattr(hook, "__module__", None) != _CAPTURING
        }
        if len(kept) < len(hooks):
            state[name] = type(hooks)(kept)
    return (*reduced[:2], state, *reduced[3:])


def _is_tokenizer(obj: Any) -> bool:
    tokenizers = sys.modules.get("tokenizers")
    return tokenizers is not None and type(obj) is tokenizers.Tokenizer


def _without_use(text: str) -> str:
    """Leave out how long the last text was to be: every call says that anew."""
    return json.dumps(json.loads(text) | {"truncation": None, "padding": None})


def _tokenizer(kind: Any, text: str) -> Any:
    return kind.from_str(text)


def _is_importable(obj: Any) -> bool:
    """Tell whether another process finds a class or function by its name."""
    if obj.__module__ == "__main__":
        return False
    found: Any = sys.modules.get(obj.__module__)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


def _stamp(name: Any) -> list[tuple[str, int, int]] | None:
    """Names, sizes and times of the files of a folder, which tell whether it was changed."""
    if not isinstance(name, str | os.PathLike) or not Path(name).is_dir():
        return None
    return sorted(_files(Path(name)))


def _files(folder: Path) -> Iterable[tuple[str, int, int]]:
    for path in folder.iterdir():
        if path.is_file():
            about = path.stat()
            yield path.name, about.st_size, about.st_mtime_ns
