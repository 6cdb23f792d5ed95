"""Scores of a fitted classifier or regressor, for its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, r2_score

from .._bootstrap import Resampling, Score
from .._labels import find_codes, kind_of
from .._rare_labels import warn_about_unseen_labels
from .._results import classes_of, predictions_of
from .._row_copies import own_copy
from ._decision_scores import DECISION_METRICS, Decisions, score_decisions, undefined
from ._probability_losses import LOSSES
from ._ranked_metrics import RANKED_METRICS, mean_over_classes
from ._resampled_metrics import (
    ERROR_METRICS,
    RATE_METRICS,
    label_metric,
    many_of_moments,
    moment_features,
    number_metrics,
)
from ._responses import decisions_of, probabilities_of
from .metrics import compute_score

# Below this number of sentences, a class has no interval: it would be too narrow.
_MIN_SENTENCES = 5
_AVERAGED = {"f1_macro": "macro", "f1_weighted": "weighted"}
BINARY_METRICS = ("f1", "accuracy_and_f1")
LABEL_METRICS = ("accuracy", *BINARY_METRICS, "matthews_corrcoef", *_AVERAGED)
CLASSIFIER_METRICS = (*LABEL_METRICS, *RATE_METRICS, *DECISION_METRICS)
REGRESSOR_METRICS = ("r2", "pearson", "spearman", *ERROR_METRICS)


class Settings(NamedTuple):
    """What to compute.

    Parameters
    ----------
    metrics : tuple of str
        The first one is the main metric.
    positive : int or None
        The positive class. If None, the second of two classes, or each of more classes.
    fpr : float
        Largest false positive rate of "recall_at_fpr".
    resampling : Resampling
    """

    metrics: tuple[str, ...]
    positive: int | None
    fpr: float
    resampling: Resampling


class ClassScore(NamedTuple):
    """Scores of one class, which are None if undefined.

    A class that does not occur in y has no scores. A class that is never predicted has no
    precision.
    """

    label: Any
    precision: float | None
    recall: float | None
    f1: Score | None
    support: int
    n_predicted: int


def score_labels(
    estimator: Any,
    X: Any,
    y: NDArray,
    sentences: NDArray | None,
    settings: Settings,
    parts: Sequence[NDArray[np.intp]],
) -> tuple[list[Score | None], dict[str, Any]]:
    """Score a classifier.

    Returns
    -------
    scores : list of Score or None
        Scores on the parts of the samples, given by their rows.
    fields : dict
        Fields of the ProbeReport.
    """
    known = classes_of(estimator)
    classes = _with_unseen(known, y)
    true = find_codes(y, classes, name="y")
    predictions = predictions_of(estimator, own_copy(X), len(y))
    predicted = find_codes(predictions, known, name="predict(X)")
    resampling = settings.resampling
    names = tuple(dict.fromkeys([*settings.metrics, "accuracy"]))
    given = _respond(estimator, X, true, known, classes, names, settings)

    def score(rows: NDArray[np.intp], names: Sequence[str]) -> tuple[dict[str, Score], Any]:
        cells = true[rows] * len(classes) + predicted[rows]
        some = _take(sentences, rows)
        sums = class_sums(cells, some, len(classes), resampling)
        of_labels = {
            name: _score_rate(name, true[rows], predicted[rows], sums, len(classes), settings)
            if name in RATE_METRICS
            else resampling.score(
                _binary_value(name, true[rows], predicted[rows], classes)
                if name in BINARY_METRICS
                else _value(name, y[rows], predictions[rows]),
                resampled_scores(name, sums, classes),
            )
            for name in names
            if name not in DECISION_METRICS
        }
        others = [name for name in names if name in DECISION_METRICS]
        of_decisions = score_decisions(others, given.take(rows), some, resampling) if others else {}
        found = of_labels | of_decisions
        return {name: found[name] for name in names}, sums

    scores, sums = score(np.arange(len(y)), names)
    main = settings.metrics[:1]
    on_parts = [
        score(rows, main)[0][main[0]] if _is_defined(main[0], true[rows], settings) else None
        for rows in parts
    ]
    support = np.bincount(true, minlength=len(classes))
    every = np.arange(len(y))
    of_classes = None if given.probabilities is None else given.probabilities[:, : len(known)]
    return on_parts, {
        "scores": scores,
        "predictions": predictions,
        "probabilities": None if of_classes is None else of_classes[every, predicted],
        "class_probabilities": of_classes,
        "decisions": given.decisions,
        "per_class": _class_scores(true, predicted, classes, sentences, sums, resampling),
        "confusion_matrix": confusion_matrix(true, predicted, labels=np.arange(len(classes))),
        "majority": (classes.tolist()[support.argmax()], float(support.max() / len(y))),
    }


def _with_unseen(known: NDArray, y: NDArray) -> NDArray:
    """Return the classes of the probe, followed by the labels that it has not seen.

    Their samples are errors. Labels of another kind are not among the classes, and cause an error.
    """
    if kind_of(y.tolist()[0]) != kind_of(known.tolist()[0]):
        return known
    return np.concatenate([known, warn_about_unseen_labels(y, known)])


def _respond(
    estimator: Any,
    X: Any,
    true: NDArray[np.intp],
    known: NDArray,
    classes: NDArray,
    names: Sequence[str],
    settings: Settings,
) -> Decisions:
    """Return the decision values and probabilities of a classifier, as far as they are needed.

    Their columns are those of `classes`, the known ones followed by the others.
    """
    decisions = probabilities = None
    if any(name in RANKED_METRICS for name in names):
        order = np.argsort(classes, kind="stable")
        decisions = decisions_of(estimator, X, classes[order])
        if decisions.ndim > 1:
            decisions = decisions[:, np.argsort(order)]
        elif order[0] > 0:
            decisions = -decisions
    if hasattr(estimator, "predict_proba") or any(name in LOSSES for name in names):
        of_known = probabilities_of(estimator, X, known)
        probabilities = np.pad(of_known, ((0, 0), (0, len(classes) - len(known))))
    return Decisions(true, decisions, probabilities, settings.positive, settings.fpr)


def _is_defined(name: str, true: NDArray[np.intp], settings: Settings) -> bool:
    """Return whether a metric is defined for a part of the samples."""
    if name not in (*RANKED_METRICS, *RATE_METRICS):
        return len(true) > 0
    if settings.positive is None:
        return len(np.unique(true)) > 1
    return 0 < (true == settings.positive).sum() < len(true)


def _score_rate(
    name: str,
    true: NDArray[np.intp],
    predicted: NDArray[np.intp],
    sums: list[NDArray] | None,
    n_classes: int,
    settings: Settings,
) -> Score:
    """Score the labels of the positive class, or of each class."""
    positive = settings.positive
    if positive is None and n_classes == 2:
        positive = 1

    def rate(correct: NDArray, of_true: NDArray, of_predicted: NDArray) -> NDArray:
        each = label_metric(name, correct, of_true, of_predicted)
        return mean_over_classes(each) if positive is None else each[:, positive]

    value = float(rate(*_counts(true, predicted, n_classes))[0])
    if np.isnan(value):
        raise ValueError(undefined(name, len(true)))
    return settings.resampling.score(value, None if sums is None else rate(*sums))


def _counts(
    true: NDArray[np.intp], predicted: NDArray[np.intp], n_classes: int
) -> list[NDArray[np.float64]]:
    """Count the correct, true and predicted samples of each class, (1, n_classes) each."""
    return [
        np.bincount(codes, minlength=n_classes)[np.newaxis].astype(float)
        for codes in (true[true == predicted], true, predicted)
    ]


def class_sums(
    cells: NDArray[np.intp], sentences: NDArray | None, n_classes: int, resampling: Resampling
) -> list[NDArray] | None:
    """Count the correct, true and predicted samples of each class in each resample.

    Returns
    -------
    list of three ndarrays of shape (n_bootstraps, n_classes), or None
    """
    true, predicted = np.divmod(np.unique(cells), n_classes)
    diagonal = np.flatnonzero(true == predicted)
    rows = np.concatenate([diagonal, np.arange(len(true)), np.arange(len(true))])
    columns = np.concatenate([true[diagonal], true + n_classes, predicted + 2 * n_classes])
    shape = (len(true), 3 * n_classes)
    features = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    sums = resampling.draw(cells, sentences, lambda weights, counts: weights @ (counts @ features))
    return None if sums is None else np.split(sums, 3, axis=1)


def _binary_value(
    metric: str, true: NDArray[np.intp], predicted: NDArray[np.intp], classes: NDArray
) -> float:
    """Return a metric of BINARY_METRICS. Labels other than its two classes are errors."""
    values = resampled_scores(metric, _counts(true, predicted, len(classes)), classes)
    assert values is not None
    return float(values[0])


def _value(metric: str, y: NDArray, predictions: NDArray) -> float:
    if metric in _AVERAGED:
        return compute_score(y, predictions, "f1", average=_AVERAGED[metric])
    return compute_score(y, predictions, metric)


def resampled_scores(metric: str, sums: list[NDArray] | None, classes: NDArray) -> NDArray | None:
    """Return a metric of each resample, from the result of :func:`class_sums`."""
    if sums is None:
        return None
    if metric not in BINARY_METRICS:
        return label_metric(metric, *sums)
    f1 = np.nan_to_num(label_metric("f1", *sums)[:, classes.tolist().index(1)])
    return f1 if metric == "f1" else (f1 + label_metric("accuracy", *sums)) / 2


def _class_scores(
    true: NDArray[np.intp],
    predicted: NDArray[np.intp],
    classes: NDArray,
    sentences: NDArray | None,
    sums: list[NDArray] | None,
    resampling: Resampling,
) -> tuple[ClassScore, ...]:
    every = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=every, zero_division=np.nan
    )
    n_predicted = np.bincount(predicted, minlength=len(classes))
    drawn = None if sums is None else label_metric("f1", *sums)
    if drawn is not None and sums is not None:
        drawn[sums[1] == 0] = np.nan  # recall is undefined in resamples without the class
    scores = []
    for i, label in enumerate(classes.tolist()):
        occurs, column = bool(support[i]), None if drawn is None else drawn[:, i]
        if _n_sentences(true == i, sentences) < _MIN_SENTENCES:
            column = None
        scores.append(
            ClassScore(
                label=label,
                precision=float(precision[i]) if occurs and n_predicted[i] else None,
                recall=float(recall[i]) if occurs else None,
                f1=resampling.score(f1[i], column) if occurs else None,
                support=int(support[i]),
                n_predicted=int(n_predicted[i]),
            )
        )
    return tuple(scores)


def _n_sentences(rows: NDArray[np.bool_], sentences: NDArray | None) -> int:
    return int(rows.sum()) if sentences is None else len(np.unique(sentences[rows]))


def score_numbers(
    estimator: Any,
    X: Any,
    y: NDArray,
    sentences: NDArray | None,
    settings: Settings,
    parts: Sequence[NDArray[np.intp]],
) -> tuple[list[Score | None], dict[str, Any]]:
    """Score a regressor, as :func:`score_labels` does for a classifier."""
    if len(y) < 2:
        raise ValueError("The scores of a regressor require at least 2 samples, got 1.")
    predictions = predictions_of(estimator, own_copy(X), len(y))
    pairs = np.column_stack([y, predictions])

    def score(rows: NDArray[np.intp], metrics: Sequence[str]) -> dict[str, Score]:
        kinds, cells = np.unique(pairs[rows], axis=0, return_inverse=True)
        cells = cells.ravel()  # NumPy 2.0 returns a column
        drawn = settings.resampling.draw(
            cells, _take(sentences, rows), number_metrics(metrics, *kinds.T)
        )
        scores = {}
        for column, metric in enumerate(metrics):
            of_resamples = None if drawn is None else drawn[:, column]
            value = _number_value(metric, y[rows], predictions[rows])
            scores[metric] = settings.resampling.score(value, of_resamples)
        return scores

    main = settings.metrics[0]
    on_parts = [score(rows, [main])[main] if len(rows) > 1 else None for rows in parts]
    names = dict.fromkeys([*settings.metrics, *REGRESSOR_METRICS])
    return on_parts, {
        "scores": score(np.arange(len(y)), list(names)),
        "predictions": predictions,
        "majority": (float(y.mean()), float(y.std())),
    }


def _number_value(metric: str, y: NDArray, predictions: NDArray) -> float:
    if metric == "r2":
        return r2_score(y, predictions)
    if metric in ERROR_METRICS:
        moments = moment_features(y, predictions).sum(axis=0, keepdims=True)
        return float(many_of_moments(metric, moments)[0])
    return compute_score(y, predictions, metric)


def _take(values: NDArray | None, rows: NDArray[np.intp]) -> NDArray | None:
    return None if values is None else values[rows]
