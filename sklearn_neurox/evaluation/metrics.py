"""The seven metrics of NeuroX, and their registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import sklearn.metrics
from numpy.typing import ArrayLike, NDArray
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score
from sklearn.utils import check_consistent_length

from .._labels import check_labels, check_numbers, kind_of
from .._weights import check_sample_weight

# Relative to the mean, smaller deviations are rounding errors. SciPy uses the same limit.
_CONSTANT = 1e-13
Average: TypeAlias = Literal["binary", "micro", "macro", "weighted"]


def accuracy_and_f1(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    average: Average = "binary",
    pos_label: Any = None,
    zero_division: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the mean of accuracy and F1.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    average : {"binary", "micro", "macro", "weighted"}, default="binary"
        As in ``sklearn.metrics.f1_score``. "binary" is the F1 of `pos_label`, for two classes.
        For more classes, choose one of the averages.
    pos_label : label, default=None
        The positive class of "binary". If None, 1 or, if the labels are booleans, True.
    zero_division : float, default=0.0
        F1 of a class that occurs neither in y_true nor in y_pred.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights, of which only the ratios matter.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If labels of different kinds are mixed.
    ValueError
        If lengths differ, there are no samples, a label is NaN, the labels are continuous values,
        or `average` is "binary" with more than two classes.

    Examples
    --------
    >>> from sklearn_neurox import accuracy_and_f1
    >>> accuracy_and_f1([1, 1, 0, 0], [1, 1, 0, 1])  # 0.75 and 0.8
    0.775
    """
    y_true, y_pred = _check_label_pairs(y_true, y_pred, "accuracy_and_f1")
    f1_part = f1(
        y_true,
        y_pred,
        average=average,
        pos_label=pos_label,
        zero_division=zero_division,
        sample_weight=sample_weight,
    )
    return (accuracy(y_true, y_pred, sample_weight=sample_weight) + f1_part) / 2


