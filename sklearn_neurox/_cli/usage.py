"""Whether a network uses what its activations encode: an analysis, and its section of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from ..activations import TokenActivations
from ..datasets import SpacedSentence
from ..effects import CausalEffect, causal_effect
from ..extraction import ActivationExtractor, where
from ..interventions import DirectionProjector, NeuronAblator
from ..neurons import ProbelessSelector
from ..probes import MeanDifferenceClassifier
from ..visualization import AnalysisReport, CausalEffectDisplay
from .sections import new_axes

METRIC = "output"
DIRECTION, NEURONS = "Difference of the means", "Best neurons"
_N_SENTENCES = 60  # the first ones; more make the intervals narrower and take longer
_SHARE = 0.05  # of the neurons
_N_PLACEBOS = 19  # so that the smallest p-value is .05
_N_FOLDS = 3
_ROUNDING = 0.02  # of stores in float16 and of other devices
_PLACEBOS = {
    "norm": "random edits that move the states as far",
    "covariance": "edits along the directions in which the states vary",
    "control_task": "edits made from random labels",
}


@dataclass(frozen=True)
class Usage:
    """Effects of edits that remove what distinguishes a label.

    Parameters
    ----------
    label : object
    layer : int
    n_sentences : int
    n_folds : int
    effects : dict of str to CausalEffect
        By name of the edit.
    """

    label: Any
    layer: int
    n_sentences: int
    n_folds: int
    effects: dict[str, CausalEffect]


def by_sentence(tokens: TokenActivations, column: NDArray) -> list[list[Any]]:
    """Split a column of token activations into lists, one for each sentence."""
    starts = np.flatnonzero(np.diff(tokens.sentence_ids)) + 1
    return [part.tolist() for part in np.split(column, starts)]


def sentences_of(tokens: TokenActivations) -> list[list[str]]:
    """Return the sentences of activations, with the spaces of their texts if these are known."""
    sentences = by_sentence(tokens, tokens.words)
    if tokens.offsets is None:
        return sentences
    starts = by_sentence(tokens, tokens.offsets)
    return [
        SpacedSentence(words, [" " * (start - end) for (_, end), (start, _) in pairwise(offsets)])
        for words, offsets in zip(sentences, starts, strict=True)
    ]


def extractor_of(
    model: str, tokens: TokenActivations, parameters: Mapping[str, Any]
) -> ActivationExtractor:
    """Return an extractor with the model of a store.

    Parameters
    ----------
    model : str
        Name or path.
    tokens : TokenActivations
        The activations in the store.
    parameters : mapping
        The parameters that the store was written with.

    Raises
    ------
    ValueError
        If the store does not contain hidden states, or those of another model.
    """
    kind = parameters.get("rows", "word")
    if parameters.get("modules") is not None or kind != "word":
        raise ValueError(
            "--model requires a store of the hidden states of words, but this store contains "
            f"{parameters.get('modules') or f'{kind}s'}. Leave out --model."
        )
    counted = np.concatenate([np.arange(len(words)) for words in by_sentence(tokens, tokens.words)])
    if not np.array_equal(tokens.positions, counted):
        raise ValueError(
            "--model requires a store of whole sentences, but some words of this store do not have "
            "a row. Leave out --model."
        )
    options = ("aggregation", "split_special_tokens", "add_prefix_space")
    known = {name: parameters[name] for name in options if name in parameters}
    extractor = ActivationExtractor(model, layers=[int(layer) for layer in tokens.layers], **known)
    (words, *_) = sentences_of(tokens)
    again, stored = extractor.extract([words]).X, tokens.X[: len(words)]
    if again.shape != stored.shape or not np.allclose(
        again, stored, rtol=_ROUNDING, atol=_ROUNDING
    ):
        raise ValueError(
            f"--model={model} does not compute the activations of the store. Pass the model that "
            "they were extracted from."
        )
    return extractor


def measure_usage(
    extractor: ActivationExtractor,
    sentences: Sequence[Sequence[str]],
    labels: Sequence[Sequence[Any]],
    *,
    layer: int,
    label: Any = None,
    random_state: int = 0,
) -> Usage:
    """Measure the effects of edits at a layer on the sentence embeddings.

    Parameters
    ----------
    extractor : ActivationExtractor
    sentences : sequence of sequences of str
        Only the first ones are used.
    labels : sequence of sequences
        A label for each word.
    layer : int
    label : object, default=None
        The label that is distinguished from all others. If None, the most frequent one that some
        words of the training sentences of each fold have and others do not have.
    random_state : int, default=0

    Returns
    -------
    Usage

    Raises
    ------
    ValueError
        If there are fewer than two sentences, or all or none of the words of the training sentences
        of a fold have the label.
    """
    sentences, labels = sentences[:_N_SENTENCES], labels[:_N_SENTENCES]
    if len(sentences) < 2:
        raise ValueError(
            "The use of a label is measured on sentences that are held out, which requires at "
            f"least 2 sentences, got {len(sentences)}."
        )
    groups = np.arange(len(sentences))
    cv = GroupKFold(min(_N_FOLDS, len(sentences)))
    label = _label_in_each_fold(
        labels, [train for train, _ in cv.split(groups, None, groups)], label
    )
    is_label = [[each == label for each in own] for own in labels]
    edits: dict[str, dict[str, Any]] = {
        DIRECTION: {"edit": _mean_difference},
        NEURONS: {
            "edit": NeuronAblator([], mode="mean"),
            "ranking": ProbelessSelector(n_neurons=_SHARE),
        },
    }
    effects = {
        name: causal_effect(
            extractor,
            sentences,
            layer=layer,
            labels=is_label,
            groups=groups,
            cv=cv,
            where=~where.special(),
            metrics=METRIC,
            placebos=tuple(_PLACEBOS),
            n_placebos=_N_PLACEBOS,
            random_state=random_state,
            **edit,
        )
        for name, edit in edits.items()
    }
    return Usage(label, layer, len(sentences), cv.get_n_splits(), effects)


def _label_in_each_fold(
    labels: Sequence[Sequence[Any]], folds: Sequence[NDArray[np.intp]], label: Any
) -> Any:
    """Return the most frequent label, or the given one, that occurs in training but not always."""
    flat = np.array([each for own in labels for each in own])
    owners = np.repeat(np.arange(len(labels)), [len(own) for own in labels])
    trains = [flat[np.isin(owners, fold)] for fold in folds]
    values, counts = np.unique(flat, return_counts=True)
    candidates = values[np.argsort(-counts, kind="stable")].tolist() if label is None else [label]
    for each in candidates:
        if all(0 < np.count_nonzero(train == each) < len(train) for train in trains):
            return each
    what = "any label" if label is None else f"the label {label!r}"
    raise ValueError(
        f"The use of {what} cannot be measured on {len(labels)} sentences: in the training "
        f"sentences of one of {len(folds)} folds, all or none of the words have it. Use more "
        "sentences or another label."
    )


def add_usage(page: AnalysisReport, usage: Usage) -> None:
    """Show the effects of edits, their placebos, and what follows from them."""
    page.add_section(
        "Is it used?",
        f"That a probe can read {usage.label} does not show that the network uses it. Therefore, "
        f"layer {usage.layer} was edited while the network ran: the difference between the means "
        f"of {usage.label} and all other words was removed, or the {_SHARE:.0%} of the neurons in "
        "which these means differ most were set to their means. Directions and neurons were "
        f"determined on the training sentences of {usage.n_folds} folds, and the effect was "
        "measured on the test sentences. It is 1 − cosine of the sentence embedding with and "
        "without the edit. Almost any change of the states has an effect, so each edit is compared "
        f"with {_N_PLACEBOS} draws of each of {len(_PLACEBOS)} placebos.",
    )
    page.add_figure(
        CausalEffectDisplay(usage.effects, metric=METRIC).plot(ax=new_axes()),
        f"The effects on {usage.n_sentences} sentences, with 95% intervals, and the effects of "
        "the placebos. p is (1 + draws at or beyond the effect) / (1 + draws).",
    )
    for name, effect in usage.effects.items():
        page.add_text(conclude(name, usage.label, effect))
    page.add_text(
        "This does not show that the network reads this property, rather than something that is "
        "correlated with it; that the change of the output is an error; or what happens in other "
        "layers and on other texts."
    )


def add_unmeasured_usage(page: AnalysisReport, layer: int | str, error: Exception) -> None:
    """Say that the use was not measured, and why."""
    page.add_section(
        "Is it used?", f"Editing layer {layer} while the network runs failed, so this is unknown."
    )
    page.add_text("The reason: " + " ".join([str(error), *getattr(error, "__notes__", [])]))


def conclude(name: str, label: Any, effect: CausalEffect) -> str:
    """Say in plain sentences what follows from an effect and its placebos."""
    mean = effect.means[METRIC]
    interval = "" if mean.low is None else f" [{mean.low:.3f}, {mean.high:.3f}]"
    smallest = 1 / (1 + _N_PLACEBOS)
    beaten = [kind for kind in _PLACEBOS if effect.p_value(METRIC, kind) <= smallest + 1e-9]
    others = [_PLACEBOS[kind] for kind in _PLACEBOS if kind not in beaten]
    start = f"{name}: the edit changes the sentence embedding by {mean.value:.3f}{interval}."
    if not others:
        return (
            f"{start} This is more than every draw of all placebos. The output depends on what "
            f"distinguishes {label} in this layer more than on other changes of the same size."
        )
    return (
        f"{start} This is not more than the effects of {_joined(others)}, so it does not show that "
        f"the network uses what distinguishes {label} in this layer."
    )


def _joined(phrases: list[str]) -> str:
    *first, last = phrases
    return f"{', '.join(first)} and {last}" if first else last


def _mean_difference(X: NDArray, y: NDArray) -> DirectionProjector:
    """Return an edit that removes the difference between the means of two classes."""
    direction = MeanDifferenceClassifier().fit(X, y).direction_
    return DirectionProjector(direction, center=X.mean(axis=0))
