"""Checks of what estimators, scorers and splitters of other packages return."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold, PredefinedSplit, StratifiedKFold, check_cv

from ._conversion import as_numpy
from ._labels import check_labels, check_numbers
from ._process import ProcessSetting
from ._wording import count

# Labels that are too rare for a fold have a warning of the package.
_RARE_LABELS = ("ignore", re.compile("The least populated class in y"), UserWarning, None, 0)
# Tolerance for sums of probabilities, which may be float32 or rounded to 3 digits.
_SUM_TOLERANCE = 1e-2


def _ignore_rare_labels() -> Callable[[], None]:
    filters: list[Any] = warnings.filters  # type: ignore[assignment]  # its type is too general
    filters.insert(0, _RARE_LABELS)

    def restore() -> None:
        # They may be another list by now.
        left = [each for each in warnings.filters if each is not _RARE_LABELS]
        warnings.filters[:] = left  # type: ignore[index]  # it is a list

    return restore


# ``warnings.catch_warnings`` would restore filters that another thread has changed.
_IGNORING_RARE_LABELS = ProcessSetting(_ignore_rare_labels)


def check_score(score: Any) -> float:
    """Return the result of a scorer as a float, which may be NaN.

    Raises
    ------
    ValueError
        If it is not one number, or is masked or does not fit into a float.
    """
    number = as_numpy(score, name="The score")
    if isinstance(number, np.ndarray | np.generic) and number.size == 1:
        number = number.item()
    if not isinstance(number, Real):
        raise ValueError(
            f"scoring must return a number, got {score!r:.60} ({type(score).__name__})."
        )
    try:
        return float(number)
    except OverflowError as error:
        raise ValueError("scoring must return a number that fits into a float.") from error


def make_splits(
    X: Any, y: NDArray, *, cv: Any, classifier: bool, groups: NDArray | None, **params: Any
) -> list[Any]:
    """Return the folds of `cv`. Samples of the same group are in the same part of a fold.

    Parameters
    ----------
    X, y
        Samples.
    cv : int, splitter, iterable or None
        With groups, an int, or None for 5, is the number of folds of ``GroupKFold``.
    classifier : bool
        Whether an int, without groups, is the number of folds of ``StratifiedKFold``.
    groups : ndarray of shape (n_samples,) or None
    **params
        Other metadata for the splitter.

    Returns
    -------
    list of (train, test), ndarrays of int

    Raises
    ------
    ValueError
        As in :func:`check_splits`, and if a group is split or there are fewer groups than folds.
    """
    splitter = check_cv(cv, y, classifier=classifier)
    if groups is None and isinstance(splitter, StratifiedKFold) and splitter is not cv:
        splitter = _stratified(y, splitter)
    if groups is not None:
        params["groups"] = groups
        if by_group := group_splitter(cv):
            check_number_of_groups(len(np.unique(groups)), by_group.n_splits)
            splitter = by_group
    with _IGNORING_RARE_LABELS:
        splits = check_splits(splitter.split(X, y, **params), len(y), cv=cv)
    if groups is not None:
        _check_groups_of_splits(groups, splits)
    return splits


def _stratified(y: NDArray, splitter: StratifiedKFold) -> Any:
    """Return a splitter that stratifies labels of any frequency.

    StratifiedKFold refuses labels that all have fewer samples than there are folds.
    """
    n_folds = splitter.n_splits
    if np.unique(y, return_counts=True)[1].max() >= n_folds:
        return splitter
    if len(y) < n_folds:
        raise ValueError(
            f"{n_folds} folds require at least {n_folds} samples, got {count(len(y), 'sample')}."
        )
    folds = np.empty(len(y), dtype=np.intp)
    folds[np.argsort(y, kind="stable")] = np.arange(len(y)) % n_folds
    return PredefinedSplit(folds)


def group_splitter(cv: Any) -> GroupKFold | None:
    """Return the splitter that replaces a number of folds if there are groups."""
    is_number = cv is None or isinstance(cv, Integral)
    return GroupKFold(5 if cv is None else cv) if is_number else None


def check_number_of_groups(n_groups: int, n_folds: int, *, by: str = "") -> None:
    """Raise a ValueError if there are fewer groups than folds.

    `by` is the name of the search that uses the folds, if it is inside another estimator.
    """
    if n_groups < n_folds:
        whose = f"{by} has" if by else "There are"
        advice = f"Set cv to at most {n_groups}" if n_groups > 1 else "At least 2 are required"
        raise ValueError(
            f"{whose} {n_folds} folds, but there {'is' if n_groups == 1 else 'are'} only "
            f"{count(n_groups, 'group')}{' in the training samples' if by else ''}, and a group is "
            f"never split. {advice}, or pass samples of more groups."
        )


def check_splits(splits: Iterable[tuple[Any, Any]], n_samples: int, *, cv: Any) -> list[Any]:
    """Convert the folds of a splitter to indices of samples.

    Parameters
    ----------
    splits : iterable of (train, test)
        Indices or masks.
    n_samples : int
    cv : object
        The argument that specifies the splitter, for the error messages.

    Returns
    -------
    list of (train, test), ndarrays of int

    Raises
    ------
    ValueError
        If there are no folds, or a part of a fold is empty or contains samples that do not exist.
    """
    rows, checked = np.arange(n_samples), []
    for fold, split in enumerate(splits):
        try:
            train, test = (rows[part] for part in split)
        except (IndexError, TypeError, ValueError) as error:
            raise ValueError(
                f"Each fold of cv must contain the indices of its training samples and of its test "
                f"samples, from 0 to {n_samples - 1}, but fold {fold} does not: {error}."
            ) from error
        for part, name in ((train, "training"), (test, "test")):
            if np.ndim(part) != 1 or not len(part):
                raise ValueError(f"Fold {fold} of cv does not have any {name} samples.")
        checked.append((train, test))
    if not checked:
        raise ValueError(f"cv={cv!r} yields no folds.")
    return checked


def _check_groups_of_splits(groups: NDArray, splits: Iterable[tuple[NDArray, NDArray]]) -> None:
    """Raise a ValueError if a group is split between training and test."""
    for fold, (train, test) in enumerate(splits):
        shared = np.intersect1d(groups[train], groups[test]).tolist()
        if shared:
            raise ValueError(
                f"Fold {fold} of cv splits the group {shared[0]!r} between training and test. Pass "
                "a number of folds, or a splitter that keeps groups together, such as GroupKFold."
            )


def ranking_of(estimator: Any, n_neurons: int) -> NDArray[np.intp]:
    """Return ``ranking_`` of a fitted estimator, which must list all neurons.

    Raises
    ------
    TypeError
        If the estimator does not have ``ranking_``.
    ValueError
        As in :func:`check_permutation`, for example if ``ranking_`` contains ranks, as in ``RFE``.
    """
    name = type(estimator).__name__
    if not hasattr(estimator, "ranking_"):
        raise TypeError(f"{name} does not have the attribute ranking_ after fit.")
    return check_permutation(
        estimator.ranking_,
        n_neurons,
        name=f"ranking_ of {name}",
        advice="Use a selector whose ranking_ is np.argsort(ranks, kind='stable')",
    )


def check_permutation(
    ranking: ArrayLike,
    n_neurons: int,
    *,
    name: str,
    advice: str = "np.argsort(ranks, kind='stable') converts ranks to a ranking",
) -> NDArray[np.intp]:
    """Check that a ranking contains each neuron once, from most to least important.

    `advice` is part of the error message if it appears to contain ranks.

    Raises
    ------
    ValueError
        If it does not. The message says so if it appears to contain ranks.
    """
    values = as_numpy(ranking, name=name)
    must = f"{name} must contain each of the {n_neurons} neurons once, from most to least important"
    try:
        array = np.asarray(values)
    except ValueError as error:  # of NumPy, for rows of different lengths
        raise ValueError(
            f"{must}, got a {type(ranking).__name__} of arrays or lists of different shapes. "
            "np.argsort(-scores, kind='stable') converts scores, one for each neuron, to a ranking."
        ) from error
    is_list = array.dtype.kind in "iu" and array.ndim == 1
    if is_list and np.array_equal(np.sort(array), np.arange(n_neurons)):
        return array.astype(np.intp)
    ranks = is_list and array.shape == (n_neurons,) and array.min() == 1
    hint = " It appears to contain the rank of each neuron, from 1 for the best one."
    found = f", from {array.min()} to {array.max()}" if is_list and array.size else ""
    raise ValueError(
        f"{must}, got an array of shape {array.shape} and dtype {array.dtype}{found}."
        + (f"{hint} {advice}." if ranks else "")
    )


def check_coef(coef: Any, n_neurons: int, *, name: str) -> NDArray:
    """Return the weights of a linear model as an array of shape (n_rows, n_neurons).

    Raises
    ------
    TypeError, ValueError
        If they are not one or more rows of finite numbers, one for each neuron.
    """
    dense = coef.toarray() if issparse(coef) else as_numpy(coef, name=f"coef_ of {name}")
    array = np.atleast_2d(np.asarray(dense))
    if array.ndim > 2 or array.dtype.kind not in "biuf":
        raise TypeError(
            f"coef_ of {name} must contain rows of numbers, one for each neuron, got an array of "
            f"shape {array.shape} and dtype {array.dtype}."
        )
    if array.shape[1] != n_neurons:
        raise ValueError(
            f"The estimator has weights for {array.shape[1]} neurons, but X has {n_neurons}."
        )
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(
            f"coef_ of {name} must not contain NaN or infinity: coef_[{row}, {column}] = "
            f"{array[row, column]}."
        )
    return array


def classes_of(estimator: Any) -> NDArray:
    """Return the classes of a fitted classifier, which must be distinct labels.

    Raises
    ------
    TypeError, ValueError
        If they are not.
    """
    name = f"classes_ of {type(estimator).__name__}"
    classes = check_labels(estimator.classes_, name=name)
    if len(np.unique(classes)) < len(classes):
        raise ValueError(f"{name} must be distinct, got {classes.tolist()!r:.60}.")
    return classes


def predictions_of(estimator: Any, X: Any, n_samples: int) -> NDArray:
    """Return the labels or, for a regressor, the numbers that an estimator predicts.

    Raises
    ------
    TypeError, ValueError
        If they are not one valid label or number for each sample.
    """
    has_classes = is_classifier(estimator) or hasattr(estimator, "classes_")
    check = check_labels if has_classes else check_numbers
    predictions = check(estimator.predict(X), name="predict(X)")
    if len(predictions) != n_samples:
        raise ValueError(
            f"predict(X) must contain one prediction for each of the {n_samples} samples, got "
            f"{len(predictions)}."
        )
    return predictions


def check_probabilities(
    probabilities: ArrayLike, n_samples: int, n_classes: int
) -> NDArray[np.float64]:
    """Check the result of ``predict_proba``, and normalize the rows in float64.

    Raises
    ------
    ValueError
        If the shape is wrong, or rows are not non-negative probabilities that sum to 1.
    """
    array = np.asarray(as_numpy(probabilities, name="predict_proba(X)"), dtype=np.float64)
    if array.shape != (n_samples, n_classes):
        raise ValueError(
            "predict_proba must return an array of shape (n_samples, n_classes) = "
            f"{(n_samples, n_classes)}, got shape {array.shape}."
        )
    sums = array.sum(axis=1, keepdims=True)
    if not ((array >= 0).all() and (np.abs(sums - 1) <= _SUM_TOLERANCE).all()):
        raise ValueError(
            "predict_proba must return non-negative probabilities that sum to 1, got sums from "
            f"{sums.min():.3g} to {sums.max():.3g} and a minimum of {array.min():.3g}."
        )
    return array / sums
