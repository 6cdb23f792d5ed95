"""Rankings of the neurons of a store."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import signature
from typing import Any

import numpy as np

from ..activations import TokenActivations
from ..neurons.ranking_selector import RANKINGS
from .sections import list_top_words
from .study import make_sparse_probe


def make_selector(method: str, *, target: Any = None, **options: Any) -> Any:
    """Create the selector of a ranking.

    Parameters
    ----------
    method : str
        A name in ``RANKINGS``.
    target : label, default=None
        Label to rank for. If None, rank for all labels.
    **options
        Parameters of selectors. Parameters that the selector does not have are ignored.

    Returns
    -------
    estimator

    Raises
    ------
    ValueError
        If there is a target, but the selector does not have this parameter.
    """
    selector = RANKINGS[method]
    parameters = signature(selector).parameters
    if target is not None and "target" not in parameters:
        raise ValueError(
            f"--target cannot be used with --method {method}, which does not rank for a single "
            "label."
        )
    options |= {"target": target}
    if "estimator" in parameters:
        options["estimator"] = make_sparse_probe()
    return selector(**{name: value for name, value in options.items() if name in parameters})


def rank_neurons(
    tokens: TokenActivations,
    method: str,
    *,
    layer: int | str | None = None,
    n_neurons: int = 20,
    **options: Any,
) -> Any:
    """Rank the neurons of one layer or of all layers.

    Parameters
    ----------
    tokens : TokenActivations
        With labels.
    method : str
        A name in ``RANKINGS``.
    layer : int or str, default=None
        Layer to rank. If None, rank the neurons of all layers.
    n_neurons : int, default=20
        Number of neurons to keep. If there are fewer neurons, all are kept.
    **options
        As in :func:`make_selector`.

    Returns
    -------
    pandas.DataFrame
        One row per neuron: its name (the index), its column among the neurons that are ranked
        ("neuron"), its score if the ranking has scores, whether it is kept, and the top words of
        the neurons that are kept.
    """
    chosen = slice(None) if layer is None else tokens.neurons.columns(layer)
    X = tokens.X[:, chosen]
    selector = make_selector(method, n_neurons=min(n_neurons, X.shape[1]), **options)
    frame = selector.fit(X, tokens.y).to_frame()
    columns = np.arange(len(tokens.neurons))[chosen][frame["neuron"]]
    frame = frame.set_axis(tokens.neurons.names[columns]).rename_axis("name")
    frame["top words"] = [
        list_top_words(tokens, column) if kept else ""
        for column, kept in zip(columns, frame["kept"], strict=True)
    ]
    return frame


def find_spelling(text: str, values: Iterable[Any], *, option: str) -> Any:
    """Find the value, such as a label or a layer, with the given spelling.

    Parameters
    ----------
    text : str
        As typed on the command line, where all values are strings.
    values : iterable
        The existing values, of any kind.
    option : str
        The option, for the error message.

    Returns
    -------
    value
        One of `values`.

    Raises
    ------
    ValueError
        If there is no such value.
    """
    spelled = {str(value): value for value in values}
    if text not in spelled:
        raise ValueError(f"{option} must be one of {', '.join(spelled)}, got {text!r}.")
    return spelled[text]
