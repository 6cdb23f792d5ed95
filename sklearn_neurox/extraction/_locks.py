"""Locks of models and tokenizers, which several threads may share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock, RLock, get_ident
from typing import Any
from weakref import WeakKeyDictionary

import torch

_LOCKS: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_LOCK_OF_LOCKS = Lock()
# The threads that edit the states of a module.
_EDITORS: WeakKeyDictionary[torch.nn.Module, list[int]] = WeakKeyDictionary()


@contextmanager
def alone_with(*shared: Any) -> Iterator[None]:
    """Lock models and tokenizers, which clones of an extractor share between threads.

    While a model runs, its hooks would also record what another thread runs, and a fast tokenizer
    stores the padding and truncation of the last call, which are restored. The modules within a
    model are locked, too, because other models may contain them.

    Raises
    ------
    RuntimeError
        If another thread edits the states of a model. To wait for it could take forever, because
        it may wait for this thread.
    """
    tokenizers = [each for each in shared if hasattr(each, "model_max_length")]
    models = [each for each in shared if isinstance(each, torch.nn.Module)]
    modules = {id(module): module for model in models for module in model.modules()}
    with ExitStack() as held:
        # All threads lock in the same order, so that none waits for another that waits for it.
        for each in [modules[place] for place in sorted(modules)] + tokenizers:
            with _LOCK_OF_LOCKS:
                lock = _LOCKS.setdefault(each, RLock())
            held.enter_context(lock)
        for model in models:
            editors = {thread for each in model.modules() for thread in _EDITORS.get(each, ())}
            if editors - {get_ident()}:
                raise RuntimeError(
                    f"{type(model).__name__} is being edited by `intervene` in another thread. Use "
                    "a copy of the model (copy.deepcopy) in each thread, or wait for the end of "
                    "the context."
                )
        for each in tokenizers:
            held.enter_context(_settings_kept(getattr(each, "backend_tokenizer", None)))
        yield


@contextmanager
def reserved(model: torch.nn.Module) -> Iterator[None]:
    """Reserve a model for a thread that edits its states, once no other thread extracts from it.

    Within the context, :func:`alone_with` raises an error in other threads.
    """
    modules, thread = list(model.modules()), get_ident()
    with alone_with(model):
        for module in modules:
            _EDITORS.setdefault(module, []).append(thread)
    try:
        yield
    finally:
        for module in modules:
            _EDITORS[module].remove(thread)


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
