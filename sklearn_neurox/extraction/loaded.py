"""Extractors whose models are loaded."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.utils import check_random_state

from ._layers import Layers, check_layer_numbers, resolve_layers
from ._loading import load_tokenizer, load_with_head, pair_of
from ._network import network_of
from .extractor import ActivationExtractor


def load_once(extractor: ActivationExtractor) -> ActivationExtractor:
    """Return an extractor with the loaded model and tokenizer of another extractor.

    The model is loaded with the head that it was saved with. Random weights are drawn.
    """
    model, tokenizer = pair_of(extractor.model, extractor.tokenizer)
    fresh = extractor.random_weights
    seed = check_random_state(extractor.random_state).randint(2**31 - 1) if fresh else 0
    _, whole = load_with_head(model, extractor.device, random_weights=fresh, seed=seed)
    return clone(extractor).set_params(
        model=whole, tokenizer=load_tokenizer(tokenizer), random_weights=False, device="auto"
    )


def layers_of(
    extractor: ActivationExtractor, layers: Layers, modules: str | None
) -> tuple[int, ...]:
    """Return the numbers of layers of the loaded model of an extractor.

    Parameters
    ----------
    extractor : ActivationExtractor
        As returned by :func:`load_once`.
    layers : "all" or iterable of int
    modules : str or None
        As in :class:`ActivationExtractor`.

    Raises
    ------
    TypeError, ValueError
        If layers are not distinct integers in ascending order, or the model does not have them.
    """
    check_layer_numbers(layers, include_embeddings=True)
    model: Any = extractor.model
    stack = network_of(model).stack
    return resolve_layers(layers, stack, modules, include_embeddings=True)
