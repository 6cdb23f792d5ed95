"""NeuroX's seven metrics, as functions and as scorers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import numpy as np
import sklearn.metrics
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from .._labels import check_labels, check_numbers, kind_of

# Deviations smaller than this share of the mean are rounding; it is scipy's own limit.
_CONSTANT = 1e-13
_FOR_CLASSES = "accuracy, f1, accuracy_and_f1 or matthews_corrcoef"
_FOR_NUMBERS = "pearson, spearman or pearson_and_spearman"


def accuracy_and_f1(
    y_true,
    y_pred,
    *,
    average: str = "binary",
    pos_label=1,
    zero_division: float = 0.0,
    sample_weight=None,
) -> float:
    """Mean of accuracy and F1.

    Parameters
    ----------
    y_true : array-like of shape (n_words,)
        Labels.
    y_pred : array-like of shape (n_words,)
        Predicted labels.
    average : {"binary", "micro", "macro", "weighted"}, default="binary"
        As in ``sklearn.metrics.f1_score``. "binary" is the F1 of `pos_label`, for two classes;
        for more, say which average is meant.
    pos_label : label, default=1
        The positive class of "binary".
    zero_division : float, default=0.0
        F1 of a class that is neither in y_true nor in y_pred.
    sample_weight : array-like of shape (n_words,), default=None
        Weights of the words.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If labels of different kinds are mixed.
    ValueError
        If lengths differ, there are no words, a label is NaN, the numbers are no classes, or
        "binary" is asked of more than two classes.

    Examples
    --------
    >>> from sklearn_neurox import accuracy_and_f1
    >>> accuracy_and_f1([1, 1, 0, 0], [1, 1, 0, 1])  # 0.75 and 0.8
    0.775
    """
    options = {"average": average, "pos_label": pos_label, "zero_division": zero_division}
    y_true, y_pred = _two_of_labels(y_true, y_pred, "accuracy_and_f1")
    f1_of_both = f1(y_true, y_pred, sample_weight=sample_weight, **options)
    return (accuracy(y_true, y_pred, sample_weight=sample_weight) + f1_of_both) / 2


def pearson(y_true, y_pred, *, sample_weight=None) -> float:
    """Pearson correlation.

    It is 0.0, by definition, where the targets or the predictions are constant, also up to
    rounding: such a prediction explains nothing. scipy's NaN and warning would spoil a search.

    Parameters
    ----------
    y_true : array-like of shape (n_words,)
        Numbers.
    y_pred : array-like of shape (n_words,)
        Predicted numbers.
    sample_weight : array-like of shape (n_words,), default=None
        Weights of the words.

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    TypeError
        If they are no numbers.
    ValueError
        If lengths differ, there are no words, or a number is NaN or infinite.

    Examples
    --------
    >>> from sklearn_neurox import pearson
    >>> round(pearson([1, 2, 3], [2, 4, 9]), 3)
    0.971
    >>> pearson([1, 2, 3], [5, 5, 5])
    0.0
    """
    y_true, y_pred = _two_of_numbers(y_true, y_pred, "pearson")
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, y_true, ensure_non_negative=True)
        y_true, y_pred, weight = y_true[weight > 0], y_pred[weight > 0], weight[weight > 0]
    if _is_constant(y_true) or _is_constant(y_pred):
        return 0.0
    if sample_weight is None:
        return float(pearsonr(y_true, y_pred).statistic)
    covariance = np.cov(y_true, y_pred, aweights=weight)
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def spearman(y_true, y_pred) -> float:
    """Spearman correlation: Pearson's of the ranks, equal numbers having their mean rank.

    It is 0.0, by definition, where the targets or the predictions are constant.

    Parameters
    ----------
    y_true : array-like of shape (n_words,)
        Numbers.
    y_pred : array-like of shape (n_words,)
        Predicted numbers.

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    TypeError, ValueError
        As :func:`pearson`.

    Examples
    --------
    >>> from sklearn_neurox import spearman
    >>> round(spearman([1, 2, 3], [2, 4, 9]), 6)
    1.0
    """
    y_true, y_pred = _two_of_numbers(y_true, y_pred, "spearman")
    if np.ptp(y_true) == 0 or np.ptp(y_pred) == 0:  # ranks know no rounding
        return 0.0
    return float(spearmanr(y_true, y_pred).statistic)


def pearson_and_spearman(y_true, y_pred) -> float:
    """Mean of the Pearson and the Spearman correlation.

    Parameters
    ----------
    y_true : array-like of shape (n_words,)
        Numbers.
    y_pred : array-like of shape (n_words,)
        Predicted numbers.

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    TypeError, ValueError
        As :func:`pearson`.

    Examples
    --------
    >>> from sklearn_neurox import pearson_and_spearman
    >>> round(pearson_and_spearman([1, 2, 3], [2, 4, 9]), 3)
    0.985
    """
    y_true, y_pred = _two_of_numbers(y_true, y_pred, "pearson_and_spearman")
    return (pearson(y_true, y_pred) + spearman(y_true, y_pred)) / 2


def accuracy(y_true, y_pred, *, sample_weight=None) -> float:
    """Share of the words with the right label."""
    y_true, y_pred = _two_of_labels(y_true, y_pred, "accuracy")
    return float(accuracy_score(y_true, y_pred, sample_weight=sample_weight))


def f1(
    y_true, y_pred, *, average="binary", pos_label=1, zero_division=0.0, sample_weight=None
) -> float:
    """F1, of one class or as a mean over classes; see :func:`accuracy_and_f1`."""
    if average not in ("binary", "micro", "macro", "weighted"):
        raise ValueError(
            f"average must be 'binary', 'micro', 'macro' or 'weighted', got {average!r}."
        )
    y_true, y_pred = _two_of_labels(y_true, y_pred, "f1")
    if average == "binary":
        _check_binary(y_true, y_pred, pos_label)
    options = {
        "average": average,
        "zero_division": zero_division,
        "sample_weight": sample_weight,
    }
    # scikit-learn warns of a pos_label that it does not need.
    positive = pos_label if average == "binary" else 1
    return float(f1_score(y_true, y_pred, pos_label=positive, **options))


def matthews_corrcoef(y_true, y_pred, *, sample_weight=None) -> float:
    """Matthews correlation, 0.0 where the labels or the predictions are all the same."""
    y_true, y_pred = _two_of_labels(y_true, y_pred, "matthews_corrcoef")
    if len(np.unique(y_true)) == 1 or len(np.unique(y_pred)) == 1:
        return 0.0  # as scikit-learn has it, without its warning
    return float(sklearn.metrics.matthews_corrcoef(y_true, y_pred, sample_weight=sample_weight))


METRICS: dict[str, Callable[..., float]] = {
    "accuracy": accuracy,
    "f1": f1,
    "accuracy_and_f1": accuracy_and_f1,
    "pearson": pearson,
    "spearman": spearman,
    "pearson_and_spearman": pearson_and_spearman,
    "matthews_corrcoef": matthews_corrcoef,
}


def compute_score(y_true, y_pred, metric: str, **options) -> float:
    """Score predictions by one of NeuroX's metrics.

    Parameters
    ----------
    y_true : array-like of shape (n_words,)
        Labels or numbers. A column, (n_words, 1), is taken as one dimension.
    y_pred : array-like of shape (n_words,)
        Predictions.
    metric : str
        "accuracy", "f1", "accuracy_and_f1" and "matthews_corrcoef" compare labels, "pearson",
        "spearman" and "pearson_and_spearman" numbers.
    **options
        `average`, `pos_label` and `zero_division` of "f1" and "accuracy_and_f1", see
        :func:`accuracy_and_f1`; and `sample_weight` of all but the rank correlations.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        For an option that the metric does not have, and for labels of mixed kinds.
    ValueError
        If the metric is unknown or does not fit the targets, lengths differ, there are no words,
        or there is a NaN or an infinity.

    Examples
    --------
    >>> from sklearn_neurox import compute_score
    >>> tags, predicted = ["NOUN", "VERB", "NOUN"], ["NOUN", "NOUN", "NOUN"]
    >>> round(compute_score(tags, predicted, "f1", average="macro"), 2)
    0.4
    >>> compute_score(tags, predicted, "f1", pos_label="NOUN")
    0.8
    """
    if not isinstance(metric, str) or metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}; got {metric!r}.")
    _check_options(metric, options)
    return METRICS[metric](y_true, y_pred, **options)


def get_scorer(name: str, **options) -> Any:
    """Make a scorer for ``cross_val_score``, ``GridSearchCV`` and the like.

    Parameters
    ----------
    name : str
        A metric of :func:`compute_score`, or any name of ``sklearn.metrics.get_scorer_names``.
    **options
        Of the metric, as in :func:`compute_score`; scikit-learn's own scorers have none.

    Returns
    -------
    callable
        Called with an estimator, X and y; the greater, the better.

    Raises
    ------
    TypeError
        If `name` is no string, or for an option that the metric does not have.
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_neurox import get_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> cross_val_score(Ridge(), X, y, scoring=get_scorer("spearman"), cv=3).round(2)
    array([0.59, 0.71, 0.71])
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}.")
    if name in METRICS:
        _check_options(name, options)
        return make_scorer(METRICS[name], **options)
    if name not in sklearn.metrics.get_scorer_names():
        close = get_close_matches(name, [*METRICS, *sklearn.metrics.get_scorer_names()])
        meant = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(
            f"There is no scorer {name!r}.{meant} NeuroX's are {', '.join(METRICS)}; others are "
            "listed by sklearn.metrics.get_scorer_names()."
        )
    if options:
        raise TypeError(
            f"The scorer {name!r} is scikit-learn's and has no options, got {', '.join(options)}."
        )
    return sklearn.metrics.get_scorer(name)


