"""Metrics of decision values and of probabilities, and their scorers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval

from .._labels import check_labels, check_numbers, check_target, find_codes
from .._results import classes_of
from .._validation import validate_params
from .._warnings import warn
from .._weights import check_sample_weight
from ._probability_losses import LOSSES, losses
from ._ranked_metrics import DEFAULT_FPR, RANKED_METRICS, rank_score
from ._responses import Response, decisions_of, find_classes, probabilities_of

# Names of the scorers, of which greater values are better, and other names of them.
SCORERS = (*RANKED_METRICS, *LOSSES.values())
ALIASES = LOSSES
_OPTIONS = ("fpr", "pos_label")
_WITH_FPR = re.compile(r"recall_at_fpr\(fpr=(.*)\)")


@validate_params({"fpr": [Interval(Real, 0, 1, closed="left")]})
def recall_at_fpr(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    fpr: float = DEFAULT_FPR,
    pos_label: Any = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the largest recall of all thresholds whose false positive rate is small enough.

    The threshold is chosen on the samples that are scored, so the result describes the ranking of
    the samples. :func:`operating_point` chooses the threshold on other samples.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of at most two classes.
    y_score : array-like of shape (n_samples,)
        Decision values or probabilities of the positive class. Samples with the same value are on
        the same side of every threshold.
    fpr : float in [0, 1), default=0.01
        Largest false positive rate: the share of the negative samples that are above the threshold.
    pos_label : label, default=None
        The positive class. If None, the second of two sorted labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights, of which only the ratios matter.

    Returns
    -------
    float
        NaN if there are no positive or no negative samples.

    Raises
    ------
    TypeError
        If the labels are of different kinds, or `y_score` does not contain numbers.
    ValueError
        If lengths differ, there are more than two classes, `pos_label` is not a label, or a value
        is NaN or infinite.

    Examples
    --------
    >>> from sklearn_neurox import recall_at_fpr
    >>> y, scores = [0, 0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.6, 0.8, 0.9]
    >>> round(recall_at_fpr(y, scores, fpr=0.01), 3), recall_at_fpr(y, scores, fpr=0.25)
    (0.667, 1.0)
    """
    labels, decisions = check_labels(y_true, name="y_true"), check_numbers(y_score, name="y_score")
    check_consistent_length(labels, decisions)
    weight = None if sample_weight is None else check_sample_weight(sample_weight, len(labels))
    classes = np.unique(labels)
    if len(classes) > 2:
        raise ValueError(
            f"recall_at_fpr requires 2 classes, but y_true contains {len(classes)}: "
            f"{classes.tolist()!r:.60}. get_scorer('recall_at_fpr') averages over the classes."
        )
    positive = (
        len(classes) - 1
        if pos_label is None
        else check_target(pos_label, classes, name="pos_label")
    )
    is_positive = (labels == classes[positive]).astype(np.intp)
    return rank_score("recall_at_fpr", is_positive, decisions, fpr=fpr, sample_weight=weight)


@dataclass(frozen=True)
class DecisionScorer:
    """Scorer of decision values or probabilities, for two or more classes.

    Parameters
    ----------
    metric : str
        A metric of SCORERS.
    fpr : float, default=0.01
        Largest false positive rate of "recall_at_fpr".
    pos_label : label, default=None
        The positive class. If None, the second of two classes; for more classes, the metrics of
        ranks are averaged over the problems of one class versus all others.
    """

    metric: str
    fpr: float = DEFAULT_FPR
    pos_label: Any = None

    @property
    def name(self) -> str:
        """Name with which the metric can be compared, or "score" if it has a positive class."""
        if self.pos_label is not None:
            return "score"
        return self.metric if self.fpr == DEFAULT_FPR else f"{self.metric}(fpr={self.fpr:g})"

    def __call__(
        self, estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Score a fitted classifier."""
        labels = check_labels(y, name="y")
        weight = None if sample_weight is None else check_sample_weight(sample_weight, len(labels))
        if not hasattr(estimator, "classes_"):
            raise TypeError(
                f"{self.metric!r} requires a classifier, got {type(estimator).__name__}."
            )
        classes = find_classes(labels, classes_of(estimator))
        codes = find_codes(labels, classes, name="y")
        positive = place_of(self.pos_label, classes)
        if self.metric in RANKED_METRICS:
            decisions = decisions_of(estimator, X, classes)
            options: dict[str, Any] = {"positive": positive, "fpr": self.fpr}
            score = rank_score(self.metric, codes, decisions, sample_weight=weight, **options)
        else:
            probabilities = probabilities_of(estimator, X, classes)
            score = -np.average(
                losses(loss_of(self.metric), *as_problem(codes, probabilities, positive)),
                weights=weight,
            )
        if np.isnan(score):
            warn(
                f"{self.metric} is undefined, because y has a single class.", UndefinedMetricWarning
            )
        return float(score)


def place_of(pos_label: Any, classes: NDArray) -> int | None:
    """Return the place of the positive class, or None if there is no such label."""
    return None if pos_label is None else check_target(pos_label, classes, name="pos_label")


def as_problem(
    codes: NDArray[np.intp], probabilities: NDArray[np.float64], positive: int | None
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the codes and probabilities of which the losses are those of one class or of all."""
    if positive is None and probabilities.shape[1] > 2:
        return codes, probabilities
    positive = 1 if positive is None else positive
    return (codes == positive).astype(np.intp), probabilities[:, positive]


def loss_of(name: str) -> str:
    """Return the loss whose negative mean is a scorer."""
    return next(loss for loss, scorer in LOSSES.items() if scorer == name)


def decision_scorer(name: str, options: dict[str, Any]) -> DecisionScorer | None:
    """Return the scorer with a name, or None if it does not score decision values.

    Raises
    ------
    TypeError
        If the metric does not have one of the options.
    ValueError
        If the false positive rate is not in [0, 1).
    """
    metric = ALIASES.get(name, name)
    if metric not in SCORERS:
        return None
    known = _OPTIONS if metric == "recall_at_fpr" else _OPTIONS[1:]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise TypeError(
            f"The metric {name!r} has the options {', '.join(known)}, got {', '.join(unknown)}."
        )
    fpr = check_fpr(options.get("fpr", DEFAULT_FPR))
    return DecisionScorer(metric, fpr, options.get("pos_label"))


def check_fpr(fpr: Any) -> float:
    """Return a false positive rate, which must be in [0, 1).

    Raises
    ------
    ValueError
        If it is not.
    """
    if not isinstance(fpr, Real) or not 0 <= float(fpr) < 1:
        raise ValueError(f"fpr must be a number in [0, 1), got {fpr!r}.")
    return float(fpr)


def read_metric(name: str) -> tuple[str, float]:
    """Return the metric and the false positive rate of the name of a :class:`DecisionScorer`."""
    found = _WITH_FPR.fullmatch(name)
    return (name, DEFAULT_FPR) if found is None else ("recall_at_fpr", float(found[1]))


def response_of(metric: str, y: NDArray) -> Response | None:
    """Return the response that the metric with a name compares, or None if it compares labels."""
    name = read_metric(metric)[0]
    if name in RANKED_METRICS:
        return Response("decisions", np.unique(y))
    return Response("probabilities", np.unique(y)) if name in LOSSES.values() else None
