"""Edits of states inside a running network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from os import PathLike
from typing import Any

from torch import nn

from ..activations.columns import Neurons
from ._loading import load_model
from ._text_encoding import special_ids_of
from .extractor import ActivationExtractor
from .positions import Where
from .state_edits import Positions, check_edits, edited


@contextmanager
def intervene(
    model: nn.Module | str | PathLike | ActivationExtractor,
    edits: Mapping[int | str | Neurons, Any] | Any,
    *,
    where: Where | Positions | None = None,
) -> Iterator[nn.Module]:
    """Edit the states of a network whenever it runs within the context.

    Within the context, every call of the model is edited, including each step of ``generate`` and
    the calls of an :class:`ActivationExtractor` that has been created with the loaded model. At the
    end, also after an error, the model is as it was before. Contexts can be nested. At the same
    place, the edit of the outer context is applied first.

    The context belongs to the thread that opens it, once no other thread extracts activations from
    the model. Other threads that edit the model or extract activations from it get an error, but
    their plain calls of the model are edited, too.

    Parameters
    ----------
    model : torch.nn.Module, str, path-like or ActivationExtractor
        A model of ``transformers``, with or without a head; any other torch module; the name or
        path of a model, which is loaded; or an extractor, whose model is used.
    edits : mapping of places to edits, or Direction
        A :class:`Direction` contains its place. Otherwise, a place is one of

        - the number of a layer, such as 3 or ``"layer 3"``: the hidden states, as
          :class:`ActivationExtractor` reads them. Layer 0 is the embeddings;
        - :class:`Neurons` of a single layer, such as ``tokens.select(layers=[3]).neurons``: the
          hidden states, attention heads or MLP neurons that these columns describe;
        - the path of a module, as in ``model.named_modules()``, whose output is edited. In a
          network that is not a stack of blocks, all places are paths.

        An edit is a :class:`SteeringVector`, :class:`DirectionProjector`, :class:`LeaceEraser`,
        :class:`NeuronAblator` or any other fitted transformer that keeps the number of neurons, or
        a Pipeline of these. It edits the state of each position as it edits a row of X.
    where : Where or callable, default=None
        Rule that selects the positions to edit, such as ``where.last()``. In a running network,
        only `first`, `last` and `special` are known. Or a function that is called with a dict of
        the inputs of the network, such as ``input_ids`` and ``attention_mask``, which is 1
        everywhere if it was not passed. It returns the positions to edit: a boolean tensor of the
        shape of ``attention_mask`` or ``input_ids``. While text is generated with a cache,
        ``input_ids`` contains only the new positions. If None, all positions are edited, including
        special tokens.

    Yields
    ------
    torch.nn.Module
        The model.

    Raises
    ------
    TypeError
        If an edit is not a transformer, or `edits` or a place is of another type.
    NotFittedError
        If an edit is not fitted.
    ValueError
        If the network does not have a place, a place is listed twice, an edit has another width
        than the states or changes it, an edit was fitted on named columns of another layer or
        order, or `where` returns a tensor of another shape.
    RuntimeError
        If another thread edits the model.

    Warns
    -----
    UserWarning
        If an edit does not have the method ``state_edit``. Its input and output are NumPy arrays,
        which is slower, in particular on CUDA devices. Also if the model was called and a place was
        not reached, so that an edit did not have any effect.

    See Also
    --------
    ActivationExtractor : Reads the states.

    Examples
    --------
    >>> import torch
    >>> from sklearn_neurox import SteeringVector, intervene
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    >>> x = torch.ones(1, 2)
    >>> with torch.no_grad(), intervene(network, {"0": SteeringVector([1.0, 0.0])}):
    ...     steered = network(x)
    >>> difference = steered - network(x)
    >>> torch.allclose(difference, network[1].weight[:, :1])
    True
    """
    edits = check_edits(edits)
    if where is not None and not callable(where):
        raise TypeError(f"where must be a Where or a function of the inputs, got {where!r:.60}.")
    network = _network_of(model)
    if isinstance(where, Where):
        where = partial(where, special_ids=_special_ids(model, network))
    with edited(network, edits, where=where):
        yield network


def _network_of(model: Any) -> nn.Module:
    if isinstance(model, ActivationExtractor):
        model = model.model
    if isinstance(model, str | PathLike):
        return load_model(model, "auto").runner
    if not isinstance(model, nn.Module):
        raise TypeError(
            "model must be a torch.nn.Module, the name of a model or an ActivationExtractor, got "
            f"{type(model).__name__}."
        )
    return model


def _special_ids(model: Any, network: nn.Module) -> set[int]:
    """Return the indices of special tokens: those of the tokenizer, or of the configuration."""
    tokenizer = getattr(model, "tokenizer", None)
    if hasattr(tokenizer, "added_tokens_decoder"):
        return special_ids_of(tokenizer)
    config = getattr(network, "config", None)
    names = ("bos_token_id", "eos_token_id", "pad_token_id", "cls_token_id", "sep_token_id")
    values = [getattr(config, name, None) for name in names]
    return {
        number
        for value in values
        for number in (value if isinstance(value, list) else [value])
        if isinstance(number, int)
    }