def pearson(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return the Pearson correlation.

    It is defined as 0.0 if the targets or the predictions are constant up to rounding, because a
    constant prediction explains nothing. SciPy returns NaN with a warning, which would disrupt a
    search.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True values.
    y_pred : array-like of shape (n_samples,)
        Predicted values.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights, of which only the ratios matter.

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If lengths differ, there are no samples, or a number is NaN or infinite.

    Examples
    --------
    >>> from sklearn_neurox import pearson
    >>> round(pearson([1, 2, 3], [2, 4, 9]), 3)
    0.971
    >>> pearson([1, 2, 3], [5, 5, 5])
    0.0
    """
    true, predicted = _check_number_pairs(y_true, y_pred, "pearson")
    weight = None
    if sample_weight is not None:
        weight = check_sample_weight(sample_weight, len(true))
        true, predicted, weight = true[weight > 0], predicted[weight > 0], weight[weight > 0]
    if _is_constant(true) or _is_constant(predicted):
        return 0.0
    if weight is None:
        return float(pearsonr(true, predicted).statistic)
    covariance = np.cov(true, predicted, aweights=weight)
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def spearman(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the Spearman correlation, which is the correlation of ranks. Ties have mean ranks.

    It is defined as 0.0 if the targets or the predictions are constant.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True values.
    y_pred : array-like of shape (n_samples,)
        Predicted values.

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    TypeError, ValueError
        As in :func:`pearson`.

    Examples
    --------
    >>> from sklearn_neurox import spearman
    >>> round(spearman([1, 2, 3], [2, 4, 9]), 6)
    1.0
    """
    y_true, y_pred = _check_number_pairs(y_true, y_pred, "spearman")
    if np.ptp(y_true) == 0 or np.ptp(y_pred) == 0:  # ranks are not rounded
        return 0.0
    return float(spearmanr(y_true, y_pred).statistic)


def pearson_and_spearman(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean of the Pearson and the Spearman correlation.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True values.
    y_pred : array-like of shape (n_samples,)
        Predicted values.

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    TypeError, ValueError
        As in :func:`pearson`.

    Examples
    --------
    >>> from sklearn_neurox import pearson_and_spearman
    >>> round(pearson_and_spearman([1, 2, 3], [2, 4, 9]), 3)
    0.985
    """
    y_true, y_pred = _check_number_pairs(y_true, y_pred, "pearson_and_spearman")
    return (pearson(y_true, y_pred) + spearman(y_true, y_pred)) / 2


def accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return the fraction of samples with the correct label."""
    y_true, y_pred = _check_label_pairs(y_true, y_pred, "accuracy")
    weight = _check_weight(sample_weight, y_true)
    return float(accuracy_score(y_true, y_pred, sample_weight=weight))


def f1(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    average: Average = "binary",
    pos_label: Any = None,
    zero_division: float = 0.0,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the F1 of one class, or an average over classes. See :func:`accuracy_and_f1`."""
    if average not in get_args(Average):
        raise ValueError(
            f"average must be 'binary', 'micro', 'macro' or 'weighted', got {average!r}."
        )
    y_true, y_pred = _check_label_pairs(y_true, y_pred, "f1")
    if average == "binary":
        pos_label = _check_binary(y_true, y_pred, pos_label)
    weight = _check_weight(sample_weight, y_true)
    return float(
        f1_score(
            y_true,
            y_pred,
            average=average,
            # scikit-learn warns about a pos_label that it does not use.
            pos_label=pos_label if average == "binary" else 1,
            zero_division=zero_division,
            sample_weight=weight,
        )
    )


def matthews_corrcoef(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """Return the Matthews correlation, or 0.0 if the labels or the predictions are constant."""
    y_true, y_pred = _check_label_pairs(y_true, y_pred, "matthews_corrcoef")
    if len(np.unique(y_true)) == 1 or len(np.unique(y_pred)) == 1:
        return 0.0  # as in scikit-learn, but without its warning
    weight = _check_weight(sample_weight, y_true)
    return float(sklearn.metrics.matthews_corrcoef(y_true, y_pred, sample_weight=weight))


LABEL_METRICS: dict[str, Callable[..., float]] = {
    "accuracy": accuracy,
    "f1": f1,
    "accuracy_and_f1": accuracy_and_f1,
    "matthews_corrcoef": matthews_corrcoef,
}
NUMBER_METRICS: dict[str, Callable[..., float]] = {
    "pearson": pearson,
    "spearman": spearman,
    "pearson_and_spearman": pearson_and_spearman,
}
# The registry that compute_score, get_scorer and the command read.
METRICS = LABEL_METRICS | NUMBER_METRICS


def compute_score(y_true: ArrayLike, y_pred: ArrayLike, metric: str, **options: Any) -> float:
    """Score predictions with one of the metrics of NeuroX.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels or values. A column, (n_samples, 1), is flattened.
    y_pred : array-like of shape (n_samples,)
        Predictions.
    metric : str
        "accuracy", "f1", "accuracy_and_f1" and "matthews_corrcoef" compare labels; "pearson",
        "spearman" and "pearson_and_spearman" compare numbers.
    **options
        `average`, `pos_label` and `zero_division` for "f1" and "accuracy_and_f1", see
        :func:`accuracy_and_f1`, and `sample_weight` for all but the rank correlations.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the metric does not have an option, or labels of different kinds are mixed.
    ValueError
        If the metric is unknown or does not suit the targets, lengths differ, there are no
        samples, or a value is NaN or infinite.

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
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}.")
    check_options(metric, options)
    return METRICS[metric](y_true, y_pred, **options)


def check_options(metric: str, options: Mapping[str, Any]) -> None:
    """Raise a TypeError if a metric does not have one of the options."""
    known = list(inspect.signature(METRICS[metric]).parameters)[2:]
    unknown = [name for name in options if name not in known]
    if unknown:
        has = f"has the options {', '.join(known)}" if known else "has no options"
        raise TypeError(f"The metric {metric!r} {has}, got {', '.join(unknown)}.")


def _check_label_pairs(
    y_true: ArrayLike, y_pred: ArrayLike, metric: str
) -> tuple[NDArray, NDArray]:
    both = check_labels(y_true, name="y_true"), check_labels(y_pred, name="y_pred")
    check_consistent_length(*both)
    for vector, name in zip(both, ("y_true", "y_pred"), strict=True):
        fraction = vector != np.floor(vector) if vector.dtype.kind == "f" else np.zeros(1, bool)
        if fraction.any():
            row = int(fraction.argmax())
            raise ValueError(
                f"{metric} compares classes, but {name} contains continuous values: {name}[{row}] "
                f"= {vector[row]}. For numbers, use {_one_of(NUMBER_METRICS)}."
            )
    kinds = [kind_of(vector[0]) for vector in both]
    if kinds[0] != kinds[1]:
        raise TypeError(
            f"y_true contains {kinds[0]} labels, but y_pred contains {kinds[1]} labels."
        )
    return both


def _check_weight(sample_weight: ArrayLike | None, y: NDArray) -> NDArray[np.float64] | None:
    return None if sample_weight is None else check_sample_weight(sample_weight, len(y))


def _check_number_pairs(
    y_true: ArrayLike, y_pred: ArrayLike, metric: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        both = check_numbers(y_true, name="y_true"), check_numbers(y_pred, name="y_pred")
    except TypeError as error:
        raise TypeError(
            f"{metric} compares numbers. For labels, use {_one_of(LABEL_METRICS)}. {error}"
        ) from error
    check_consistent_length(*both)
    return both


def _is_constant(vector: NDArray[np.float64]) -> bool:
    mean = vector.mean()
    largest = np.abs(vector - mean).max()
    return bool(
        largest == 0 or np.linalg.norm((vector - mean) / largest) * largest < _CONSTANT * abs(mean)
    )


def _check_binary(y_true: NDArray, y_pred: NDArray, pos_label: Any) -> Any:
    """Check that there are at most two classes, and return the positive one."""
    labels = np.union1d(y_true, y_pred).tolist()
    if len(labels) > 2:
        raise ValueError(
            f"average='binary' requires 2 classes, but there are {len(labels)}. Use "
            "average='macro', 'micro' or 'weighted'."
        )
    # None rather than 1 is the default, because scorers of scikit-learn require that two classes
    # include the default, even if it is not used.
    pos_label = 1 if pos_label is None else pos_label
    if kind_of(labels[0]) == "boolean" and pos_label == 1:
        return True
    # y may contain a single class, which may be the negative one.
    is_other_kind = kind_of(pos_label) != kind_of(labels[0])
    if is_other_kind or (len(labels) == 2 and pos_label not in labels):
        raise ValueError(
            f"pos_label must be one of the labels {labels}, got {pos_label!r}. With "
            "average='binary', F1 is that of this class. Pass pos_label, or average='macro', "
            "'micro' or 'weighted'."
        )
    return pos_label


def _one_of(metrics: Mapping[str, Any]) -> str:
    *others, last = metrics
    return f"{', '.join(others)} or {last}"
