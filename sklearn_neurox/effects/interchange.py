"""The effect of putting states of source texts into other texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from torch import nn

from .._labels import check_labels
from .._validation import validate_params
from .._wording import count
from ..activations.columns import Neurons
from ..extraction.edited_runs import EditedRuns
from ..extraction.extractor import ActivationExtractor
from ..extraction.positions import Where
from ._alignment import Alignment, align
from ._extractors import extractor_of
from ._interchange import SourceStates
from ._measuring import Measurement
from ._pairs import check_metrics, check_pairs, lengths_of, selected_pairs
from .outcomes import Metric, find_outcomes
from .result import CausalEffect


@validate_params(
    {
        "where": [callable, None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }
)
def interchange_effect(
    model: nn.Module | str | PathLike | ActivationExtractor,
    texts: Sequence[Any],
    sources: Sequence[Any],
    *,
    layer: int | str | Neurons,
    neurons: ArrayLike | None = None,
    alignment: Alignment = None,
    where: Where | Callable[..., Any] | None = None,
    metrics: Metric | Sequence[Metric] = "output",
    tokenizer: Any = None,
    groups: ArrayLike | None = None,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
) -> CausalEffect:
    """Measure the effect of putting the states of source texts into other texts.

    An interchange intervention [1]_ runs the network on a source, keeps its states at a layer, and
    runs the network on a text whose states are replaced by those of its source. If a text and its
    source differ in a single property, the effect shows where the network carries the property. The
    states are always ones that the network produces, unlike those of many other edits.

    Parameters
    ----------
    model : torch.nn.Module, str, path-like or ActivationExtractor
        As in :func:`causal_effect`.
    texts : sequence of texts
        Texts whose states are replaced, as in :func:`causal_effect`.
    sources : sequence of n_texts texts
        The source of each text.
    layer : int, str or Neurons
        Where the states are replaced, as in :func:`intervene`.
    neurons : array-like of int, default=None
        Indices of the neurons of the layer that are replaced. If None, all.
    alignment : {"start", "end"}, sequence of pairs, or sequence of n_texts sequences of pairs, \
default=None
        Which position of the source belongs to which position of the text. Positions are those of
        tokens, including special tokens. If None, a text and its source must have the same number
        of tokens. "start" and "end" count positions from there, up to the length of the shorter
        one. Pairs of integers (position in the text, position in the source) are for all texts, or
        there is a list of pairs for each text; negative positions count from the end. Other
        positions of a text keep their states.
    where : Where or callable, default=None
        Positions of the texts that are replaced, as in :func:`causal_effect`. If None, all that are
        aligned.
    metrics : str, callable, or sequence of them, default="output"
        Outcomes, as in :func:`causal_effect`, except :func:`probe_accuracy`. "kl" is the divergence
        from the predictions on the texts themselves. Use :func:`logit_difference` if texts and
        sources have different answers.
    tokenizer : tokenizer, str or path-like, default=None
        Tokenizer of a model that is not an extractor.
    groups : array-like of shape (n_texts,), default=None
        Groups of the texts, which are drawn as a whole for the intervals. If None, each text is a
        group.
    confidence_level : float, default=0.95
        Confidence level of the intervals, which are computed by a bootstrap over groups.
    random_state : int, RandomState instance or None, default=None
        Controls the bootstrap. Pass an int for reproducible output across multiple function calls.

    Returns
    -------
    CausalEffect
        Without placebos.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If the numbers of texts and sources differ, a text and its source have different lengths and
        there is no alignment, a position, layer or neuron does not exist, or the network cannot
        provide a metric.

    See Also
    --------
    patching_map : The same for each layer and position.
    causal_effect : The effect of an edit, with placebos.

    References
    ----------
    .. [1] A. Geiger, H. Lu, T. Icard and C. Potts (2021). Causal Abstractions of Neural Networks.
       NeurIPS.

    Examples
    --------
    >>> from sklearn_neurox import interchange_effect, logit_difference
    >>> effect = interchange_effect(
    ...     "gpt2", ["The capital of Italy is"], ["The capital of Japan is"], layer=6,
    ...     metrics=logit_difference(" Tokyo", " Rome"))  # doctest: +SKIP
    >>> effect.means  # doctest: +SKIP
    """
    extractor = extractor_of(model, tokenizer)
    check_pairs(texts, sources)
    check_metrics(metrics)
    groups = None if groups is None else check_labels(groups, name="groups")
    if groups is not None and len(groups) != len(texts):
        raise ValueError(
            f"groups must contain one value for each of the {count(len(texts), 'text')}, got "
            f"{len(groups):,}."
        )
    seed = check_random_state(random_state).randint(2**31 - 1)
    with EditedRuns(extractor, layer=layer, where=where) as runs:
        own, others = runs.encode(texts), runs.encode(sources, mark=False)
        pairs = align(lengths_of(own), lengths_of(others), alignment)
        outcomes = find_outcomes(metrics, runs.tokenizer, len(own))
        measurement = Measurement(runs, outcomes)
        measurement.check(own)
        unedited, effects = np.zeros((2, len(outcomes), len(own)))
        for batch in runs.batches(own):
            ids = [text.sentence_id for text in batch]
            states = SourceStates(runs, batch, others, pairs, neurons)
            run, before = measurement.unedited(batch)
            selected_pairs(runs, batch, pairs)  # raises an error if there are none
            unedited[:, ids] = before
            effects[:, ids] = measurement.effects(states.at(), run, before)
        place = runs.place.name
    names = [outcome.name for outcome in outcomes]
    return CausalEffect.from_effects(
        dict(zip(names, effects, strict=True)),
        groups=groups,
        confidence_level=confidence_level,
        seed=seed,
        unedited=dict(zip(names, unedited, strict=True)),
        edit="interchange",
        place=place,
    )