def _two_of_labels(y_true, y_pred, metric: str) -> tuple[NDArray, NDArray]:
    both = check_labels(y_true, name="y_true"), check_labels(y_pred, name="y_pred")
    check_consistent_length(*both)
    for vector, name in zip(both, ("y_true", "y_pred"), strict=True):
        fraction = vector != np.floor(vector) if vector.dtype.kind == "f" else np.zeros(1, bool)
        if fraction.any():
            row = int(fraction.argmax())
            raise ValueError(
                f"{metric} compares classes, but {name} holds numbers that are none: {name}[{row}] "
                f"is {vector[row]}. For numbers there is {_FOR_NUMBERS}."
            )
    kinds = [kind_of(vector[0]) for vector in both]
    if kinds[0] != kinds[1]:
        raise TypeError(f"y_true holds labels of kind {kinds[0]}, but y_pred of {kinds[1]}.")
    return both


def _two_of_numbers(y_true, y_pred, metric: str) -> tuple[NDArray, NDArray]:
    try:
        both = check_numbers(y_true, name="y_true"), check_numbers(y_pred, name="y_pred")
    except TypeError as error:
        raise TypeError(
            f"{metric} compares numbers; for labels there is {_FOR_CLASSES}. {error}"
        ) from error
    check_consistent_length(*both)
    return both


def _is_constant(vector: NDArray[np.float64]) -> bool:
    mean = vector.mean()
    largest = np.abs(vector - mean).max()
    return bool(
        largest == 0 or np.linalg.norm((vector - mean) / largest) * largest < _CONSTANT * abs(mean)
    )


def _check_binary(y_true: NDArray, y_pred: NDArray, pos_label) -> None:
    labels = np.union1d(y_true, y_pred).tolist()
    if len(labels) > 2:
        raise ValueError(
            f"f1 with average='binary' is for two classes, but there are {len(labels)}; choose "
            "average='macro', 'micro' or 'weighted'."
        )
    alien = kind_of(pos_label) != kind_of(labels[0])
    if alien or (len(labels) == 2 and pos_label not in labels):
        raise ValueError(
            f"f1 needs to know the positive class: pos_label={pos_label!r} is none of {labels}."
        )


def _check_options(metric: str, options: dict) -> None:
    known = list(inspect.signature(METRICS[metric]).parameters)[2:]
    unknown = [name for name in options if name not in known]
    if unknown:
        has = f"has the options {', '.join(known)}" if known else "has no options"
        raise TypeError(f"The metric {metric!r} {has}, got {', '.join(unknown)}.")
