"""Scores of a fitted classifier or regressor, for its report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, r2_score

from .._bootstrap import Resampling, Score
from .._labels import find_codes
from .._results import check_probabilities, classes_of, predictions_of
from .._validation import own_copy
from ._resampled_metrics import label_metric, number_metrics
from .metrics import compute_score

# Below this number of sentences, a class has no interval: it would be too narrow.
_MIN_SENTENCES = 5
_AVERAGED = {"f1_macro": "macro", "f1_weighted": "weighted"}
BINARY_METRICS = ("f1", "accuracy_and_f1")
CLASSIFIER_METRICS = ("accuracy", *BINARY_METRICS, "matthews_corrcoef", *_AVERAGED)
REGRESSOR_METRICS = ("r2", "pearson", "spearman")


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
    metric: str,
    resampling: Resampling,
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
    classes = classes_of(estimator)
    true = find_codes(y, classes, name="y")
    predictions = predictions_of(estimator, own_copy(X), len(y))
    predicted = find_codes(predictions, classes, name="predict(X)")
    names = list(dict.fromkeys([metric, "accuracy"]))

    def score(rows: NDArray[np.intp], names: list[str]) -> tuple[dict[str, Score], Any]:
        cells = true[rows] * len(classes) + predicted[rows]
        sums = class_sums(cells, _take(sentences, rows), len(classes), resampling)
        return {
            name: resampling.score(
                _value(name, y[rows], predictions[rows]), resampled_scores(name, sums, classes)
            )
            for name in names
        }, sums

    scores, sums = score(np.arange(len(y)), names)
    on_parts = [score(rows, [metric])[0][metric] if len(rows) else None for rows in parts]
    support = np.bincount(true, minlength=len(classes))
    return on_parts, {
        "scores": scores,
        "predictions": predictions,
        "probabilities": _probabilities(estimator, X, predicted, len(classes)),
        "per_class": _class_scores(true, predicted, classes, sentences, sums, resampling),
        "confusion_matrix": confusion_matrix(true, predicted, labels=np.arange(len(classes))),
        "majority": (classes.tolist()[support.argmax()], float(support.max() / len(y))),
    }


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


def _probabilities(
    estimator: Any, X: Any, predicted: NDArray[np.intp], n_classes: int
) -> NDArray[np.float64] | None:
    if not hasattr(estimator, "predict_proba"):
        return None
    found = estimator.predict_proba(own_copy(X))
    return check_probabilities(found, len(predicted), n_classes)[
        np.arange(len(predicted)), predicted
    ]


def score_numbers(
    estimator: Any,
    X: Any,
    y: NDArray,
    sentences: NDArray | None,
    metric: str,
    resampling: Resampling,
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
        drawn = resampling.draw(cells, _take(sentences, rows), number_metrics(metrics, *kinds.T))
        scores = {}
        for column, metric in enumerate(metrics):
            value = r2_score if metric == "r2" else partial(compute_score, metric=metric)
            of_resamples = None if drawn is None else drawn[:, column]
            scores[metric] = resampling.score(value(y[rows], predictions[rows]), of_resamples)
        return scores

    on_parts = [score(rows, [metric])[metric] if len(rows) > 1 else None for rows in parts]
    scores = score(np.arange(len(y)), REGRESSOR_METRICS)
    return on_parts, {"scores": scores, "predictions": predictions}


def _take(values: NDArray | None, rows: NDArray[np.intp]) -> NDArray | None:
    return None if values is None else values[rows]
