"""Scores of a probe, and their bootstrap over sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, r2_score

from .._labels import check_labels, check_numbers
from .._validation import own_copy
from .metrics import compute_score

# Cells of a matrix, resamples x sentences, that is held at a time.
_AT_ONCE = 2**20
# A sum of squares this much smaller than its terms is the rounding of a constant.
_ROUNDING = 1e-12
_NAMED = 20  # labels in a message
_FEW = 5  # sentences: resamples of fewer with a class say nothing of how sure its score is
_AVERAGED = {"f1_macro": "macro", "f1_weighted": "weighted"}
BINARY_METRICS = ("f1", "accuracy_and_f1")
CLASSIFIER_METRICS = ("accuracy", *BINARY_METRICS, "matthews_corrcoef", *_AVERAGED)
REGRESSOR_METRICS = ("r2", "pearson", "spearman")


class Score(NamedTuple):
    """A score and its bootstrap interval.

    `low` and `high` are None for a single sentence, where no resample has the score, and for a
    class that is in fewer than five sentences.
    """

    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        interval = "" if self.low is None else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{interval}"


class ClassScore(NamedTuple):
    """Scores of one class; None where they are not defined.

    A class without a word in y has no score, one that is never predicted no precision.
    """

    label: Any
    precision: float | None
    recall: float | None
    f1: Score | None
    support: int
    n_predicted: int


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn."""

    n_bootstraps: int
    confidence: float
    seed: int

    def draw(
        self, cells: NDArray, sentences: NDArray | None, statistics: Callable[..., NDArray]
    ) -> NDArray | None:
        """Draw whole sentences with replacement, and compute statistics of each resample.

        ``statistics(weights, counts)`` gets how often each kind of sentence was drawn,
        (n_resamples, n_kinds), and how often each cell is in it, (n_kinds, n_cells), and gives
        (n_resamples, n_statistics). For a single sentence there is nothing to draw: None.
        """
        copies, counts = _kinds_of_sentences(cells, sentences)
        if copies.sum() < 2:
            return None
        random = np.random.RandomState(self.seed)
        step = max(1, _AT_ONCE // max(counts.shape))
        parts = []
        for start in range(0, self.n_bootstraps, step):
            size = min(step, self.n_bootstraps - start)
            parts.append(statistics(_draw_weights(random, copies, size), counts))
        return np.concatenate(parts)

    def score(self, value: float, drawn: NDArray | None) -> Score:
        """Add the percentiles of what was drawn; resamples where it is undefined do not count."""
        if drawn is None or np.isnan(drawn).all():
            return Score(float(value), None, None)
        tail = (1 - self.confidence) / 2
        low, high = np.nanquantile(drawn, [tail, 1 - tail])
        return Score(float(value), float(low), float(high))


def score_labels(estimator, X, y, sentences, metric, resampling, rows_of_parts):
    """Score a classifier: on parts of the words, and fields of its report."""
    classes = np.asarray(estimator.classes_)
    true = _codes(y, classes, "y")
    predictions = check_labels(estimator.predict(own_copy(X)), name="the prediction")
    predicted = _codes(predictions, classes, "the prediction")
    names = list(dict.fromkeys([metric, "accuracy"]))

    def score(rows, names):
        """Scores by name, and the sums of the resamples."""
        cells = true[rows] * len(classes) + predicted[rows]
        sums = _class_sums(cells, _of(sentences, rows), len(classes), resampling)
        return {
            name: resampling.score(
                _value(name, y[rows], predictions[rows]), _drawn(name, sums, classes)
            )
            for name in names
        }, sums

    scores, sums = score(np.arange(len(y)), names)
    parts = [score(rows, [metric])[0][metric] if len(rows) else None for rows in rows_of_parts]
    support = np.bincount(true, minlength=len(classes))
    return parts, {
        "scores": scores,
        "predictions": predictions,
        "probabilities": _probabilities(estimator, X, predicted, len(classes)),
        "per_class": _class_scores(true, predicted, classes, sentences, sums, resampling),
        "confusion_matrix": confusion_matrix(true, predicted, labels=np.arange(len(classes))),
        "majority": (classes.tolist()[support.argmax()], float(support.max() / len(y))),
    }


def _class_sums(cells, sentences, n_classes, resampling):
    """Words right, of and predicted as each class: thrice (n_bootstraps, n_classes)."""
    true, predicted = np.divmod(np.unique(cells), n_classes)
    right = true[true == predicted], np.flatnonzero(true == predicted)
    rows = np.concatenate([right[1], np.arange(len(true)), np.arange(len(true))])
    columns = np.concatenate([right[0], true + n_classes, predicted + 2 * n_classes])
    shape = (len(true), 3 * n_classes)
    features = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    sums = resampling.draw(cells, sentences, lambda weights, counts: weights @ (counts @ features))
    return None if sums is None else np.split(sums, 3, axis=1)


def _value(metric, y, predictions):
    if metric in _AVERAGED:
        return compute_score(y, predictions, "f1", average=_AVERAGED[metric])
    return compute_score(y, predictions, metric)


def _drawn(metric, sums, classes):
    if sums is None:
        return None
    if metric not in BINARY_METRICS:
        return _many_of_labels(metric, *sums)
    f1 = np.nan_to_num(_many_of_labels("f1", *sums)[:, classes.tolist().index(1)])
    return f1 if metric == "f1" else (f1 + _many_of_labels("accuracy", *sums)) / 2


def _class_scores(true, predicted, classes, sentences, sums, resampling):
    every = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=every, zero_division=np.nan
    )
    n_predicted = np.bincount(predicted, minlength=len(classes))
    drawn = None if sums is None else _many_of_labels("f1", *sums)
    if drawn is not None:  # without a word of the class there is no recall either
        drawn[sums[1] == 0] = np.nan
    scores = []
    for i, label in enumerate(classes.tolist()):
        there, column = bool(support[i]), None if drawn is None else drawn[:, i]
        if _n_sentences(true == i, sentences) < _FEW:
            column = None
        scores.append(
            ClassScore(
                label=label,
                precision=float(precision[i]) if there and n_predicted[i] else None,
                recall=float(recall[i]) if there else None,
                f1=resampling.score(f1[i], column) if there else None,
                support=int(support[i]),
                n_predicted=int(n_predicted[i]),
            )
        )
    return tuple(scores)


