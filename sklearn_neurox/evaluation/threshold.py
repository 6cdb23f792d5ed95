"""Thresholds of classifiers for a false positive rate."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.utils._param_validation import HasMethods, Interval

from .._grouped_fits import fit_clone
from .._labels import check_target
from .._results import make_splits
from .._validation import validate_params
from ._folds import check_not_frozen
from ._ranked_metrics import DEFAULT_FPR
from ._samples import check_samples, take_samples

_ROUNDING = 1e-12  # of the product of a rate and a number of samples
THRESHOLD_CONSTRAINTS = {
    "estimator": [HasMethods(["fit", "decision_function"]), HasMethods(["fit", "predict_proba"])],
    "fpr": [Interval(Real, 0, 1, closed="left")],
}


@validate_params(THRESHOLD_CONSTRAINTS | {"cv": ["cv_object"], "groups": ["array-like", None]})
def tune_threshold(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    fpr: float = DEFAULT_FPR,
    pos_label: Any = None,
    cv: Any = None,
    groups: ArrayLike | None = None,
) -> FixedThresholdClassifier:
    """Fit a classifier with a threshold for a false positive rate.

    The threshold is the smallest one with at most this false positive rate on the held-out samples
    of a cross-validation within these samples, those of all folds together. Its recall is then the
    largest. scikit-learn's ``TunedThresholdClassifierCV`` averages an objective over the folds
    instead, so that a limit holds in most of the folds: the threshold is too high if folds differ,
    as they do with groups.

    Parameters
    ----------
    estimator, X, y, fpr, pos_label, groups
        As in :func:`operating_point`.
    cv : int, splitter or None, default=None
        Folds on which the threshold is chosen, as in :func:`layerwise_scores`. Those without
        training samples of both classes are left out.

    Returns
    -------
    FixedThresholdClassifier
        Fitted on all samples, with the parameter ``threshold``. For more than two classes, it
        predicts whether a sample is of the class `pos_label`.

    Raises
    ------
    TypeError, ValueError
        As in :func:`operating_point`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_neurox import probe_report, tune_threshold
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> probe = tune_threshold(RidgeClassifier(), X[:300], y[:300], fpr=0.05)
    >>> report = probe_report(probe, X[300:], y[300:], metric="false_positive_rate")
    """
    check_not_frozen(estimator, by="tune_threshold")
    X, y, groups = check_samples(X, y, groups)
    labels, positive = binary_problem(y, pos_label)
    return fit_tuned(estimator, X, labels, groups, positive, fpr, cv)


def binary_problem(y: NDArray, pos_label: Any) -> tuple[NDArray, Any]:
    """Return labels of two classes, and the positive one."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(
            f"A threshold requires 2 classes, but y contains only {classes.tolist()[0]!r}."
        )
    if pos_label is None:
        if len(classes) > 2:
            raise ValueError(f"Pass pos_label, which must be one of {classes.tolist()!r:.100}.")
        return y, classes[1]
    place = check_target(pos_label, classes, name="pos_label")
    return (y, classes[place]) if len(classes) == 2 else (y == classes[place], True)


def fit_tuned(
    estimator: Any,
    X: Any,
    y: NDArray,
    groups: NDArray | None,
    positive: Any,
    fpr: float,
    cv: Any,
) -> FixedThresholdClassifier:
    """Fit the classifier of :func:`tune_threshold` to labels of two classes."""
    has_values = hasattr(estimator, "decision_function")
    # Decision values have fewer ties than probabilities.
    method = "decision_function" if has_values else "predict_proba"
    splits = make_splits(X, y, cv=cv, classifier=True, groups=groups)
    is_second = positive == np.unique(y)[1]
    negative = []  # decision values of negative samples, by probes that do not know them
    for train, test in splits:
        rows = test[y[test] != positive]
        if not len(rows) or len(np.unique(y[train])) < 2:
            continue
        some = None if groups is None else groups[train]
        fitted = fit_clone(estimator, take_samples(X, train), y[train], some)
        values = getattr(fitted, method)(take_samples(X, rows))
        if has_values:
            negative.append(values if is_second else -values)
        else:
            negative.append(values[:, int(is_second)])
    if not negative:
        raise ValueError(
            f"No threshold of {positive!r} can be chosen, because no fold of cv has training "
            "samples of both classes and test samples of other classes. Use more folds."
        )
    tuned = FixedThresholdClassifier(
        clone(estimator),
        threshold=_quantile(np.concatenate(negative), fpr),
        pos_label=positive,
        response_method=method,
    )
    return fit_clone(tuned, X, y, groups)


def _quantile(values: NDArray[np.float64], fpr: float) -> float:
    """Return the smallest threshold that at most the share `fpr` of the values reaches."""
    ranked = -np.sort(-values.astype(np.float64))
    n_allowed = int(np.floor(fpr * len(ranked) * (1 + _ROUNDING)))
    return float(np.nextafter(ranked[n_allowed], np.inf))
