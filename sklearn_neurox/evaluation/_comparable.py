"""Predictions of several models on the same samples, encoded for a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._labels import check_same_kind
from ._comparison_statistics import MIN_GROUPS
from ._fold_metrics import KINDS, UNRANKED, Curve, FoldMetric, fold_metric
from ._resampled_metrics import RATE_METRICS
from .decision_metrics import read_metric
from .held_out import HeldOutPredictions

_ALIASES = {"R²": "r2"}


class Comparable(NamedTuple):
    """Encoded predictions of several models on the same held-out samples.

    Parameters
    ----------
    metric : FoldMetric
    curves : list of Curve
    folds, groups : ndarray of int of shape (n_held_out,)
        Codes from 0. Without groups, each sample is one.
    """

    metric: FoldMetric
    curves: list[Curve]
    folds: NDArray[np.intp]
    groups: NDArray[np.intp]


def check_metric(name: str) -> str:
    """Return the name of a metric that can be compared.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    name = _ALIASES.get(name, name)
    if read_metric(name)[0] not in KINDS or name == "mean":
        known = ", ".join(each for each in KINDS if each != "mean")
        hint = " Pass metric, because scoring is a callable." if name == "score" else ""
        raise ValueError(f"metric must be one of {known}, got {name!r}.{hint}")
    return name


def check_ranked(metric: str, *, by: str) -> None:
    """Raise a ValueError if the highest value of a metric is not the best one."""
    if metric in UNRANKED:
        raise ValueError(
            f"{by} requires a metric whose highest value is the best one, got {metric!r}. Compare "
            "pairs, for example with compare(against='all')."
        )


def make_comparable(metric: str, held_out: Sequence[HeldOutPredictions]) -> Comparable:
    """Encode held-out predictions, whose rows, folds and groups are the same.

    Parameters
    ----------
    metric : str
        From :func:`check_metric`.
    held_out : sequence of HeldOutPredictions
        Each row of ``predictions`` is a model.

    Raises
    ------
    TypeError
        If the metric compares numbers, but these are labels.
    ValueError
        If there are fewer than five groups, or decision values are missing.
    """
    first = held_out[0]
    units = first.rows if first.groups is None else first.groups
    groups = np.unique(units, return_inverse=True)[1]
    n_groups = int(groups.max()) + 1
    if n_groups < MIN_GROUPS:
        noun = "samples" if first.groups is None else "groups"
        raise ValueError(
            f"A bootstrap requires at least {MIN_GROUPS} {noun}, but there are {n_groups}."
        )
    name, fpr = read_metric(metric)
    kind = KINDS[name]
    if kind == "labels":
        curves, n_classes, positive = _encode_labels(metric, held_out)
        found = fold_metric(metric, n_classes, positive)
    else:
        curves = _numbers(metric, held_out) if kind == "numbers" else _decisions(name, held_out)
        found = fold_metric(name, fpr=fpr)
    return Comparable(found, curves, first.folds, groups)


def _encode_labels(
    metric: str, held_out: Sequence[HeldOutPredictions]
) -> tuple[list[Curve], int, int | None]:
    for each in held_out:
        check_same_kind(each.predictions.ravel()[:1], each.y, name="The predictions")
    pairs = [(each.y, predicted) for each in held_out for predicted in each.predictions]
    classes = np.unique(held_out[0].y)
    for array in (array for pair in pairs for array in pair):
        unknown = array[_find(array, classes) < 0]
        if len(unknown):
            classes = np.union1d(classes, unknown)
    positive = None
    if metric in RATE_METRICS:
        if held_out[0].classes is not None:  # a class that does not occur has false positives, too
            classes = np.union1d(classes, held_out[0].classes)
        positive = 1 if len(classes) == 2 else None
    if metric in ("f1", "accuracy_and_f1"):
        if len(classes) > 2 or 1 not in classes.tolist():
            raise ValueError(
                f"{metric!r} requires 2 classes, of which the positive one is 1, got "
                f"{classes.tolist()!r:.60}. Use 'f1_macro' or 'f1_weighted' for other classes."
            )
        positive = classes.tolist().index(1)
    curves = [Curve(_find(y, classes), _find(predicted, classes)) for y, predicted in pairs]
    return curves, len(classes), positive


def _find(labels: NDArray, classes: NDArray) -> NDArray[np.intp]:
    """Return the place of each label in sorted classes, or -1."""
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[places] == labels, places, -1)


def _numbers(metric: str, held_out: Sequence[HeldOutPredictions]) -> list[Curve]:
    for array in (array for each in held_out for array in (each.y, each.predictions)):
        if array.dtype.kind not in "biuf":
            raise TypeError(
                f"{metric!r} compares numbers, but these are labels. Use 'accuracy' or 'f1_macro'."
            )
    return [
        Curve(each.y.astype(float), predicted.astype(float))
        for each in held_out
        for predicted in each.predictions
    ]


def _decisions(metric: str, held_out: Sequence[HeldOutPredictions]) -> list[Curve]:
    is_loss = KINDS[metric] == "probabilities"
    curves = []
    for each in held_out:
        if each.decisions is None or (is_loss and not each.are_probabilities):
            raise ValueError(
                f"{metric!r} requires {'probabilities' if is_loss else 'decision values'}. They "
                f"are kept if the scores are computed with scoring={metric!r}."
            )
        classes = each.known_classes
        if each.decisions.ndim == 2:  # of two classes, of which y may contain one
            codes = (each.y == classes[-1]).astype(np.intp)
        else:
            codes = np.searchsorted(classes, each.y)
        curves += [Curve(codes, decisions) for decisions in each.decisions]
    return curves


def same_rows(one: HeldOutPredictions, other: HeldOutPredictions) -> str | None:
    """Return the name of what differs between two sets of held-out samples, or None."""
    fields: list[tuple[str, Any, Any]] = [
        ("rows", one.rows, other.rows),
        ("folds", one.folds, other.folds),
        ("labels", one.y, other.y),
        ("groups", one.groups, other.groups),
    ]
    for name, a, b in fields:
        if (a is None) != (b is None) or (a is not None and not np.array_equal(a, b)):
            return name
    return None
