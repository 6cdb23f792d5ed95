"""Comparison of two probes, models or feature sets on the same samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length

from .._labels import check_labels, check_numbers, find_codes
from .._rare_labels import of_defined_folds
from .._validation import validate_params
from ._comparable import check_metric, same_rows
from ._make_comparison import BOOTSTRAP_CONSTRAINTS, make_comparison
from ._probability_losses import LOSSES
from ._ranked_metrics import problems_of
from ._resampled_metrics import RATE_METRICS
from .comparison import ScoreComparison
from .decision_metrics import DecisionScorer, as_problem, place_of, response_of
from .held_out import HeldOutPredictions
from .layers import LayerwiseScores
from .probe_report_result import ProbeReport

# Metrics of reports that are losses, and the metrics that are compared instead: greater is better.
_OF_LOSSES = {
    **LOSSES,
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
}


@validate_params(BOOTSTRAP_CONSTRAINTS | {"groups": ["array-like", None], "metric": [str, None]})
def compare_scores(
    a: LayerwiseScores | ProbeReport | ArrayLike,
    b: LayerwiseScores | ProbeReport | ArrayLike,
    *,
    y: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    metric: str | None = None,
    names: tuple[str, str] = ("a", "b"),
    n_bootstraps: int = 10_000,
    confidence_level: float = 0.95,
    random_state: int | RandomState | None = None,
) -> ScoreComparison:
    """Compare the scores of two probes, models or feature sets on the same samples.

    Groups of samples are resampled with replacement, and both scores are computed in the same
    resamples. The intervals are expanded percentile intervals [1]_, and a p-value is below a level
    if and only if the interval of the difference does not contain 0. The predictions are fixed, so
    the interval does not contain the variation between training sets.

    Parameters
    ----------
    a, b : LayerwiseScores, ProbeReport, or array-like of shape (n_samples,)
        What to compare; both of the same kind. Results of :func:`layerwise_scores` on the same
        samples, labels and folds are compared layer by layer. Reports must be of the same samples.
        Arrays are predictions if `y` is passed, and otherwise scores of the samples, such as the
        loss of a language model on each text, whose means are compared.
    y : array-like of shape (n_samples,), default=None
        True labels or numbers, if a and b are predictions.
    groups : array-like of shape (n_samples,), default=None
        Groups to resample, such as sentence ids. If None, those of the results are used. Without
        groups, the samples are considered independent.
    metric : str, default=None
        "accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "f1_weighted",
        "accuracy_and_f1", "matthews_corrcoef", "recall", "precision", "false_positive_rate", "r2",
        "pearson", "spearman", "bias", "slope", "roc_auc", "average_precision", "recall_at_fpr",
        "neg_log_loss", "neg_brier_score", "neg_mean_squared_error", "neg_root_mean_squared_error"
        or "neg_mean_absolute_error". By default, that of the results, accuracy for labels, and "r2"
        for floating-point numbers. Losses of reports, such as "log_loss" and "rmse", are compared
        as their negative values. "recall", "precision" and "false_positive_rate" are those of the
        positive class of the reports, or else of the second of two classes, and for more classes
        the average over the classes, as in :func:`probe_report`.
    names : tuple of two str, default=("a", "b")
        Names of a and b.
    n_bootstraps : int, default=10_000
        Number of resamples.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=None
        Controls the resamples. Pass an int for reproducible output across multiple function calls.

    Returns
    -------
    ScoreComparison
        For several layers, the p-values are adjusted with the method of Holm [2]_.

    Raises
    ------
    TypeError
        If a and b are of different kinds.
    ValueError
        If lengths or samples differ, the metric is unknown, or there are fewer than five groups.

    Warns
    -----
    UserWarning
        If there are too few resamples for the number of comparisons.

    References
    ----------
    .. [1] T. Hesterberg (2015). What Teachers Should Know About the Bootstrap. The American
       Statistician 69.
    .. [2] S. Holm (1979). A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian
       Journal of Statistics 6.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn.model_selection import cross_val_predict
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_neurox import compare_scores
    >>> X, y = load_digits(return_X_y=True)
    >>> ridge, bayes = (cross_val_predict(each, X, y) for each in (RidgeClassifier(), GaussianNB()))
    >>> comparison = compare_scores(ridge, bayes, y=y, names=("ridge", "Bayes"), random_state=0)
    >>> comparison
    ScoreComparison(accuracy ridge - Bayes = 0.0... [0.0..., 0.1...], p = 0.00..., 1,797 samples)
    """
    names = _check_names(names)
    options: dict[str, Any] = {
        "n_bootstraps": n_bootstraps,
        "confidence_level": confidence_level,
        "random_state": random_state,
    }
    if isinstance(a, LayerwiseScores) and isinstance(b, LayerwiseScores):
        if y is not None or groups is not None:
            raise ValueError("y and groups of results of layerwise_scores must not be passed.")
        return _compare_layers(a, b, metric, names, options)
    if isinstance(a, ProbeReport) and isinstance(b, ProbeReport):
        if y is not None:
            raise ValueError("y must not be passed, because reports contain their labels.")
        metric = _common_metric(a, b, metric)
        y, groups = _common_labels(a, b, groups)
        if metric in RATE_METRICS:
            both = _rated(a, b, y, groups)
            return make_comparison(names, both, metric=metric, pairs=[(0, 1)], **options)
        if response_of(metric, y) is not None:
            both = [_decisions_of(each, metric, groups) for each in (a, b)]
            return make_comparison(names, both, metric=metric, pairs=[(0, 1)], **options)
        predicted: tuple[Any, Any] = (a.predictions, b.predictions)
    else:
        _check_kinds(a, b)
        predicted = (a, b)
    one, other, metric = _read_predictions(predicted, y, groups, metric)
    return make_comparison(names, [one, other], metric=metric, pairs=[(0, 1)], **options)


def _check_names(names: Any) -> tuple[str, str]:
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise ValueError(f"names must be two strings, got {names!r:.60}.")
    if names[0] == names[1]:
        raise ValueError(f"names must be different, got {names[0]!r} twice.")
    return names[0], names[1]


def _check_kinds(a: Any, b: Any) -> None:
    for each, other in ((a, b), (b, a)):
        if isinstance(each, LayerwiseScores | ProbeReport):
            raise TypeError(
                "a and b must be of the same kind, got "
                f"{type(each).__name__} and {type(other).__name__}."
            )


def _compare_layers(
    a: LayerwiseScores,
    b: LayerwiseScores,
    metric: str | None,
    names: tuple[str, str],
    options: dict[str, Any],
) -> ScoreComparison:
    if a.layers != b.layers or a.layers is None:
        raise ValueError(f"a and b must have the same layers, got {a.layers} and {b.layers}.")
    held_out = [a.check_held_out(), b.check_held_out()]
    different = same_rows(*held_out)
    if different:
        raise ValueError(
            f"a and b must be computed with the same samples, labels and folds, but their "
            f"{different} differ."
        )
    if metric is None and a.metric != b.metric:
        raise ValueError(f"a and b have different metrics, {a.metric!r} and {b.metric!r}.")
    n_layers = len(a.layers)
    return make_comparison(
        [f"{name}, layer {layer}" for name in names for layer in a.layers],
        held_out,
        metric=check_metric(metric or a.metric),
        pairs=[(i, n_layers + i) for i in range(n_layers)],
        expected=None
        if metric
        else [mean for each in (a, b) for mean in of_defined_folds(each.scores).mean(axis=1)],
        **options,
    )


def _common_metric(a: ProbeReport, b: ProbeReport, metric: str | None) -> str:
    if metric is None and a.metric != b.metric:
        raise ValueError(f"The reports have different metrics, {a.metric!r} and {b.metric!r}.")
    if a.pos_label != b.pos_label:
        raise ValueError(
            f"The reports have different positive classes, {a.pos_label!r} and {b.pos_label!r}."
        )
    metric = metric or a.metric
    metric = check_metric(_OF_LOSSES.get(metric, metric))
    if metric != "recall_at_fpr":
        return metric
    if a.fpr != b.fpr:
        raise ValueError(f"The reports have different values of fpr, {a.fpr:g} and {b.fpr:g}.")
    return DecisionScorer(metric, a.fpr).name


def _rated(a: ProbeReport, b: ProbeReport, y: NDArray, groups: Any) -> list[HeldOutPredictions]:
    """Return the labels and predictions of reports, of which the rates are those of the reports."""
    pairs = [(y, each.predictions) for each in (a, b)]
    classes = np.union1d(a.classes, b.classes)
    if a.pos_label is not None:
        pairs = [(y == a.pos_label, predicted == a.pos_label) for _, predicted in pairs]
        classes = np.array([False, True])
    return [
        HeldOutPredictions(
            labels,
            np.arange(len(labels)),
            np.zeros(len(labels), dtype=np.intp),
            predicted[np.newaxis],
            None,
            None if groups is None else check_labels(groups, name="groups"),
            classes=classes,
        )
        for labels, predicted in pairs
    ]


def _decisions_of(report: ProbeReport, metric: str, groups: Any) -> HeldOutPredictions:
    """Return the decision values or probabilities of a report as a single fold."""
    classes = np.array(report.classes)
    codes = find_codes(report.labels, classes, name="labels")
    positive = place_of(report.pos_label, classes)
    values: NDArray | None = report.decisions
    is_loss = metric in LOSSES.values()
    if is_loss and report.class_probabilities is not None:
        known = report.class_probabilities  # without labels not seen during training
        every = np.pad(known, ((0, 0), (0, len(classes) - known.shape[1])))
        codes, values = as_problem(codes, every, positive)
    elif is_loss or values is None:
        needs = "probabilities" if is_loss else f"decision values: pass metric={metric!r}"
        raise ValueError(f"A comparison of {metric!r} requires reports with {needs}.")
    elif positive is not None:
        ((is_positive, values),) = problems_of(codes, values, positive)
        codes = is_positive.astype(np.intp)
    n = len(codes)
    return HeldOutPredictions(
        codes,
        np.arange(n),
        np.zeros(n, dtype=np.intp),
        report.predictions[np.newaxis],
        values[np.newaxis],
        None if groups is None else check_labels(groups, name="groups"),
        classes=np.arange(2 if values.ndim == 1 else values.shape[1]),
        are_probabilities=is_loss,
    )


def _common_labels(a: ProbeReport, b: ProbeReport, groups: Any) -> tuple[NDArray, Any]:
    if not np.array_equal(a.labels, b.labels):
        raise ValueError("The reports must be of the same samples, but their labels differ.")
    if groups is None:
        groups = a.sentence_ids
        if b.sentence_ids is not None and groups is not None:
            if not np.array_equal(groups, b.sentence_ids):
                raise ValueError("The sentence_ids of the reports differ.")
        elif b.sentence_ids is not None:
            groups = b.sentence_ids
    return a.labels, groups


def _read_predictions(
    predicted: tuple[Any, Any], y: Any, groups: Any, metric: str | None
) -> tuple[HeldOutPredictions, HeldOutPredictions, str]:
    """Return both predictions as held-out samples of a single fold, and the metric."""
    if y is None:
        if metric is not None:
            raise ValueError("metric requires y. Without y, a and b are scores of the samples.")
        arrays = [
            check_numbers(each, name=name) for each, name in zip(predicted, "ab", strict=True)
        ]
        labels, metric = np.zeros(len(arrays[0])), "mean"
    else:
        labels = check_labels(y, name="y")
        metric = check_metric(metric or ("r2" if labels.dtype.kind == "f" else "accuracy"))
        is_decision = response_of(metric, labels) is not None
        check = check_numbers if is_decision else check_labels
        arrays = [check(each, name=name) for each, name in zip(predicted, "ab", strict=True)]
        if is_decision and len(np.unique(labels)) > 2:
            raise ValueError(
                f"{metric!r} of arrays requires 2 classes, but y contains "
                f"{len(np.unique(labels))}. Pass results of layerwise_scores or reports."
            )
    units = None if groups is None else check_labels(groups, name="groups")
    check_consistent_length(*arrays, labels, units)
    rows, folds = np.arange(len(labels)), np.zeros(len(labels), dtype=np.intp)
    response = response_of(metric, labels)
    if response is not None and response.kind == "probabilities":
        for each, name in zip(arrays, "ab", strict=True):
            if each.min() < 0 or each.max() > 1:
                raise ValueError(f"{metric!r} requires probabilities, but {name} is not in [0, 1].")
    one, other = (
        HeldOutPredictions(
            labels,
            rows,
            folds,
            each[np.newaxis],
            None if response is None else each[np.newaxis],
            units,
            are_probabilities=response is not None and response.kind == "probabilities",
        )
        for each in arrays
    )
    return one, other, metric
