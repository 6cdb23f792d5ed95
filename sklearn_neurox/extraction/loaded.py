"""Models of extractors that are loaded once, and then used many times."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

from sklearn.utils import check_random_state
from torch import nn

from ._layers import Layers, check_layer_numbers, resolve_layers
from ._loading import load_tokenizer, load_with_head, pair_of
from ._network import Network
from .extractor import ActivationExtractor


class _Parts(NamedTuple):
    network: Network
    whole: nn.Module
    tokenizer: Any


class LoadedModel:
    """The model and the tokenizer of an extractor, which are loaded once in each process.

    The model has the head that it was saved with. Threads share it. It can be pickled: another
    process loads a model that was given by its name, and gets a copy of any other one. Random
    weights are the same in all processes.

    Parameters
    ----------
    extractor : ActivationExtractor

    Raises
    ------
    ValueError, TypeError, ImportError
        If the model or the tokenizer cannot be loaded.
    """

    def __init__(self, extractor: ActivationExtractor):
        fresh = extractor.random_weights
        self.extractor, self._lock = extractor, Lock()
        self._seed = check_random_state(extractor.random_state).randint(2**31 - 1) if fresh else 0
        self._load()

    def __getstate__(self) -> tuple[ActivationExtractor, int]:
        return self.extractor, self._seed

    def __setstate__(self, state: tuple[ActivationExtractor, int]) -> None:
        (self.extractor, self._seed), self._lock = state, Lock()

    @property
    def network(self) -> Network:
        """The network that is read."""
        return self._load().network

    @property
    def whole(self) -> nn.Module:
        """The model that contains the network, with its head."""
        return self._load().whole

    @property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        return self._load().tokenizer

    def _load(self) -> _Parts:
        with self._lock:
            return self._parts

    @cached_property
    def _parts(self) -> _Parts:
        extractor = self.extractor
        model, tokenizer = pair_of(**extractor._located())
        network, whole = load_with_head(
            model, extractor.device, random_weights=extractor.random_weights, seed=self._seed
        )
        return _Parts(network, whole, load_tokenizer(tokenizer))

    def layers(self, layers: Layers, modules: str | None) -> tuple[int, ...]:
        """Return the numbers of layers of the model.

        Parameters
        ----------
        layers : "all" or iterable of int
        modules : str or None
            As in :class:`ActivationExtractor`.

        Raises
        ------
        TypeError, ValueError
            If layers are not distinct integers in ascending order, or the model does not have them.
        """
        check_layer_numbers(layers, include_embeddings=True)
        return resolve_layers(layers, self.network.stack, modules, include_embeddings=True)