def _n_sentences(rows, sentences) -> int:
    return int(rows.sum()) if sentences is None else len(np.unique(sentences[rows]))


def _probabilities(estimator, X, predicted, n_classes):
    if not hasattr(estimator, "predict_proba"):
        return None
    probabilities = np.asarray(estimator.predict_proba(own_copy(X)))
    if probabilities.shape != (len(predicted), n_classes):
        raise ValueError(
            f"predict_proba must give shape {(len(predicted), n_classes)}, got "
            f"{probabilities.shape}."
        )
    return probabilities[np.arange(len(predicted)), predicted]


def _codes(labels, classes, name):
    """Index of each label among the classes of the estimator."""
    index = {label: code for code, label in enumerate(classes.tolist())}
    found, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    found = found.tolist()
    unknown = [i for i, label in enumerate(found) if label not in index]
    if unknown:
        named = ", ".join(f"{found[i]!r} ({counts[i]} words)" for i in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise ValueError(
            f"{name} holds labels that the estimator was not trained on: {named}{more}. It knows "
            f"{classes.tolist()[:_NAMED]}{' ...' if len(classes) > _NAMED else ''}."
        )
    return np.array([index[label] for label in found])[inverse]


def score_numbers(estimator, X, y, sentences, metric, resampling, rows_of_parts):
    """Score a regressor: on parts of the words, and fields of its report."""
    if len(y) < 2:
        raise ValueError("The scores of a regressor need at least two words, got 1.")
    predictions = check_numbers(estimator.predict(own_copy(X)), name="the prediction")
    pairs = np.column_stack([y, predictions])

    def score(rows, metrics):
        kinds, cells = np.unique(pairs[rows], axis=0, return_inverse=True)
        cells = cells.ravel()  # numpy 2.0 has them in a column
        drawn = resampling.draw(cells, _of(sentences, rows), _number_statistics(metrics, *kinds.T))
        scores = {}
        for column, metric in enumerate(metrics):
            value = r2_score if metric == "r2" else partial(compute_score, metric=metric)
            of_resamples = None if drawn is None else drawn[:, column]
            scores[metric] = resampling.score(value(y[rows], predictions[rows]), of_resamples)
        return scores

    parts = [score(rows, [metric])[metric] if len(rows) > 1 else None for rows in rows_of_parts]
    scores = score(np.arange(len(y)), REGRESSOR_METRICS)
    return parts, {"scores": scores, "predictions": predictions}


def _number_statistics(metrics, t, p):
    """Make what computes metrics of resamples, one a column, where the cells are pairs (t, p)."""
    errors = (t - p) ** 2
    t, p = t - t.mean(), p - p.mean()  # sums of squares are the more exact about the mean
    features = np.column_stack([np.ones_like(t), t, p, t * t, p * p, t * p, errors])

    def statistics(weights, counts):
        moments = weights @ (counts @ features)
        columns = [
            _many_spearman(weights @ counts, t, p)
            if metric == "spearman"
            else _many_of_moments(metric, moments)
            for metric in metrics
        ]
        return np.column_stack(columns)

    return statistics


def _kinds_of_sentences(cells, sentences):
    """Count how many sentences are of each kind, and how often each cell is in a kind.

    Sentences with the same cells are exchangeable: fewer numbers need be drawn. Kinds are in the
    order of their content, so that the order of the words changes no draw.
    """
    cells = np.unique(cells, return_inverse=True)[1]
    if sentences is None:
        kinds, copies = [np.array([cell]) for cell in range(cells.max() + 1)], np.bincount(cells)
    else:
        codes = np.unique(sentences, return_inverse=True)[1]
        order = np.lexsort([cells, codes])
        grouped = np.split(cells[order], np.flatnonzero(np.diff(codes[order])) + 1)
        found = Counter(tuple(sentence.tolist()) for sentence in grouped)
        kinds = [np.array(kind) for kind in sorted(found)]
        copies = np.array([found[kind] for kind in sorted(found)])
    rows = np.repeat(np.arange(len(kinds)), [len(kind) for kind in kinds])
    entries = (np.ones(len(rows)), (rows, np.concatenate(kinds)))
    return copies, csr_array(entries, shape=(len(kinds), cells.max() + 1))


def _draw_weights(random, copies, size):
    """How often each kind is among as many sentences as there are, (size, n_kinds)."""
    total = copies.sum()
    if len(copies) * 8 < total:
        return random.multinomial(total, copies / total, size=size).astype(float)
    kinds = np.repeat(np.arange(len(copies)), copies)  # the same law, faster for many kinds
    draws = (kinds[random.randint(total, size=total)] for _ in range(size))
    return np.array([np.bincount(draw, minlength=len(copies)) for draw in draws], dtype=float)


def _of(values, rows):
    return None if values is None else values[rows]


def _many_of_labels(metric: str, right: NDArray, true: NDArray, predicted: NDArray) -> NDArray:
    """Compute a metric of many resamples from their counts of each class, (n_resamples, n_classes).

    Of the words of each class that are `right`, `true` of it, and `predicted` as it. "f1" is that
    of each class, NaN where the class is in neither.
    """
    n = true.sum(axis=1)
    if metric == "accuracy":
        return right.sum(axis=1) / n
    if metric == "matthews_corrcoef":  # Gorodkin's form needs no more than the margins
        covariance = right.sum(axis=1) * n - (true * predicted).sum(axis=1)
        variances = [n**2 - (counts**2).sum(axis=1) for counts in (true, predicted)]
        return _ratio(covariance, np.sqrt(variances[0] * variances[1]), 0.0)
    by_class = _ratio(2 * right, true + predicted, np.nan)
    if metric == "f1_macro":
        return np.nanmean(by_class, axis=1)
    if metric == "f1_weighted":
        return (np.nan_to_num(by_class) * true).sum(axis=1) / n
    return by_class


def _many_of_moments(metric: str, moments: NDArray) -> NDArray:
    """Compute "pearson" or "r2" of many resamples.

    The columns of `moments` are the sums of 1, t, p, tt, pp, tp for targets t and predictions p,
    and of the squared errors.
    """
    n, t, p, tt, pp, tp, errors = moments.T
    variance_t, variance_p = _centred(tt, t, n), _centred(pp, p, n)
    if metric == "pearson":
        bottom = np.sqrt(variance_t * variance_p)
        return np.clip(_ratio(tp - t * p / n, bottom, 0.0), -1, 1)
    of_constant = np.where(errors == 0, 0.0, 1.0)  # 1 - R2, as in sklearn.metrics.r2_score
    return 1 - np.divide(errors, variance_t, out=of_constant, where=variance_t > 0)


def _many_spearman(weights: NDArray, y_true: NDArray, y_pred: NDArray) -> NDArray:
    """Compute Spearman's correlation of many resamples.

    Parameters
    ----------
    weights : ndarray of shape (n_resamples, n_pairs)
        How often each pair of a target and a prediction is in the resample.
    y_true, y_pred : ndarray of shape (n_pairs,)
        The pairs.

    Returns
    -------
    ndarray of shape (n_resamples,)
    """
    one, other = _centred_ranks(weights, y_true), _centred_ranks(weights, y_pred)
    bottom = np.einsum("ij,ij,ij->i", weights, one, one)
    bottom *= np.einsum("ij,ij,ij->i", weights, other, other)
    return _ratio(np.einsum("ij,ij,ij->i", weights, one, other), np.sqrt(bottom), 0.0)


def _centred_ranks(weights: NDArray, values: NDArray) -> NDArray:
    """Mean ranks in each resample, minus their mean, which is half the number of words."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    order = np.argsort(codes, kind="stable")
    copies = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.cumsum(copies, axis=1) - copies / 2
    ranks -= copies.sum(axis=1, keepdims=True) / 2
    return ranks[:, codes]


def _centred(squares: NDArray, total: NDArray, n: NDArray) -> NDArray:
    variance = squares - total**2 / n
    return np.where(variance > _ROUNDING * squares, variance, 0)


def _ratio(top: NDArray, bottom: NDArray, otherwise: float) -> NDArray:
    return np.divide(top, bottom, out=np.full(np.shape(bottom), otherwise), where=bottom > 0)
